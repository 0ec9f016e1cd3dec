"""Events and messages, durable or seen, to stored rows and back; see `codec`."""

import json
from dataclasses import fields, replace
from typing import Any

from pdsno.domain.entities import Event, NewEvent, OutboxRow
from pdsno.domain.ports import SeenMessage
from pdsno.nib.codec import Row, dumps, text, utc


def plain_event(event: NewEvent) -> tuple[NewEvent, str]:
    """Return an event whose data is what JSON makes of it, so that its hash holds; and that JSON.

    Raises InputError if a string in it is not Unicode text.
    """
    for told in (event.event_type, event.subject, event.actor, event.region or ""):
        text(told)
    data = dumps(event.data)
    return replace(event, at=utc(event.at), data=json.loads(data)), data


def event_row(event: Event, data: str) -> dict[str, Any]:
    """Return an event as a row, given the JSON of its data."""
    row = {f.name: getattr(event, f.name) for f in fields(Event)}
    return row | {"at": utc(event.at), "data": data}


def event_of(row: Row) -> Event:
    """Return the event of a row."""
    values = {f.name: row[f.name] for f in fields(Event)}
    return Event(**values | {"data": json.loads(row["data"])})


def outbox_row(entry: OutboxRow, payload: str) -> dict[str, Any]:
    """Return a durable message as a row, given the JSON of its payload."""
    row = {f.name: getattr(entry, f.name) for f in fields(OutboxRow)}
    return row | {"payload": payload}


def outbox_of(row: Row) -> OutboxRow:
    """Return the durable message of a row."""
    values = {f.name: row[f.name] for f in fields(OutboxRow)}
    return OutboxRow(**values | {"payload": json.loads(row["payload"])})


def seen_row(seen: SeenMessage) -> dict[str, Any]:
    """Return a message that was seen as a row."""
    return {
        "sender_id": text(seen.sender_id),
        "message_id": text(seen.message_id),
        "timestamp": utc(seen.timestamp),
    }


def seen_of(row: Row) -> SeenMessage:
    """Return the message that was seen of a row."""
    return SeenMessage(**{f.name: row[f.name] for f in fields(SeenMessage)})
