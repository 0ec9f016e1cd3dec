"""Publishes the NIB's event log at the broker, for readers: in order, from a cursor on the disk.

At least once: what the broker acknowledged is not safe with it yet, for it saves its state every
few seconds. So the cursor on the disk stays behind, and with each new connection, and each start,
publishing goes on from there. `seq` lets a reader drop what it has and find what it misses.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

import structlog
from pydantic import TypeAdapter

from pdsno.communication.backoff import Backoff
from pdsno.communication.codec import MAX_MESSAGE_BYTES
from pdsno.controllers.context_manager import ContextManager
from pdsno.domain import topics
from pdsno.domain.entities import Event, NewEvent
from pdsno.domain.errors import PDSNOError
from pdsno.domain.event_place import START, Place, end_of, is_cut, place_from, place_of, resumed
from pdsno.domain.ports import NIB

log = structlog.get_logger()

CURSOR = "events_published"
"""Where the cursor is in the controller's state."""

SAVED_AFTER_S = 10.0
"""The broker saves its state every 5 s: what it acknowledged is safe when it still answers then."""
SAFE_AFTER_S = 60.0
"""Without an answer to wait for: a broker whose host went silent is noticed after 40 s."""

_POLL_S = 0.5
_MARK_EVERY_S = 5.0
_AT_ONCE = 100
_EVENT = TypeAdapter(Event)


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """How publishing stands: `count` since the start, `waiting` events are still to come.

    `failure` says why the broker did not take the last ones, None if it did.
    """

    cursor: str
    count: int
    waiting: int
    failure: str | None


class Client(Protocol):
    """What is needed of the connection to the broker; see `communication.messaging`."""

    @property
    def is_connected(self) -> bool:
        """Whether the broker can be spoken to right now."""

    @property
    def generation(self) -> int:
        """How many connections there were."""

    def publish_plain(self, topic: str, bodies: Sequence[bytes]) -> None:
        """Return after the broker acknowledged all."""


class EventPublisher:
    """One thread calls `step` every `pause_s`; `published` and `close` come from any."""

    def __init__(
        self,
        nib: NIB,
        context: ContextManager,
        client: Client,
        *,
        region: str | None,
        actor: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._nib = nib
        self._context = context
        self._client = client
        self._region = region
        self._actor = actor
        self._clock = clock
        self._topic = topics.nib_events(region)
        self._safe: Place | None = None
        self._place = START
        self._marks: deque[tuple[float, Place]] = deque()
        self._backoff = Backoff(first_s=1, most_s=60)
        self._generation = 0
        self._closing = threading.Event()
        self._failure: str | None = None
        self._count = 0
        self.pause_s = _POLL_S

    def close(self) -> None:
        """Let a step end after the events that are under way."""
        self._closing.set()

    def published(self) -> Published:
        """Return how it stands. Raises OperationError if the NIB cannot be read."""
        has_begun = self._safe is not None
        waiting = max(end_of(self._nib).seq - self._place.seq, 0) if has_begun else 0
        return Published(
            cursor=self._place.cursor, count=self._count, waiting=waiting, failure=self._failure
        )

    def step(self) -> None:
        """Publish all that is new. What fails is told once, and comes again ever less often."""
        try:
            self._catch_up()
        except PDSNOError as error:
            if str(error) != self._failure:
                log.warning("events_not_published", topic=self._topic, why=str(error))
            self._failure = str(error)
            self.pause_s = self._backoff.next_s()
        else:
            self._failure = None
            self._backoff.reset()
            self.pause_s = _POLL_S

    def _catch_up(self) -> None:
        if self._safe is None:
            self._safe = self._place = self._start()
        while self._client.is_connected and not self._closing.is_set():
            if self._client.generation != self._generation:
                # The broker may have ended, and lost what came after the cursor on the disk.
                self._generation = self._client.generation
                self._place = self._safe
                self._marks.clear()
            events = self._nib.events(after_seq=self._place.seq, limit=_AT_ONCE)
            if events:
                self._publish(events)
            if self._client.generation == self._generation:
                self._settle(SAVED_AFTER_S if events else SAFE_AFTER_S)
            if not events:
                return

    def _publish(self, events: Sequence[Event]) -> None:
        if is_cut(self._place, events[0]):
            self._tell_of_gap(events[0])
        self._client.publish_plain(self._topic, [body_of(event) for event in events])
        self._place = place_of(events[-1])
        self._count += len(events)

    # --- the cursor --------------------------------------------------------------------------

    def _start(self) -> Place:
        """Return where the last run was; the first one begins with what happens from now on."""
        kept = self._context.get(CURSOR)
        if kept is None:
            return self._kept(end_of(self._nib))
        place = place_from(str(kept))
        following = self._nib.events(after_seq=max(place.seq - 1, 0), limit=1)
        restored = self._nib.events(event_type="NIB_RESTORED", newest_first=True, limit=1)
        going_on = resumed(
            place, following[0] if following else None, restored[0] if restored else None
        )
        if going_on != place:
            log.warning("events_of_another_log", cursor=place.cursor, goes_on=going_on.cursor)
        return going_on

    def _kept(self, place: Place) -> Place:
        self._context.update(**{CURSOR: place.cursor})
        return place

    def _settle(self, after_s: float) -> None:
        """Let the cursor on the disk follow to what the broker has had for long enough."""
        now = self._clock()
        last_at, last = self._marks[-1] if self._marks else (float("-inf"), self._safe)
        if self._place != last and now - last_at >= _MARK_EVERY_S:
            self._marks.append((now, self._place))
        while self._marks and now - self._marks[0][0] >= after_s:
            self._safe = self._kept(self._marks[0][1])
            self._marks.popleft()

    def _tell_of_gap(self, following: Event) -> None:
        """Leave an event of what was pruned before it could be published; readers hear it, too."""
        data = {"topic": self._topic, "after": self._place.seq, "next": following.seq}
        with self._nib.transaction() as change:
            change.append_event(
                NewEvent(
                    event_type="EVENTS_SKIPPED",
                    subject="events",
                    actor=self._actor(),
                    at=datetime.now(UTC),
                    region=self._region,
                    data=data,
                )
            )
        log.warning("events_skipped", why="they were pruned before they were published", **data)
        self._safe = self._place = self._kept(Place(seq=following.seq - 1))
        self._marks.clear()


def body_of(event: Event) -> bytes:
    """Return an event as the REST API gives it; without its data if the broker refuses its size."""
    body = _EVENT.dump_json(event)
    if len(body) <= MAX_MESSAGE_BYTES:
        return body
    return _EVENT.dump_json(replace(event, data={"omitted_bytes": len(body)}))
