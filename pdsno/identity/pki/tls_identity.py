"""A controller's side of TLS: its certificate on disk, and contexts that follow renewals."""

import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from pdsno.domain.errors import OperationError, RefusedError, RemoteProtocolError
from pdsno.domain.peers import PeerIdentity, server_name
from pdsno.identity.pki import contexts
from pdsno.identity.pki.certificates import to_pem
from pdsno.identity.pki.credentials import Credential, CredentialFolder
from pdsno.identity.pki.names import peer_identity
from pdsno.identity.pki.renewal import renewal_due_at
from pdsno.identity.pki.roots import fingerprints

_REMEDY = "restore it from a backup, or remove it and join again with a new token"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Held:
    """All that belongs together, replaced at once; `listeners` by whether clients need one."""

    credential: Credential
    roots_pem: str
    identity: PeerIdentity
    client: ssl.SSLContext
    listeners: Mapping[bool, ssl.SSLContext]


class TlsIdentity:
    """Implements `TransportSecurity` of `pdsno.domain.trust_ports`. Thread-safe; of one process.

    Raises OperationError, naming the remedy, if what is in the folder is damaged or not private.
    """

    def __init__(self, directory: Path) -> None:
        self._folder = CredentialFolder(directory, "tls", remedy=_REMEDY)
        self._lock = threading.RLock()
        self._held = self._load()

    # --- what we are ---------------------------------------------------------------------------

    @property
    def has_certificate(self) -> bool:
        """Whether there is one, be it expired."""
        return self._held is not None

    @property
    def identity(self) -> PeerIdentity:
        """Who our certificate says that we are."""
        return self._must_hold().identity

    @property
    def certificate_sha256(self) -> str:
        """Hexadecimal SHA-256 of our leaf certificate."""
        return self._must_hold().identity.certificate_sha256

    @property
    def not_before(self) -> datetime:
        """From when our certificate holds."""
        return self._must_hold().credential.certificate.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        """Until when our certificate holds."""
        return self._must_hold().credential.certificate.not_valid_after_utc

    @property
    def chain_pem(self) -> str:
        """Our certificate and those above it, without the root."""
        return to_pem(*self._must_hold().credential.chain)

    @property
    def roots_pem(self) -> str:
        """The roots that we trust."""
        return self._must_hold().roots_pem

    @property
    def root_sha256(self) -> str:
        """Hexadecimal SHA-256 of the root that we trust, the first if there are several."""
        return fingerprints(self._must_hold().roots_pem)[0]

    @property
    def certificate_file(self) -> Path:
        """Key and chain in one PEM file, for programs like mosquitto; replaced whole."""
        return self._folder.path

    @property
    def roots_file(self) -> Path:
        """The trusted roots in PEM."""
        return self._folder.roots_path

    def renewal_due_at(self, jitter: float) -> datetime:
        """Return when to renew: at half of its life; `jitter` from -1 to 1 moves it by a tenth."""
        return renewal_due_at(self.not_before, self.not_after, jitter=jitter)

    # --- getting a certificate -----------------------------------------------------------------

    def new_request(self) -> str:
        """Return a PKCS #10 request in PEM for a new key.

        The key is kept on disk and the request stays the same until its certificate is accepted,
        also after a crash: a repeated request is the same request.
        """
        return self._folder.new_request()

    def accept(
        self, chain_pem: str, roots_pem: str | None = None, *, is_join: bool = False
    ) -> PeerIdentity:
        """Keep a certificate that was issued, and use it for new handshakes from now on.

        The first roots are kept for good: later ones have to be the same, and the certificate the
        same controller's, so that no validator can lead us elsewhere by a renewal. `is_join` lifts
        this: only for roots that were checked against a new join token. Raises
        RemoteProtocolError, and changes nothing, also if TLS would not accept the chain or it is
        not for our key.
        """
        with self._lock:
            trusted = self._folder.trusted_with(roots_pem, is_join=is_join)
            credential = self._folder.matching(chain_pem)
            identity = _identity(credential)
            before = None if is_join else self._held
            if before and _who(identity) != _who(before.identity):
                detail = f"the certificate is {identity.controller_id}'s, not ours"
                raise RemoteProtocolError(detail)
            name = server_name(identity.controller_id, identity.region)
            contexts.check_handshake(credential.to_pem(), trusted, name)
            held = _hold(credential, trusted, identity)
            self._folder.keep(credential, trusted)
            self._held = held
        return identity

    # --- using it ------------------------------------------------------------------------------

    def server_context(self, *, requires_client: bool) -> ssl.SSLContext:
        """Return a listener's context; see `pdsno.domain.trust_ports.TransportSecurity`."""
        return contexts.following(lambda: self._must_hold().listeners[requires_client])

    def client_context(self) -> ssl.SSLContext:
        """Return a client's context; see `pdsno.domain.trust_ports.TransportSecurity`."""
        return contexts.following(lambda: self._must_hold().client)

    def peer(self, certificate: bytes) -> PeerIdentity:
        """Return who a certificate (DER, verified by TLS) is of.

        Raises RefusedError IDENTITY_MISMATCH if it does not say so in our form.
        """
        return peer_identity(certificate)

    # --- within --------------------------------------------------------------------------------

    def _load(self) -> _Held | None:
        credential, roots_pem = self._folder.load(), self._folder.roots()
        if credential is None:
            return None
        if roots_pem is None:
            raise OperationError(f"{self._folder.roots_path} is missing: {_REMEDY}")
        try:
            return _hold(credential, roots_pem, _identity(credential))
        except (RefusedError, ssl.SSLError) as error:
            detail = f"{self._folder.path} holds no certificate of a controller: {_REMEDY}"
            raise OperationError(detail) from error

    def _must_hold(self) -> _Held:
        if self._held is None:
            raise OperationError("this controller has no certificate yet: join first")
        return self._held


def _hold(credential: Credential, roots_pem: str, identity: PeerIdentity) -> _Held:
    pem = credential.to_pem()
    return _Held(
        credential=credential,
        roots_pem=roots_pem,
        identity=identity,
        client=contexts.client_context(pem, roots_pem),
        listeners={
            requires_client: contexts.server_context(
                pem, roots_pem, requires_client=requires_client
            )
            for requires_client in (True, False)
        },
    )


def _identity(credential: Credential) -> PeerIdentity:
    return peer_identity(credential.certificate.public_bytes(Encoding.DER))


def _who(identity: PeerIdentity) -> tuple[object, ...]:
    return (identity.controller_id, identity.role, identity.region, identity.key_id)
