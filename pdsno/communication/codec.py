"""Messages as bytes: sealed with a signature, opened only after every check.

On the wire a message is a flattened JSON JWS (RFC 7515). The envelope is the protected header,
the payload's bytes are the payload, so exactly what was sent is what was signed.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pdsno.communication import topics
from pdsno.communication.payloads import read
from pdsno.communication.replay import MessageJournal, ReplayGuard
from pdsno.communication.strict_json import parse_json
from pdsno.domain.errors import (
    InputError,
    LocalProtocolError,
    OperationError,
    Refusal,
    RefusedError,
    RemoteProtocolError,
)
from pdsno.domain.identifiers import check_controller_id, new_message_id
from pdsno.domain.jsonable import jsonable
from pdsno.domain.messages import BROADCAST, SCHEMA_VERSION, Message, MessageType
from pdsno.domain.peers import Channel
from pdsno.domain.trust_ports import Signer, Verifier
from pdsno.signing import b64decode

__all__ = [
    "Draft",
    "MessageJournal",
    "ReplayGuard",
    "open_message",
    "parse_json",
    "read",
    "seal",
    "size_limit",
]

MAX_MESSAGE_BYTES = 8 * 1024 * 1024
"""The largest message of any type; broker and servers are set up for it."""

MAX_AGE_S = 300.0
MAX_AHEAD_S = 30.0
"""How old a message may be, and how far in the future by our clock."""

VALIDATION_TYPES = frozenset(
    {
        MessageType.VALIDATION_REQUEST,
        MessageType.CHALLENGE,
        MessageType.CHALLENGE_RESPONSE,
        MessageType.VALIDATION_RESULT,
    }
)
"""Messages that may come from a sender whose key is not known yet."""

STATE_TYPES = frozenset({MessageType.POLICY_UPDATE, MessageType.STATUS})
"""Messages that say how things stand: retained on MQTT, they may be of any age."""

# The rights of a broker travel in a STATUS: some 400 bytes a controller.
_LARGE_TYPES = frozenset(
    {MessageType.DISCOVERY_REPORT, MessageType.DISCOVERY_SUMMARY, MessageType.STATUS}
)
_SMALL_BYTES = 1024 * 1024
_STRANGERS_TYPES = frozenset({MessageType.VALIDATION_REQUEST, MessageType.CHALLENGE_RESPONSE})
_STRANGERS_BYTES = 64 * 1024
_TYP = "pdsno+jws"
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_MAX_SEQ = 2**53


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A message before it is sealed. `payload` is a mapping or a payload dataclass."""

    message_type: MessageType
    sender_id: str
    recipient_id: str
    payload: object
    message_id: str = field(default_factory=new_message_id)
    correlation_id: str | None = None
    stream_id: str | None = None
    seq: int | None = None


def size_limit(message_type: MessageType) -> int:
    """Return how many bytes a message of this type may have on the wire."""
    if message_type in _STRANGERS_TYPES:
        return _STRANGERS_BYTES
    return MAX_MESSAGE_BYTES if message_type in _LARGE_TYPES else _SMALL_BYTES


def seal(
    draft: Draft, signer: Signer, *, with_key: bool = False, now: datetime | None = None
) -> bytes:
    """Return the signed bytes of a message, stamped with the time.

    Messages of the validation exchange always carry the public key, others if `with_key`. Raises
    LocalProtocolError if the payload has no JSON form, OperationError if it is too large.
    """
    header: dict[str, Any] = {
        "message_id": draft.message_id,
        "message_type": draft.message_type.value,
        "sender_id": draft.sender_id,
        "recipient_id": draft.recipient_id,
        "timestamp": jsonable(now or datetime.now(UTC)),
        "schema_version": SCHEMA_VERSION,
        "stream_id": draft.stream_id,
        "seq": draft.seq,
        "correlation_id": draft.correlation_id,
    }
    raw = signer.sign(
        {name: value for name, value in header.items() if value is not None},
        _payload_bytes(draft),
        with_key=with_key or draft.message_type in VALIDATION_TYPES,
    )
    if len(raw) > size_limit(draft.message_type):
        raise OperationError(
            f"{draft.message_type} of {len(raw)} bytes is too large to send: "
            f"at most {size_limit(draft.message_type)}"
        )
    return raw


def _payload_bytes(draft: Draft) -> bytes:
    try:
        payload = jsonable(draft.payload)
        if not isinstance(payload, dict):
            raise TypeError("a payload is a mapping or a payload dataclass")  # noqa: TRY301 - one way out
        text = json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise LocalProtocolError(f"payload of {draft.message_type}: {error}") from error


def open_message(
    raw: bytes,
    verifier: Verifier,
    *,
    recipient_id: str,
    topic: str | None = None,
    channel: Channel | None = None,
    now: datetime | None = None,
) -> Message:
    """Return the message in these bytes after every check that needs no memory.

    In this order: size and syntax, signature (and that the key is the sender's), that the sender
    is who the connection belongs to (REST) or the topic (MQTT), recipient, age, syntax of the
    payload. Raises RemoteProtocolError or RefusedError. Replays are a `ReplayGuard`'s to find, and
    those of durable messages the inbox's; `is_replayable` tells which.
    """
    header = _header(raw)
    envelope = _envelope(header)
    if len(raw) > size_limit(envelope.message_type):
        raise RemoteProtocolError(f"{len(raw)} bytes are too many for {envelope.message_type}")
    content = verifier.verify(raw)
    if not content.is_trusted and envelope.message_type not in VALIDATION_TYPES:
        raise RefusedError(Refusal.UNKNOWN_KEY, f"no key is known for {envelope.sender_id}")
    _check_carrier(envelope, content.key_id, topic, channel)
    if envelope.recipient_id not in (recipient_id, BROADCAST):
        raise RefusedError(
            Refusal.WRONG_RECIPIENT, f"meant for {envelope.recipient_id}, this is {recipient_id}"
        )
    _check_age(envelope, now or datetime.now(UTC), is_retainable=topic is not None)
    payload = parse_json(content.payload, MAX_MESSAGE_BYTES)
    if not isinstance(payload, dict):
        raise RemoteProtocolError("the payload is not a JSON object")
    return Message(
        message_id=envelope.message_id,
        message_type=envelope.message_type,
        sender_id=envelope.sender_id,
        recipient_id=envelope.recipient_id,
        timestamp=envelope.timestamp,
        payload=payload,
        schema_version=envelope.schema_version,
        stream_id=envelope.stream_id,
        seq=envelope.seq,
        correlation_id=envelope.correlation_id,
        topic=topic,
        key_id=content.key_id,
        is_trusted=content.is_trusted,
        channel=channel,
    )


def _check_carrier(
    envelope: Message, key_id: str, topic: str | None, channel: Channel | None
) -> None:
    """Refuse what one controller brings in the name, or by the key, of another."""
    owner = topics.owner_of(topic) if topic is not None else None
    if owner is not None and owner != envelope.sender_id:
        raise RefusedError(
            Refusal.IDENTITY_MISMATCH, f"{envelope.sender_id} published on the topic of {owner}"
        )
    peer = channel.peer if channel is not None else None
    if peer is not None and (peer.controller_id, peer.key_id) != (envelope.sender_id, key_id):
        raise RefusedError(
            Refusal.IDENTITY_MISMATCH,
            f"{envelope.sender_id} spoke on the connection of {peer.controller_id}",
        )


def is_replayable(message: Message) -> bool:
    """Tell whether a message may rightly come twice: durable ones, and state kept by the broker."""
    if message.stream_id is not None:
        return True
    return message.topic is not None and message.message_type in STATE_TYPES


def _header(raw: bytes) -> Mapping[str, Any]:
    outer = parse_json(raw, MAX_MESSAGE_BYTES)
    protected = outer.get("protected") if isinstance(outer, dict) else None
    if not isinstance(protected, str):
        raise RefusedError(Refusal.UNSIGNED, "not a signed message")
    try:
        text = b64decode(protected)
    except ValueError as error:
        raise RefusedError(Refusal.UNSIGNED, "not a signed message") from error
    header = parse_json(text, _SMALL_BYTES)
    # Other things are signed with the same keys: a grant, say, must never pass for a message.
    if not isinstance(header, dict) or header.get("typ") != _TYP or "crit" in header:
        raise RefusedError(Refusal.UNSIGNED, "signed, but not as a message")
    return header


def _envelope(header: Mapping[str, Any]) -> Message:
    return Message(
        message_id=_identifier(header, "message_id"),
        message_type=_message_type(header),
        sender_id=_controller(header, "sender_id"),
        recipient_id=_controller(header, "recipient_id", or_all=True),
        timestamp=_timestamp(header),
        payload={},
        schema_version=_schema_version(header),
        correlation_id=_optional(header, "correlation_id"),
        **_stream(header),
    )


def _text(header: Mapping[str, Any], name: str) -> str:
    value = header.get(name)
    if not isinstance(value, str):
        raise RemoteProtocolError(f"{name} of the envelope is missing or no text")
    return value


def _identifier(header: Mapping[str, Any], name: str) -> str:
    value = _text(header, name)
    if not _ID.fullmatch(value):
        raise RemoteProtocolError(f"{name} of the envelope is no identifier")
    return value


def _optional(header: Mapping[str, Any], name: str) -> str | None:
    return None if header.get(name) is None else _identifier(header, name)


def _controller(header: Mapping[str, Any], name: str, *, or_all: bool = False) -> str:
    value = _text(header, name)
    if or_all and value == BROADCAST:
        return value
    try:
        return check_controller_id(value)
    except InputError as error:
        raise RemoteProtocolError(f"{name} of the envelope is no controller ID") from error


def _message_type(header: Mapping[str, Any]) -> MessageType:
    try:
        return MessageType(_text(header, "message_type"))
    except ValueError as error:
        raise RemoteProtocolError("message_type of the envelope is unknown") from error


def _timestamp(header: Mapping[str, Any]) -> datetime:
    try:
        value = datetime.fromisoformat(_text(header, "timestamp"))
        if value.tzinfo is None:
            raise ValueError("no zone")  # noqa: TRY301 - one way out
        return value.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise RemoteProtocolError("timestamp of the envelope is no RFC 3339 time") from error


def _schema_version(header: Mapping[str, Any]) -> str:
    value = _text(header, "schema_version")
    if value.split(".")[0] != SCHEMA_VERSION.split(".")[0]:
        raise RemoteProtocolError(f"schema {value[:16]!r} is not ours ({SCHEMA_VERSION})")
    return value


def _stream(header: Mapping[str, Any]) -> dict[str, Any]:
    stream_id, seq = _optional(header, "stream_id"), header.get("seq")
    if (stream_id is None) != (seq is None):
        raise RemoteProtocolError("stream_id and seq of the envelope go together")
    if seq is not None and (type(seq) is not int or not 0 < seq <= _MAX_SEQ):
        raise RemoteProtocolError("seq of the envelope is no number from 1")
    return {"stream_id": stream_id, "seq": seq}


def _check_age(envelope: Message, now: datetime, *, is_retainable: bool) -> None:
    age = now - envelope.timestamp
    if age < timedelta(seconds=-MAX_AHEAD_S):
        ahead_s = -age.total_seconds()
        raise RefusedError(Refusal.FUTURE, f"the sender's clock is {ahead_s:.0f} s ahead")
    is_ageless = envelope.stream_id is not None or (
        is_retainable and envelope.message_type in STATE_TYPES
    )
    if not is_ageless and age > timedelta(seconds=MAX_AGE_S):
        raise RefusedError(Refusal.STALE, f"the message is {age.total_seconds():.0f} s old")
