"""Places in the event log: how somebody who follows it says how far it is. Pure: only reads.

A place is the seq of the last event that was passed, and the beginning of its hash. The hash finds
out that the log is another one: a NIB that was restored from a backup gives the same numbers to
other events.
"""

import re
from dataclasses import dataclass

from pdsno.domain.entities import Event
from pdsno.domain.errors import InputError
from pdsno.domain.ports import NIBReader

_CURSOR = re.compile(r"([0-9]{1,19})(?:-([0-9a-f]{8}))?", re.ASCII)
_LARGEST_SEQ = 2**63 - 1
_DIGITS = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Behind which event a reader is; `digest` is empty where only the number is known."""

    seq: int
    digest: str = ""

    @property
    def cursor(self) -> str:
        """What the reader shows to go on from here."""
        return f"{self.seq}-{self.digest}" if self.digest else str(self.seq)

    def is_of(self, event: Event) -> bool:
        """Tell whether this is the place behind an event, and not of its number alone."""
        return self.seq == event.seq and self.digest in ("", place_of(event).digest)


START = Place(seq=0)


def place_of(event: Event) -> Place:
    """Return the place behind an event."""
    return Place(seq=event.seq, digest=event.hash[:_DIGITS])


def end_of(nib: NIBReader) -> Place:
    """Return the place behind the newest event of a NIB; START while it has none."""
    newest = nib.events(newest_first=True, limit=1)
    return place_of(newest[0]) if newest else START


def place_from(cursor: str) -> Place:
    """Return the place that a cursor, or a bare seq, names. Raises InputError."""
    found = _CURSOR.fullmatch(cursor)
    if found is None or int(found[1]) > _LARGEST_SEQ:
        raise InputError(
            f"{cursor[:50]!r} is no cursor of the event stream: give the `id` of the last event, "
            "a seq, or 0 for the whole log"
        )
    return Place(seq=int(found[1]), digest=found[2] or "")


def resumed(place: Place, following: Event | None, restored: Event | None) -> Place:
    """Return where to go on behind a place, which may be of a log that is no more.

    `following` is the first event at the place or after it, `restored` the newest NIB_RESTORED.
    In another log all from the restore on is new; without a restore, everything is.
    """
    if place.seq == 0 or (following is not None and following.seq > place.seq):
        return place
    if following is not None and place.is_of(following):
        return place
    return START if restored is None else Place(seq=restored.seq - 1)


def is_cut(place: Place, following: Event) -> bool:
    """Tell whether events between a place and the next that is kept are gone: seqs are dense."""
    return following.seq > place.seq + 1
