"""A stream, pulled by its receiver: `GET /streams/{sender}?stream=ID&after=SEQ`.

The answer is a page: a line that says how far the stream goes, then one signed message a line. What
it asks for by `after` it has applied, so asking confirms as well.
"""

import ipaddress
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog

from pdsno.communication.codec import MAX_MESSAGE_BYTES, Draft, open_message, seal
from pdsno.communication.embedding import choose_credentials
from pdsno.communication.relay import OutboxRelay
from pdsno.communication.strict_json import parse_json
from pdsno.domain.entities import OutboxRow
from pdsno.domain.errors import (
    NotFoundError,
    Refusal,
    RefusedError,
    RemoteProtocolError,
    TransientError,
)
from pdsno.domain.messages import Message, MessageType, StreamTail
from pdsno.domain.peers import Channel
from pdsno.domain.ports import NIB, Signer, Verifier

log = structlog.get_logger()

PAGE_MEDIA_TYPE = "application/x-ndjson"
PAGE_BYTES = 2 * 1024 * 1024
"""A page ends with the message that goes beyond this."""
MAX_PAGE_BYTES = PAGE_BYTES + MAX_MESSAGE_BYTES + 4096

_HEAD_BYTES = 4096
_ROWS = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamPage:
    """A part of a stream. There is more unless the last message, or what was asked, is `tail`."""

    stream_id: str
    tail: int
    messages: tuple[Message, ...] = ()


class StreamSource:
    """Answers the one receiver of our stream, our parent.

    `relay` is None until we serve; `receiver_id` is None without a parent.
    """

    def __init__(
        self,
        nib: NIB,
        relay: Callable[[], OutboxRelay | None],
        *,
        sender_id: Callable[[], str],
        receiver_id: str | None,
        signer: Signer | None = None,
        verifier: Verifier | None = None,
        most_bytes: int = PAGE_BYTES,
    ) -> None:
        self._nib = nib
        self._relay = relay
        self._sender_id = sender_id
        self._receiver_id = receiver_id
        self._credentials = choose_credentials(signer, verifier)
        self._most_bytes = most_bytes

    def page(self, sender: str, after: int, stream_id: str | None, channel: Channel) -> bytes:
        """Return a page; without the right `stream_id` only its first line, to ask by.

        Raises RefusedError NOT_ALLOWED for anybody but the parent, NotFoundError for a stream of
        somebody else, TransientError before we serve.
        """
        self._check_receiver(channel)
        if sender != self._sender_id():
            raise NotFoundError(f"this is {self._sender_id()}, which has no stream of {sender}")
        relay = self._relay()
        if relay is None:
            raise TransientError("no stream yet: the controller is starting")
        position = StreamTail(stream_id=stream_id or "", seq=after)
        go_on = relay.pulled(position) if stream_id else None
        tail = self._nib.outbox_tail()
        lines = [json.dumps({"stream_id": tail.stream_id, "tail": tail.seq}).encode()]
        if go_on is not None and tail.stream_id == stream_id:
            lines += self._messages(relay, go_on, stream_id)
        return b"\n".join(lines)

    def _check_receiver(self, channel: Channel) -> None:
        """Raise RefusedError for anybody but the parent; without TLS only this machine is heard."""
        peer = channel.peer
        is_parent = peer is not None and peer.controller_id == self._receiver_id
        if not is_parent and (peer is not None or not _is_loopback(channel.address)):
            raise RefusedError(Refusal.NOT_ALLOWED, "a stream is for the parent only")

    def _messages(self, relay: OutboxRelay, after: int, stream_id: str) -> Iterator[bytes]:
        size = 0
        while size <= self._most_bytes:
            rows = self._nib.outbox(after_seq=after, limit=_ROWS)
            for row in rows:
                if row.stream_id != stream_id or size > self._most_bytes:
                    return
                relay.stream.hands_over(row)
                raw = self._sealed(row)
                relay.count(row)
                size += len(raw)
                after = row.seq
                yield raw
            if not rows:
                return

    def _sealed(self, row: OutboxRow) -> bytes:
        draft = Draft(
            message_type=MessageType(row.message_type),
            sender_id=self._sender_id(),
            recipient_id=self._receiver_id or "*",
            payload=row.payload,
            message_id=row.message_id,
            correlation_id=row.correlation_id,
            stream_id=row.stream_id,
            seq=row.seq,
        )
        return seal(draft, self._credentials.signer, with_key=self._credentials.is_embedded)


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


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
