"""A part of a stream on the wire.

A line that says how far the stream goes, then one signed message a line.
"""

import json
from dataclasses import dataclass

from pdsno.communication.codec import MAX_MESSAGE_BYTES, open_message
from pdsno.communication.strict_json import parse_json
from pdsno.domain.errors import Refusal, RefusedError, RemoteProtocolError
from pdsno.domain.messages import Message, StreamTail
from pdsno.domain.trust_ports import Verifier

PAGE_MEDIA_TYPE = "application/x-ndjson"
PAGE_BYTES = 2 * 1024 * 1024
"""A page ends with the message that goes beyond this."""

_HEAD_BYTES = 4096
MAX_PAGE_BYTES = _HEAD_BYTES + PAGE_BYTES + MAX_MESSAGE_BYTES


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamPage:
    """A part of a stream. There is more unless the last message, or what was asked, is `tail`."""

    stream_id: str
    tail: int
    messages: tuple[Message, ...] = ()


def head_of(tail: StreamTail) -> bytes:
    """Return the first line of a page."""
    return json.dumps({"stream_id": tail.stream_id, "tail": tail.seq}).encode()


def read_page(raw: bytes, verifier: Verifier, *, sender_id: str, recipient_id: str) -> StreamPage:
    """Return a page whose every message was checked: signature, recipient, sender and stream.

    Raises RemoteProtocolError or RefusedError.
    """
    head, *lines = raw.split(b"\n")
    told = parse_json(head, _HEAD_BYTES)
    stream_id = told.get("stream_id") if isinstance(told, dict) else None
    tail = told.get("tail") if isinstance(told, dict) else None
    if not isinstance(stream_id, str) or type(tail) is not int or tail < 0:
        raise RemoteProtocolError(f"{sender_id} answered with no page of a stream")
    messages = tuple(open_message(line, verifier, recipient_id=recipient_id) for line in lines)
    for message in messages:
        if (message.sender_id, message.stream_id) != (sender_id, stream_id):
            raise RefusedError(
                Refusal.IDENTITY_MISMATCH,
                f"{sender_id} handed over a message of {message.sender_id} as its own stream",
            )
    return StreamPage(stream_id=stream_id, tail=tail, messages=messages)
