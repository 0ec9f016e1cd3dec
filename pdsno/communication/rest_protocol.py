"""HTTP/1.1 on one connection: who is connected is told to the application, and nothing lasts.

uvicorn has no timeout for a request on its way in, and does not tell applications who showed
which certificate. Both are added here to its h11 protocol, by its attributes `app` and `conn`:
`rest_selftest` proves at each start that the certificate still arrives.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]

EXTENSION = "pdsno.tls"
"""Key in the ASGI scope's `extensions`: a dict with `client_cert_der`, bytes or None."""

CONNECTION = "pdsno.connection"
"""Key in the ASGI scope's `extensions`: a `Connection`, for what answers for long."""

_GRACE_S = 60.0
_CLOSE = (b"connection", b"close")


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionLimits:
    """How long a client may take, and how many connections it may have.

    `head_s` is for the head of a request, `body_s` for the rest of it. A connection older than
    `life_s` is closed after its next answer, and a minute later whatever it does, so that nobody
    lives on a certificate that was good once. `per_source` limits connections of one address.
    """

    head_s: float = 15.0
    body_s: float = 60.0
    life_s: float = 600.0
    per_source: int | None = None


@dataclass(kw_only=True, slots=True)
class Connection:
    """What an application that answers for long has to know of its connection.

    `stopping` is set when the server ends. `let_pass()` lets what is sent from then on be written
    though the peer has not taken what was written before; for last words only.
    """

    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    let_pass: Callable[[], None] = lambda: None


class PeerProtocol(H11Protocol):
    """One connection. `sources` is shared by all connections of a server."""

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - uvicorn's
        limits: ConnectionLimits,
        sources: Counter[str],
        **options: Any,  # noqa: ANN401 - uvicorn's
    ) -> None:
        super().__init__(*args, **options)
        self._limits = limits
        self._sources = sources
        self._source = ""
        self._until = 0.0
        self._phase: Any = None
        self._deadline: asyncio.TimerHandle | None = None
        self._end: asyncio.TimerHandle | None = None
        self._stopping = asyncio.Event()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._source = self.client[0] if self.client else ""
        self._sources[self._source] += 1
        most = self._limits.per_source
        if most is not None and self._sources[self._source] > most:
            transport.abort()
            return
        self._until = self.loop.time() + self._limits.life_s
        self._end = self.loop.call_later(self._limits.life_s + _GRACE_S, transport.abort)
        self._watch()
        self.app = self._telling(self.app, _certificate(transport))

    def shutdown(self) -> None:
        self._stopping.set()
        super().shutdown()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for timer in (self._deadline, self._end):
            if timer is not None:
                timer.cancel()
        self._sources[self._source] -= 1
        if self._sources[self._source] <= 0:
            del self._sources[self._source]

    def _watch(self) -> None:
        """Give the part of the request that is awaited now its time; it gets it once."""
        phase = self.conn.their_state
        if phase is self._phase:
            return
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._phase = phase
        allowed_s = {h11.IDLE: self._limits.head_s, h11.SEND_BODY: self._limits.body_s}.get(phase)
        if allowed_s is not None:
            self._deadline = self.loop.call_later(allowed_s, self.transport.abort)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._phase is h11.SEND_BODY:
            return  # answered early: the rest of the body still has its time, and no more
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        # Until the next request begins, uvicorn's own keep-alive timer runs.
        self._phase = None

    def _let_pass(self) -> None:
        self.flow.resume_writing()

    def _telling(self, inner: Any, certificate: bytes | None) -> AsgiApp:  # noqa: ANN401 - ASGI
        extension = {"client_cert_der": certificate}
        connection = Connection(stopping=self._stopping, let_pass=self._let_pass)

        async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
            if _is_ambiguous(scope["headers"]):
                await _refuse(send)
                return
            scope.setdefault("extensions", {})[EXTENSION] = extension
            scope["extensions"][CONNECTION] = connection
            is_old = self.loop.time() > self._until
            await inner(scope, receive, _closing(send) if is_old else send)

        return app


def _is_ambiguous(headers: list[tuple[bytes, bytes]]) -> bool:
    """Tell whether the body's length is given in two ways, as request smuggling does."""
    names = [name for name, _ in headers]
    return b"content-length" in names and b"transfer-encoding" in names


async def _refuse(send: Any) -> None:  # noqa: ANN401 - ASGI
    headers = [(b"content-length", b"0"), _CLOSE]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _closing(send: Any) -> Callable[[Any], Awaitable[None]]:  # noqa: ANN401 - ASGI
    async def send_last(message: Any) -> None:  # noqa: ANN401 - ASGI
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), _CLOSE]}
        await send(message)

    return send_last


def _certificate(transport: asyncio.Transport) -> bytes | None:
    """Return the client's certificate (DER) that TLS verified, None without."""
    ssl_object = transport.get_extra_info("ssl_object")
    return None if ssl_object is None else ssl_object.getpeercert(binary_form=True)
