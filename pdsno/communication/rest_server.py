"""A controller's REST server: messages in, replies out; health and info."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from pdsno import __version__
from pdsno.communication.codec import (
    Draft,
    ReplayGuard,
    is_replayable,
    open_message,
    seal,
    size_limit,
)
from pdsno.communication.embedding import choose_credentials, require_loopback
from pdsno.communication.problems import MEDIA_TYPE, Problem, problem_of
from pdsno.communication.rest_runner import RestRunner
from pdsno.domain.errors import PDSNOError, RemoteProtocolError
from pdsno.domain.identifiers import check_controller_id
from pdsno.domain.messages import Handler, Message, MessageType, Reply
from pdsno.domain.ports import Signer, Verifier

log = structlog.get_logger()

MESSAGE_MEDIA_TYPE = "application/jose+json"
_WORKERS = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    status: int
    body: bytes = b""
    media_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class ControllerRESTServer:
    """Serves `POST /messages/{type}` for each registered handler, `GET /health` and `GET /info`.

    Handlers are ordinary functions; at most 16 run at a time, each in a worker thread. They get
    messages that passed every check; what they raise is answered as an RFC 9457 problem. Built
    without signer and verifier the server is in embedding mode and serves loopback only.

    `info` is shown by `GET /info` beside the controller's ID, version and handlers; a callable is
    asked each time.
    """

    def __init__(
        self,
        controller_id: str,
        port: int,
        *,
        host: str = "127.0.0.1",
        signer: Signer | None = None,
        verifier: Verifier | None = None,
        info: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
        workers: int = _WORKERS,
    ) -> None:
        self._controller_id = check_controller_id(controller_id)
        self._credentials = choose_credentials(signer, verifier)
        if self._credentials.is_embedded:
            require_loopback(host)
        self._info = info or {}
        self._handlers: dict[MessageType, Handler] = {}
        self._guard = ReplayGuard()
        self._workers = workers
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._since = time.monotonic()
        self.app = self._application()
        self._runner = RestRunner(self.app, host=host, port=port, name=f"rest-{controller_id}")

    @property
    def controller_id(self) -> str:
        """Whose messages are taken and who signs the replies; provisional until validated."""
        return self._controller_id

    @controller_id.setter
    def controller_id(self, value: str) -> None:
        self._controller_id = check_controller_id(value)

    @property
    def host(self) -> str:
        """The address to listen on."""
        return self._runner.host

    @property
    def port(self) -> int:
        """The port; built with 0, the one that was free, once the server serves."""
        return self._runner.port

    @property
    def is_serving(self) -> bool:
        """Whether requests are answered."""
        return self._runner.is_serving

    def register_handler(self, message_type: MessageType, handler: Handler) -> None:
        """Make an endpoint of a handler, or give an endpoint a new one; also while serving."""
        is_new = message_type not in self._handlers
        self._handlers[message_type] = handler
        if is_new:
            self.app.add_api_route(
                f"/messages/{message_type.value.lower()}",
                self._endpoint(message_type),
                methods=["POST"],
                response_model=None,
            )

    async def start(self) -> None:
        """Serve until `stop` is called or the task is cancelled."""
        self.start_background()
        try:
            await asyncio.to_thread(self._runner.wait)
        finally:
            self.stop()

    def start_background(self) -> None:
        """Serve in a thread; returns once it serves. Idempotent.

        Raises OperationError if the port is taken or the address is not ours.
        """
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(
                    max_workers=self._workers, thread_name_prefix=f"rest-{self.controller_id}"
                )
        self._runner.start()
        log.info("rest_serving", controller_id=self.controller_id, host=self.host, port=self.port)

    def stop(self) -> None:
        """Answer what was asked, then stop serving; idempotent."""
        self._runner.stop()
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    def _application(self) -> FastAPI:
        app = FastAPI(title="PDSNO controller", docs_url=None, redoc_url=None, openapi_url=None)
        app.add_api_route("/health", self._health, methods=["GET"], response_model=None)
        app.add_api_route("/info", self._show_info, methods=["GET"], response_model=None)
        app.add_exception_handler(HTTPException, _http_problem)
        return app

    async def _health(self) -> Response:
        uptime_s = round(time.monotonic() - self._since, 1)
        return JSONResponse(
            {"status": "ok", "controller_id": self.controller_id, "uptime_s": uptime_s}
        )

    async def _show_info(self) -> Response:
        extra = self._info() if callable(self._info) else self._info
        return JSONResponse(
            {
                **extra,
                "controller_id": self.controller_id,
                "version": __version__,
                "messages": sorted(kind.value for kind in self._handlers),
            }
        )

    def _endpoint(self, message_type: MessageType) -> Callable[[Request], Awaitable[Response]]:
        async def take_message(request: Request) -> Response:
            pool = self._pool
            if pool is None:
                return _response(_problem(Problem(status=503, detail="stopping", retry_after_s=5)))
            raw = await _body(request, size_limit(message_type))
            if raw is None:
                limit = size_limit(message_type)
                problem = Problem(status=413, detail=f"a {message_type} has at most {limit} bytes")
                return _response(_problem(problem), is_last=True)
            loop = asyncio.get_running_loop()
            return _response(await loop.run_in_executor(pool, self._answer, message_type, raw))

        return take_message

    def _answer(self, message_type: MessageType, raw: bytes) -> _Answer:
        """Check, handle and answer one message; runs in a worker thread."""
        with structlog.contextvars.bound_contextvars(controller_id=self.controller_id):
            try:
                return self._handle(message_type, raw)
            except Exception as error:  # noqa: BLE001 - a server answers every error
                return _problem(_logged(message_type, error))

    def _handle(self, message_type: MessageType, raw: bytes) -> _Answer:
        me = self.controller_id
        message = open_message(raw, self._credentials.verifier, recipient_id=me)
        if message.message_type is not message_type:
            raise RemoteProtocolError(f"{message.message_type} sent to another type's endpoint")
        if not is_replayable(message):
            self._guard.admit(message, datetime.now(UTC))
        with structlog.contextvars.bound_contextvars(
            sender_id=message.sender_id,
            correlation_id=message.correlation_id or message.message_id,
        ):
            try:
                reply = self._handlers[message_type](message)
            except Exception as error:  # noqa: BLE001 - logged here, where the sender is known
                return _problem(_logged(message_type, error))
        if reply is None:
            return _Answer(status=204)
        body = self._sealed(reply, message, me)
        return _Answer(status=200, body=body, media_type=MESSAGE_MEDIA_TYPE)

    def _sealed(self, reply: Reply, message: Message, me: str) -> bytes:
        draft = Draft(
            message_type=reply.message_type,
            sender_id=me,
            recipient_id=message.sender_id,
            payload=reply.payload,
            correlation_id=message.message_id,
        )
        return seal(draft, self._credentials.signer, with_key=self._credentials.is_embedded)


def _logged(message_type: MessageType, error: Exception) -> Problem:
    problem = problem_of(error)
    if isinstance(error, PDSNOError):
        log.warning(
            "message_refused",
            message_type=message_type.value,
            status=problem.status,
            reason=problem.reason,
            error=str(error),
        )
    else:
        log.error("message_handler_crashed", message_type=message_type.value, exc_info=error)
    return problem


def _problem(problem: Problem) -> _Answer:
    return _Answer(
        status=problem.status,
        body=problem.body(),
        media_type=MEDIA_TYPE,
        headers=problem.headers(),
    )


def _response(answer: _Answer, *, is_last: bool = False) -> Response:
    headers = dict(answer.headers)
    if is_last:
        headers["Connection"] = "close"
    return Response(
        content=answer.body,
        status_code=answer.status,
        media_type=answer.media_type,
        headers=headers,
    )


async def _body(request: Request, limit: int) -> bytes | None:
    """Return the body, or None as soon as more than `limit` bytes came, whatever was announced."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


async def _http_problem(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = {404: "this controller has no such endpoint", 405: "not with this method"}
    return _response(_problem(Problem(status=status, detail=detail.get(status, "see the status"))))
