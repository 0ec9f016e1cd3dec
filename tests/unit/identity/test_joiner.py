"""The joiner believes the validator that its token names, and nobody else."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pdsno.domain.errors import (
    InputError,
    Refusal,
    RefusedError,
    RemoteProtocolError,
    TransientError,
)
from pdsno.domain.identifiers import Role
from pdsno.domain.messages import (
    Challenge,
    ChallengeResponse,
    Message,
    MessageType,
    ValidationRequest,
    ValidationResult,
)
from pdsno.domain.peers import Channel
from pdsno.identity.joiner import Applicant, Send, join, renew
from pdsno.identity.pki.requests import make_request, new_key
from pdsno.signing import SigningKey, b64encode
from tests.unit.identity.scenes import (
    AUTHORITY_CSR,
    CSR,
    GC,
    Scene,
    global_scene,
    message,
    record_of,
    store,
)

APPLICANT = Applicant(
    temp_id="temp-1",
    role=Role.REGIONAL,
    region="zone-A",
    csr=CSR,
    authority_csr=AUTHORITY_CSR,
    hostname="h",
    url="https://192.0.2.1:8002",
)


def wire(scene: Scene, key: SigningKey) -> Send:
    """Return a `send` that ends at the scene's validator."""

    def send(message_type: MessageType, payload: object) -> Message:
        if isinstance(payload, ValidationRequest):
            challenge = scene.validator.on_request(payload, key_id=key.key_id)
            return reply(scene, MessageType.CHALLENGE, challenge)
        assert isinstance(payload, ChallengeResponse)
        assert message_type is MessageType.CHALLENGE_RESPONSE
        result = scene.validator.on_response(payload, key_id=key.key_id)
        return reply(scene, MessageType.VALIDATION_RESULT, result)

    return send


def reply(scene: Scene, message_type: MessageType, payload: object) -> Message:
    return message(message_type, payload, sender_id=scene.me.controller_id, key_id=scene.key.key_id)


def test_an_honest_joiner_is_admitted_and_gets_all_it_needs() -> None:
    scene, key = global_scene(), SigningKey.generate()
    result = join(wire(scene, key), key, scene.token(), APPLICANT)
    assert (result.is_approved, result.assigned_id) == (True, "regional_cntl_zone-A_1")
    assert result.policy is not None
    assert result.policy.prefixes == ("10.1.0.0/16",)
    assert result.trust[0].controller_id == GC.controller_id
    record = scene.nib.controller("regional_cntl_zone-A_1")
    assert record is not None
    assert (record.url, record.hostname) == (APPLICANT.url, "h")


def test_a_member_renews_at_the_validator_that_it_knows() -> None:
    scene, key = global_scene(), SigningKey.generate()
    admitted = join(wire(scene, key), key, scene.token(), APPLICANT)
    again = replace(APPLICANT, temp_id=admitted.assigned_id or "", csr=make_request(new_key()))
    store(scene.nib, record_of(GC, scene.key, scene.hands.now))
    validator = admitted.trust[0]
    result = renew(wire(scene, key), key, again, generation=1, validator=validator)
    assert (result.assigned_id, result.generation) == (admitted.assigned_id, 2)
    impostor = replace(validator, public_key=SigningKey.generate().public_key)
    with pytest.raises(RefusedError, match="IDENTITY_MISMATCH"):
        renew(wire(scene, key), key, again, generation=2, validator=impostor)


def test_a_refusal_is_the_answer_not_an_error() -> None:
    scene = global_scene()
    for _ in range(2):
        scene.admit(SigningKey.generate())
    key = SigningKey.generate()
    result = join(wire(scene, key), key, scene.token(), APPLICANT)
    assert (result.is_approved, result.reason) == (False, "QUOTA_EXCEEDED")


@pytest.mark.parametrize("lost", ["request", "answer", "reply"])
def test_a_lost_answer_is_asked_for_again(lost: str) -> None:
    """The HTTP client sends again what got no answer; the challenge is then used up."""
    scene, key = global_scene(), SigningKey.generate()
    honest = wire(scene, key)
    losses = [lost]

    def send(message_type: MessageType, payload: object) -> Message:
        answer = honest(message_type, payload)
        if message_type is MessageType.VALIDATION_REQUEST or not losses:
            return answer
        how = losses.pop()
        if how == "reply":
            raise RefusedError(Refusal.REPLAYED, "seen before")
        if how == "request":
            scene.hands.move(31)
        return honest(message_type, payload)

    result = join(send, key, scene.token(), APPLICANT)
    assert result.assigned_id == "regional_cntl_zone-A_1"
    assert len(scene.events("CONTROLLER_VALIDATED")) == 1


def test_what_the_network_does_is_passed_on() -> None:
    def away(_: MessageType, __: object) -> Message:
        raise TransientError("the parent is away")

    with pytest.raises(TransientError):
        join(away, SigningKey.generate(), global_scene().token(), APPLICANT)


def test_a_token_for_somebody_else_is_noticed_before_anything_is_sent() -> None:
    sent: list[object] = []

    def send(_: MessageType, payload: object) -> Message:
        sent.append(payload)
        raise AssertionError

    for other in (replace(APPLICANT, region="zone-B"), replace(APPLICANT, role=Role.LOCAL)):
        with pytest.raises(InputError, match="the join token is for"):
            join(send, SigningKey.generate(), global_scene().token(), other)
    with pytest.raises(InputError, match="not whole"):
        join(send, SigningKey.generate(), "half a tok", APPLICANT)
    assert sent == []


Tamper = Callable[[Message], Message]


def _payload(**fields: object) -> Tamper:
    return lambda m: replace(m, payload={**m.payload, **fields})


@pytest.mark.parametrize(
    "tamper",
    [
        lambda m: replace(m, key_id="another key"),
        lambda m: replace(m, key_id=None),
        lambda m: replace(m, sender_id="global_cntl_2"),
        lambda m: replace(m, message_type=MessageType.STATUS),
        lambda m: replace(m, payload={}),
        _payload(validator_id="global_cntl_2"),
        _payload(nonce=""),
        _payload(nonce="no base64!"),
        _payload(nonce=b64encode(b"short")),
        _payload(challenge_id=""),
        _payload(server_cert_sha256="ab" * 32),  # somebody stands between the two
        lambda m: replace(m, channel=Channel(certificate_sha256="ab" * 32)),
    ],
)
def test_a_challenge_that_is_not_the_validators_is_not_signed(tamper: Tamper) -> None:
    scene, key = global_scene(), SigningKey.generate()
    honest, types = wire(scene, key), []

    def send(message_type: MessageType, payload: object) -> Message:
        types.append(message_type)
        return tamper(honest(message_type, payload))

    with pytest.raises((RefusedError, RemoteProtocolError)):
        join(send, key, scene.token(), APPLICANT)
    # Asked twice more at most, where the validator may have renewed; never answered.
    assert set(types) == {MessageType.VALIDATION_REQUEST}
    assert len(types) <= 3


@pytest.mark.parametrize(
    "tamper",
    [
        lambda m: replace(m, key_id="another key"),
        lambda m: replace(m, sender_id="global_cntl_2"),
        lambda m: replace(m, message_type=MessageType.CHALLENGE),
        _payload(assigned_id=None),
        _payload(assigned_id="../../etc"),
        _payload(is_approved="maybe"),
    ],
)
def test_a_result_that_is_not_the_validators_is_not_believed(tamper: Tamper) -> None:
    scene, key = global_scene(), SigningKey.generate()
    honest = wire(scene, key)

    def send(message_type: MessageType, payload: object) -> Message:
        answer = honest(message_type, payload)
        return tamper(answer) if message_type is MessageType.CHALLENGE_RESPONSE else answer

    with pytest.raises((RefusedError, RemoteProtocolError)):
        join(send, key, scene.token(), APPLICANT)


def test_a_proof_for_one_validator_does_not_serve_another() -> None:
    """A relay: the joiner means validator A, the man in the middle wants in at B."""
    a, b, key = global_scene(), global_scene(), SigningKey.generate()
    stolen = b.token()
    challenge_of_b: list[Challenge] = []

    def send(message_type: MessageType, payload: object) -> Message:
        if isinstance(payload, ValidationRequest):
            at_b = replace(payload, token=stolen)
            challenge_of_b.append(b.validator.on_request(at_b, key_id=key.key_id))
            return reply(a, MessageType.CHALLENGE, challenge_of_b[0])
        assert isinstance(payload, ChallengeResponse)
        assert message_type is MessageType.CHALLENGE_RESPONSE
        result: ValidationResult = b.validator.on_response(payload, key_id=key.key_id)
        return reply(a, MessageType.VALIDATION_RESULT, result)

    result = join(send, key, a.token(), APPLICANT)
    assert (result.is_approved, result.reason) == (False, "BAD_SIGNATURE")
    assert b.nib.controllers() == ()
