"""Server-sent events: what a stream of the event log looks like on the wire. Pure.

Its IDs are the cursors of places; one moves also past an event that a filter leaves out.
"""

import json
import re

from pydantic import TypeAdapter

from pdsno.domain.entities import Event
from pdsno.domain.event_place import Place, place_of

MEDIA_TYPE = "text/event-stream"
HEARTBEAT = b": still here\n\n"
"""A comment: clients ignore it, and what is between us does not take the connection for dead."""

RETRY = b"retry: 2000\n\n"
"""After how many milliseconds a client that was cut off asks again."""

END_EVENT = "stream-end"

_EVENT = TypeAdapter(Event)
_NO_NAME = re.compile(r"[^A-Za-z0-9_.-]", re.ASCII)


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
