"""How long things took, counted in buckets as Prometheus has them."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds, inclusive; what took longer is in `Spread.count` alone."""

_MOST_LABELS = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """What was measured under one label: how many up to each bound of BUCKETS_S, and in all."""

    up_to: tuple[int, ...]
    count: int
    total_s: float


class Durations:
    """Durations by label values. Thread-safe; holds a bounded number of labels."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[tuple[str, ...], Spread] = {}

    def add(self, duration_s: float, *labels: str) -> None:
        """Count one; beyond 500 labels they are all counted as `other`."""
        with self._lock:
            if labels not in self._held and len(self._held) >= _MOST_LABELS:
                labels = ("other",) * len(labels)
            held = self._held.get(labels) or Spread(
                up_to=(0,) * len(BUCKETS_S), count=0, total_s=0.0
            )
            self._held[labels] = Spread(
                up_to=tuple(
                    n + (duration_s <= bound)
                    for n, bound in zip(held.up_to, BUCKETS_S, strict=True)
                ),
                count=held.count + 1,
                total_s=held.total_s + duration_s,
            )

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Count what runs inside, as `ok`, or as `failed` if it raises."""
        began = time.monotonic()
        outcome = "failed"
        try:
            yield
            outcome = "ok"
        finally:
            self.add(time.monotonic() - began, outcome)

    def read(self) -> Mapping[tuple[str, ...], Spread]:
        """Return what was measured since the start."""
        with self._lock:
            return dict(self._held)
