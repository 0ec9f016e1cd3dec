"""A controller's REST server: messages in, replies out; health and info."""

import asyncio
import functools
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, TypeAlias

import structlog
from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from pdsno import __version__
from pdsno.communication.codec import MessageJournal, size_limit
from pdsno.communication.embedding import choose_credentials, require_loopback
from pdsno.communication.problems import Problem, problem_of
from pdsno.communication.rate_limit import Flood
from pdsno.communication.refused import OnRefused
from pdsno.communication.rest_joins import JoinLimits
from pdsno.communication.rest_messages import (
    MESSAGE_MEDIA_TYPE,
    Answer,
    MessageDesk,
    problem_answer,
)
from pdsno.communication.rest_peers import PeerGate
from pdsno.communication.rest_protocol import ConnectionLimits
from pdsno.communication.rest_runner import RestRunner
from pdsno.communication.rest_selftest import prove_peers_arrive
from pdsno.communication.streams import StreamSource, answer_pull
from pdsno.domain.errors import PDSNOError
from pdsno.domain.identifiers import check_controller_id
from pdsno.domain.messages import Handler, MessageType
from pdsno.domain.peers import Channel
from pdsno.domain.trust_ports import PeerDirectory, Signer, TransportSecurity, Verifier

log = structlog.get_logger()

_WORKERS = 16
_JOINS_PER_MINUTE = 5
_JOINER_CONNECTIONS = 20
_PEM = "application/pem-certificate-chain"
_Seq: TypeAlias = Annotated[int, Query(ge=0, le=2**53)]
_Name: TypeAlias = Annotated[str | None, Query(max_length=64)]
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            MESSAGE_MEDIA_TYPE: {
                "schema": {
                    "type": "object",
                    "description": "A flattened JSON JWS (RFC 7515); see docs/security.md.",
                    "properties": {
                        "protected": {"type": "string"},
                        "payload": {"type": "string"},
                        "signature": {"type": "string"},
                    },
                    "required": ["protected", "payload", "signature"],
                    "additionalProperties": False,
                }
            }
        },
    }
}


class ControllerRESTServer:
    """Serves `POST /messages/{type}` for each registered handler, and `GET` on a few paths.

    Handlers are ordinary functions; at most 16 run at a time, each in a worker thread. They get
    messages that passed every check; what they raise is answered as an RFC 9457 problem.

    With `tls` it speaks TLS 1.3. It then either demands a certificate (`requires_client`): whoever
    shows one must be admitted by `peers`, anew with each request, and may send messages of its own
    only; or it is a join listener: anybody may connect, each source may send `validation_limit`
    validation messages of a type a minute (5), and `GET /trust` serves `trust()`, the roots in
    PEM. `on_flood` hears of refused floods, `on_refused` of refused messages, on a worker thread.

    Without `tls` only loopback is served. Built without signer and verifier the server is in
    embedding mode.

    `GET /health` is open to whoever may connect; `GET /info` shows `info` beside the controller's
    ID, version and handlers (a callable is asked each time) to admitted peers, and `GET /peer`
    tells whose certificate the caller showed. A join listener has none of the three. With a
    `journal` replays are refused after a restart, too.
    """

    def __init__(  # noqa: PLR0913 - a server's settings, by name
        self,
        controller_id: str,
        port: int,
        *,
        host: str = "127.0.0.1",
        signer: Signer | None = None,
        verifier: Verifier | None = None,
        info: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
        workers: int = _WORKERS,
        tls: TransportSecurity | None = None,
        peers: PeerDirectory | None = None,
        requires_client: bool = True,
        validation_limit: int | None = None,
        trust: Callable[[], bytes] | None = None,
        on_flood: Callable[[Flood], None] | None = None,
        on_refused: OnRefused | None = None,
        journal: MessageJournal | None = None,
    ) -> None:
        self._controller_id = check_controller_id(controller_id)
        credentials = choose_credentials(signer, verifier)
        if tls is None:
            require_loopback(host)
        self._tls = tls
        self._requires_client = requires_client
        self._is_join_listener = tls is not None and not requires_client
        self._gate = PeerGate(tls, peers, requires_client=requires_client)
        self._desk = MessageDesk(credentials, self._gate, journal, on_refused)
        self._info = info or {}
        self._trust = trust
        per_minute = _JOINS_PER_MINUTE if self._is_join_listener else None
        self._limits = JoinLimits(validation_limit or per_minute, on_flood, lambda: self._pool)
        self._workers = workers
        self._pool: ThreadPoolExecutor | None = self._new_pool()
        self._lock = threading.Lock()
        self._since = time.monotonic()
        self._paths: dict[str, MessageType] = {}
        self.app = self._application()
        most = _JOINER_CONNECTIONS if self._is_join_listener else None
        self._runner = RestRunner(
            self._answer,
            host=host,
            port=port,
            name=f"rest-{controller_id}",
            limits=ConnectionLimits(per_source=most),
        )

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
        is_new = message_type not in self._desk.handlers
        self._desk.handlers[message_type] = handler
        if is_new:
            path = f"/messages/{message_type.value.lower()}"
            self._paths[path] = message_type
            # For the OpenAPI document, and for the methods that this path does not take.
            self.app.router.add_api_route(
                path,
                functools.partial(self._take, message_type),
                methods=["POST"],
                response_model=None,
                openapi_extra=_BODY,
                name="take_message",
                description="A signed message.",
            )
            self.app.openapi_schema = None

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document of the endpoints; never served over the network."""
        return self.app.openapi()

    async def start(self) -> None:
        """Serve until `stop` is called or the task is cancelled."""
        self.start_background()
        try:
            await asyncio.to_thread(self._runner.wait)
        finally:
            self.stop()

    def start_background(self) -> None:
        """Serve in a thread; returns once it serves. Idempotent.

        Raises OperationError if the port is taken or the address is not ours, or if clients'
        certificates do not reach us.
        """
        if self._runner.is_serving:
            return
        with self._lock:
            if self._pool is None:
                self._pool = self._new_pool()
        if self._tls is not None:
            self._runner.tls_context = self._tls.server_context(
                requires_client=self._requires_client
            )
        self._runner.start()
        if self._tls is not None and self._requires_client:
            try:
                prove_peers_arrive(self._tls, self.host, self.port)
            except PDSNOError:
                self.stop()
                raise
        log.info("rest_serving", controller_id=self.controller_id, host=self.host, port=self.port)

    def stop(self) -> None:
        """Answer what was asked, then stop serving; idempotent."""
        self._runner.stop()
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    def _new_pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(
            max_workers=self._workers, thread_name_prefix=f"rest-{self.controller_id}"
        )

    # --- paths -------------------------------------------------------------------------------

    def _application(self) -> FastAPI:
        app = FastAPI(title="PDSNO controller", docs_url=None, redoc_url=None, openapi_url=None)
        if not self._is_join_listener:
            app.add_api_route("/health", self._health, methods=["GET"], response_model=None)
            app.add_api_route("/info", self._show_info, methods=["GET"], response_model=None)
        if self._gate.is_closed:
            app.add_api_route("/peer", self._show_peer, methods=["GET"], response_model=None)
        if self._trust is not None:
            app.add_api_route("/trust", self._show_trust, methods=["GET"], response_model=None)
        app.add_exception_handler(HTTPException, _http_problem)
        app.add_exception_handler(RequestValidationError, _bad_parameter)
        return app

    async def _health(self) -> Response:
        uptime_s = round(time.monotonic() - self._since, 1)
        return JSONResponse(
            {"status": "ok", "controller_id": self.controller_id, "uptime_s": uptime_s}
        )

    def _show_info(self, request: Request) -> Response:
        def info(_channel: Channel) -> Mapping[str, Any]:
            extra = self._info() if callable(self._info) else self._info
            return {
                **extra,
                "controller_id": self.controller_id,
                "version": __version__,
                "messages": sorted(kind.value for kind in self._desk.handlers),
            }

        return self._for_peers(request, info)

    def _show_peer(self, request: Request) -> Response:
        def peer(channel: Channel) -> Mapping[str, Any]:
            name = channel.peer.controller_id if channel.peer is not None else None
            return {"controller_id": name, "certificate_sha256": channel.certificate_sha256}

        return self._for_peers(request, peer, is_admitted=False)

    def _for_peers(
        self,
        request: Request,
        body: Callable[[Channel], Mapping[str, Any]],
        *,
        is_admitted: bool = True,
    ) -> Response:
        try:
            channel = self._gate.channel(request.scope)
            if is_admitted:
                self._gate.admit(channel)
        except PDSNOError as error:
            return _response(problem_answer(problem_of(error), is_last=True))
        return JSONResponse(body(channel))

    def _show_trust(self) -> Response:
        return Response(content=self._trust() if self._trust else b"", media_type=_PEM)

    def serve_streams(self, source: StreamSource) -> None:
        """Let our parent pull our stream; also while serving."""

        def pull(request: Request, sender: str, after: _Seq = 0, stream: _Name = None) -> Response:
            scope = request.scope
            return _response(
                answer_pull(source, self._gate, scope, sender=sender, after=after, stream_id=stream)
            )

        self.app.add_api_route("/streams/{sender}", pull, methods=["GET"], response_model=None)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        """Take messages past FastAPI, which has nothing to do for them; the rest is its."""
        is_post = scope["type"] == "http" and scope["method"] == "POST"
        message_type = self._paths.get(scope["path"]) if is_post else None
        if message_type is None:
            await self.app(scope, receive, send)
            return
        response = await self._take(message_type, Request(scope, receive))
        await response(scope, receive, send)

    # --- messages ----------------------------------------------------------------------------

    async def _take(self, message_type: MessageType, request: Request) -> Response:
        refused = self._refused_early(message_type, request)
        return _response(refused or await self._taken(message_type, request))

    def _refused_early(self, message_type: MessageType, request: Request) -> Answer | None:
        """Return the answer to what need not be read."""
        if not _is_message(request):
            detail = f"a message is {MESSAGE_MEDIA_TYPE}, without Content-Encoding"
            return problem_answer(Problem(status=415, detail=detail), is_last=True)
        return self._limits.refusal(message_type, request.client.host if request.client else "")

    async def _taken(self, message_type: MessageType, request: Request) -> Answer:
        pool = self._pool
        if pool is None:
            return problem_answer(Problem(status=503, detail="stopping", retry_after_s=5))
        limit = size_limit(message_type)
        try:
            raw = await _body(request, limit)
        except ClientDisconnect:
            return Answer(status=400, is_last=True)  # nobody is there to read it
        if raw is None:
            problem = Problem(status=413, detail=f"a {message_type} has at most {limit} bytes")
            return problem_answer(problem, is_last=True)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            pool, self._desk.answer, self.controller_id, message_type, request.scope, raw
        )


def _is_message(request: Request) -> bool:
    media_type = request.headers.get("content-type", MESSAGE_MEDIA_TYPE).partition(";")[0]
    encoding = request.headers.get("content-encoding", "identity")
    return media_type.strip().lower() == MESSAGE_MEDIA_TYPE and encoding.lower() == "identity"


def _response(answer: Answer) -> Response:
    headers = dict(answer.headers)
    if answer.is_last:
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
    return _response(
        problem_answer(Problem(status=status, detail=detail.get(status, "see the status")))
    )


async def _bad_parameter(_request: Request, _error: Exception) -> Response:
    return _response(problem_answer(Problem(status=422, detail="a parameter is not acceptable")))
