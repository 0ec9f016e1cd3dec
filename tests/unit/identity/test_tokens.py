"""Join tokens as text: what a holder can read, what a validator accepts."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdsno.domain.entities import TokenStatus
from pdsno.domain.errors import InputError, NotFoundError, Refusal, RefusedError
from pdsno.domain.identifiers import Role
from pdsno.identity.compact import sign_document
from pdsno.identity.tokens import TYP, JoinClaims, check, mint, read_unverified
from pdsno.signing import SigningKey, b64decode, b64encode
from tests.unit.identity.scenes import global_scene

NOW = datetime(2026, 1, 2, tzinfo=UTC)
KEY = SigningKey.generate()
ROOT = "ab" * 32


def minted(ttl_s: int = 900) -> str:
    token, _ = mint(
        KEY,
        validator_id="global_cntl_1",
        role=Role.REGIONAL,
        region="zone-A",
        root_sha256=ROOT,
        now=NOW,
        ttl_s=ttl_s,
    )
    return token


def why(token: str, *, now: datetime = NOW, validator_id: str = "global_cntl_1") -> Refusal | None:
    try:
        check(token, public_key=KEY.public_key, validator_id=validator_id, now=now)
    except RefusedError as error:
        return error.reason
    return None


def test_a_token_is_one_line_that_tells_its_holder_whom_to_believe() -> None:
    token = minted()
    assert "\n" not in token
    assert len(token) < 1000
    ticket = read_unverified(token)
    assert (ticket.claims.vkid, ticket.claims.root_sha256) == (KEY.key_id, ROOT)
    assert ticket.validator.controller_id == "global_cntl_1"
    assert ticket.validator.public_key == KEY.public_key
    assert (ticket.validator.role, ticket.validator.region) == ("global", None)


@pytest.mark.attack(63)
def test_only_the_hash_of_its_number_is_kept() -> None:
    token, record = mint(
        KEY,
        validator_id="global_cntl_1",
        role=Role.REGIONAL,
        region="zone-A",
        root_sha256=ROOT,
        now=NOW,
    )
    claims = read_unverified(token).claims
    assert record.jti_sha256 == claims.jti_sha256 != claims.jti
    assert claims.jti not in repr(record)
    assert len(b64decode(claims.jti)) == 16
    assert record.status is TokenStatus.NEW
    assert record.expires_at == NOW + timedelta(minutes=15)


@pytest.mark.attack(5)
def test_a_token_is_for_its_validator_and_its_time() -> None:
    token = minted()
    assert why(token) is None
    assert why(token, now=NOW + timedelta(seconds=899)) is None
    assert why(token, now=NOW + timedelta(seconds=900)) is Refusal.TOKEN_EXPIRED
    assert why(token, now=NOW - timedelta(minutes=5)) is None
    assert why(token, now=NOW - timedelta(minutes=6)) is Refusal.INVALID_TOKEN
    assert why(token, validator_id="global_cntl_2") is Refusal.INVALID_TOKEN


@pytest.mark.attack(5)
def test_other_things_that_we_sign_are_no_tokens() -> None:
    claims = read_unverified(minted()).claims
    as_message = sign_document(KEY, claims, typ="pdsno+jws")
    assert why(as_message) is Refusal.INVALID_TOKEN
    assert why(sign_document(KEY, claims, typ=TYP)) is None


@pytest.mark.parametrize(
    "change",
    [{"exp": 2**40}, {"exp": 0}, {"vkid": "other"}, {"aud": "regional_cntl_zone-A_1"}],
)
def test_claims_that_make_no_sense_are_refused_even_signed(change: dict[str, object]) -> None:
    claims: JoinClaims = replace(read_unverified(minted()).claims, **change)  # type: ignore[arg-type]
    assert why(sign_document(KEY, claims, typ=TYP)) is Refusal.INVALID_TOKEN


@pytest.mark.parametrize(
    "claims", [{}, {"jti": 1}, [], "text", {"jti": "a", "aud": "global_cntl_1", "role": "king"}]
)
def test_claims_of_another_form_are_refused(claims: object) -> None:
    raw = KEY.sign({"typ": TYP}, json.dumps(claims).encode())
    outer = json.loads(raw)
    text = ".".join(outer[part] for part in ("protected", "payload", "signature"))
    assert why(text) is Refusal.INVALID_TOKEN


@pytest.mark.attack(5)
@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_changed_bit_of_a_token_passes(position: int, bit: int) -> None:
    parts = [bytearray(b64decode(part)) for part in minted().split(".")]
    places = [(part, index) for part in parts for index in range(len(part))]
    part, index = places[position % len(places)]
    part[index] ^= 1 << bit
    changed = ".".join(b64encode(bytes(part)) for part in parts)
    assert why(changed) is Refusal.INVALID_TOKEN
    with pytest.raises(InputError):
        read_unverified(changed)


@given(st.text(max_size=200))
def test_any_text_is_refused_in_one_way(text: str) -> None:
    assert why(text) is Refusal.INVALID_TOKEN
    with pytest.raises(InputError, match="not whole"):
        read_unverified(text)


@pytest.mark.attack(5)
def test_a_second_spelling_of_the_same_bytes_is_refused() -> None:
    head, payload, signature = minted().split(".")
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".index(signature[-1])
    other = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last ^ 1]
    respelt = signature[:-1] + other
    assert b64decode(respelt) == b64decode(signature)
    assert why(f"{head}.{payload}.{respelt}") is Refusal.INVALID_TOKEN


def test_a_token_that_names_another_key_than_its_own_is_not_believed() -> None:
    claims = replace(read_unverified(minted()).claims, vkid="somebody-else")
    forged = sign_document(SigningKey.generate(), claims, typ=TYP, with_key=True)
    with pytest.raises(InputError, match="another key than its own"):
        read_unverified(forged)


def test_operators_list_and_revoke_tokens_by_a_part_of_their_hash() -> None:
    scene = global_scene()
    scene.token()
    (record,) = scene.tokens.records()
    assert scene.tokens.revoke(record.jti_sha256[:8]).status is TokenStatus.REVOKED
    assert scene.tokens.revoke(record.jti_sha256).status is TokenStatus.REVOKED
    assert len(scene.events("JOIN_TOKEN_REVOKED")) == 1
    with pytest.raises(NotFoundError):
        scene.tokens.revoke("0" * 64)
    with pytest.raises(InputError, match="8 characters"):
        scene.tokens.revoke(record.jti_sha256[:7])


def test_a_spent_token_is_not_revoked_but_its_controller_is() -> None:
    scene = global_scene()
    scene.admit(SigningKey.generate())
    with pytest.raises(InputError, match="revoke the controller"):
        scene.tokens.revoke(scene.tokens.records()[0].jti_sha256)
