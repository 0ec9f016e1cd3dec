"""Embedding mode: communication without an identity, for programs on one machine.

An in-memory key signs, and the first key that a sender shows is the one it must keep.
"""

import errno
import ipaddress
import socket
import threading
from dataclasses import dataclass
from typing import Any

import structlog

from pdsno.domain.errors import InputError, Refusal, RefusedError
from pdsno.domain.trust_ports import SignedContent, Signer, Verifier
from pdsno.signing import SigningKey, carried_key, key_id_of, peek_header, verify_with

log = structlog.get_logger()

_MAX_SENDERS = 10_000


class PinningVerifier:
    """Trusts the first key of each sender (implements `pdsno.domain.trust_ports.Verifier`)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pins: dict[str, str] = {}

    def verify(self, jws: bytes) -> SignedContent:
        """Return what was signed; a second key of the same sender is an IDENTITY_MISMATCH."""
        key = carried_key(peek_header(jws))
        if key is None:
            raise RefusedError(Refusal.UNKNOWN_KEY, "the message carries no key")
        header, payload = verify_with(jws, key)
        self._pin(str(header.get("sender_id")), key)
        return SignedContent(header=header, payload=payload, key_id=key_id_of(key), is_trusted=True)

    def _pin(self, sender_id: str, key: str) -> None:
        with self._lock:
            known = self._pins.get(sender_id)
            if known is None and len(self._pins) >= _MAX_SENDERS:
                raise RefusedError(Refusal.UNKNOWN_KEY, "too many senders for embedding mode")
            if self._pins.setdefault(sender_id, key) != key:
                raise RefusedError(
                    Refusal.IDENTITY_MISMATCH, f"{sender_id} was using another key before"
                )


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """What signs and what verifies; `is_embedded` if it is no identity of anybody."""

    signer: Signer
    verifier: Verifier
    is_embedded: bool


class _Process:
    """This process's embedded credentials, made when first asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._credentials: Credentials | None = None

    def credentials(self) -> Credentials:
        with self._lock:
            if self._credentials is None:
                log.warning(
                    "embedding_mode",
                    detail="no signer was given: an in-memory key signs and the first key of a "
                    "sender is trusted; good for one machine only",
                )
                self._credentials = Credentials(
                    signer=SigningKey.generate(), verifier=PinningVerifier(), is_embedded=True
                )
            return self._credentials


_PROCESS = _Process()


def choose_credentials(signer: Signer | None, verifier: Verifier | None) -> Credentials:
    """Return the given pair, or this process's embedded credentials if neither is given."""
    if signer is None and verifier is None:
        return _PROCESS.credentials()
    if signer is None or verifier is None:
        raise InputError("signer and verifier go together: give both, or neither")
    return Credentials(signer=signer, verifier=verifier, is_embedded=False)


def require_loopback(host: str) -> None:
    """Raise InputError unless every address of `host` is this machine's loopback."""
    if not is_loopback(host):
        raise InputError(
            f"{host} is not loopback: without TLS only this machine can be spoken to "
            "(pass tls=, which pdsno does for every controller that has joined)"
        )


def is_loopback(host: str) -> bool:
    """Tell whether a name resolves, and to loopback addresses only."""
    try:
        found = {item[4][0] for item in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(ipaddress.ip_address(address).is_loopback for address in found)


def require_loopback_peer(_client: object, _userdata: object, sock: Any) -> None:  # noqa: ANN401 - paho's
    """End a connection without TLS that left this machine: a name may resolve anew."""
    address = sock.getpeername()[0]
    if not is_loopback(address):
        raise OSError(errno.EPERM, f"{address} is not loopback, and TLS is not used")
