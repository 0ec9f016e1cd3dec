"""When the next packet may leave."""

import threading
import time
from collections.abc import Callable

_BURST_S = 0.02
"""How late a packet may be and still be caught up with: a scheduler's hiccup, not a burst."""


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
    ) -> None:
        self._interval_s = 1.0 / rate_pps if rate_pps else 0.0
        self._stop = stop
        self._clock = clock
        self._due = clock()
        self._lock = threading.Lock()

    def wait(self) -> bool:
        """Return when the next packet may leave; False if the sweep shall stop instead."""
        if self._interval_s:
            with self._lock:
                now = self._clock()
                slot = max(self._due, now - _BURST_S)
                self._due = slot + self._interval_s
            if slot > now:
                self._stop.wait(slot - now)
        return not self._stop.is_set()
