"""The end of the event log, watched once for everybody who follows it."""

import asyncio
import contextlib

import structlog
from starlette.concurrency import run_in_threadpool

from pdsno.domain.errors import OperationError
from pdsno.domain.event_place import START, Place, end_of
from pdsno.domain.ports import NIB

log = structlog.get_logger()

_POLL_S = 0.2


class Tail:
    """Tells coroutines of one event loop that the log grew.

    It asks the NIB, so that it sees what any process writes; it asks only while somebody waits.
    """

    def __init__(self, nib: NIB) -> None:
        self._nib = nib
        self._moved: asyncio.Event | None = None
        self._watch: asyncio.Task[None] | None = None
        self._waiting = 0
        self.place = START

    async def look(self) -> Place:
        """Return the end of the log as it is now. Raises OperationError."""
        self.place = await run_in_threadpool(self._read)
        return self.place

    async def beyond(self, seq: int, timeout_s: float) -> bool:
        """Wait until the log is longer than up to `seq`; False if it is not in time."""
        self._waiting += 1
        try:
            async with asyncio.timeout(timeout_s):
                while self.place.seq <= seq:
                    await self._news()
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1
        return True

    async def _news(self) -> None:
        loop = asyncio.get_running_loop()
        if self._watch is None or self._watch.done() or self._watch.get_loop() is not loop:
            self._moved = asyncio.Event()
            self._watch = loop.create_task(self._watching(self._moved))
        if self._moved is not None:
            await self._moved.wait()

    async def _watching(self, moved: asyncio.Event) -> None:
        """Look until the log has grown or nobody waits; whoever waits next looks again."""
        before = self.place
        try:
            while self._waiting:
                with contextlib.suppress(OperationError):  # readers meet it, and say so
                    if (await self.look()) != before:
                        return
                await asyncio.sleep(_POLL_S)
        finally:
            moved.set()

    def _read(self) -> Place:
        return end_of(self._nib)
