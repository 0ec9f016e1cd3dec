"""Attacks on the challenge of admission, and validation by those who may not."""

import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pdsno.controllers.regional_controller import RegionalController
from pdsno.domain.errors import InputError, RefusedError
from pdsno.domain.identifiers import Role
from pdsno.identity.clock import Clock
from pdsno.identity.tokens import mint
from pdsno.signing import SigningKey, b64decode
from tests.integration.identity_rig import ANSWER, Door, Site, Stranger, check_refused, proof_of
from tests.integration.tiers import Tiers, free_port
from tests.integration.waiting import wait_until

pytestmark = pytest.mark.usefixtures("undisturbed")


# --- challenges --------------------------------------------------------------------------------


@pytest.fixture
def later(door: Door, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return what moves the validator's clocks forwards."""
    validator = door.controller.admissions._validator
    clock = validator._clock

    def move(seconds: float) -> None:
        moved = Clock(now=clock.now, monotonic=lambda: clock.monotonic() + seconds)
        monkeypatch.setattr(validator, "_clock", moved)

    return move


@pytest.mark.attack(6)
@pytest.mark.parametrize(("after_s", "reason"), [(29, None), (31, "CHALLENGE_EXPIRED")])
def test_a_challenge_is_good_for_thirty_seconds(
    door: Door, later: Callable[[float], None], after_s: float, reason: str | None
) -> None:
    stranger, token = Stranger(door), door.mint()
    request, challenge = stranger.challenged(token)
    later(after_s)
    response = stranger.response(challenge, request)
    if reason is None:
        assert stranger.answer(response).is_approved
        return
    check_refused(door, lambda: stranger.answer(response), reason=reason, subject=stranger.temp_id)
    later(0)
    assert stranger.join(token).is_approved


@pytest.mark.attack(6)
def test_a_challenge_is_good_once_whatever_the_outcome(door: Door) -> None:
    stranger, token = Stranger(door), door.mint()
    request, challenge = stranger.challenged(token)
    right = stranger.response(challenge, request)
    wrong = stranger.response(challenge, request, by=SigningKey.generate())
    check_refused(
        door, lambda: stranger.answer(wrong), reason="BAD_SIGNATURE", subject=stranger.temp_id
    )
    check_refused(
        door, lambda: stranger.answer(right), reason="UNKNOWN_CHALLENGE", subject=stranger.temp_id
    )
    admitted = stranger.join(token)
    assert admitted.is_approved
    other = Stranger(door)
    request, challenge = other.challenged(door.mint())
    right = other.response(challenge, request)
    assert other.answer(right).is_approved
    check_refused(
        door, lambda: other.answer(right), reason="UNKNOWN_CHALLENGE", subject=other.temp_id
    )


@pytest.mark.attack(6)
def test_a_signature_over_the_bare_nonce_proves_nothing(door: Door) -> None:
    stranger, token = Stranger(door), door.mint()
    for what in (b64decode, str.encode):
        request, challenge = stranger.challenged(token)
        bare = stranger.response(challenge, request, signed=what(challenge.nonce))
        check_refused(
            door,
            lambda bare=bare: stranger.answer(bare),  # type: ignore[misc]
            reason="BAD_SIGNATURE",
            subject=stranger.temp_id,
        )
    assert stranger.join(token).is_approved


@pytest.mark.attack(6)
@pytest.mark.parametrize("changes", [{"temp_id": "temp-else"}, {"region": "zone-B"}, {"csr": "x"}])
def test_a_proof_is_for_the_whole_claim(door: Door, changes: dict[str, str]) -> None:
    stranger, token = Stranger(door), door.mint()
    request, challenge = stranger.challenged(token)
    elsewhere = proof_of(challenge, replace(request, **changes))  # type: ignore[arg-type]
    response = stranger.response(challenge, request, signed=elsewhere)
    check_refused(
        door, lambda: stranger.answer(response), reason="BAD_SIGNATURE", subject=stranger.temp_id
    )
    assert stranger.join(token).is_approved


@pytest.mark.attack(6)
def test_nobody_answers_the_challenge_of_another(door: Door) -> None:
    victim, thief = Stranger(door), Stranger(door)
    token = door.mint()
    request, challenge = victim.challenged(token)
    # The thief signs, under its own name or under the victim's, with its own key.
    for name in (thief.temp_id, victim.temp_id):
        stolen = replace(thief.response(challenge, request), temp_id=name)
        raw = thief.sealed(ANSWER, stolen, sender_id=name)
        check_refused(
            door,
            lambda raw=raw: thief.post(ANSWER, raw),  # type: ignore[misc]
            reason="IDENTITY_MISMATCH" if name == thief.temp_id else "UNKNOWN_CHALLENGE",
            subject=victim.temp_id,
        )
    assert victim.join(token).is_approved


# --- who validates whom ------------------------------------------------------------------------


@pytest.mark.attack(9)
def test_a_regional_controller_admits_local_ones_of_its_region_only(validators: Site) -> None:
    door = validators.doors["regional"]
    for role, region in ((Role.REGIONAL, "zone-A"), (Role.BROKER, None), (Role.LOCAL, "zone-B")):
        with pytest.raises(InputError):
            validators.rc.admissions.mint_token(role, region, None)
    # Even a token that its own key signed is not for more.
    key = validators.rc.options.key
    assert key is not None
    token, record = mint(
        key,
        validator_id=validators.rc.controller_id,
        role=Role.REGIONAL,
        region="zone-A",
        root_sha256="0" * 64,
        now=datetime.now(UTC),
    )
    with validators.rc.nib_store.transaction() as tx:
        tx.put_token(record)
    stranger = Stranger(door)
    authority = Stranger(door).authority_csr
    check_refused(
        door,
        lambda: stranger.ask(stranger.request(token, role="regional", authority_csr=authority)),
        reason="NOT_ALLOWED",
        subject=stranger.temp_id,
    )
    check_refused(
        validators.doors["global"],
        lambda: Stranger(validators.doors["global"], source=stranger.source).join(token),
        reason="INVALID_TOKEN",
        subject=stranger.temp_id,
    )


@pytest.mark.attack(10)
def test_a_local_controller_validates_nobody(validators: Site) -> None:
    lc = validators.tiers.lc("zone-A", validators.rc, has_url=True)
    assert lc.rest_server is not None
    key = lc.options.key
    assert key is not None
    own_token, _ = mint(
        key,
        validator_id=lc.controller_id,
        role=Role.LOCAL,
        region="zone-A",
        root_sha256="0" * 64,
        now=datetime.now(UTC),
    )
    stranger = Stranger(validators.doors["regional"])
    check_refused(
        validators.doors["regional"],
        lambda: stranger.join(own_token),
        reason="INVALID_TOKEN",
        subject=stranger.temp_id,
    )
    wait_until(lambda: lc.rest_server is not None and lc.rest_server.is_serving, "the server")
    assert not {"validation_request", "challenge_response"} & {
        str(getattr(route, "path", "")).rpartition("/")[2] for route in lc.rest_server.app.routes
    }
    assert not hasattr(lc, "admissions")


@pytest.mark.attack(10)
def test_a_regional_controller_that_is_not_validated_admits_nobody(
    validators: Site, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        tiers = Tiers(tmp_path, stack)
        rc = RegionalController(
            temp_id="temp-zone-A",
            region="zone-A",
            context_manager=tiers.context("rc"),
            nib_store=tiers.nib("rc"),
            rest_port=free_port(),
            options=tiers.options("rc", Role.REGIONAL),
        )
        with pytest.raises(RefusedError, match="NO_DELEGATION"):
            _ = rc.admissions
        with pytest.raises(RefusedError, match="NO_DELEGATION"):
            rc.start_rest_server_background()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", tiers.join_ports["rc"]), timeout=5)
    # Once validated, it does.
    assert Stranger(validators.doors["regional"]).join().is_approved
