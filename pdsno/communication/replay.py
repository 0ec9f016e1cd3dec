"""Messages that came before: refused while they are fresh enough to be taken for new ones."""

import heapq
import threading
from datetime import UTC, datetime, timedelta

from pdsno.domain.errors import Refusal, RefusedError
from pdsno.domain.messages import Message

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class ReplayGuard:
    """Remembers (sender, message_id) of accepted messages for as long as they count as fresh.

    Bounded, and yet never forgets a message that could be accepted again: when it is full, the
    oldest entry goes and everything as old as that is refused from then on. A flood narrows the
    window, it does not open a hole. Thread-safe.
    """

    def __init__(self, *, window_s: float = 330.0, capacity: int = 100_000) -> None:
        self._window = timedelta(seconds=window_s)
        self._capacity = capacity
        self._lock = threading.Lock()
        self._seen: set[tuple[str, str]] = set()
        self._by_age: list[tuple[datetime, tuple[str, str]]] = []
        self._floor = _LONG_AGO

    def admit(self, message: Message, now: datetime) -> None:
        """Accept a message once. Raises RefusedError REPLAYED the second time."""
        key = (message.sender_id, message.message_id)
        with self._lock:
            self._forget(now - self._window)
            if key in self._seen:
                raise RefusedError(Refusal.REPLAYED, f"message {message.message_id} came before")
            if message.timestamp <= self._floor:
                raise RefusedError(Refusal.REPLAYED, "too many messages to tell if this is new")
            self._seen.add(key)
            heapq.heappush(self._by_age, (message.timestamp, key))
            if len(self._by_age) > self._capacity:
                self._floor, oldest = heapq.heappop(self._by_age)
                self._seen.discard(oldest)

    def _forget(self, before: datetime) -> None:
        while self._by_age and self._by_age[0][0] < before:
            _, key = heapq.heappop(self._by_age)
            self._seen.discard(key)

    def __len__(self) -> int:
        return len(self._seen)
