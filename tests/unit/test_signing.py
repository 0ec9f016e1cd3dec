"""Signatures over exact bytes."""

import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OKPKey

from pdsno.domain.errors import Refusal, RefusedError
from pdsno.signing import (
    SigningKey,
    b64decode,
    b64encode,
    carried_key,
    key_id_of,
    peek_header,
    verify_bytes,
    verify_with,
)

KEY = SigningKey.generate()
OTHER = SigningKey.generate()


@given(st.binary(max_size=200))
def test_what_was_signed_is_what_is_verified(payload: bytes) -> None:
    header, opened = verify_with(KEY.sign({"sender_id": "x"}, payload), KEY.public_key)
    assert opened == payload
    assert header["sender_id"] == "x"
    assert header["kid"] == KEY.key_id


_NAMES = st.text(max_size=5).map("x{}".format)
_VALUES = st.none() | st.integers() | st.text(max_size=10)


@given(st.dictionaries(_NAMES, _VALUES, max_size=3), st.binary())
def test_what_is_signed_is_byte_for_byte_what_joserfc_signs(
    header: dict[str, str | int | None], payload: bytes
) -> None:
    signed = KEY.sign(header, payload)
    private = serialization.load_pem_private_key(KEY.to_pem(), password=None)
    assert isinstance(private, Ed25519PrivateKey)
    secret = {"d": b64encode(private.private_bytes_raw()), "x": KEY.public_key}
    key = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", **secret})
    protected = json.loads(b64decode(json.loads(signed)["protected"]))
    registry = jws.JWSRegistry(algorithms=["Ed25519"], strict_check_header=False)
    theirs = jws.serialize_json({"protected": protected}, payload, key, ["Ed25519"], registry)
    assert signed == json.dumps(theirs, separators=(",", ":")).encode()


def test_another_key_verifies_nothing() -> None:
    signed = KEY.sign({}, b"payload")
    with pytest.raises(RefusedError) as refused:
        verify_with(signed, OTHER.public_key)
    assert refused.value.reason is Refusal.BAD_SIGNATURE
    assert verify_with(signed, KEY.public_key)[1] == b"payload"


@pytest.mark.attack(18)
@given(st.data())
def test_no_changed_character_goes_unnoticed(data: st.DataObject) -> None:
    message = json.loads(KEY.sign({"sender_id": "x"}, b'{"a":1}'))
    part = data.draw(st.sampled_from(["protected", "payload", "signature"]))
    text = message[part]
    place = data.draw(st.integers(0, len(text) - 2))
    letter = data.draw(st.sampled_from("ABCXYZabcxyz0189-_"))
    message[part] = text[:place] + letter + text[place + 1 :]
    if message[part] == text:
        return
    with pytest.raises(RefusedError):
        verify_with(json.dumps(message).encode(), KEY.public_key)


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"null", b"{", b"\xff", b'{"protected":1}'])
def test_what_is_no_signed_message_is_unsigned(raw: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        peek_header(raw)
    assert refused.value.reason is Refusal.UNSIGNED


@pytest.mark.attack(5)
@pytest.mark.parametrize("algorithm", ["none", "HS256", "EdDSA"])
def test_another_algorithm_than_ed25519_is_refused(algorithm: str) -> None:
    message = json.loads(KEY.sign({}, b"{}"))
    header = json.loads(b64decode(message["protected"]))
    message["protected"] = b64encode(json.dumps({**header, "alg": algorithm}).encode())
    with pytest.raises(RefusedError) as refused:
        verify_with(json.dumps(message).encode(), KEY.public_key)
    assert refused.value.reason is Refusal.BAD_SIGNATURE


def test_a_large_payload_with_a_full_envelope_goes_through() -> None:
    payload = b"x" * (8 * 1024 * 1024)
    header = {f"name_{number}": "v" * 50 for number in range(20)}
    assert verify_with(KEY.sign(header, payload, with_key=True), KEY.public_key)[1] == payload


def test_a_carried_key_is_the_signers() -> None:
    header = peek_header(KEY.sign({}, b"", with_key=True))
    assert carried_key(header) == KEY.public_key
    assert key_id_of(KEY.public_key) == KEY.key_id
    assert carried_key(peek_header(KEY.sign({}, b""))) is None


def test_a_key_survives_its_file_form() -> None:
    again = SigningKey.from_pem(KEY.to_pem())
    assert again.key_id == KEY.key_id
    assert verify_bytes(again.sign_bytes(b"data"), b"data", KEY.public_key)
    assert not verify_bytes(again.sign_bytes(b"data"), b"other", KEY.public_key)


@pytest.mark.parametrize("text", ["AA", "!!", "", "A" * 44])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(RefusedError):
        key_id_of(text)
