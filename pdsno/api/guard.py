"""What every request must pass before a router sees it, and what every answer carries."""

import time
from collections.abc import Iterable
from urllib.parse import parse_qsl

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pdsno.api.problems import internal_error, response_of
from pdsno.communication.problems import Problem
from pdsno.domain.identifiers import is_address
from pdsno.domain.measure import Durations

log = structlog.get_logger()

_MAX_PARAMETERS = 50
_FIRST_PRINTABLE = " "


class Guard:
    """ASGI middleware, outermost of ours.

    Answers only to IP literals, `localhost` and the names given: a page of a foreign site that
    rebinds its own name to our address (DNS rebinding) sends its own name and learns nothing.
    Refuses a query that two readers could read differently. What escapes from a handler is
    logged here, once, and answered without its text.
    """

    def __init__(
        self, app: ASGIApp, *, host_names: Iterable[str] = (), durations: Durations | None = None
    ) -> None:
        """`durations` hears of every request: method, route and class of status."""
        self._app = app
        self._durations = durations or Durations()
        self._names = frozenset(_plain(name) for name in (*host_names, "localhost"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        started = time.monotonic()
        problem = self._refusal(scope)
        if problem is not None:
            await response_of(problem)(scope, receive, answer)
        else:
            try:
                await self._app(scope, receive, answer)
            except Exception:
                log.exception("api_request_crashed", method=scope["method"], path=scope["path"])
                if answer.status is not None:
                    raise
                await response_of(internal_error())(scope, receive, answer)
        duration_s = time.monotonic() - started
        self._durations.add(duration_s, *_labels(scope, answer.status))
        log.debug(
            "api_request",
            method=scope["method"],
            path=scope["path"],
            status=answer.status,
            duration_ms=round(duration_s * 1000, 1),
        )

    def _refusal(self, scope: Scope) -> Problem | None:
        hosts = Headers(scope=scope).getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            name = hosts[0][:100] if len(hosts) == 1 else ""
            return Problem(
                status=421,
                detail=f"this API does not go by the name {name!r}: use its IP address or "
                "localhost, or list the name under `api: names:` in the controller's settings",
            )
        return _query_problem(scope["query_string"])

    def _is_ours(self, host: str) -> bool:
        name = host_name(host)
        if name is None:
            return False
        return name in self._names or is_address(name)


_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


def _labels(scope: Scope, status: int | None) -> tuple[str, str, str]:
    """Return what is counted apart: only words of ours, none of the caller's."""
    method = scope["method"] if scope["method"] in _METHODS else "other"
    route = getattr(scope.get("route"), "path", "none")
    return method, str(route), f"{(status or 500) // 100}xx"


def host_name(host: str) -> str | None:
    """Return the name or bare address of a Host header's `host[:port]`, None if malformed."""
    name, separator, port = host, "", ""
    if not host.endswith("]"):
        name, separator, port = host.rpartition(":")
        if not separator:
            name, port = host, ""
    if port and not (port.isascii() and port.isdigit()):
        return None
    if name.startswith("[") and name.endswith("]"):
        inner = name[1:-1]
        return _plain(inner) if ":" in inner and is_address(inner) else None
    return _plain(name) if name and ":" not in name else None


def _plain(name: str) -> str:
    return name.lower().removesuffix(".")


def _query_problem(query: bytes) -> Problem | None:
    try:
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_PARAMETERS,
        )
    except ValueError:
        return Problem(status=400, detail="the query is not UTF-8 text, or has too many parameters")
    seen: set[str] = set()
    for name, value in pairs:
        if any(char < _FIRST_PRINTABLE for char in name + value):
            return Problem(status=400, detail="the query contains control characters")
        if name in seen:
            return Problem(status=422, detail=f"{name!r} is given twice: it takes one value")
        seen.add(name)
    return None


class _Answer:
    """Passes an answer on, with the headers that all answers carry, and remembers its status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Cache-Control"] = "no-store"
        await self._send(message)
