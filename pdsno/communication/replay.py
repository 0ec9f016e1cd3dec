"""Messages that came before: refused while they are fresh enough to be taken for new ones."""

import heapq
import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from pdsno.domain.errors import Refusal, RefusedError
from pdsno.domain.messages import Message
from pdsno.domain.ports import SeenMessage

WINDOW_S = 330.0
"""For how long a message can pass for fresh: the age and the clock skew that are allowed."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)

_Key = tuple[str, str]


class MessageJournal(Protocol):
    """Where accepted messages are written down, so that a restart forgets none. Thread-safe."""

    def load(self) -> Iterable[SeenMessage]:
        """Return what was noted in the last `WINDOW_S` seconds at least, in any order."""

    def note(self, seen: SeenMessage) -> bool:
        """Write a message down, durably, before returning; False if it was noted before."""


class ReplayGuard:
    """Remembers (sender, message_id) of accepted messages for as long as they count as fresh.

    Bounded, and yet never forgets a message that could be accepted again: whatever is as old as
    the newest one forgotten is refused from then on, so neither a flood nor a clock that is set
    back opens a hole. With a journal it holds over restarts, too: a message is written down before
    it is accepted. Those of senders that nobody vouches for are remembered in memory only, so that
    strangers cannot fill the disk. Thread-safe.
    """

    def __init__(
        self,
        *,
        window_s: float = WINDOW_S,
        capacity: int = 100_000,
        journal: MessageJournal | None = None,
    ) -> None:
        self._window = timedelta(seconds=window_s)
        self._capacity = capacity
        self._lock = threading.Lock()
        self._seen: set[_Key] = set()
        self._by_age: list[tuple[datetime, _Key]] = []
        self._floor = _LONG_AGO
        self._journal = journal
        for seen in journal.load() if journal is not None else ():
            self._remember(seen.timestamp, (seen.sender_id, seen.message_id))

    def admit(self, message: Message, now: datetime) -> None:
        """Accept a message once. Raises RefusedError REPLAYED the second time.

        Raises what the journal does if it cannot write; the message is not accepted then.
        """
        key = (message.sender_id, message.message_id)
        with self._lock:
            self._forget(now - self._window)
            if key in self._seen:
                raise _came_before(message)
            if message.timestamp <= self._floor:
                raise RefusedError(Refusal.REPLAYED, "too old to tell if this is new")
            self._remember(message.timestamp, key)
        if self._journal is not None and message.is_trusted:
            self._write_down(self._journal, message, key)

    def _write_down(self, journal: MessageJournal, message: Message, key: _Key) -> None:
        # Not under the lock: other messages need not wait for this one's disk.
        seen = SeenMessage(
            sender_id=message.sender_id,
            message_id=message.message_id,
            timestamp=message.timestamp,
        )
        try:
            is_new = journal.note(seen)
        except Exception:
            with self._lock:
                self._seen.discard(key)
            raise
        if not is_new:
            raise _came_before(message)

    def _remember(self, timestamp: datetime, key: _Key) -> None:
        self._seen.add(key)
        heapq.heappush(self._by_age, (timestamp, key))
        if len(self._by_age) > self._capacity:
            self._forget_oldest()

    def _forget(self, before: datetime) -> None:
        while self._by_age and self._by_age[0][0] < before:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        timestamp, key = heapq.heappop(self._by_age)
        self._seen.discard(key)
        self._floor = max(self._floor, timestamp)

    def __len__(self) -> int:
        return len(self._seen)


def _came_before(message: Message) -> RefusedError:
    return RefusedError(Refusal.REPLAYED, f"message {message.message_id} came before")
