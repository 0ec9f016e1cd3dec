"""Failed log-ins of the API by where they came from: how many are heard, and what is told of them.

Pure but for a lock. A source that failed too often is told to wait, and not why it fails. A good
token passes all the same: tokens are too long to be guessed, and nobody shall lock operators out
by failing from their address. What is told is at most one sum a minute and source; many sources
at once are told as one.
"""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

PER_MINUTE = 10
OTHERS = "others"
"""The source that stands for all beyond those that are told apart."""

_MINUTE_S = 60.0
_MOST_SOURCES = 200
_MOST_NAMES = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Failures:
    """Failed log-ins of one source since it was last told of.

    `tokens` names tokens that once were good; of those that never were nothing is kept.
    """

    source: str
    reasons: Mapping[str, int]
    tokens: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.reasons.values())


@dataclass(slots=True)
class _Source:
    left: float
    at: float
    told_at: float = -math.inf
    untold: Counter[str] = field(default_factory=Counter)
    tokens: set[str] = field(default_factory=set)


class Attempts:
    """Counts failures. Thread-safe; times are the clock's seconds."""

    def __init__(
        self, per_minute: int = PER_MINUTE, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Hear `per_minute` failures of a source, at once or over a minute."""
        self._size = float(per_minute)
        self._clock = clock
        self._lock = threading.Lock()
        self._sources: dict[str, _Source] = {}

    def wait_s(self, source: str) -> int | None:
        """Return for how many seconds failures of this source are not heard, None if they are."""
        with self._lock:
            known = self._find(source)
            if known is None or self._refilled(known) >= 1:
                return None
            return math.ceil((1 - known.left) * _MINUTE_S / self._size)

    def failed(self, source: str, reason: str, *, token: str | None = None) -> Failures | None:
        """Note a failure; return what is to be told now, if the source was not told of lately.

        `token` names a token that once was good.
        """
        with self._lock:
            known = self._find(source) or self._add(source)
            known.left = max(0.0, self._refilled(known) - 1)
            known.untold[reason] += 1
            if token is not None and len(known.tokens) < _MOST_NAMES:
                known.tokens.add(token)
            name = source if self._sources.get(source) is known else OTHERS
            return self._told(name, known)

    def due(self) -> tuple[Failures, ...]:
        """Return what is to be told now of all sources, and forget those that have become quiet."""
        with self._lock:
            told = [self._told(name, known) for name, known in self._sources.items()]
            self._sources = {n: s for n, s in self._sources.items() if not self._is_quiet(s)}
            return tuple(failures for failures in told if failures is not None)

    @property
    def is_quiet(self) -> bool:
        """Whether there is nobody left to be told of."""
        return not self._sources

    def _find(self, source: str) -> _Source | None:
        known = self._sources.get(source)
        if known is None and len(self._sources) >= _MOST_SOURCES:
            return self._sources.get(OTHERS)
        return known

    def _add(self, source: str) -> _Source:
        name = source if len(self._sources) < _MOST_SOURCES else OTHERS
        return self._sources.setdefault(name, _Source(left=self._size, at=self._clock()))

    def _refilled(self, known: _Source) -> float:
        now = self._clock()
        known.left = min(self._size, known.left + (now - known.at) * self._size / _MINUTE_S)
        known.at = now
        return known.left

    def _told(self, name: str, known: _Source) -> Failures | None:
        now = self._clock()
        if not known.untold or now - known.told_at < _MINUTE_S:
            return None
        failures = Failures(
            source=name, reasons=dict(known.untold), tokens=tuple(sorted(known.tokens))
        )
        known.told_at = now
        known.untold.clear()
        known.tokens.clear()
        return failures

    def _is_quiet(self, known: _Source) -> bool:
        is_full = self._refilled(known) >= self._size
        return is_full and not known.untold and self._clock() - known.told_at >= _MINUTE_S
