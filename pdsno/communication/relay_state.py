"""Where a relay stands in its stream: pure rules, no thread and no I/O."""

from dataclasses import dataclass
from enum import StrEnum

from pdsno.domain.messages import StreamTail


class RelayState(StrEnum):
    """How far what is in the outbox has come."""

    CONFIRMED = "confirmed"
    DELIVERED = "delivered"
    QUEUED = "queued"


class Verdict(StrEnum):
    """What the receiver's position means for the sender."""

    OTHER_STREAM = "other stream"
    AHEAD = "ahead"
    GOOD = "good"
    BEHIND = "behind"
    LOST = "lost"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outbox:
    """The sender's side: `tail` is the last seq of all, `first` the first that is retained.

    Without retained rows `first` is the seq after the tail. `given` is the last seq that anybody
    can have got from this database: rows behind it were not handed over yet.
    """

    stream_id: str
    tail: int
    first: int
    given: int


def judge(position: StreamTail, outbox: Outbox, sent: int) -> Verdict:
    """Return what a receiver's applied position means when rows up to `sent` were handed over.

    AHEAD: it applied what we never gave out; ours is not the database that sent it. LOST: it
    needs rows that are gone, so only a snapshot helps. BEHIND: rows on the way, or lost.
    """
    if position.stream_id != outbox.stream_id:
        return Verdict.OTHER_STREAM
    if position.seq > outbox.given:
        return Verdict.AHEAD
    if position.seq < outbox.first - 1:
        return Verdict.LOST
    return Verdict.BEHIND if position.seq < sent else Verdict.GOOD
