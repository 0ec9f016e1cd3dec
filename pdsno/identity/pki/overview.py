"""What certificates a controller's state directory holds, for people."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from pdsno.domain.errors import OperationError
from pdsno.identity.pki.credentials import CredentialFolder
from pdsno.identity.pki.names import authority_place
from pdsno.identity.pki.renewal import AUTHORITY_FRACTION, LEAF_FRACTION, Standing, standing
from pdsno.identity.pki.roots import load_certificates

AUTHORITY_FOLDER = "authority"
TLS_FOLDER = "tls"


class Kind(StrEnum):
    """What a certificate is in the chain."""

    ROOT = "root"
    GLOBAL_AUTHORITY = "global authority"
    REGIONAL_AUTHORITY = "regional authority"
    LEAF = "controller"


_FRACTIONS = {Kind.ROOT: 0.9, Kind.LEAF: LEAF_FRACTION}
_RENEWED_BY = {
    Kind.ROOT: "every controller joins again",
    Kind.GLOBAL_AUTHORITY: "pdsno pki renew-authority, with the root key",
    Kind.REGIONAL_AUTHORITY: "itself",
    Kind.LEAF: "itself",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class CertificateView:
    """One certificate: whose it is, until when it holds, and what renews it."""

    kind: Kind
    subject: str
    sha256: str
    not_before: datetime
    not_after: datetime
    status: Standing
    renewed_by: str
    file: str


def overview(state_dir: Path, now: datetime) -> list[CertificateView]:
    """Return every certificate of a controller once, from the root down.

    Raises OperationError if there are none, or files are damaged or not private.
    """
    views: dict[str, CertificateView] = {}
    for folder, name in ((AUTHORITY_FOLDER, "authority"), (TLS_FOLDER, "tls")):
        kept = CredentialFolder(state_dir / folder, name, remedy="restore it from a backup")
        roots, credential = kept.roots(), kept.load()
        found = [(root, kept.roots_path) for root in load_certificates(roots)] if roots else []
        found += [(one, kept.path) for one in reversed(credential.chain if credential else ())]
        for certificate, path in found:
            view = _view(certificate, path, now)
            views.setdefault(view.sha256, view)
    if not views:
        raise OperationError(
            f"there are no certificates in {state_dir}: name a controller's settings with "
            "--settings, or its state directory with --state-dir"
        )
    order = list(Kind)
    return sorted(views.values(), key=lambda view: order.index(view.kind))


def _view(certificate: x509.Certificate, path: Path, now: datetime) -> CertificateView:
    kind = _kind(certificate)
    not_before, not_after = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return CertificateView(
        kind=kind,
        subject=certificate.subject.rfc4514_string(),
        sha256=certificate.fingerprint(SHA256()).hex(),
        not_before=not_before,
        not_after=not_after,
        status=standing(
            not_before, not_after, now=now, fraction=_FRACTIONS.get(kind, AUTHORITY_FRACTION)
        ),
        renewed_by=_RENEWED_BY[kind],
        file=str(path),
    )


def _kind(certificate: x509.Certificate) -> Kind:
    if certificate.subject == certificate.issuer:
        return Kind.ROOT
    try:
        _, region = authority_place(certificate.subject)
    except ValueError:
        return Kind.LEAF
    return Kind.GLOBAL_AUTHORITY if region is None else Kind.REGIONAL_AUTHORITY
