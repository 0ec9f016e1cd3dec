"""Whose signature counts: each refusal beside the message that passes."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pdsno.domain.entities import ControllerStatus
from pdsno.domain.errors import Refusal, RefusedError
from pdsno.domain.messages import MessageType, TrustedKey
from pdsno.domain.ports import NIB
from pdsno.identity.directory import NIBVerifier
from pdsno.nib import NIBStore
from pdsno.signing import SigningKey
from tests.unit.identity.scenes import RC, record_of, set_status, store

NOW = datetime(2026, 1, 2, tzinfo=UTC)
KEY = SigningKey.generate()
STRANGER = SigningKey.generate()
JOINING = [MessageType.VALIDATION_REQUEST, MessageType.CHALLENGE_RESPONSE]
ANSWERS = [MessageType.CHALLENGE, MessageType.VALIDATION_RESULT]
OTHERS = [t for t in MessageType if t not in JOINING + ANSWERS]


@pytest.fixture
def nib() -> NIB:
    nib: NIB = NIBStore("memory://")
    store(nib, record_of(RC, KEY, NOW))
    return nib


def signed(
    key: SigningKey,
    sender_id: str,
    message_type: MessageType = MessageType.STATUS,
    *,
    with_key: bool = False,
    typ: str = "pdsno+jws",
) -> bytes:
    header = {"sender_id": sender_id, "message_type": message_type.value, "typ": typ}
    return key.sign(header, b"{}", with_key=with_key)


def why(nib: NIB, jws: bytes) -> Refusal | bool:
    """Return why a message is refused, or whether it is trusted."""
    try:
        return NIBVerifier(nib).verify(jws).is_trusted
    except RefusedError as error:
        return error.reason


def test_a_known_sender_is_trusted(nib: NIB) -> None:
    content = NIBVerifier(nib).verify(signed(KEY, RC.controller_id))
    assert (content.is_trusted, content.key_id, content.payload) == (True, KEY.key_id, b"{}")


@pytest.mark.attack(17)
def test_a_key_speaks_for_its_controller_only(nib: NIB) -> None:
    assert why(nib, signed(KEY, "regional_cntl_zone-B_1")) is Refusal.IDENTITY_MISMATCH


@pytest.mark.attack(12)
@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (ControllerStatus.ACTIVE, True),
        (ControllerStatus.REVOKED, Refusal.REVOKED),
        (ControllerStatus.BLOCKED, Refusal.BLOCKED),
    ],
)
def test_status_counts_at_once(nib: NIB, status: ControllerStatus, reason: Refusal | bool) -> None:
    set_status(nib, RC.controller_id, status)
    assert why(nib, signed(KEY, RC.controller_id)) is reason


def test_a_forged_signature_is_told_before_any_status(nib: NIB) -> None:
    set_status(nib, RC.controller_id, ControllerStatus.REVOKED)
    jws = signed(KEY, RC.controller_id)
    forged = jws.replace(b'"payload":"e30"', b'"payload":"e31"')
    assert forged != jws
    assert why(nib, forged) is Refusal.BAD_SIGNATURE


@pytest.mark.parametrize("message_type", OTHERS + ANSWERS)
def test_a_stranger_may_send_nothing_but_its_application(
    nib: NIB, message_type: MessageType
) -> None:
    jws = signed(STRANGER, "temp-1", message_type, with_key=True)
    assert why(nib, jws) is Refusal.UNKNOWN_KEY


@pytest.mark.parametrize("message_type", JOINING)
def test_an_application_proves_possession_and_no_more(nib: NIB, message_type: MessageType) -> None:
    assert why(nib, signed(STRANGER, "temp-1", message_type, with_key=True)) is False
    assert why(nib, signed(STRANGER, "temp-1", message_type)) is Refusal.UNKNOWN_KEY
    taken = signed(STRANGER, RC.controller_id, message_type, with_key=True)
    assert why(nib, taken) is Refusal.IDENTITY_MISMATCH


@pytest.mark.attack(17)
def test_a_key_under_a_false_name_is_refused(nib: NIB) -> None:
    raw = signed(STRANGER, "temp-1", MessageType.VALIDATION_REQUEST, with_key=True)
    other = SigningKey.generate()

    class Liar(SigningKey):
        """Signs with its own key and names another's."""

    liar = Liar(other._private)
    liar.key_id = STRANGER.key_id
    lie = signed(liar, "temp-1", MessageType.VALIDATION_REQUEST, with_key=True)
    assert why(nib, raw) is False
    assert why(nib, lie) is Refusal.BAD_SIGNATURE


@pytest.mark.parametrize("message_type", JOINING)
def test_a_known_key_may_apply_anew_under_a_provisional_name(
    nib: NIB, message_type: MessageType
) -> None:
    application = signed(KEY, "temp-1", message_type)
    assert why(nib, application) is False
    set_status(nib, RC.controller_id, ControllerStatus.BLOCKED)
    assert why(nib, application) is False
    set_status(nib, RC.controller_id, ControllerStatus.REVOKED)
    assert why(nib, application) is Refusal.REVOKED


def test_an_escalation_of_a_known_controller_is_trusted(nib: NIB) -> None:
    escalation = signed(KEY, RC.controller_id, MessageType.VALIDATION_REQUEST, with_key=True)
    assert why(nib, escalation) is True


def test_while_joining_the_pinned_validator_is_heard_and_nobody_else(nib: NIB) -> None:
    verifier = NIBVerifier(nib)
    pin = TrustedKey(
        controller_id="global_cntl_1", role="global", region=None, public_key=STRANGER.public_key
    )
    answer = signed(STRANGER, "global_cntl_1", MessageType.CHALLENGE)
    with verifier.pinned(pin):
        assert not verifier.verify(answer).is_trusted
        with pytest.raises(RefusedError, match="IDENTITY_MISMATCH"):
            verifier.verify(signed(STRANGER, "global_cntl_2", MessageType.CHALLENGE))
        impostor = signed(
            SigningKey.generate(), "global_cntl_1", MessageType.CHALLENGE, with_key=True
        )
        with pytest.raises(RefusedError, match="UNKNOWN_KEY"):
            verifier.verify(impostor)
    with pytest.raises(RefusedError, match="UNKNOWN_KEY"):
        verifier.verify(answer)


def test_the_nib_goes_before_pinned_keys(nib: NIB) -> None:
    key = TrustedKey(
        controller_id=RC.controller_id, role="regional", region="zone-A", public_key=KEY.public_key
    )
    verifier = NIBVerifier(nib, trusted=[key])
    set_status(nib, RC.controller_id, ControllerStatus.REVOKED)
    with pytest.raises(RefusedError, match="REVOKED"):
        verifier.verify(signed(KEY, RC.controller_id))
    stranger = replace(key, controller_id="regional_cntl_zone-B_1", public_key=STRANGER.public_key)
    pinned = NIBVerifier(nib, trusted=[stranger])
    assert pinned.verify(signed(STRANGER, "regional_cntl_zone-B_1")).is_trusted


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"null", b"\xff", b'{"protected":1}'])
def test_what_is_not_signed_is_refused(nib: NIB, raw: bytes) -> None:
    assert why(nib, raw) is Refusal.UNSIGNED


def test_other_things_that_are_signed_are_no_messages(nib: NIB) -> None:
    for typ in ("pdsno-join+jws", "pdsno-exec+jws", ""):
        assert why(nib, signed(KEY, RC.controller_id, typ=typ)) is Refusal.UNSIGNED
