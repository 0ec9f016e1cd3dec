"""Where a controller keeps its issuing authority, and the global one the root's key at first."""

import threading
from datetime import datetime
from pathlib import Path

from cryptography import x509

from pdsno.domain.errors import OperationError, RemoteProtocolError
from pdsno.domain.identifiers import Role
from pdsno.domain.peers import server_name
from pdsno.identity.pki import certificates, contexts
from pdsno.identity.pki.authority import Authority, Lifetimes
from pdsno.identity.pki.credentials import Credential, CredentialFolder
from pdsno.identity.pki.names import authority_place
from pdsno.identity.pki.renewal import AUTHORITY_FRACTION, renewal_due_at
from pdsno.identity.pki.requests import key_from_pem, key_to_pem, make_request, new_key
from pdsno.identity.pki.roots import fingerprints, load_certificates
from pdsno.identity.pki.tls_identity import TlsIdentity
from pdsno.identity.private_files import export_private, read_private, remove_private

__all__ = ["AuthorityVault", "TlsIdentity"]

_REMEDY = (
    "restore it from a backup, or remove it; then a global controller needs "
    "`pdsno pki renew-authority --root-key FILE`, and a regional one gets a new one by itself"
)
_PROBE_KEY_ID = "A" * 43


class AuthorityVault:
    """`authority.pem` (key and chain), `roots.pem`, and `root-key.pem` until it is exported.

    A global controller calls `found`; a regional one sends `new_request` to the global one and
    gives the answer to `accept`. Thread-safe; follows `pdsno pki renew-authority`, which another
    process runs.
    """

    def __init__(self, directory: Path, *, lifetimes: Lifetimes | None = None) -> None:
        self.root_key_file = directory / "root-key.pem"
        self._lifetimes = lifetimes or Lifetimes()
        self._folder = CredentialFolder(directory, "authority", remedy=_REMEDY)
        self._lock = threading.RLock()
        self._read: tuple[object, Authority] | None = None

    # --- the authority -------------------------------------------------------------------------

    def authority(self) -> Authority | None:
        """Return the newest authority, or None if there is none yet.

        Raises OperationError, naming the remedy, if the files are damaged or not private.
        """
        with self._lock:
            stamp = _stamp(self._folder.path)
            if self._read is None or self._read[0] != stamp:
                authority = self._load()
                self._read = None if authority is None else (stamp, authority)
            return None if self._read is None else self._read[1]

    def renewal_due_at(self, jitter: float) -> datetime:
        """Return when the authority's own certificate should be renewed: at 2/3 of its life."""
        authority = self._must_have()
        return renewal_due_at(
            authority.not_before, authority.not_after, jitter=jitter, fraction=AUTHORITY_FRACTION
        )

    def _load(self) -> Authority | None:
        credential = self._folder.load()
        if credential is None:
            return None
        roots_pem = self._folder.roots()
        if roots_pem is None:
            raise OperationError(f"{self._folder.roots_path} is missing: {_REMEDY}")
        return self._authority(credential, roots_pem)

    def _authority(self, credential: Credential, roots_pem: str) -> Authority:
        _, region = _place(credential.certificate)
        return Authority(
            certificates.Issuer(certificate=credential.certificate, key=credential.key),
            chain=credential.chain,
            roots_pem=roots_pem,
            root_sha256=fingerprints(roots_pem)[0],
            region=region,
            lifetimes=self._lifetimes,
        )

    def _must_have(self) -> Authority:
        authority = self.authority()
        if authority is None:
            raise OperationError("this controller has no issuing authority yet")
        return authority

    # --- of a regional controller --------------------------------------------------------------

    def new_request(self) -> str:
        """Return a request for the issuing CA, as `TlsIdentity.new_request` does for TLS."""
        return self._folder.new_request()

    def accept(
        self, chain_pem: str, roots_pem: str | None = None, *, is_join: bool = False
    ) -> Authority:
        """Keep the certificate of a regional issuing CA; roots as in `TlsIdentity.accept`.

        Raises RemoteProtocolError, and changes nothing, if it is not for our key, or if TLS would
        not accept what it issues.
        """
        with self._lock:
            trusted = self._folder.trusted_with(roots_pem, is_join=is_join)
            credential = self._folder.matching(chain_pem)
            authority = self._authority(credential, trusted)
            before = None if is_join else self._folder.load()
            if before and _place(before.certificate) != _place(credential.certificate):
                raise RemoteProtocolError("the authority is another controller's, not ours")
            _check_issues(authority)
            self._folder.keep(credential, trusted)
            self._read = (_stamp(self._folder.path), authority)
            return authority

    # --- of the global controller --------------------------------------------------------------

    @property
    def has_root_key(self) -> bool:
        """Whether the root's key is still on this machine, where it need not be."""
        return self.root_key_file.exists()

    def found(self, controller_id: str, now: datetime) -> Authority:
        """Return the global controller's authority; makes root and issuing CA at the first start.

        After a crash in between, the next start goes on from where it was.
        """
        with self._lock:
            existing = self.authority()
            if existing is not None:
                return existing
            if not self.has_root_key:
                if self._folder.roots() is not None:
                    raise OperationError(f"{self._folder.path} is missing: {_REMEDY}")
                self._folder.write(self.root_key_file, self._new_root(now), is_new=True)
            root = _read_root(self.root_key_file)
            self._folder.write(
                self._folder.roots_path, certificates.to_pem(root.certificate).encode()
            )
            credential = self._new_authority(root, controller_id, now)
            self._folder.write(self._folder.path, credential.to_pem(), is_new=True)
            return self._must_have()

    def renew_from_root(
        self, now: datetime, *, root_key_file: Path | None = None, controller_id: str | None = None
    ) -> Authority:
        """Return a new issuing CA of the global controller, signed by the root.

        `controller_id` counts only if there was none before. Raises OperationError if the file
        holds no root key, or that of another root.
        """
        with self._lock:
            root = _read_root(root_key_file or self.root_key_file)
            root_pem = certificates.to_pem(root.certificate)
            trusted = self._folder.roots()
            if trusted is not None and root.certificate not in load_certificates(trusted):
                raise OperationError(
                    f"{root_key_file} holds the key of another root than the one trusted here"
                )
            name = self._controller_id() or controller_id
            if name is None:
                raise OperationError("there was no authority here: say which controller it is for")
            if trusted is None:
                self._folder.write(self._folder.roots_path, root_pem.encode())
            credential = self._new_authority(root, name, now)
            self._folder.write(self._folder.path, credential.to_pem())
            return self._must_have()

    def export_root_key(self, target: Path) -> None:
        """Move the root's key and certificate to `target`, a new file of mode 0600.

        The key is removed here only after the file was read back. Repeating it after a crash
        finishes it. Raises OperationError.
        """
        with self._lock:
            content = _read_root_file(self.root_key_file)
            if target.resolve().is_relative_to(self.root_key_file.parent.resolve()):
                raise OperationError(f"{target} is inside the state directory: name another place")
            _export(target, content)
            try:
                remove_private(self.root_key_file)
            except OSError as error:
                raise OperationError(
                    f"the key is in {target}, but {self.root_key_file} could not be removed: "
                    f"{error.strerror}"
                ) from error

    def _new_root(self, now: datetime) -> bytes:
        key = new_key()
        valid = certificates.validity(now, self._lifetimes.root, None)
        root = certificates.build_root(key, valid)
        return key_to_pem(key) + certificates.to_pem(root).encode()

    def _new_authority(
        self, root: certificates.Issuer, controller_id: str, now: datetime
    ) -> Credential:
        key = new_key()
        lifetime = self._lifetimes.global_authority
        valid = certificates.validity(now, lifetime, root.certificate)
        certificate = certificates.build_global_authority(
            root, key.public_key(), controller_id, valid
        )
        return Credential(key=key, chain=(certificate,))

    def _controller_id(self) -> str | None:
        credential = self._folder.load()
        return _place(credential.certificate)[0] if credential else None


def _stamp(path: Path) -> object:
    """Return what changes whenever the file is replaced."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return (status.st_ino, status.st_mtime_ns, status.st_size)


def _place(certificate: x509.Certificate) -> tuple[str, str | None]:
    """Return whose authority it is, and of which region. Raises RemoteProtocolError."""
    try:
        return authority_place(certificate.subject)
    except ValueError as error:
        detail = "the certificate is not of an issuing authority of ours"
        raise RemoteProtocolError(detail) from error


def _check_issues(authority: Authority) -> None:
    """Issue a certificate to nobody, in memory, and let TLS judge it."""
    region = authority.region
    if region is None:
        raise RemoteProtocolError("the authority is not of a region")
    key, who = new_key(), f"local_cntl_{region}_0"
    issued = authority.issue_leaf(
        make_request(key),
        controller_id=who,
        role=Role.LOCAL,
        region=region,
        key_id=_PROBE_KEY_ID,
        now=authority.not_before,
    )
    credential = key_to_pem(key) + issued.chain_pem.encode()
    contexts.check_handshake(credential, authority.roots_pem, server_name(who, region))


def _export(target: Path, content: bytes) -> None:
    """Write the root's key to a new file and read it back; one that holds it already is fine."""
    is_new = True
    try:
        export_private(target, content)
    except FileExistsError:
        is_new = False
    except OSError as error:
        raise OperationError(f"cannot write {target}: {error.strerror}") from error
    try:
        is_whole = _read_root_file(target) == content
    except OperationError:
        if is_new:
            target.unlink(missing_ok=True)
        raise
    if not is_whole:
        raise OperationError(f"{target} exists and holds something else: name a new file")


def _read_root_file(path: Path) -> bytes:
    try:
        return read_private(path, what="the root key")
    except FileNotFoundError as error:
        raise OperationError(
            f"there is no root key in {path}; if it was exported, that file is needed: --root-key"
        ) from error


def _read_root(path: Path) -> certificates.Issuer:
    content = _read_root_file(path)
    try:
        begin = content.index(b"-----BEGIN CERTIFICATE-----")
        key = key_from_pem(content[:begin])
        (certificate,) = load_certificates(content[begin:])
    except (ValueError, RemoteProtocolError) as error:
        raise OperationError(
            f"{path} holds no whole root key: restore it from a backup; without one, every "
            "controller has to join a new system"
        ) from error
    if certificate.public_key() != key.public_key():
        raise OperationError(f"{path} holds a key and the certificate of another")
    return certificates.Issuer(certificate=certificate, key=key)
