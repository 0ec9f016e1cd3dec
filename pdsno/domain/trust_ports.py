"""Protocols of trust: who signs, whose signature counts, our side of TLS, who may speak.

They are to `pdsno.domain.ports` what keys are to data: `identity` implements them,
`communication` uses them.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pdsno.domain.entities import ControllerRecord
from pdsno.domain.peers import PeerIdentity

# --- signatures ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedContent:
    """A JWS taken apart after its signature was verified over the exact bytes.

    `public_key` is the key that verified it; `is_trusted` tells whether a key directory vouched
    for it (else only the message's own key did, which proves possession and nothing more).
    """

    header: Mapping[str, Any]
    payload: bytes
    key_id: str
    is_trusted: bool


class Signer(Protocol):
    """Signs with this controller's Ed25519 key."""

    @property
    def key_id(self) -> str:
        """RFC 7638 thumbprint of the public key."""

    @property
    def public_key(self) -> str:
        """Raw public key, base64url."""

    def sign(self, header: Mapping[str, Any], payload: bytes, *, with_key: bool = ...) -> bytes:
        """Return a flattened JSON JWS (RFC 7515) over these bytes.

        `alg`, `typ` and `kid` are added to the protected header; `with_key` adds the public key
        (`jwk`), for a receiver that cannot know it yet.
        """

    def sign_bytes(self, data: bytes) -> bytes:
        """Return the bare 64-byte signature."""


class Verifier(Protocol):
    """Verifies messages against the keys that this controller knows."""

    def verify(self, jws: bytes) -> SignedContent:
        """Return what was signed.

        Raises RefusedError: UNSIGNED (no or malformed JWS), UNKNOWN_KEY (no key known and none in
        the header), BAD_SIGNATURE, IDENTITY_MISMATCH (the key is not the named sender's), REVOKED,
        BLOCKED. A key carried in the header of an unknown sender verifies with is_trusted False.
        """


# --- transport security ----------------------------------------------------------------------


class TransportSecurity(Protocol):
    """Our side of TLS 1.3: certificate, key, and the roots we trust. Thread-safe.

    The contexts follow renewals by themselves: new handshakes use the newest certificate.
    """

    @property
    def certificate_sha256(self) -> str:
        """Hexadecimal SHA-256 of our leaf certificate."""

    def server_context(self, *, requires_client: bool) -> ssl.SSLContext:
        """Return what a listener needs; `requires_client` demands a certificate of our roots."""

    def client_context(self) -> ssl.SSLContext:
        """Return what a connection to another controller or a broker needs.

        It presents our certificate and checks the server's name: pass `server_name()` of
        `pdsno.domain.peers` as server_hostname.
        """

    def peer(self, certificate: bytes) -> PeerIdentity:
        """Return who a certificate (DER, verified by TLS) is of.

        Raises RefusedError IDENTITY_MISMATCH if it does not say so in our form.
        """


class PeerDirectory(Protocol):
    """Whether who showed a certificate may speak right now."""

    def check_peer(self, peer: PeerIdentity) -> ControllerRecord:
        """Return the record that the peer's key speaks for.

        Asked on each request, so that a revocation counts on the next one. Raises RefusedError
        UNKNOWN_KEY, IDENTITY_MISMATCH (role, region or ID differ from the NIB's), REVOKED,
        BLOCKED, LOCKED.
        """
