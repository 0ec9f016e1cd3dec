"""A private key with its certificate chain, in a folder, and the key of a request under way."""

import threading
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from pdsno.domain.errors import OperationError, RemoteProtocolError
from pdsno.identity.pki.certificates import to_pem
from pdsno.identity.pki.requests import key_from_pem, key_to_pem, make_request, new_key
from pdsno.identity.pki.roots import fingerprints, load_certificates
from pdsno.identity.private_files import (
    create_private,
    read_private,
    remove_private,
    replace_private,
)

_CERTIFICATE_BEGIN = b"-----BEGIN CERTIFICATE-----"
_CSR_BEGIN = b"-----BEGIN CERTIFICATE REQUEST-----"


@dataclass(frozen=True, kw_only=True, slots=True)
class Credential:
    """A key and its chain: own certificate first, without the root."""

    key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...]

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate of the key."""
        return self.chain[0]

    def to_pem(self) -> bytes:
        """Return key and chain, as OpenSSL reads them from one file."""
        return key_to_pem(self.key) + to_pem(*self.chain).encode()


class CredentialFolder:
    """`<name>.pem` (key and chain in one file, so that they always match), `<name>-request.pem`
    and `roots.pem`. All are of mode 0600 and replaced whole. Thread-safe.
    """  # noqa: D205 - the files are the summary

    def __init__(self, directory: Path, name: str, *, remedy: str) -> None:
        self.path = directory / f"{name}.pem"
        self.roots_path = directory / "roots.pem"
        self._request_path = directory / f"{name}-request.pem"
        self._remedy = remedy
        self._lock = threading.RLock()

    def load(self) -> Credential | None:
        """Return what is kept, or None. Raises OperationError if it is damaged or not private."""
        content = self._read(self.path)
        if content is None:
            return None
        try:
            begin = content.index(_CERTIFICATE_BEGIN)
            credential = Credential(
                key=key_from_pem(content[:begin]), chain=tuple(load_certificates(content[begin:]))
            )
        except (ValueError, RemoteProtocolError) as error:
            raise self._damaged(self.path, "no whole key and certificate") from error
        if credential.certificate.public_key() != credential.key.public_key():
            raise self._damaged(self.path, "a key and the certificate of another")
        return credential

    def roots(self) -> str | None:
        """Return the roots that are trusted here, in PEM, or None."""
        content = self._read(self.roots_path)
        if content is None:
            return None
        try:
            return to_pem(*load_certificates(content))
        except RemoteProtocolError as error:
            raise self._damaged(self.roots_path, "no whole certificates") from error

    def trusted_with(self, roots_pem: str | None, *, is_join: bool) -> str:
        """Return the roots to trust from now on, in PEM: given ones, if they may be, or those kept.

        Raises RemoteProtocolError if they differ from those kept and this is no join, and
        OperationError if there are none at all.
        """
        kept = self.roots()
        if roots_pem is None:
            if kept is None:
                raise OperationError("no root is trusted here yet: join first")
            return kept
        given = to_pem(*load_certificates(roots_pem))
        if not is_join and kept is not None and set(fingerprints(given)) != set(fingerprints(kept)):
            raise RemoteProtocolError(
                "the answer brings other roots than those trusted here: "
                "roots change only by joining again, with a new token"
            )
        return given

    def new_request(self) -> str:
        """Return a request for a new key; the same one again until its certificate is kept."""
        with self._lock:
            pending, kept = self._pending(), self.load()
            if pending and kept and pending[0].public_key() == kept.key.public_key():
                self._remove(self._request_path)  # we died between keeping and removing
                pending = None
            if pending is None:
                key = new_key()
                content = key_to_pem(key) + make_request(key).encode()
                self.write(self._request_path, content, is_new=True)
                pending = self._pending()
        if pending is None:
            raise OperationError(f"{self._request_path} vanished while it was made: try again")
        return pending[1]

    def matching(self, chain_pem: str) -> Credential:
        """Return the chain with the key it is for: of the request under way, or as kept.

        Raises RemoteProtocolError if it is for neither.
        """
        chain = tuple(load_certificates(chain_pem))
        with self._lock:
            pending, kept = self._pending(), self.load()
        keys = [pending[0]] if pending else []
        keys += [kept.key] if kept else []
        for key in keys:
            if key.public_key() == chain[0].public_key():
                return Credential(key=key, chain=chain)
        raise RemoteProtocolError("the certificate is not for the key that was asked for")

    def keep(self, credential: Credential, roots_pem: str) -> None:
        """Put a credential in place of the one before; the request is done.

        After a crash in between, the request is still there and asking again repeats all of it.
        """
        with self._lock:
            if self.roots() != roots_pem:
                self.write(self.roots_path, roots_pem.encode())
            self.write(self.path, credential.to_pem())
            pending = self._pending()
            if pending and pending[0].public_key() == credential.key.public_key():
                self._remove(self._request_path)

    def write(self, path: Path, content: bytes, *, is_new: bool = False) -> None:
        """Write a file of this folder; with `is_new`, one that is there wins."""
        try:
            if is_new:
                create_private(path, content)
            else:
                replace_private(path, content)
        except OSError as error:
            raise OperationError(f"cannot write {path}: {error.strerror}") from error

    def _pending(self) -> tuple[ec.EllipticCurvePrivateKey, str] | None:
        content = self._read(self._request_path)
        if content is None:
            return None
        try:
            key = key_from_pem(content)
            request = content[content.index(_CSR_BEGIN) :].decode("ascii")
            is_its_own = x509.load_pem_x509_csr(content).public_key() == key.public_key()
        except ValueError as error:
            raise self._damaged(self._request_path, "no whole request", is_request=True) from error
        if not is_its_own:
            raise self._damaged(self._request_path, "the request of another key", is_request=True)
        return key, request

    def _read(self, path: Path) -> bytes | None:
        try:
            return read_private(path, what="the file")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OperationError(f"cannot read {path}: {error.strerror}") from error

    def _remove(self, path: Path) -> None:
        try:
            remove_private(path)
        except OSError as error:
            raise OperationError(f"cannot remove {path}: {error.strerror}") from error

    def _damaged(self, path: Path, what: str, *, is_request: bool = False) -> OperationError:
        remedy = "remove it, and a new one is made" if is_request else self._remedy
        return OperationError(f"{path} holds {what}: {remedy}")
