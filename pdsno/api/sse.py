"""Server-sent events: what a stream of the event log looks like on the wire, and its cursors. Pure.

A cursor is `SEQ-HASH`: the seq of the last event that was passed, told or left out by a filter,
and the beginning of its hash. The hash finds out that the log is another one: a NIB that was
restored from a backup gives the same numbers to other events.
"""

import json
import re
from dataclasses import dataclass

from pydantic import TypeAdapter

from pdsno.domain.entities import Event
from pdsno.domain.errors import InputError

MEDIA_TYPE = "text/event-stream"
HEARTBEAT = b": still here\n\n"
"""A comment: clients ignore it, and what is between us does not take the connection for dead."""

RETRY = b"retry: 2000\n\n"
"""After how many milliseconds a client that was cut off asks again."""

END_EVENT = "stream-end"

_EVENT = TypeAdapter(Event)
_CURSOR = re.compile(r"([0-9]{1,19})(?:-([0-9a-f]{8}))?", re.ASCII)
_LARGEST_SEQ = 2**63 - 1
_NO_NAME = re.compile(r"[^A-Za-z0-9_.-]", re.ASCII)
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


def place_from(cursor: str) -> Place:
    """Return the place that a cursor, or a bare seq, names. Raises InputError."""
    found = _CURSOR.fullmatch(cursor)
    if found is None or int(found[1]) > _LARGEST_SEQ:
        raise InputError(
            f"{cursor[:50]!r} is no cursor of the event stream: give the `id` of the last event, "
            "a seq, or 0 for the whole log"
        )
    return Place(seq=int(found[1]), digest=found[2] or "")


def frame(event: Event) -> bytes:
    """Return an event; its data is one line of JSON, as the item of a list."""
    name = _NO_NAME.sub("_", event.event_type).encode()
    place = place_of(event).cursor.encode()
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (place, name, _EVENT.dump_json(event))


def place_frame(place: Place) -> bytes:
    """Return an ID without data: a client keeps it, and has no event of it."""
    return b"id: %b\n\n" % place.cursor.encode()


def end_frame(reason: str, detail: str, place: Place) -> bytes:
    """Return the last words of a stream: why it ends, and where to go on."""
    told = {"reason": reason, "detail": detail, "cursor": place.cursor}
    return b"event: %b\ndata: %b\n\n" % (END_EVENT.encode(), json.dumps(told).encode())
