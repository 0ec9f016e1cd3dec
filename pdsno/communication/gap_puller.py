"""The receiver's side of streams: what is missing is pulled from senders that can be called."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import structlog

from pdsno.communication.stream_pages import StreamPage
from pdsno.domain.errors import PDSNOError
from pdsno.domain.messages import Message, StreamTail

log = structlog.get_logger()

Pull = Callable[[str, StreamTail | None], StreamPage | None]
"""Asks a sender for what comes after a position of ours; None if it cannot be called.

Raises PDSNOError.
"""

_WORKERS = 4
_MOST_PAGES = 50
_CHANCES = 2
"""How often in a row a page may bring nothing: a sender first makes sure what was lost."""


class GapPuller:
    """Pulls streams of senders: at a gap, and those that stand still. Thread-safe.

    Of one sender one page at a time, of all at most 4; calls return at once. `take` applies a
    message like one that came by itself: once, and in order.
    """

    def __init__(
        self, pull: Pull, take: Callable[[Message], object], applied: Callable[[str, str], int]
    ) -> None:
        self._pull = pull
        self._take = take
        self._applied = applied
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._is_closed = False
        self._busy: set[str] = set()
        self._again: set[str] = set()
        self._streams: dict[str, str] = {}
        self._seen: dict[str, StreamTail] = {}
        self._counts: dict[tuple[str, str], Counter[str]] = {}

    def look(self, sender_id: str) -> None:
        """Pull what is missing of a sender, unless its stream moved on since the last look.

        While it moves its own calls come through, and pulling would only bring the same twice.
        """
        position = self._position(sender_id)
        if position is not None and self._seen.get(sender_id) != position:
            self._seen[sender_id] = position
            return
        self._begin(sender_id)

    def fill(self, sender_id: str, stream_id: str) -> None:
        """Pull what is missing of a stream that has a gap."""
        self._streams[sender_id] = stream_id
        self._begin(sender_id)

    def _begin(self, sender_id: str) -> None:
        """Pull in the background: now, or once more after now."""
        with self._lock:
            if self._is_closed:
                return
            if sender_id in self._busy:
                self._again.add(sender_id)
                return
            self._busy.add(sender_id)
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="gap-puller")
            self._pool.submit(self._run, sender_id)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being pulled."""
        with self._lock:
            return not self._busy

    def counts(self) -> Mapping[tuple[str, str], Mapping[str, int]]:
        """Return, by sender and stream, how many messages were `pulled` that were missing."""
        return {key: dict(counter) for key, counter in list(self._counts.items())}

    def close(self) -> None:
        """Finish the pages under way; idempotent."""
        with self._lock:
            self._is_closed = True
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, sender_id: str) -> None:
        try:
            self._pull_all(sender_id)
        except PDSNOError as error:
            log.info("stream_not_pulled", sender_id=sender_id, why=str(error))
        except Exception:
            log.exception("gap_puller_crashed", sender_id=sender_id)
        with self._lock:
            self._busy.discard(sender_id)
            wants_more = sender_id in self._again
            self._again.discard(sender_id)
        if wants_more:
            self._begin(sender_id)

    def _pull_all(self, sender_id: str) -> None:
        chances = _CHANCES
        for _ in range(_MOST_PAGES):
            if self._is_closed or chances == 0:
                return
            before = self._position(sender_id)
            page = self._pull(sender_id, before)
            if page is None:
                return
            if before is None:
                self._meet(sender_id, page.stream_id)
                return
            self._streams[sender_id] = page.stream_id
            for message in page.messages:
                self._take_in(message)
            now = self._position(sender_id)
            if now is not None and now.seq >= page.tail:
                return
            chances = _CHANCES if now != before else chances - 1

    def _meet(self, sender_id: str, stream_id: str) -> None:
        """Note a stream that we had not heard of since we began: it is looked at the next time."""
        self._streams[sender_id] = stream_id
        position = self._position(sender_id)
        if position is not None:
            self._seen[sender_id] = position

    def _position(self, sender_id: str) -> StreamTail | None:
        stream_id = self._streams.get(sender_id)
        if stream_id is None:
            return None
        return StreamTail(stream_id=stream_id, seq=self._applied(sender_id, stream_id))

    def _take_in(self, message: Message) -> None:
        sender_id, stream_id, seq = message.sender_id, message.stream_id or "", message.seq or 0
        was = self._applied(sender_id, stream_id)
        self._take(message)
        if was < seq <= self._applied(sender_id, stream_id):
            self._counts.setdefault((sender_id, stream_id), Counter())["pulled"] += 1
            log.info("gap_pulled", sender_id=sender_id, seq=seq)
