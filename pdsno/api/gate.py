"""The gate: nothing of the API is answered before it is known who asks."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from pdsno.api.attempts import Attempts, Failures
from pdsno.api.auth import DETAILS, Failure, Operator, digest_in, operator_of
from pdsno.api.known_tokens import KnownTokens
from pdsno.api.problems import response_of
from pdsno.communication.problems import Problem
from pdsno.communication.rate_limit import SourceLimiter, source_of
from pdsno.domain.entities import NewEvent
from pdsno.domain.errors import OperationError
from pdsno.domain.ports import NIB

log = structlog.get_logger()

RATE_LIMITED = "RATE_LIMITED"
_REALM = 'Bearer realm="pdsno"'
_TELL_EVERY_S = 60.0


class Gate:
    """ASGI middleware: puts the `Operator` into the request's state, or answers 401.

    The token is looked up in the NIB unless nothing was committed there since it was (see
    `KnownTokens`), so that its revocation counts on the next request; `is_welcome()` in the state
    tells an answer that lasts whether it is good still. `open_paths` are served without a token
    too, then with the operator None. Failures of a source are limited, and told in the event log
    in sums (`Attempts`); tokens appear nowhere. A good token has `requests_per_min`, at once or
    over a minute; None does not limit it.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        nib: NIB,
        controller_id: Callable[[], str],
        open_paths: Iterable[str],
        attempts: Attempts | None = None,
        requests_per_min: int | None = None,
    ) -> None:
        self._app = app
        self._nib = nib
        self._tokens = KnownTokens(nib)
        self._controller_id = controller_id
        self._open_paths = frozenset(open_paths)
        self._attempts = attempts or Attempts()
        self._limiter = SourceLimiter(requests_per_min) if requests_per_min else None
        self._teller: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).getlist("authorization")
        if not given and scope["path"] in self._open_paths:
            verdict: Operator | Problem | None = None
        else:
            verdict = self._recalled(given)
            if verdict is None:
                source = source_of((scope.get("client") or ("unknown",))[0])
                verdict = await run_in_threadpool(self._judged, given, source)
        if isinstance(verdict, Problem):
            self._tell_later()
            challenge = f'{_REALM}, error="invalid_token"' if given else _REALM
            headers = {"WWW-Authenticate": challenge} if verdict.status == 401 else {}  # noqa: PLR2004 - Unauthorized
            await response_of(verdict, headers)(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["operator"] = verdict
        state["is_welcome"] = partial(self._is_welcome, given)
        await self._app(scope, receive, send)

    def _recalled(self, given: list[str]) -> Operator | Problem | None:
        """Return the verdict on a good token, None for all that takes a worker thread to judge."""
        digest = _digest(given)
        record = None if isinstance(digest, Failure) else self._tokens.recall(digest)
        if record is None:
            return None
        verdict = operator_of(record, datetime.now(UTC))
        if isinstance(verdict, Failure):
            return None
        return self._admitted(verdict, record.token_sha256)

    def _admitted(self, operator: Operator, digest: str) -> Operator | Problem:
        """Return who asks, or that they ask too often."""
        wait_s = self._limiter.admit(digest) if self._limiter is not None else None
        if wait_s is None:
            return operator
        return Problem(
            status=429,
            detail=f"the token {operator.name!r} asks too often: wait, or raise "
            "`api: requests_per_min:` in the controller's settings",
            reason=RATE_LIMITED,
            retry_after_s=wait_s,
        )

    # --- in a worker thread ------------------------------------------------------------------

    def _judged(self, given: list[str], source: str) -> Operator | Problem:
        try:
            return self._judge(given, source)
        except OperationError as error:
            log.warning("api_tokens_unreadable", error=str(error))
            return Problem(
                status=503, detail="the NIB cannot be read: see the log", retry_after_s=1
            )

    def _is_welcome(self, given: list[str]) -> bool:
        """Tell whether a token that was good is so still; asked while an answer lasts."""
        found = _digest(given)
        if isinstance(found, Failure):
            return False
        record = self._nib.api_token(found)
        return not isinstance(operator_of(record, datetime.now(UTC)), Failure)

    def _judge(self, given: list[str], source: str) -> Operator | Problem:
        found = _digest(given)
        if isinstance(found, Failure):
            return self._refused(found, source)
        record = self._tokens.read(found)
        verdict = operator_of(record, datetime.now(UTC))
        if isinstance(verdict, Failure):
            return self._refused(verdict, source, token=record.name if record else None)
        return self._admitted(verdict, found)

    def _refused(self, failure: Failure, source: str, *, token: str | None = None) -> Problem:
        wait_s = self._attempts.wait_s(source)
        told = self._attempts.failed(source, failure.value, token=token)
        if told is not None:
            self._write((told,))
        if wait_s is None:
            return Problem(status=401, detail=DETAILS[failure], reason=failure.value)
        return Problem(
            status=429,
            detail="too many requests from here without a good token: wait, and check it",
            reason=RATE_LIMITED,
            retry_after_s=wait_s,
        )

    def _write(self, sums: Iterable[Failures]) -> None:
        """Write one event for each; that they cannot be written lets nobody in."""
        for failures in sums:
            told = {"failures": failures.count, "reasons": failures.reasons}
            log.warning("api_auth_failed", source=failures.source, **told)
            event = NewEvent(
                event_type="API_AUTH_FAILED",
                subject=failures.source,
                actor=self._controller_id(),
                at=datetime.now(UTC),
                data={**told, "tokens": failures.tokens},
            )
            try:
                with self._nib.transaction() as change:
                    change.append_event(event)
            except OperationError as error:
                log.warning("api_auth_failed_unwritten", source=failures.source, error=str(error))

    # --- the sums of a flood that stopped ----------------------------------------------------

    def _tell_later(self) -> None:
        loop = asyncio.get_running_loop()
        if self._teller is not loop:
            self._teller = loop
            loop.call_later(_TELL_EVERY_S, self._tell, loop)

    def _tell(self, loop: asyncio.AbstractEventLoop) -> None:
        self._teller = None
        loop.run_in_executor(None, self._write_due)
        if not self._attempts.is_quiet:
            self._teller = loop
            loop.call_later(_TELL_EVERY_S, self._tell, loop)

    def _write_due(self) -> None:
        try:
            self._write(self._attempts.due())
        except Exception:
            log.exception("api_auth_failures_untold")


def _digest(given: list[str]) -> str | Failure:
    if not given:
        return Failure.NO_TOKEN
    return digest_in(given[0]) if len(given) == 1 else Failure.INVALID_TOKEN
