"""A whole small system of certificates for tests: GC, RC of zone-A, its LC, a broker."""

import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pdsno.domain.entities import ControllerRecord
from pdsno.domain.identifiers import Role
from pdsno.identity.pki.authority import Authority, Lifetimes
from pdsno.identity.pki.vault import AuthorityVault, TlsIdentity
from pdsno.signing import SigningKey

REGION = "zone-A"


def now_utc() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Member:
    """One controller: its names, its message key, its TLS identity."""

    controller_id: str
    role: Role
    region: str | None
    signer: SigningKey
    tls: TlsIdentity

    @property
    def key_id(self) -> str:
        return self.signer.key_id


@dataclass(frozen=True, kw_only=True)
class Pki:
    """All tiers, each with a certificate; `global_vault` still has the root's key."""

    gc: Member
    rc: Member
    lc: Member
    broker: Member
    global_vault: AuthorityVault
    regional_vault: AuthorityVault
    directory: Path

    @property
    def global_authority(self) -> Authority:
        authority = self.global_vault.authority()
        assert authority is not None
        return authority

    @property
    def regional_authority(self) -> Authority:
        authority = self.regional_vault.authority()
        assert authority is not None
        return authority

    @property
    def roots_pem(self) -> str:
        return self.global_authority.roots_pem

    @property
    def root_sha256(self) -> str:
        return self.global_authority.root_sha256


def record_of(member: Member) -> ControllerRecord:
    """Return what a NIB knows of a member."""
    return ControllerRecord(
        controller_id=member.controller_id,
        role=member.role,
        region=member.region,
        public_key=member.signer.public_key,
        key_id=member.key_id,
        validated_at=datetime.now(UTC),
    )


def make_member(
    authority: Authority,
    directory: Path,
    controller_id: str,
    role: Role,
    region: str | None,
    *,
    signer: SigningKey | None = None,
    addresses: tuple[str, ...] = (),
    now: datetime | None = None,
) -> Member:
    """Return a controller with a certificate of this authority, kept in `directory`."""
    signer = signer or SigningKey.generate()
    tls = TlsIdentity(directory)
    issued = authority.issue_leaf(
        tls.new_request(),
        controller_id=controller_id,
        role=role,
        region=region,
        key_id=signer.key_id,
        addresses=addresses,
        now=now or now_utc(),
    )
    tls.accept(issued.chain_pem, authority.roots_pem)
    return Member(controller_id=controller_id, role=role, region=region, signer=signer, tls=tls)


def make_pki(
    directory: Path,
    *,
    region: str = REGION,
    lifetimes: Lifetimes | None = None,
    now: datetime | None = None,
    signers: dict[str, SigningKey] | None = None,
) -> Pki:
    """Return GC, RC, LC and broker with certificates that TLS accepts, kept below `directory`.

    `signers` gives message keys by controller ID, else they are new.
    """
    now, signers = now or now_utc(), signers or {}
    global_vault = AuthorityVault(directory / "gc" / "authority", lifetimes=lifetimes)
    global_authority = global_vault.found("global_cntl_1", now)

    def member(
        authority: Authority, folder: str, controller_id: str, role: Role, of: str | None
    ) -> Member:
        return make_member(
            authority,
            directory / folder / "tls",
            controller_id,
            role,
            of,
            signer=signers.get(controller_id),
            now=now,
        )

    rc = member(global_authority, "rc", f"regional_cntl_{region}_1", Role.REGIONAL, region)
    regional_vault = AuthorityVault(directory / "rc" / "authority", lifetimes=lifetimes)
    issued = global_authority.issue_regional_authority(
        regional_vault.new_request(),
        controller_id=rc.controller_id,
        region=region,
        key_id=rc.key_id,
        now=now,
    )
    regional_authority = regional_vault.accept(issued.chain_pem, global_authority.roots_pem)
    return Pki(
        gc=member(global_authority, "gc", "global_cntl_1", Role.GLOBAL, None),
        rc=rc,
        lc=member(regional_authority, "lc", f"local_cntl_{region}_1", Role.LOCAL, region),
        broker=member(global_authority, "broker", "broker_cntl_global_1", Role.BROKER, None),
        global_vault=global_vault,
        regional_vault=regional_vault,
        directory=directory,
    )


def copy_pki(pki: Pki, directory: Path) -> Pki:
    """Return the same system in another place, which is quicker than a new one."""
    shutil.copytree(pki.directory, directory, dirs_exist_ok=True)

    def moved(member: Member, folder: str) -> Member:
        return replace(member, tls=TlsIdentity(directory / folder / "tls"))

    return Pki(
        gc=moved(pki.gc, "gc"),
        rc=moved(pki.rc, "rc"),
        lc=moved(pki.lc, "lc"),
        broker=moved(pki.broker, "broker"),
        global_vault=AuthorityVault(directory / "gc" / "authority"),
        regional_vault=AuthorityVault(directory / "rc" / "authority"),
        directory=directory,
    )
