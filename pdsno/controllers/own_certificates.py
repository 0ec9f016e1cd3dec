"""The global controller's certificates: it founds the system's root and certifies itself."""

from datetime import UTC, datetime, timedelta

import structlog

from pdsno.domain.errors import LocalProtocolError
from pdsno.domain.identifiers import Role
from pdsno.identity.pki.authority import Authority
from pdsno.identity.pki.vault import AuthorityVault, TlsIdentity

log = structlog.get_logger()

_WARN_BEFORE = timedelta(days=60)


class OwnCertificates:
    """Keeps root, issuing CA and our own leaf in order. Not thread-safe: one loop calls it.

    `addresses` are those that our leaf names besides: operators reach the API by them.
    """

    def __init__(
        self,
        *,
        vault: AuthorityVault,
        tls: TlsIdentity,
        controller_id: str,
        key_id: str,
        addresses: tuple[str, ...],
    ) -> None:
        self._vault = vault
        self._tls = tls
        self._controller_id = controller_id
        self._key_id = key_id
        self._addresses = addresses

    def found(self, jitter: float) -> None:
        """Make what is missing. Raises OperationError with the remedy if files are damaged."""
        self._vault.found(self._controller_id, datetime.now(UTC))
        if not self._tls.has_certificate:
            self._certify()
        self.keep(jitter)
        if self._vault.has_root_key:
            log.warning(
                "root_key_on_this_machine",
                file=str(self._vault.root_key_file),
                remedy="take it off-line: pdsno pki export-root-key --to FILE",
            )

    def keep(self, jitter: float) -> bool:
        """Renew what is due; tells whether anything was."""
        now = datetime.now(UTC)
        renewed = False
        if now >= self._vault.renewal_due_at(jitter):
            renewed = self._renew_authority(now)
        if now >= self._tls.renewal_due_at(jitter):
            self._certify()
            renewed = True
        return renewed

    def authority(self) -> Authority:
        """Return the issuing CA."""
        authority = self._vault.authority()
        if authority is None:
            raise LocalProtocolError("the issuing authority is used before it was founded")
        return authority

    def _renew_authority(self, now: datetime) -> bool:
        """Renew the issuing CA while the root key is here; else tell the operator in time."""
        if self._vault.has_root_key:
            self._vault.renew_from_root(now)
            log.info("authority_renewed", until=self.authority().not_after)
            return True
        left = self.authority().not_after - now
        if left < _WARN_BEFORE:
            log.warning(
                "authority_ends_soon",
                days=left.days,
                remedy="pdsno pki renew-authority --root-key FILE",
            )
        return False

    def _certify(self) -> None:
        authority = self.authority()
        issued = authority.issue_leaf(
            self._tls.new_request(),
            controller_id=self._controller_id,
            role=Role.GLOBAL,
            region=None,
            key_id=self._key_id,
            addresses=self._addresses,
            now=datetime.now(UTC),
        )
        self._tls.accept(issued.chain_pem, authority.roots_pem)
