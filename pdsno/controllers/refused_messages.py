"""Refused messages as events: the first of a kind at once, then their number each minute."""

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from pdsno.communication.rate_limit import Flood, source_of
from pdsno.domain.entities import NewEvent
from pdsno.domain.errors import PDSNOError, Refusal
from pdsno.domain.ports import NIB

log = structlog.get_logger()

WINDOW_S = 60.0
MOST_IN_ALL = 20
_MOST_KNOWN = 1000


@dataclass(slots=True)
class _Told:
    at: float
    since: int = 0


class RefusedMessages:
    """Appends MESSAGE_REFUSED and VALIDATION_FLOOD events of one controller.

    Of one source and reason it tells the first at once, then once a minute how many there were
    (`suppressed`); of all together 20 a minute, so that nobody can fill the log. What it cannot
    write it logs: who was refused stays refused. Thread-safe.
    """

    def __init__(
        self,
        nib: NIB,
        *,
        actor: Callable[[], str],
        region: str | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._nib = nib
        self._actor = actor
        self._region = region
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, str], _Told] = OrderedDict()
        self._window_start_s = clock()
        self._in_window = 0
        self._forgotten = 0
        self.counts: Counter[str] = Counter()
        """Refused messages since the start, by reason."""

    def note(self, source: str, message_type: str, reason: str, detail: str) -> None:
        """Remember that a message was refused; `source` is a controller, or an address."""
        source = source_of(source)
        with self._lock:
            self.counts[reason] += 1
        suppressed = self._due((source, reason))
        if suppressed is None:
            return
        told = {"message_type": message_type, "reason": reason, "detail": detail}
        self._append("MESSAGE_REFUSED", source, **told, suppressed=suppressed)

    def flood(self, flood: Flood) -> None:
        """Remember validation requests that came too fast; whoever calls counts them."""
        with self._lock:
            self.counts[Refusal.RATE_LIMITED.value] += flood.refused
        self._append("VALIDATION_FLOOD", flood.source, refused=flood.refused)

    def _due(self, key: tuple[str, str]) -> int | None:
        """Return how many were left out before this one, or None to leave out this one, too."""
        now_s = self._clock()
        with self._lock:
            if now_s - self._window_start_s >= WINDOW_S:
                self._window_start_s, self._in_window = now_s, 0
            told = self._known.get(key)
            is_early = told is not None and now_s - told.at < WINDOW_S
            if is_early or self._in_window >= MOST_IN_ALL:
                if told is not None:
                    told.since += 1
                else:
                    self._forgotten += 1
                return None
            self._in_window += 1
            suppressed = (told.since if told else 0) + self._forgotten
            self._forgotten = 0
            self._known[key] = _Told(at=now_s)
            self._known.move_to_end(key)
            if len(self._known) > _MOST_KNOWN:
                self._forgotten += self._known.popitem(last=False)[1].since
            return suppressed

    def _append(self, event_type: str, subject: str, **data: str | int) -> None:
        event = NewEvent(
            event_type=event_type,
            subject=subject,
            actor=self._actor(),
            at=datetime.now(UTC),
            region=self._region,
            data=data,
        )
        try:
            with self._nib.transaction() as tx:
                tx.append_event(event)
        except PDSNOError as error:
            log.warning("refusal_not_recorded", about=event_type, source=subject, why=str(error))
