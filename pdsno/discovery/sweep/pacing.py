"""When the next packet may leave."""

import threading
import time
from collections.abc import Callable

_BURST_S = 0.02
"""How late a packet may be and still be caught up with: a scheduler's hiccup, not a burst."""


class _Schedule:
    """The slots of one pace; everybody who paces by it takes his from here."""

    def __init__(self, rate_pps: float | None, clock: Callable[[], float]) -> None:
        self._interval_s = 1.0 / rate_pps if rate_pps else 0.0
        self._clock = clock
        self._due = clock()
        self._lock = threading.Lock()

    def take(self) -> float:
        """Take the next slot; returns in how many seconds it comes."""
        if not self._interval_s:
            return 0.0
        with self._lock:
            now = self._clock()
            slot = max(self._due, now - _BURST_S)
            self._due = slot + self._interval_s
        return slot - now


class Pacer:
    """Spaces packets at `rate_pps`; None means unpaced.

    Safe to share: threads that use one pacer keep to its rate together.
    """

    def __init__(
        self,
        rate_pps: float | None,
        stop: threading.Event,
        *,
        clock: Callable[[], float] = time.monotonic,
        schedule: _Schedule | None = None,
    ) -> None:
        self._schedule = schedule or _Schedule(rate_pps, clock)
        self._stop = stop

    def until(self, stop: threading.Event) -> "Pacer":
        """Return the same pace, shared, for somebody who stops at another word."""
        return Pacer(None, stop, schedule=self._schedule)

    def wait(self) -> bool:
        """Return when the next packet may leave; False if the sweep shall stop instead."""
        wait_s = self._schedule.take()
        if wait_s > 0:
            self._stop.wait(wait_s)
        return not self._stop.is_set()
