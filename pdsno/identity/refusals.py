"""Refusals as events: every one is counted, and a flood does not fill the event log."""

import threading
from dataclasses import dataclass

import structlog

from pdsno.domain.entities import NewEvent
from pdsno.domain.errors import RefusedError
from pdsno.domain.ports import NIB
from pdsno.identity.clock import Clock

log = structlog.get_logger()

WINDOW_S = 60
MOST_PER_KEY = 10
MOST_IN_ALL = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """Who was refused: the provisional name it gave itself, its key, the region it wanted."""

    temp_id: str
    key_id: str
    region: str | None = None
    hostname: str = ""


class RefusalLog:
    """Appends VALIDATION_REFUSED events, in each minute at most so many per key and in all.

    What is left out is counted and told by the next event (`suppressed`). Thread-safe.
    """

    def __init__(self, nib: NIB, *, actor: str, clock: Clock) -> None:
        self._nib = nib
        self._actor = actor
        self._clock = clock
        self._lock = threading.Lock()
        self._window_start_s = clock.monotonic()
        self._counts: dict[str, int] = {}
        self._suppressed = 0

    def append(self, who: Refused, error: RefusedError) -> None:
        """Remember a refusal. Raises the NIB's errors: what cannot be recorded is an alarm."""
        log.warning(
            "validation_refused",
            reason=error.reason.value,
            detail=error.detail,
            temp_id=who.temp_id,
            key_id=who.key_id,
        )
        error.is_recorded = True
        suppressed = self._admit(who.key_id)
        if suppressed is None:
            return
        event = NewEvent(
            event_type="VALIDATION_REFUSED",
            subject=who.temp_id,
            actor=self._actor,
            at=self._clock.now(),
            region=who.region,
            data={
                "reason": error.reason.value,
                "detail": error.detail,
                "key_id": who.key_id,
                "hostname": who.hostname,
                "suppressed": suppressed,
            },
        )
        with self._nib.transaction() as tx:
            tx.append_event(event)

    def _admit(self, key_id: str) -> int | None:
        """Return how many were left out before this one, or None to leave out this one, too."""
        now_s = self._clock.monotonic()
        with self._lock:
            if now_s - self._window_start_s >= WINDOW_S:
                self._window_start_s = now_s
                self._counts.clear()
            of_key = self._counts.get(key_id, 0)
            if of_key >= MOST_PER_KEY or sum(self._counts.values()) >= MOST_IN_ALL:
                self._suppressed += 1
                return None
            self._counts[key_id] = of_key + 1
            suppressed, self._suppressed = self._suppressed, 0
            return suppressed
