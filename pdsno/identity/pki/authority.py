"""An issuing authority: what it may issue, and to whom. Pure: no clock, no disk."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from pdsno.domain.errors import OperationError, Refusal, RefusedError
from pdsno.domain.identifiers import Role, check_region
from pdsno.identity.pki import certificates
from pdsno.identity.pki.names import check_place, reader_subject
from pdsno.identity.pki.requests import check_request


@dataclass(frozen=True, kw_only=True, slots=True)
class Lifetimes:
    """How long certificates hold; none outlives its issuer."""

    root: timedelta = timedelta(days=3653)
    global_authority: timedelta = timedelta(days=365)
    regional_authority: timedelta = timedelta(days=90)
    leaf: timedelta = timedelta(days=7)


@dataclass(frozen=True, kw_only=True, slots=True)
class IssuedCertificate:
    """A new certificate: its chain in PEM, itself first, without the root.

    `sha256` is the hexadecimal digest of the certificate itself.
    """

    chain_pem: str
    sha256: str
    not_before: datetime
    not_after: datetime


class Authority:
    """Issues for the global controller (`region` None), or within one region.

    `chain` is its own certificate and those above, without the root. Thread-safe.
    """

    def __init__(
        self,
        issuer: certificates.Issuer,
        *,
        chain: Sequence[x509.Certificate],
        roots_pem: str,
        root_sha256: str,
        region: str | None,
        lifetimes: Lifetimes,
    ) -> None:
        self._issuer = issuer
        self._chain = tuple(chain)
        self._lifetimes = lifetimes
        self.roots_pem = roots_pem
        self.root_sha256 = root_sha256
        self.region = region

    @property
    def chain_pem(self) -> str:
        """The authority's own certificate and those above it, without the root."""
        return certificates.to_pem(*self._chain)

    @property
    def sha256(self) -> str:
        """Hexadecimal SHA-256 of the authority's own certificate."""
        return self._issuer.certificate.fingerprint(SHA256()).hex()

    @property
    def not_before(self) -> datetime:
        """From when what it issues holds at the earliest."""
        return self._issuer.certificate.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        """Until when what it issues holds at the latest: the earliest end of its chain."""
        return min(certificate.not_valid_after_utc for certificate in self._chain)

    def is_in_force(self, now: datetime) -> bool:
        """Tell whether it may issue at this time."""
        return self.not_before <= now < self.not_after

    def issue_leaf(
        self,
        csr_pem: str,
        *,
        controller_id: str,
        role: Role,
        region: str | None,
        key_id: str,
        addresses: Sequence[str] = (),
        now: datetime,
    ) -> IssuedCertificate:
        """Return the certificate of a controller; of the request, only the key is used.

        Addresses that this authority may not name are left out: TLS would refuse the whole
        certificate. Raises RefusedError INVALID_CSR, WRONG_REGION or NOT_ALLOWED (the authority
        of a region issues for local controllers only), InputError for names that cannot be, and
        OperationError if the authority itself is not in force.
        """
        public_key = check_request(csr_pem)
        self._check_right(role, region)
        check_place(controller_id, role, region)
        own = self._issuer.certificate
        granted = [ip for ip in addresses if certificates.may_name_address(own, ip)]
        leaf = certificates.build_leaf(
            self._issuer,
            public_key,
            controller_id=controller_id,
            role=role,
            region=region,
            key_id=key_id,
            addresses=granted,
            valid=self._validity(now, self._lifetimes.leaf),
        )
        return self._issued(leaf)

    def issue_regional_authority(
        self,
        csr_pem: str,
        *,
        controller_id: str,
        region: str,
        key_id: str,
        prefixes: Sequence[str] = (),
        now: datetime,
    ) -> IssuedCertificate:
        """Return the certificate of a regional controller's issuing CA: its right to admit.

        It covers local controllers of `region` and, of IP addresses, those in `prefixes` only.
        Raises as `issue_leaf`; NOT_ALLOWED if this is not the global controller's authority.
        """
        public_key = check_request(csr_pem)
        if self.region is not None:
            detail = f"the authority of region {self.region} makes no other authority"
            raise RefusedError(Refusal.NOT_ALLOWED, detail)
        check_place(controller_id, Role.REGIONAL, check_region(region))
        certificate = certificates.build_regional_authority(
            self._issuer,
            public_key,
            controller_id=controller_id,
            region=region,
            key_id=key_id,
            prefixes=prefixes,
            valid=self._validity(now, self._lifetimes.regional_authority),
        )
        return self._issued(certificate)

    def issue_reader(
        self,
        csr_pem: str,
        *,
        name: str,
        region: str | None,
        lifetime: timedelta,
        now: datetime,
    ) -> tuple[IssuedCertificate, str]:
        """Return the certificate of a reader, and the SHA-256 of its key.

        Raises RefusedError INVALID_CSR or NOT_ALLOWED (a region's authority cannot), InputError
        for names that cannot be, OperationError as `issue_leaf`.
        """
        public_key = check_request(csr_pem)
        if self.region is not None:
            detail = f"the authority of region {self.region} makes no reader"
            raise RefusedError(Refusal.NOT_ALLOWED, detail)
        if region is not None:
            check_region(region)
        key_sha256 = certificates.key_sha256(public_key)
        subject = reader_subject(name, region, key_sha256)
        valid = self._validity(now, lifetime)
        certificate = certificates.build_reader(self._issuer, public_key, subject, valid)
        return self._issued(certificate), key_sha256

    def _check_right(self, role: Role, region: str | None) -> None:
        if self.region is None:
            return
        if role is not Role.LOCAL:
            detail = f"the authority of region {self.region} is for local controllers only"
            raise RefusedError(Refusal.NOT_ALLOWED, detail)
        if region != self.region:
            raise RefusedError(Refusal.WRONG_REGION, f"this is region {self.region}")

    def _validity(self, now: datetime, lifetime: timedelta) -> certificates.Validity:
        if not self.is_in_force(now):
            raise OperationError(
                f"this authority's certificate holds from {self.not_before:%Y-%m-%d %H:%M} to "
                f"{self.not_after:%Y-%m-%d %H:%M} UTC and cannot issue now: check the clock; "
                "if it is right, renew the authority (pdsno pki show tells how)"
            )
        return certificates.validity(now, lifetime, self._issuer.certificate)

    def _issued(self, certificate: x509.Certificate) -> IssuedCertificate:
        return IssuedCertificate(
            chain_pem=certificates.to_pem(certificate, *self._chain),
            sha256=certificate.fingerprint(SHA256()).hex(),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
        )
