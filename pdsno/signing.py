"""Ed25519 keys and JSON Web Signatures (RFC 7515, RFC 9864), over `cryptography` and `joserfc`.

The one place that signs and verifies; `identity` decides whose keys count, `communication` what
is signed.
"""

import base64
import binascii
import functools
import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from pdsno.domain.errors import Refusal, RefusedError

_ALGORITHMS = ["Ed25519"]


def b64encode(data: bytes) -> str:
    """Return base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def b64decode(text: str) -> bytes:
    """Return the bytes of unpadded base64url; raises ValueError on anything else."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        msg = "not base64url"
        raise ValueError(msg) from error


@functools.lru_cache(maxsize=1024)
def _jwk(public_key: str) -> OKPKey:
    try:
        return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": public_key})
    except (ValueError, JoseError) as error:
        raise RefusedError(Refusal.BAD_SIGNATURE, "not a raw Ed25519 public key") from error


def key_id_of(public_key: str) -> str:
    """Return the RFC 7638 thumbprint of a raw base64url key; RefusedError if it is none."""
    return _jwk(public_key).thumbprint()


class SigningKey:
    """A controller's private key. Implements `pdsno.domain.trust_ports.Signer`; never printed."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        raw = private.public_key().public_bytes_raw()
        self.public_key = b64encode(raw)
        self.key_id = key_id_of(self.public_key)

    @classmethod
    def generate(cls) -> "SigningKey":
        """Return a new key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, pem: bytes) -> "SigningKey":
        """Return the key of an unencrypted PKCS#8 PEM; raises ValueError if it is not Ed25519."""
        private = serialization.load_pem_private_key(pem, password=None)
        if not isinstance(private, Ed25519PrivateKey):
            msg = "not an Ed25519 key"
            raise ValueError(msg)  # noqa: TRY004 - the file's content is wrong, not the caller's type
        return cls(private)

    def to_pem(self) -> bytes:
        """Return the private key as unencrypted PKCS#8 PEM."""
        return self._private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def sign(self, header: Mapping[str, Any], payload: bytes, *, with_key: bool = False) -> bytes:
        """Return a flattened JSON JWS; see `pdsno.domain.trust_ports.Signer.sign`."""
        protected = {"alg": "Ed25519", "typ": "pdsno+jws", **header, "kid": self.key_id}
        if with_key:
            protected["jwk"] = {"kty": "OKP", "crv": "Ed25519", "x": self.public_key}
        # By hand, for a third of the time: RFC 7515 section 5.1 leaves nothing to choose, and a
        # test holds these bytes to joserfc's. Verifying, where there is much to choose, is its.
        told = b64encode(json.dumps(protected, separators=(",", ":")).encode())
        body = b64encode(payload)
        signature = b64encode(self._private.sign(f"{told}.{body}".encode()))
        return f'{{"payload":"{body}","signature":"{signature}","protected":"{told}"}}'.encode()

    def sign_bytes(self, data: bytes) -> bytes:
        """Return the bare 64-byte Ed25519 signature."""
        return self._private.sign(data)


class _Registry(jws.JWSRegistry):
    """Takes our envelope in the header, and payloads of the sizes that the codec allows."""

    max_header_length = 8 * 1024
    max_payload_length = 64 * 1024 * 1024


# The envelope's names are ours, which the strict registry of RFC 7515 names would refuse.
_REGISTRY = _Registry(algorithms=_ALGORITHMS, strict_check_header=False)


def peek_header(signed: bytes) -> dict[str, Any]:
    """Return the protected header of a flattened JWS before anything is verified.

    Good only for choosing the key to verify with. Raises RefusedError UNSIGNED.
    """
    return _taken_apart(signed)[1]


def verify_with(signed: bytes, public_key: str) -> tuple[dict[str, Any], bytes]:
    """Return (protected header, payload) of a flattened JWS that this raw key signed.

    Raises RefusedError: UNSIGNED (no JWS), BAD_SIGNATURE (any other key, algorithm or byte).
    """
    outer, header = _taken_apart(signed)
    try:
        opened = jws.deserialize_json(
            outer, _jwk(public_key), algorithms=_ALGORITHMS, registry=_REGISTRY
        )
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise RefusedError(Refusal.BAD_SIGNATURE, "the signature does not match") from error
    return header, opened.payload


def _taken_apart(signed: bytes) -> tuple[Any, dict[str, Any]]:
    try:
        outer = json.loads(signed)
        header = json.loads(b64decode(outer["protected"]))
        is_flattened = outer.keys() == {"protected", "payload", "signature"}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RefusedError(Refusal.UNSIGNED, "not a signed message") from error
    if not is_flattened or not isinstance(header, dict):
        raise RefusedError(Refusal.UNSIGNED, "not a signed message")
    return outer, header


def carried_key(header: Mapping[str, Any]) -> str | None:
    """Return the raw key that a header carries (`jwk`), or None: possession, not identity."""
    key = header.get("jwk")
    if isinstance(key, Mapping) and key.get("crv") == "Ed25519" and isinstance(key.get("x"), str):
        return str(key["x"])
    return None


def verify_bytes(signature: bytes, data: bytes, public_key: str) -> bool:
    """Tell whether `signature` is this raw key's over `data`."""
    try:
        Ed25519PublicKey.from_public_bytes(b64decode(public_key)).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True
