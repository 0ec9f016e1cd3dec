"""The whole exchange in sealed messages, as they travel: codec, directory, validator, joiner."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdsno.communication.codec import Draft, open_message, read, seal
from pdsno.domain.errors import PDSNOError, RefusedError
from pdsno.domain.identifiers import Role
from pdsno.domain.messages import (
    ChallengeResponse,
    Message,
    MessageType,
    ValidationRequest,
    ValidationResult,
)
from pdsno.identity.directory import NIBVerifier
from pdsno.identity.joiner import Applicant, join
from pdsno.identity.tokens import read_unverified
from pdsno.nib import NIBStore
from pdsno.signing import SigningKey, b64decode, b64encode
from tests.unit.identity.scenes import (
    AUTHORITY_CSR,
    CSR,
    Scene,
    global_scene,
    regional_scene,
)

Wire = Callable[[bytes], bytes]


def serve(scene: Scene, raw: bytes) -> bytes:
    """Answer one message as the validator's REST server would."""
    message = open_message(raw, NIBVerifier(scene.nib), recipient_id=scene.me.controller_id)
    key_id = message.key_id or ""
    payload: object
    if message.message_type is MessageType.VALIDATION_REQUEST:
        answer_type = MessageType.CHALLENGE
        payload = scene.validator.on_request(read(message, ValidationRequest), key_id=key_id)
    else:
        answer_type = MessageType.VALIDATION_RESULT
        payload = scene.validator.on_response(read(message, ChallengeResponse), key_id=key_id)
    draft = Draft(
        message_type=answer_type,
        sender_id=scene.me.controller_id,
        recipient_id=message.sender_id,
        payload=payload,
        correlation_id=message.message_id,
    )
    return seal(draft, scene.key)


def exchange(
    scene: Scene, key: SigningKey, *, up: Wire = bytes, down: Wire = bytes
) -> ValidationResult:
    """Join over a wire on which a man in the middle may change what he likes."""
    token = scene.token()
    verifier = NIBVerifier(NIBStore("memory://"))

    def send(message_type: MessageType, payload: object) -> Message:
        draft = Draft(
            message_type=message_type,
            sender_id="temp-1",
            recipient_id=scene.me.controller_id,
            payload=payload,
        )
        return open_message(
            down(serve(scene, up(seal(draft, key)))), verifier, recipient_id="temp-1"
        )

    applicant = Applicant(
        temp_id="temp-1",
        role=scene.me.admits[0],
        region="zone-A",
        csr=CSR,
        authority_csr=AUTHORITY_CSR,
    )
    with verifier.pinned(read_unverified(token).validator):
        return join(send, key, token, applicant)


@pytest.mark.parametrize("build", [global_scene, regional_scene])
def test_a_controller_joins_over_signed_messages(build: Callable[[], Scene]) -> None:
    scene, key = build(), SigningKey.generate()
    result = exchange(scene, key)
    assert result.is_approved
    record = scene.nib.controller(result.assigned_id or "")
    assert record is not None
    assert record.key_id == key.key_id


def flipped(raw: bytes, part: str, position: int, bit: int) -> bytes:
    """Return a message with one bit of its header, payload or signature turned over."""
    outer: dict[str, Any] = json.loads(raw)
    content = bytearray(b64decode(outer[part]))
    content[position % len(content)] ^= 1 << bit
    return json.dumps({**outer, part: b64encode(bytes(content))}).encode()


@given(
    part=st.sampled_from(["protected", "payload", "signature"]),
    position=st.integers(0, 10_000),
    bit=st.integers(0, 7),
    is_second=st.booleans(),
)
def test_no_changed_bit_on_the_way_up_gives_an_id(
    part: str, position: int, bit: int, is_second: bool
) -> None:
    scene, key, sent = global_scene(), SigningKey.generate(), []

    def up(raw: bytes) -> bytes:
        sent.append(raw)
        is_target = len(sent) == (2 if is_second else 1)
        return flipped(raw, part, position, bit) if is_target else raw

    with suppress(PDSNOError):
        assert not exchange(scene, key, up=up).is_approved
    assert scene.nib.controllers() == ()


@given(
    part=st.sampled_from(["protected", "payload", "signature"]),
    position=st.integers(0, 10_000),
    bit=st.integers(0, 7),
)
def test_no_changed_bit_on_the_way_down_is_believed(part: str, position: int, bit: int) -> None:
    scene, key = global_scene(), SigningKey.generate()
    with pytest.raises(PDSNOError):
        exchange(scene, key, down=lambda raw: flipped(raw, part, position, bit))


def test_an_impostor_with_its_own_key_is_not_believed() -> None:
    scene, key = global_scene(), SigningKey.generate()
    impostor = global_scene()

    def down(raw: bytes) -> bytes:
        challenge = open_message(
            raw, NIBVerifier(scene.nib, trusted=[_own(scene)]), recipient_id="temp-1"
        )
        draft = Draft(
            message_type=challenge.message_type,
            sender_id=challenge.sender_id,
            recipient_id="temp-1",
            payload=challenge.payload,
        )
        return seal(draft, impostor.key)

    with pytest.raises(RefusedError, match="UNKNOWN_KEY"):
        exchange(scene, key, down=down)
    assert scene.nib.controllers(role=Role.REGIONAL) == ()


def _own(scene: Scene) -> Any:  # noqa: ANN401
    return read_unverified(scene.token()).validator
