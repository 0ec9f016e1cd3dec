"""The next certificate: for the right one, once, in time; and a copied key is noticed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from pdsno.domain.entities import ControllerStatus
from pdsno.domain.errors import Refusal, RefusedError
from pdsno.identity.exchange import GRACE
from pdsno.identity.pki.issued import is_for, not_after
from pdsno.identity.pki.requests import make_request, new_key
from pdsno.identity.pki.roots import load_certificates
from pdsno.identity.renewal_rules import Renewal, judge_renewal
from pdsno.signing import SigningKey
from tests.unit.identity.scenes import (
    Scene,
    answer,
    global_scene,
    regional_scene,
    set_status,
    store,
    transcript_of,
)

HALF_LIFE_S = 3.5 * 24 * 3600


def new_csr() -> str:
    return make_request(new_key())


def admitted(scene: Scene) -> tuple[SigningKey, str]:
    key = SigningKey.generate()
    result = scene.admit(key)
    assert result.is_approved
    return key, result.assigned_id or ""


def why(scene: Scene, key: SigningKey, name: str, generation: int = 1) -> Refusal:
    """Return why a renewal is turned away before its challenge."""
    with pytest.raises(RefusedError) as caught:
        scene.renew(key, name, generation, csr=new_csr())
    return caught.value.reason


@pytest.mark.parametrize("build", [global_scene, regional_scene])
def test_a_controller_renews_with_its_registered_key(build: Callable[[], Scene]) -> None:
    scene = build()
    key, name = admitted(scene)
    before = scene.nib.controller(name)
    assert before is not None
    scene.hands.move(HALF_LIFE_S)
    csr = new_csr()
    result = scene.renew(key, name, 1, csr=csr)
    assert (result.is_approved, result.assigned_id, result.generation) == (True, name, 2)
    assert is_for(result.certificate, csr)
    assert not_after(result.certificate) > not_after(before.certificate)
    (event,) = scene.events("CERTIFICATE_RENEWED")
    assert (event.subject, event.data["generation"]) == (name, 2)
    assert len(scene.events("CONTROLLER_VALIDATED")) == 1


def test_a_lost_answer_is_repeated_for_the_same_request() -> None:
    scene = global_scene()
    key, name = admitted(scene)
    csr = new_csr()
    first = scene.renew(key, name, 1, csr=csr)
    again = scene.renew(key, name, 1, csr=csr)
    assert again == first
    assert len(scene.events("CERTIFICATE_RENEWED")) == 1


@pytest.mark.attack(11)
def test_two_holders_of_one_key_are_both_locked_out() -> None:
    scene = global_scene()
    key, name = admitted(scene)
    assert scene.renew(key, name, 1, csr=new_csr()).is_approved  # the copy was first
    result = scene.renew(key, name, 1, csr=new_csr())
    assert (result.is_approved, result.reason) == (False, "CLONED")
    record = scene.nib.controller(name)
    assert record is not None
    assert record.status is ControllerStatus.LOCKED
    (event,) = scene.events("CONTROLLER_LOCKED")
    assert (event.subject, event.data["presented"], event.data["newest"]) == (name, 1, 2)
    # Neither the one that was first nor the other gets any further.
    assert why(scene, key, name, generation=2) is Refusal.LOCKED
    with pytest.raises(RefusedError, match="LOCKED"):
        scene.admit(key)
    # Others are not affected.
    assert scene.admit(SigningKey.generate()).is_approved


def test_an_old_generation_locks_nobody_without_the_key() -> None:
    scene, thief = global_scene(), SigningKey.generate()
    key, name = admitted(scene)
    scene.renew(key, name, 1, csr=new_csr())
    request = scene.request(key, "", temp_id=name, generation=1, csr=new_csr())
    challenge = scene.validator.on_request(request, key_id=key.key_id)
    forged = answer(thief, request, challenge.challenge_id, transcript_of(request, challenge))
    assert scene.validator.on_response(forged, key_id=key.key_id).reason == "BAD_SIGNATURE"
    record = scene.nib.controller(name)
    assert record is not None
    assert record.status is ControllerStatus.ACTIVE
    assert scene.renew(key, name, 2, csr=new_csr()).is_approved


def test_a_certificate_that_ended_weeks_ago_is_still_renewed_unattended() -> None:
    scene = global_scene()
    key, name = admitted(scene)
    record = scene.nib.controller(name)
    assert record is not None
    until = not_after(record.certificate) + GRACE
    scene.hands.now = until
    assert scene.renew(key, name, 1, csr=new_csr()).is_approved


def test_after_the_grace_only_a_token_helps() -> None:
    scene = global_scene()
    key, name = admitted(scene)
    record = scene.nib.controller(name)
    assert record is not None
    scene.hands.now = not_after(record.certificate) + GRACE + timedelta(seconds=1)
    assert why(scene, key, name) is Refusal.CERTIFICATE_EXPIRED
    again = scene.admit(key)
    assert (again.assigned_id, again.generation) == (name, 2)


@pytest.mark.attack(12)
@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (ControllerStatus.REVOKED, Refusal.REVOKED),
        (ControllerStatus.BLOCKED, Refusal.BLOCKED),
        (ControllerStatus.LOCKED, Refusal.LOCKED),
    ],
)
def test_who_has_no_rights_gets_no_certificate(status: ControllerStatus, reason: Refusal) -> None:
    scene = global_scene()
    key, name = admitted(scene)
    set_status(scene.nib, name, status)
    assert why(scene, key, name) is reason


def test_a_renewal_is_for_who_one_is_and_by_who_issued() -> None:
    scene = global_scene()
    key, name = admitted(scene)
    other, _ = admitted(scene)
    assert why(scene, other, name) is Refusal.IDENTITY_MISMATCH
    assert why(scene, SigningKey.generate(), name) is Refusal.UNKNOWN_KEY
    with pytest.raises(RefusedError, match="IDENTITY_MISMATCH"):
        scene.renew(key, name, 1, csr=new_csr(), region="zone-B")
    record = scene.nib.controller(name)
    assert record is not None
    store(scene.nib, replace(record, parent_id="global_cntl_2"))
    assert why(scene, key, name) is Refusal.NOT_ALLOWED


def test_a_restored_validator_that_knows_only_older_certificates_goes_on() -> None:
    scene = global_scene()
    key, name = admitted(scene)
    result = scene.renew(key, name, 4, csr=new_csr())
    assert (result.is_approved, result.generation) == (True, 5)
    assert scene.events("CERTIFICATE_RENEWED")[-1].data["was_ahead"] is True


def test_only_the_address_that_it_comes_from_is_certified() -> None:
    scene, key = global_scene(), SigningKey.generate()
    request = scene.request(key, scene.token(), addresses=("192.0.2.1", "192.0.2.9"))
    challenge = scene.validator.on_request(request, key_id=key.key_id, address="192.0.2.1")
    response = answer(key, request, challenge.challenge_id, transcript_of(request, challenge))
    result = scene.validator.on_response(response, key_id=key.key_id)
    assert named_addresses(result.certificate) == ["192.0.2.1"]


def named_addresses(chain_pem: str) -> list[str]:
    extension = load_certificates(chain_pem)[0].extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    return [str(ip) for ip in extension.value.get_values_for_type(x509.IPAddress)]


@pytest.mark.attack(11)
@given(known=st.integers(1, 10_000), presented=st.integers(0, 10_000), is_same_key=st.booleans())
def test_only_the_newest_generation_renews(known: int, presented: int, is_same_key: bool) -> None:
    verdict = judge_renewal(presented=presented, known=known, is_same_key=is_same_key)
    if presented == known and not is_same_key:
        assert verdict is Renewal.NEXT
    elif presented > known:
        assert verdict is Renewal.AHEAD
    elif is_same_key and presented >= known - 1:
        assert verdict is Renewal.REPEATED
    else:
        assert verdict is Renewal.CLONED
