"""Who wants which topics: the part of an MQTT client that survives reconnects."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from pdsno.communication.topics import matches


@dataclass(frozen=True, kw_only=True, slots=True)
class Incoming:
    """A message as the broker delivered it, nothing checked yet.

    `acknowledge` tells the broker that it is done with (QoS 1 and 2); once is enough.
    """

    topic: str
    payload: bytes
    qos: int
    is_retained: bool
    acknowledge: Callable[[], None]


Sink: TypeAlias = Callable[[Incoming], None]


@dataclass(frozen=True, slots=True, eq=False)
class Subscription:
    """One subscriber's wish; `sink` runs on the worker thread."""

    topic_filter: str
    qos: int
    sink: Sink


class Subscriptions:
    """All subscriptions of one connection, and messages that came before their subscriber.

    A resumed session delivers what it kept as soon as it is connected, when the program may not
    have subscribed yet. A few such messages wait, unacknowledged; the oldest gives way.
    Thread-safe.
    """

    def __init__(self, *, unclaimed: int) -> None:
        self._lock = threading.Lock()
        self._entries: list[Subscription] = []
        self._unclaimed: deque[Incoming] = deque()
        self._capacity = unclaimed

    def add(self, entry: Subscription) -> tuple[Incoming, ...]:
        """Add a subscription; returns the waiting messages that now have a subscriber."""
        with self._lock:
            self._entries.append(entry)
            claimed = [m for m in self._unclaimed if matches(entry.topic_filter, m.topic)]
            for message in claimed:
                self._unclaimed.remove(message)
            return tuple(claimed)

    def remove(self, entry: Subscription) -> bool:
        """Remove a subscription; True if nobody else has the same filter."""
        with self._lock:
            if entry in self._entries:
                self._entries.remove(entry)
            return all(e.topic_filter != entry.topic_filter for e in self._entries)

    def filters(self) -> dict[str, int]:
        """Return each filter with the highest QoS that anybody wants for it."""
        with self._lock:
            wanted: dict[str, int] = {}
            for entry in self._entries:
                wanted[entry.topic_filter] = max(entry.qos, wanted.get(entry.topic_filter, 0))
            return wanted

    def sinks(self, message: Incoming) -> tuple[Sink, ...]:
        """Return who wants a message; if nobody does yet, an acknowledgeable one waits."""
        with self._lock:
            found = tuple(e.sink for e in self._entries if matches(e.topic_filter, message.topic))
            if not found and message.qos > 0:
                self._unclaimed.append(message)
            return found

    def evict(self) -> Incoming | None:
        """Return and forget the oldest waiting message if there are too many."""
        with self._lock:
            return self._unclaimed.popleft() if len(self._unclaimed) > self._capacity else None

    def forget_unclaimed(self) -> None:
        """Forget waiting messages: after a reconnect the broker sends them again."""
        with self._lock:
            self._unclaimed.clear()
