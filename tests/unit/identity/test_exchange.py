"""The validator's side: who gets an ID, who does not, and what a refusal leaves behind."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pdsno.domain.entities import ControllerStatus, TokenStatus
from pdsno.domain.errors import (
    InputError,
    Refusal,
    RefusedError,
    RemoteProtocolError,
    TransientError,
)
from pdsno.domain.identifiers import Role
from pdsno.domain.messages import ValidationRequest
from pdsno.identity.challenges import MOST_PENDING, MOST_PENDING_PER_KEY
from pdsno.identity.pki.names import peer_identity
from pdsno.signing import SigningKey
from tests.unit.identity.forms import der_of
from tests.unit.identity.scenes import (
    CSR,
    POLICY,
    ZONE_A,
    Scene,
    answer,
    global_scene,
    regional_scene,
    set_status,
    transcript_of,
)


def refusal(scene: Scene, request: ValidationRequest, key: SigningKey) -> Refusal:
    """Return why a request is turned away before its challenge."""
    with pytest.raises(RefusedError) as caught:
        scene.validator.on_request(request, key_id=key.key_id)
    return caught.value.reason


def test_a_joiner_with_token_and_key_is_admitted() -> None:
    scene, key = global_scene(), SigningKey.generate()
    result = scene.admit(key, url="http://192.0.2.1:8002")
    assert (result.is_approved, result.assigned_id) == (True, "regional_cntl_zone-A_1")
    assert result.decided_by == "global_cntl_1"
    assert result.policy == ZONE_A
    assert [k.public_key for k in result.trust] == [scene.key.public_key]
    record = scene.nib.controller("regional_cntl_zone-A_1")
    assert record is not None
    assert (record.key_id, record.status) == (key.key_id, ControllerStatus.ACTIVE)
    assert record.url == "http://192.0.2.1:8002"
    assert record.certificate == result.certificate != ""
    assert record.authority == result.authority != ""
    assert (record.generation, result.generation) == (1, 1)
    peer = peer_identity(der_of(result.certificate))
    assert (peer.controller_id, peer.role, peer.region) == (
        "regional_cntl_zone-A_1",
        Role.REGIONAL,
        "zone-A",
    )
    assert peer.key_id == key.key_id
    (event,) = scene.events("CONTROLLER_VALIDATED")
    assert (event.subject, event.region) == ("regional_cntl_zone-A_1", "zone-A")
    assert scene.nib.tokens()[0].status is TokenStatus.SPENT
    assert scene.admitted == [record]


def test_a_local_controller_is_told_to_trust_region_and_globe() -> None:
    scene = regional_scene()
    result = scene.admit(SigningKey.generate(), subnets=("10.1.2.0/24", "10.9.0.0/24"))
    assert result.assigned_id == "local_cntl_zone-A_1"
    assert result.certificate
    assert result.authority == ""
    assert [key.controller_id for key in result.trust] == [
        "regional_cntl_zone-A_1",
        "global_cntl_1",
    ]
    assert scene.decisions == []


def test_a_lost_answer_is_repeated_for_the_same_key_and_token() -> None:
    scene, key = global_scene(), SigningKey.generate()
    token = scene.token()
    first = scene.admit(key, token)
    scene.hands.move(590)
    assert scene.admit(key, token) == first
    assert len(scene.events("CONTROLLER_VALIDATED")) == 1
    assert len(scene.admitted) == 1


def test_a_lost_answer_is_not_repeated_for_ever() -> None:
    scene, key = global_scene(), SigningKey.generate()
    token = scene.token()
    scene.admit(key, token)
    scene.hands.move(601)
    assert refusal(scene, scene.request(key, token), key) is Refusal.TOKEN_USED


@pytest.mark.attack(3)
def test_a_spent_token_is_worth_nothing_to_another_key() -> None:
    scene, thief = global_scene(), SigningKey.generate()
    token = scene.token()
    scene.admit(SigningKey.generate(), token)
    before = scene.state()
    assert refusal(scene, scene.request(thief, token), thief) is Refusal.TOKEN_USED
    assert scene.state() == before
    (event,) = scene.events("VALIDATION_REFUSED")
    assert (event.data["reason"], event.data["key_id"]) == ("TOKEN_USED", thief.key_id)
    assert scene.refused == [("temp-1", "TOKEN_USED")]


def test_a_known_key_with_a_new_token_keeps_its_id() -> None:
    scene, key = global_scene(), SigningKey.generate()
    first, again = scene.admit(key), scene.admit(key)
    assert again.assigned_id == first.assigned_id
    assert len(scene.nib.controllers(role=Role.REGIONAL)) == 1


def test_a_token_in_use_waits_for_its_owner_and_then_for_anybody() -> None:
    scene, owner, other = global_scene(), SigningKey.generate(), SigningKey.generate()
    token = scene.token()
    scene.validator.on_request(scene.request(owner, token), key_id=owner.key_id)
    assert refusal(scene, scene.request(other, token), other) is Refusal.TOKEN_RESERVED
    assert scene.admit(owner, token).is_approved
    second = scene.token()
    scene.validator.on_request(scene.request(owner, second), key_id=owner.key_id)
    scene.hands.move(61)
    assert scene.admit(other, second).is_approved


@pytest.mark.parametrize("has_spent", [True, False])
def test_who_lost_the_reservation_does_not_spend_the_token(has_spent: bool) -> None:
    scene, slow, fast = global_scene(), SigningKey.generate(), SigningKey.generate()
    token = scene.token()
    request = scene.request(slow, token)
    challenge = scene.validator.on_request(request, key_id=slow.key_id)
    scene.hands.now += timedelta(seconds=61)  # the wall clock jumps, the challenge is still good
    scene.validator.on_request(scene.request(fast, token), key_id=fast.key_id)
    if has_spent:
        assert scene.admit(fast, token).is_approved
    response = answer(slow, request, challenge.challenge_id, transcript_of(request, challenge))
    result = scene.validator.on_response(response, key_id=slow.key_id)
    reason = "TOKEN_USED" if has_spent else "TOKEN_RESERVED"
    assert (result.is_approved, result.reason) == (False, reason)
    assert scene.admit(fast, token).is_approved


def test_a_key_revoked_between_challenge_and_proof_stays_out() -> None:
    scene, key = global_scene(), SigningKey.generate()
    assigned = scene.admit(key).assigned_id or ""
    request = scene.request(key, scene.token())
    challenge = scene.validator.on_request(request, key_id=key.key_id)
    set_status(scene.nib, assigned, ControllerStatus.REVOKED)
    response = answer(key, request, challenge.challenge_id, transcript_of(request, challenge))
    assert scene.validator.on_response(response, key_id=key.key_id).reason == "REVOKED"
    record = scene.nib.controller(assigned)
    assert record is not None
    assert record.status is ControllerStatus.REVOKED


@pytest.mark.attack(4)
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"role": "local"}, Refusal.NOT_ALLOWED),
        ({"role": "global"}, Refusal.NOT_ALLOWED),
        ({"region": "zone-B"}, Refusal.WRONG_REGION),
        ({"region": "zone-a"}, Refusal.WRONG_REGION),
        ({"token": "x.y.z"}, Refusal.INVALID_TOKEN),
        ({"token": ""}, Refusal.INVALID_TOKEN),
        ({"public_key": "NOT-A-KEY"}, Refusal.BAD_SIGNATURE),
        ({"public_key": SigningKey.generate().public_key}, Refusal.IDENTITY_MISMATCH),
        ({"csr": "no request"}, Refusal.INVALID_CSR),
        ({"authority_csr": CSR.replace("A", "B")}, Refusal.INVALID_CSR),
        ({"generation": 1, "temp_id": "regional_cntl_zone-A_1"}, Refusal.UNKNOWN_KEY),
    ],
)
def test_a_false_claim_is_turned_away_before_the_challenge(
    fields: dict[str, Any], reason: Refusal
) -> None:
    scene, key = global_scene(), SigningKey.generate()
    token = scene.token()
    before = scene.state()
    request = replace(scene.request(key, token), **fields)
    assert refusal(scene, request, key) is reason
    assert scene.state() == before
    assert scene.events("VALIDATION_REFUSED")[-1].data["reason"] == reason.value
    assert scene.admit(key, token).is_approved


@pytest.mark.attack(16)
@pytest.mark.parametrize(
    "fields",
    [
        {"temp_id": "a/b"},
        {"temp_id": ""},
        {"region": None},
        {"region": "global"},
        {"subnets": ("10.1.0.1/16",)},
        {"subnets": ("no subnet",)},
        {"subnets": tuple(f"10.1.{i % 250}.0/24" for i in range(300))},
        {"hostname": "h" * 300},
        {"hostname": "two\nlines"},
        {"url": "ftp://192.0.2.1"},
        {"url": "http://192.0.2.1:notaport"},
        {"url": "http://[::1"},
        {"token": "t" * 5000},
        {"csr": ""},
        {"csr": "c" * 5000},
        {"generation": -1},
        {"addresses": tuple("192.0.2.1" for _ in range(9))},
    ],
)
def test_a_malformed_request_is_refused_whatever_its_token(fields: dict[str, Any]) -> None:
    scene, key = global_scene(), SigningKey.generate()
    request = replace(scene.request(key, scene.token()), **fields)
    with pytest.raises(RemoteProtocolError):
        scene.validator.on_request(request, key_id=key.key_id)


def test_tokens_expire_are_revoked_and_belong_to_one_validator() -> None:
    scene, key = global_scene(), SigningKey.generate()
    old = scene.token(ttl_s=60)
    scene.hands.move(60)
    assert refusal(scene, scene.request(key, old), key) is Refusal.TOKEN_EXPIRED
    foreign = global_scene().token()
    assert refusal(scene, scene.request(key, foreign), key) is Refusal.INVALID_TOKEN
    revoked = scene.token()
    newest = next(
        r
        for r in scene.nib.tokens()
        if r.status is TokenStatus.NEW and r.created_at == scene.hands.now
    )
    scene.tokens.revoke(newest.jti_sha256[:8])
    assert refusal(scene, scene.request(key, revoked), key) is Refusal.INVALID_TOKEN
    assert scene.admit(key).is_approved


def test_a_token_that_the_nib_does_not_know_is_refused() -> None:
    scene, key = global_scene(), SigningKey.generate()
    elsewhere = global_scene(key=scene.key)
    assert refusal(scene, scene.request(key, elsewhere.token()), key) is Refusal.INVALID_TOKEN


def test_a_token_revoked_between_challenge_and_proof_admits_nobody() -> None:
    scene, key = global_scene(), SigningKey.generate()
    request = scene.request(key, scene.token())
    challenge = scene.validator.on_request(request, key_id=key.key_id)
    scene.tokens.revoke(scene.nib.tokens()[0].jti_sha256)
    response = answer(key, request, challenge.challenge_id, transcript_of(request, challenge))
    assert scene.validator.on_response(response, key_id=key.key_id).reason == "INVALID_TOKEN"


@pytest.mark.attack(6)
def test_a_challenge_serves_once_and_not_late() -> None:
    scene, key = global_scene(), SigningKey.generate()
    request = scene.request(key, scene.token())
    challenge = scene.validator.on_request(request, key_id=key.key_id)
    response = answer(key, request, challenge.challenge_id, transcript_of(request, challenge))
    scene.hands.move(30)
    late = scene.validator.on_response(response, key_id=key.key_id)
    again = scene.validator.on_response(response, key_id=key.key_id)
    assert [late.reason, again.reason] == ["CHALLENGE_EXPIRED", "UNKNOWN_CHALLENGE"]
    assert scene.nib.controllers() == ()
    assert scene.admit(key, request.token).is_approved


@pytest.mark.attack(42)
def test_the_wall_clock_does_not_lengthen_a_challenge() -> None:
    scene, key = global_scene(), SigningKey.generate()
    request = scene.request(key, scene.token())
    challenge = scene.validator.on_request(request, key_id=key.key_id)
    scene.hands.monotonic_s += 31
    response = answer(key, request, challenge.challenge_id, transcript_of(request, challenge))
    assert scene.validator.on_response(response, key_id=key.key_id).reason == "CHALLENGE_EXPIRED"


def test_a_wrong_proof_burns_the_challenge_but_not_the_token() -> None:
    scene, key = global_scene(), SigningKey.generate()
    request = scene.request(key, scene.token())
    challenge = scene.validator.on_request(request, key_id=key.key_id)
    right = answer(key, request, challenge.challenge_id, transcript_of(request, challenge))
    wrong = replace(right, signature=right.signature[:-4] + "AAAA")
    assert scene.validator.on_response(wrong, key_id=key.key_id).reason == "BAD_SIGNATURE"
    assert scene.validator.on_response(right, key_id=key.key_id).reason == "UNKNOWN_CHALLENGE"
    assert scene.admit(key, request.token).is_approved


@pytest.mark.attack(6)
def test_a_signature_over_the_bare_nonce_proves_nothing() -> None:
    scene, key = global_scene(), SigningKey.generate()
    request = scene.request(key, scene.token())
    challenge = scene.validator.on_request(request, key_id=key.key_id)
    response = answer(key, request, challenge.challenge_id, challenge.nonce.encode())
    assert scene.validator.on_response(response, key_id=key.key_id).reason == "BAD_SIGNATURE"


def test_another_key_cannot_answer_a_challenge() -> None:
    scene, key, thief = global_scene(), SigningKey.generate(), SigningKey.generate()
    request = scene.request(key, scene.token())
    challenge = scene.validator.on_request(request, key_id=key.key_id)
    response = answer(thief, request, challenge.challenge_id, transcript_of(request, challenge))
    result = scene.validator.on_response(response, key_id=thief.key_id)
    assert result.reason == "IDENTITY_MISMATCH"
    assert scene.nib.controllers() == ()


@pytest.mark.attack(8)
def test_open_challenges_are_bounded_per_key_and_in_all() -> None:
    policy = replace(POLICY, regions=(replace(ZONE_A, regional_quota=1000),))
    scene, key = global_scene(policy=policy), SigningKey.generate()
    token = scene.token()
    for _ in range(MOST_PENDING_PER_KEY):
        scene.validator.on_request(scene.request(key, token), key_id=key.key_id)
    with pytest.raises(TransientError, match="too many"):
        scene.validator.on_request(scene.request(key, token), key_id=key.key_id)
    others = [SigningKey.generate() for _ in range(MOST_PENDING - MOST_PENDING_PER_KEY)]
    for other in others:
        scene.validator.on_request(scene.request(other, scene.token()), key_id=other.key_id)
    late = SigningKey.generate()
    with pytest.raises(TransientError, match="too many"):
        scene.validator.on_request(scene.request(late, scene.token()), key_id=late.key_id)
    scene.hands.move(31)
    assert scene.admit(late).is_approved


def test_quota_and_unknown_regions_are_refused_and_the_token_stays_good() -> None:
    scene, key = global_scene(), SigningKey.generate()
    for _ in range(2):
        assert scene.admit(SigningKey.generate()).is_approved
    token = scene.token()
    assert scene.admit(key, token).reason == "QUOTA_EXCEEDED"
    with scene.nib.transaction() as tx:
        tx.put_policy(replace(POLICY, version=2, regions=()))
    scene.hands.move(61)
    assert scene.admit(key, token).reason == "UNKNOWN_REGION"
    with scene.nib.transaction() as tx:
        tx.put_policy(replace(POLICY, version=3, regions=(replace(ZONE_A, regional_quota=3),)))
    assert scene.admit(key, token).assigned_id == "regional_cntl_zone-A_3"


@pytest.mark.attack(12)
def test_a_revoked_key_never_comes_back() -> None:
    scene, key = global_scene(), SigningKey.generate()
    assigned = scene.admit(key).assigned_id or ""
    set_status(scene.nib, assigned, ControllerStatus.REVOKED)
    assert refusal(scene, scene.request(key, scene.token()), key) is Refusal.REVOKED
    assert scene.admit(SigningKey.generate()).assigned_id == "regional_cntl_zone-A_2"


@pytest.mark.parametrize("is_same_key", [True, False], ids=["key", "host"])
def test_blocked_keys_and_hosts_are_refused(is_same_key: bool) -> None:
    scene, key = global_scene(), SigningKey.generate()
    set_status(scene.nib, scene.admit(key).assigned_id or "", ControllerStatus.BLOCKED)
    other = key if is_same_key else SigningKey.generate()
    hostname = "another" if is_same_key else "newcomer"
    request = scene.request(other, scene.token(), hostname=hostname)
    assert refusal(scene, request, other) is Refusal.BLOCKED
    assert scene.admit(SigningKey.generate(), hostname="another").is_approved


def test_a_key_does_not_change_its_role_or_region() -> None:
    regions = (ZONE_A, replace(ZONE_A, region="zone-B"))
    scene, key = global_scene(policy=replace(POLICY, regions=regions)), SigningKey.generate()
    scene.admit(key)
    token = scene.tokens.create(role=Role.REGIONAL, region="zone-B")
    assert scene.admit(key, token, region="zone-B").reason == "NOT_ALLOWED"


def test_ids_are_never_given_out_again() -> None:
    scene = global_scene()
    first = scene.admit(SigningKey.generate()).assigned_id or ""
    set_status(scene.nib, first, ControllerStatus.REVOKED)
    scene.validator = scene.build()
    assert scene.admit(SigningKey.generate()).assigned_id == "regional_cntl_zone-A_2"


def test_a_validator_mints_only_what_it_will_accept() -> None:
    scene, region = global_scene(), regional_scene()
    with pytest.raises(InputError, match="admits regional"):
        scene.tokens.create(role=Role.LOCAL, region="zone-A")
    with pytest.raises(InputError, match="no region 'zone-C'"):
        scene.tokens.create(role=Role.REGIONAL, region="zone-C")
    with pytest.raises(InputError, match="admits for region zone-A"):
        region.tokens.create(role=Role.LOCAL, region="zone-B")
    with pytest.raises(InputError, match="lives 1 second to 24 hours"):
        scene.tokens.create(role=Role.REGIONAL, region="zone-A", ttl_s=24 * 3600 + 1)


def test_a_flood_of_refusals_does_not_fill_the_log() -> None:
    scene, key = global_scene(), SigningKey.generate()
    request = scene.request(key, "x.y.z")
    for _ in range(50):
        refusal(scene, request, key)
    assert len(scene.events("VALIDATION_REFUSED")) == 10
    scene.hands.move(60)
    refusal(scene, request, key)
    assert scene.events("VALIDATION_REFUSED")[-1].data["suppressed"] == 40
