"""The hash chain of the event log: pure rules, the same for every NIB backend."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from pdsno.domain.entities import Event, NewEvent

GENESIS = "0" * 64
"""`previous_hash` of the first event."""


def event_hash(seq: int, event: NewEvent, previous_hash: str) -> str:
    """Return the SHA-256 (hex) that binds an event to its number and to the event before.

    Hashed is one JSON array with sorted keys and no white space, so that no two different events
    read the same.
    """
    body = [
        seq,
        event.event_type,
        event.subject,
        event.actor,
        _instant(event.at),
        event.region,
        event.data,
        previous_hash,
    ]
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def link_event(event: NewEvent, previous: Event | None) -> Event:
    """Return the event as the next entry after `previous` (None: the first of the log)."""
    seq = previous.seq + 1 if previous else 1
    previous_hash = previous.hash if previous else GENESIS
    return Event(
        seq=seq,
        event_type=event.event_type,
        subject=event.subject,
        actor=event.actor,
        at=event.at,
        region=event.region,
        data=event.data,
        previous_hash=previous_hash,
        hash=event_hash(seq, event, previous_hash),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """Where a log begins after its older events were removed: the last of these, and its hash."""

    seq: int
    hash: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ChainFault:
    """The first place where a log is not what was written."""

    seq: int
    problem: str


def first_fault(
    events: Iterable[Event], previous: Event | Checkpoint | None = None
) -> ChainFault | None:
    """Return the first fault of a run of events in order of seq, or None.

    `previous` is the event before the run, or what was kept of it (None: the run starts the log).
    """
    for event in events:
        wanted = previous.seq + 1 if previous else 1
        if event.seq != wanted:
            return ChainFault(seq=wanted, problem=f"event {wanted} is missing")
        link = previous.hash if previous else GENESIS
        if event.previous_hash != link:
            return ChainFault(seq=event.seq, problem="does not follow the event before it")
        body = NewEvent(
            event_type=event.event_type,
            subject=event.subject,
            actor=event.actor,
            at=event.at,
            region=event.region,
            data=event.data,
        )
        if event_hash(event.seq, body, event.previous_hash) != event.hash:
            return ChainFault(seq=event.seq, problem="content was altered")
        previous = event
    return None
