"""Who is at the other end of a connection to our server, and whether it may speak right now."""

import functools
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pdsno.communication.rest_protocol import EXTENSION
from pdsno.domain.errors import InputError, Refusal, RefusedError
from pdsno.domain.peers import Channel, PeerIdentity
from pdsno.domain.trust_ports import PeerDirectory, TransportSecurity

_KNOWN = 1024


class PeerGate:
    """Asks certificate and NIB. Without TLS, and where no certificate is demanded, all may pass."""

    def __init__(
        self, tls: TransportSecurity | None, peers: PeerDirectory | None, *, requires_client: bool
    ) -> None:
        if tls is not None and requires_client and peers is None:
            raise InputError("a server that demands certificates needs peers= to know whose count")
        self._peers = peers if tls is not None and requires_client else None
        # A connection shows the same certificate with each of its requests.
        self._identify = functools.lru_cache(maxsize=_KNOWN)(functools.partial(_identity, tls))

    @property
    def is_closed(self) -> bool:
        """Whether nobody passes without a certificate."""
        return self._peers is not None

    @staticmethod
    def address(scope: Mapping[str, Any]) -> str:
        """Return where a request came from."""
        client = scope.get("client")
        return str(client[0]) if client else ""

    def channel(self, scope: Mapping[str, Any]) -> Channel:
        """Return the connection of a request (ASGI scope), nobody judged yet.

        Raises RefusedError IDENTITY_MISMATCH for a certificate that is not in our form.
        """
        address = self.address(scope)
        certificate = scope.get("extensions", {}).get(EXTENSION, {}).get("client_cert_der")
        if certificate is None:
            return Channel(address=address)
        peer, digest = self._identify(certificate)
        return Channel(peer=peer, certificate_sha256=digest, address=address)

    def admit(self, channel: Channel) -> None:
        """Return if who is at the other end may speak right now; raises RefusedError.

        Asked on each request: a connection that was good when it was made may not be any more.
        """
        if self._peers is None:
            return
        if channel.peer is None:
            raise RefusedError(Refusal.UNKNOWN_KEY, "the connection shows no certificate")
        if channel.peer.not_after <= datetime.now(UTC):
            detail = f"the certificate of {channel.peer.controller_id} has expired since"
            raise RefusedError(Refusal.CERTIFICATE_EXPIRED, detail)
        self._peers.check_peer(channel.peer)


def _identity(tls: TransportSecurity | None, certificate: bytes) -> tuple[PeerIdentity | None, str]:
    peer = tls.peer(certificate) if tls is not None else None
    return peer, hashlib.sha256(certificate).hexdigest()
