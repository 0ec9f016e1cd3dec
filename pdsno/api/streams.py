"""Streams of the event log: who may have how many, and one stream from its start to its end."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.types import Message, Receive, Scope, Send

from pdsno.api import sse
from pdsno.api.tail import Tail
from pdsno.communication.rest_protocol import CONNECTION, Connection
from pdsno.domain.entities import Event
from pdsno.domain.errors import OperationError
from pdsno.domain.event_place import Place, place_of

log = structlog.get_logger()

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What was found behind a place: `events` for the reader, `last` what was looked at.

    `is_cut` says that there may be more; `last` is None if nothing was looked at.
    """

    events: Sequence[Event]
    last: Place | None
    is_cut: bool


Read = Callable[[int, int], Found]
"""Takes a seq and how many events to look at, at most."""

_MOST_EVENTS = 200
_PIECE_BYTES = 32 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamLimits:
    """How many streams there may be, and how patient they are.

    A stream ends after `life_s`, and its client goes on with another: so a revoked certificate
    or a stuck proxy lives no longer. A reader that takes nothing for `slow_s` is cut off.
    """

    per_token: int = 8
    in_all: int = 64
    heartbeat_s: float = 15.0
    slow_s: float = 20.0
    life_s: float = 570.0
    check_s: float = 2.0


class Streams:
    """The streams of one API."""

    def __init__(self, limits: StreamLimits, tail: Tail) -> None:
        self.limits = limits
        self.tail = tail
        self._open: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        """Streams that ended, by reason."""

    @property
    def open(self) -> int:
        """How many there are now."""
        return self._open.total()

    def refusal(self, token: str) -> str | None:
        """Return why there may be no further stream for a token, None if there may."""
        if self._open[token] >= self.limits.per_token:
            return f"the token {token!r} has {self._open[token]} streams already: close one"
        if self.open >= self.limits.in_all:
            return f"there are {self.open} streams already, which is all that are served here"
        return None

    @contextmanager
    def counted(self, token: str) -> Iterator[None]:
        """Count a stream while it is there."""
        self._open[token] += 1
        try:
            yield
        finally:
            self._open[token] -= 1
            if not self._open[token]:
                del self._open[token]


class _EndError(Exception):
    """The stream ends, and says why: `reason` is a stable code."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class EventStream:
    """One stream, an ASGI application of its own: nothing is queued for a reader.

    It reads as much as its reader takes, so that a slow one costs no memory and loses nothing.
    """

    def __init__(
        self,
        streams: Streams,
        *,
        token: str,
        start: Place,
        read: Read,
        is_welcome: Callable[[], bool],
    ) -> None:
        """`read` and `is_welcome` (is the token still good?) run in worker threads."""
        self._streams = streams
        self._limits = streams.limits
        self._token = token
        self._place = start
        self._read = read
        self._is_welcome = is_welcome
        self._until = self._said_at = self._checked_at = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection: Connection = scope.get("extensions", {}).get(CONNECTION) or Connection()
        self._said_at = self._checked_at = _now()
        self._until = self._said_at + self._limits.life_s
        with self._streams.counted(self._token):
            telling = asyncio.ensure_future(self._tell(send, connection))
            leaving = asyncio.ensure_future(_gone(receive))
            try:
                await asyncio.wait((telling, leaving), return_when=asyncio.FIRST_COMPLETED)
                if telling.done():
                    await telling
                else:
                    self._streams.ended["CLIENT_LEFT"] += 1
            finally:
                await _cancelled(telling, leaving)

    async def _tell(self, send: Send, connection: Connection) -> None:
        headers = [
            (b"content-type", f"{sse.MEDIA_TYPE}; charset=utf-8".encode()),
            # Proxies that would collect an answer before they pass it on, do not.
            (b"x-accel-buffering", b"no"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        try:
            await self._pass_on(send, sse.RETRY + sse.place_frame(self._place))
            while True:
                await self._tell_news(send)
                await self._check(connection)
                await self._rest(connection)
        except _EndError as end:
            self._streams.ended[end.reason] += 1
            log.info("event_stream_ended", token=self._token, reason=end.reason)
            # What a slow reader has not taken must not hold the last words back.
            connection.let_pass()
            await send(_body(sse.end_frame(end.reason, end.detail, self._place), more=False))

    async def _tell_news(self, send: Send) -> None:
        """Tell everything up to the end of the log, or that there is nothing."""
        while True:
            newest = self._streams.tail.place
            found = await self._in_thread(lambda: self._read(self._place.seq, _MOST_EVENTS))
            for last, piece in _pieces(found.events):
                await self._pass_on(send, piece)
                self._place = last
            if found.last is not None:
                self._place = found.last
            if not found.is_cut:
                break
            await self._check_welcome()
        if newest.seq > self._place.seq:
            self._place = newest
        if _now() - self._said_at >= self._limits.heartbeat_s:
            await self._pass_on(send, sse.HEARTBEAT + sse.place_frame(self._place))

    async def _pass_on(self, send: Send, piece: bytes) -> None:
        try:
            async with asyncio.timeout(self._limits.slow_s):
                await send(_body(piece, more=True))
        except TimeoutError:
            raise _EndError(
                "SLOW_READER",
                f"nothing was taken for {self._limits.slow_s:g} s: go on from cursor, and read "
                "faster or ask for less",
            ) from None
        self._said_at = _now()

    async def _check(self, connection: Connection) -> None:
        if connection.stopping.is_set():
            raise _EndError("SHUTDOWN", "the controller stops: ask again when it is back")
        if _now() >= self._until:
            raise _EndError("TIME", "no stream is served for longer: go on with another")
        await self._check_welcome()

    async def _check_welcome(self) -> None:
        if _now() - self._checked_at < self._limits.check_s:
            return
        self._checked_at = _now()
        if not await self._in_thread(self._is_welcome):
            raise _EndError("TOKEN_ENDED", "the token was revoked or has expired: use another")

    async def _in_thread(self, call: Callable[[], T]) -> T:
        try:
            return await run_in_threadpool(call)
        except OperationError as error:
            log.warning("event_stream_unreadable", error=str(error))
            raise _EndError("NIB_UNREADABLE", "the NIB cannot be read: see the log") from error

    async def _rest(self, connection: Connection) -> None:
        """Wait until there may be something to do."""
        now = _now()
        times = (self._checked_at + self._limits.check_s, self._said_at + self._limits.heartbeat_s)
        wait_s = max(0.0, min(*times, self._until) - now)
        grown = asyncio.ensure_future(self._streams.tail.beyond(self._place.seq, wait_s))
        stopping = asyncio.ensure_future(connection.stopping.wait())
        try:
            await asyncio.wait((grown, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancelled(grown, stopping)


def _pieces(events: Sequence[Event]) -> Iterator[tuple[Place, bytes]]:
    """Yield what fits one write, and behind which event it ends."""
    piece = b""
    for event in events:
        piece += sse.frame(event)
        if len(piece) >= _PIECE_BYTES or event is events[-1]:
            yield place_of(event), piece
            piece = b""


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


async def _cancelled(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _body(piece: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": piece, "more_body": more}
