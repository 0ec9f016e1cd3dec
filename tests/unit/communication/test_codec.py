import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdsno.communication.codec import (
    MAX_MESSAGE_BYTES,
    Draft,
    is_replayable,
    open_message,
    seal,
    size_limit,
)
from pdsno.domain.errors import (
    LocalProtocolError,
    OperationError,
    Refusal,
    RefusedError,
    RemoteProtocolError,
)
from pdsno.domain.messages import Message, MessageType, Status
from pdsno.signing import SigningKey, b64encode
from tests.unit.communication.keys import TableVerifier

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LC_KEY = SigningKey.generate()
OTHER_KEY = SigningKey.generate()
VERIFIER = TableVerifier({"lc": LC_KEY, "rc": OTHER_KEY})
DRAFT = Draft(
    message_type=MessageType.DISCOVERY_REQUEST,
    sender_id="lc",
    recipient_id="rc",
    payload={"subnets": ["10.0.0.0/24"], "ä": None},
)


def opened(raw: bytes, *, me: str = "rc", topic: str | None = None, now: datetime = NOW) -> Message:
    return open_message(raw, VERIFIER, recipient_id=me, topic=topic, now=now)


def sealed(draft: Draft = DRAFT, *, key: SigningKey = LC_KEY, now: datetime = NOW) -> bytes:
    return seal(draft, key, now=now)


def forged(header: dict[str, Any], payload: bytes = b"{}") -> bytes:
    """Return what the right key signed over another envelope."""
    base: dict[str, Any] = {
        "message_id": "m1",
        "message_type": "STATUS",
        "sender_id": "lc",
        "recipient_id": "rc",
        "timestamp": NOW.isoformat(),
        "schema_version": "1.0",
    }
    merged = {k: v for k, v in (base | header).items() if v is not None}
    return LC_KEY.sign(merged, payload)


def test_a_message_comes_through_whole() -> None:
    draft = replace(DRAFT, correlation_id="c-1", stream_id="s-1", seq=7)
    message = opened(sealed(draft))
    assert message == Message(
        message_id=draft.message_id,
        message_type=MessageType.DISCOVERY_REQUEST,
        sender_id="lc",
        recipient_id="rc",
        timestamp=NOW,
        payload={"subnets": ["10.0.0.0/24"], "ä": None},
        stream_id="s-1",
        seq=7,
        correlation_id="c-1",
        key_id=LC_KEY.key_id,
    )


def test_a_dataclass_is_a_payload() -> None:
    draft = replace(
        DRAFT, message_type=MessageType.STATUS, payload=Status(state="online", role="local")
    )
    assert opened(sealed(draft)).payload["state"] == "online"


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])),
        st.integers(-(2**60), 2**60) | st.text(st.characters(exclude_categories=["Cs"])),
    )
)
def test_any_payload_survives_sealing_and_opening(payload: dict[str, Any]) -> None:
    assert opened(sealed(replace(DRAFT, payload=payload))).payload == payload


def refusal(
    raw: bytes, *, me: str = "rc", topic: str | None = None, now: datetime = NOW
) -> Refusal:
    with pytest.raises(RefusedError) as caught:
        opened(raw, me=me, topic=topic, now=now)
    return caught.value.reason


@pytest.mark.attack(17)
def test_the_wrong_key_is_refused() -> None:
    opened(sealed())
    assert refusal(sealed(key=OTHER_KEY)) is Refusal.IDENTITY_MISMATCH


@pytest.mark.attack(18)
@pytest.mark.parametrize("part", ["payload", "signature"])
def test_a_changed_byte_is_refused(part: str) -> None:
    outer = json.loads(sealed())
    text = outer[part]
    outer[part] = ("A" if text[0] != "A" else "B") + text[1:]
    assert refusal(json.dumps(outer).encode()) is Refusal.BAD_SIGNATURE


@pytest.mark.attack(18)
def test_a_changed_envelope_is_refused() -> None:
    outer = json.loads(sealed())
    outer["protected"] = json.loads(sealed())["protected"]
    opened(json.dumps(outer).encode())
    outer["protected"] = json.loads(sealed(replace(DRAFT, recipient_id="*")))["protected"]
    assert refusal(json.dumps(outer).encode()) is Refusal.BAD_SIGNATURE


@pytest.mark.attack(18)
@pytest.mark.parametrize(
    "raw",
    [
        b'{"message_id": "m1", "payload": {}}',
        b"[]",
        b'{"protected": 5}',
        b'{"protected": "%%%"}',
        b'"text"',
    ],
)
def test_an_unsigned_message_is_refused(raw: bytes) -> None:
    assert refusal(raw) is Refusal.UNSIGNED


@pytest.mark.attack(18)
def test_other_things_signed_by_the_same_key_are_no_messages() -> None:
    header = {"typ": "pdsno-exec+jws", "sender_id": "lc"}
    outer = json.loads(forged({}))
    protected = {**json.loads(_unpadded(outer["protected"])), **header}
    outer["protected"] = b64encode(json.dumps(protected).encode())
    assert refusal(json.dumps(outer).encode()) is Refusal.UNSIGNED


def _unpadded(text: str) -> bytes:
    import base64  # noqa: PLC0415 - only here

    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_an_unknown_sender_may_only_speak_of_validation() -> None:
    stranger = SigningKey.generate()
    hello = replace(DRAFT, sender_id="temp-1", message_type=MessageType.VALIDATION_REQUEST)
    assert not opened(sealed(hello, key=stranger)).is_trusted
    raw = seal(replace(DRAFT, sender_id="temp-1"), stranger, with_key=True, now=NOW)
    assert refusal(raw) is Refusal.UNKNOWN_KEY


def test_a_message_for_another_is_refused_and_one_for_all_is_not() -> None:
    assert refusal(sealed(), me="gc") is Refusal.WRONG_RECIPIENT
    opened(sealed(replace(DRAFT, recipient_id="*")), me="gc")


@pytest.mark.attack(2)
@pytest.mark.parametrize(
    ("age_s", "reason"),
    [
        (299, None),
        (301, Refusal.STALE),
        (-29, None),
        (-31, Refusal.FUTURE),
    ],
)
def test_messages_have_an_age_limit(age_s: int, reason: Refusal | None) -> None:
    raw = sealed(now=NOW - timedelta(seconds=age_s))
    if reason is None:
        opened(raw)
    else:
        assert refusal(raw) is reason


@pytest.mark.attack(24)
@pytest.mark.parametrize("kind", [MessageType.STATUS, MessageType.POLICY_UPDATE])
def test_retained_state_may_be_old_but_not_from_the_future(kind: MessageType) -> None:
    draft = replace(DRAFT, message_type=kind, recipient_id="*")
    old = sealed(draft, now=NOW - timedelta(days=2))
    ahead = sealed(draft, now=NOW + timedelta(seconds=40))
    opened(old, topic="pdsno/status/lc")
    assert refusal(ahead, topic="pdsno/status/lc") is Refusal.FUTURE
    assert refusal(old) is Refusal.STALE  # by REST it is a message like any other


def test_durable_messages_may_be_old() -> None:
    opened(sealed(replace(DRAFT, stream_id="s", seq=1), now=NOW - timedelta(days=9)))


@pytest.mark.attack(17)
@pytest.mark.parametrize("topic", ["pdsno/discovery/zone-A/lc2", "pdsno/status/lc2"])
def test_nobody_publishes_on_the_topic_of_another(topic: str) -> None:
    opened(sealed(), topic=topic.replace("lc2", "lc"))
    assert refusal(sealed(), topic=topic) is Refusal.IDENTITY_MISMATCH


def test_which_messages_may_come_twice() -> None:
    durable = opened(sealed(replace(DRAFT, stream_id="s", seq=1)))
    state = opened(sealed(replace(DRAFT, message_type=MessageType.STATUS)), topic="pdsno/status/lc")
    assert is_replayable(durable)
    assert is_replayable(state)
    assert not is_replayable(opened(sealed()))
    assert not is_replayable(opened(sealed(replace(DRAFT, message_type=MessageType.STATUS))))


@pytest.mark.parametrize(
    "header",
    [
        {"message_id": None},
        {"message_id": "a b"},
        {"message_id": "x" * 65},
        {"message_id": 5},
        {"message_type": "NOVEL"},
        {"sender_id": "lc/../x"},
        {"recipient_id": "#"},
        {"timestamp": "yesterday"},
        {"timestamp": "2026-03-01T12:00:00"},
        {"timestamp": "0001-01-01T00:00:00+23:59"},
        {"schema_version": "2.0"},
        {"schema_version": None},
        {"stream_id": "s"},
        {"seq": 1},
        {"stream_id": "s", "seq": 0},
        {"stream_id": "s", "seq": True},
        {"stream_id": "s", "seq": "1"},
        {"stream_id": "s", "seq": 2**60},
        {"correlation_id": ["x"]},
    ],
)
def test_a_malformed_envelope_is_a_protocol_error_of_the_peer(header: dict[str, Any]) -> None:
    opened(forged({"stream_id": "s", "seq": 1}))
    with pytest.raises(RemoteProtocolError):
        opened(forged(header))


@pytest.mark.parametrize("payload", [b"[]", b'{"a":1,"a":2}', b"NaN", b"", b'"x"'])
def test_a_payload_must_be_a_strict_json_object(payload: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        opened(forged({}, payload))


def test_unknown_fields_of_the_envelope_are_ignored() -> None:
    assert opened(forged({"priority": "high"})).message_id == "m1"


@given(st.binary(max_size=300))
def test_garbage_raises_only_our_errors(raw: bytes) -> None:
    with pytest.raises((RefusedError, RemoteProtocolError)):
        opened(raw)


def test_a_large_report_comes_through() -> None:
    draft = replace(
        DRAFT, message_type=MessageType.DISCOVERY_REPORT, payload={"x": "y" * 3_000_000}
    )
    assert len(opened(sealed(draft)).payload["x"]) == 3_000_000


@pytest.mark.parametrize("kind", [MessageType.DISCOVERY_REPORT, MessageType.POLICY_UPDATE])
def test_too_large_a_message_is_not_sent(kind: MessageType) -> None:
    draft = replace(DRAFT, message_type=kind, payload={"x": "y" * size_limit(kind)})
    with pytest.raises(OperationError, match="too large to send"):
        sealed(draft)


@pytest.mark.attack(20)
def test_too_large_a_message_is_not_read() -> None:
    with pytest.raises(RemoteProtocolError, match="too many"):
        opened(b" " * (MAX_MESSAGE_BYTES + 1))
    small = MessageType.POLICY_UPDATE
    with pytest.raises(RemoteProtocolError, match="too many for POLICY_UPDATE"):
        opened(forged({"message_type": small.value}, b" " * size_limit(small) + b"{}"))


@pytest.mark.parametrize("payload", [{"a": float("nan")}, {"a": object()}, [1], {"a": "\ud800"}])
def test_a_payload_without_json_form_is_our_own_mistake(payload: object) -> None:
    with pytest.raises(LocalProtocolError):
        sealed(replace(DRAFT, payload=payload))
