"""Attacks on admission, over the real join listeners of both validators."""

import hashlib
import hmac
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from pdsno.identity.tokens import mint
from pdsno.signing import SigningKey, b64decode, b64encode, peek_header
from tests.integration.identity_rig import (
    ANSWER,
    ASK,
    Door,
    Said,
    Site,
    Stranger,
    ago,
    check_refused,
)

pytestmark = pytest.mark.usefixtures("undisturbed")


# --- replays and times -------------------------------------------------------------------------


@pytest.mark.attack(1)
def test_a_request_sent_again_byte_for_byte_is_refused_before_and_after_success(
    door: Door,
) -> None:
    victim, thief = Stranger(door), Stranger(door)
    request = victim.request(door.mint())
    raw = victim.sealed(ASK, request)
    challenge = victim.post(ASK, raw).challenge()

    def again() -> Said:
        return thief.post(ASK, raw)

    assert check_refused(door, again, reason="REPLAYED", subject=thief.source).status == 403
    answer = victim.sealed(ANSWER, victim.response(challenge, request))
    assert victim.post(ANSWER, answer).is_approved
    other = Stranger(door)
    check_refused(door, lambda: other.post(ASK, raw), reason="REPLAYED", subject=other.source)
    check_refused(door, lambda: thief.post(ANSWER, answer), reason="REPLAYED", subject=thief.source)


@pytest.mark.attack(2)
@pytest.mark.parametrize(("age_s", "reason"), [(301, "STALE"), (-32, "FUTURE")])
def test_a_request_of_another_time_is_refused(door: Door, age_s: int, reason: str) -> None:
    stranger = Stranger(door)
    token = door.mint()
    check_refused(
        door,
        lambda: stranger.ask(stranger.request(token), now=ago(age_s)),
        reason=reason,
        subject=stranger.source,
    )
    assert stranger.join(token).is_approved


@pytest.mark.attack(2)
@pytest.mark.parametrize("age_s", [29, -29, 299])
def test_a_clock_that_is_a_little_off_is_no_reason(door: Door, age_s: int) -> None:
    stranger = Stranger(door)
    request = stranger.request(door.mint())
    challenge = stranger.ask(request, now=ago(age_s)).challenge()
    raw = stranger.sealed(ANSWER, stranger.response(challenge, request), now=ago(age_s))
    assert stranger.post(ANSWER, raw).is_approved


# --- tokens ------------------------------------------------------------------------------------


@pytest.mark.attack(3)
def test_a_token_gives_its_key_the_same_again_and_another_key_nothing(door: Door) -> None:
    owner, thief, token = Stranger(door), Stranger(door), door.mint()
    first = owner.join(token)
    before = door.standing()
    again = owner.join(token)
    assert again.is_approved
    assert again.assigned_id == first.assigned_id
    assert again.payload["certificate"] == first.payload["certificate"]
    assert door.standing() == before
    check_refused(door, lambda: thief.join(token), reason="TOKEN_USED", subject=thief.temp_id)


@pytest.mark.attack(3)
def test_of_fifty_who_present_a_token_at_once_one_is_admitted(door: Door) -> None:
    token, before = door.mint(), door.count("CONTROLLER_VALIDATED")
    strangers = [Stranger(door) for _ in range(50)]
    barrier = Barrier(len(strangers))

    def join(stranger: Stranger) -> Said:
        barrier.wait(timeout=30)
        return stranger.join(token)

    with ThreadPoolExecutor(len(strangers)) as pool:
        answers = list(pool.map(join, strangers))
    assert sum(answer.is_approved for answer in answers) == 1
    assert {a.why for a in answers if not a.is_approved} <= {"TOKEN_RESERVED", "TOKEN_USED"}
    assert door.count("CONTROLLER_VALIDATED") == before + 1
    losers = [s for s, a in zip(strangers, answers, strict=True) if not a.is_approved]
    assert all(door.refusals(subject=loser.temp_id) for loser in losers)


@pytest.mark.attack(4)
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"region": "zone-B"}, "WRONG_REGION"),
        ({"region": "zone-a"}, "WRONG_REGION"),
        ({"role": "broker"}, "NOT_ALLOWED"),
        ({"role": "global"}, "NOT_ALLOWED"),
        ({"role": "regional local"}, "NOT_ALLOWED"),
    ],
)
def test_a_token_is_for_its_role_and_region(
    door: Door, changes: dict[str, Any], reason: str
) -> None:
    stranger, token = Stranger(door), door.mint()
    check_refused(
        door,
        lambda: stranger.ask(stranger.request(token, **changes)),
        reason=reason,
        subject=stranger.temp_id,
    )
    assert stranger.join(token).is_approved


@pytest.mark.attack(4)
def test_the_token_of_one_tier_is_nothing_at_the_other(validators: Site, door: Door) -> None:
    (other,) = [d for d in validators.doors.values() if d is not door]
    stranger = Stranger(door)
    check_refused(
        door,
        lambda: stranger.ask(stranger.request(other.mint())),
        reason="INVALID_TOKEN",
        subject=stranger.temp_id,
    )


@pytest.mark.attack(4, 16)
@pytest.mark.parametrize("region", ["zone-A:b", "zone-A\n", "zone-A/..", "zone-А", "", "+"])  # noqa: RUF001 - Cyrillic on purpose
def test_a_region_with_room_for_delimiters_is_none(door: Door, region: str) -> None:
    stranger, token = Stranger(door), door.mint()
    before = door.standing()
    assert stranger.ask(stranger.request(token, region=region)).status == 400
    assert door.standing() == before
    assert door.refusals(subject=stranger.source) == ["MALFORMED"]
    assert stranger.join(token).is_approved


def header(**fields: str) -> str:
    return b64encode(json.dumps({"typ": "pdsno-join+jws", **fields}).encode())


def unsigned(token: str, _key: bytes) -> str:
    return f"{header(alg='none')}.{token.split('.')[1]}."


def unsigned_but_filled(token: str, _key: bytes) -> str:
    return f"{header(alg='none')}.{token.split('.')[1]}.{token.split('.')[2]}"


def signed_by_public_key(token: str, key: bytes) -> str:
    """Take the public key, which everybody knows, for the secret of an HMAC."""
    body = f"{header(alg='HS256')}.{token.split('.')[1]}"
    return f"{body}.{b64encode(hmac.new(key, body.encode(), hashlib.sha256).digest())}"


def with_key_id(kid: str) -> Callable[[str, bytes], str]:
    def forge(token: str, _key: bytes) -> str:
        _, payload, signature = token.split(".")
        return f"{header(alg='Ed25519', kid=kid)}.{payload}.{signature}"

    return forge


def with_own_key(token: str, _key: bytes) -> str:
    """Sign the claims anew, and bring the key to check that with."""
    protected, payload, _ = token.split(".")
    outer = {"protected": protected, "payload": payload, "signature": ""}
    kept = peek_header(json.dumps(outer).encode())
    forged = SigningKey.generate().sign({"typ": kept["typ"]}, b64decode(payload), with_key=True)
    return ".".join(json.loads(forged)[part] for part in ("protected", "payload", "signature"))


def for_another_number(token: str, _key: bytes) -> str:
    protected, payload, signature = token.split(".")
    claims = json.loads(b64decode(payload)) | {"jti": "A" * 22}
    return f"{protected}.{b64encode(json.dumps(claims).encode())}.{signature}"


FORGERIES = [
    unsigned,
    unsigned_but_filled,
    signed_by_public_key,
    with_key_id("../../../../etc/passwd"),
    with_key_id("' OR '1'='1' --"),
    with_key_id("key.pem\x00"),
    with_own_key,
    for_another_number,
]


@pytest.mark.attack(5)
@pytest.mark.parametrize("forge", FORGERIES)
def test_a_forged_token_is_none(door: Door, forge: Callable[[str, bytes], str]) -> None:
    stranger, token = Stranger(door), door.mint()
    key = door.controller.options.key
    assert key is not None
    forged = forge(token, key.public_key.encode())
    check_refused(
        door,
        lambda: stranger.ask(stranger.request(forged)),
        reason="INVALID_TOKEN",
        subject=stranger.temp_id,
    )
    assert stranger.join(token).is_approved


@pytest.mark.attack(5)
def test_an_expired_token_is_refused(door: Door) -> None:
    nib, key = door.controller.nib_store, door.controller.options.key
    assert key is not None

    def token(age_s: float) -> str:
        text, record = mint(
            key,
            validator_id=door.validator_id,
            role=door.role,
            region=door.region,
            root_sha256="0" * 64,
            now=ago(age_s),
        )
        with nib.transaction() as tx:
            tx.put_token(record)
        return text

    stranger = Stranger(door)
    expired = token(901)
    check_refused(
        door,
        lambda: stranger.ask(stranger.request(expired)),
        reason="TOKEN_EXPIRED",
        subject=stranger.temp_id,
    )
    assert stranger.join(token(890)).is_approved
