"""Waiting longer after each failure, never in step with others."""

import random


def jittered(delay_s: float, spread: float = 0.2) -> float:
    """Return the delay ± 20 %, so that many clients do not come back at the same moment."""
    return delay_s * random.uniform(1 - spread, 1 + spread)  # noqa: S311 - no secret


class Backoff:
    """Delays 1, 2, 4, … seconds up to a limit, each ± 20 %."""

    def __init__(self, *, first_s: float = 1.0, most_s: float = 30.0) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._next_s = first_s

    def next_s(self) -> float:
        """Return the next delay; the one after it is twice as long."""
        delay = self._next_s
        self._next_s = min(delay * 2, self._most_s)
        return min(jittered(delay), self._most_s)

    def reset(self) -> None:
        """Begin again with the first delay, after a success."""
        self._next_s = self._first_s
