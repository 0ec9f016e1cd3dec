"""The certificates that everybody trusts, and how a joiner knows that it got the right one."""

import hmac

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from pdsno.domain.errors import Refusal, RefusedError, RemoteProtocolError
from pdsno.identity.pki.certificates import to_pem

_MOST_BYTES = 64 * 1024
_MOST_ROOTS = 16
_BEGIN = b"-----BEGIN "


def load_certificates(pem: str | bytes) -> list[x509.Certificate]:
    """Return the certificates of a PEM bundle, at least one. Raises RemoteProtocolError."""
    data = pem.encode() if isinstance(pem, str) else pem
    if len(data) > _MOST_BYTES:
        raise RemoteProtocolError(f"certificates of {len(data)} bytes, at most {_MOST_BYTES}")
    try:
        found = x509.load_pem_x509_certificates(data)
        for certificate in found:
            certificate.extensions  # noqa: B018 - parsed only when asked for
    except (ValueError, x509.DuplicateExtension) as error:
        raise RemoteProtocolError("these are no certificates in PEM") from error
    if len(found) != data.count(_BEGIN):  # the parser passes over a last one that was cut
        raise RemoteProtocolError("these certificates in PEM are not whole")
    if len(found) > _MOST_ROOTS:
        raise RemoteProtocolError(f"{len(found)} certificates at once, at most {_MOST_ROOTS}")
    return found


def fingerprints(pem: str | bytes) -> tuple[str, ...]:
    """Return the hexadecimal SHA-256 of each certificate's DER, in order.

    Raises RemoteProtocolError for what is no bundle of certificates.
    """
    return tuple(item.fingerprint(SHA256()).hex() for item in load_certificates(pem))


def check_roots(pem: str | bytes, root_sha256: str) -> str:
    """Return, in PEM, the one root of a fetched bundle that the join token names; only it counts.

    Raises RemoteProtocolError for what is no bundle, RefusedError CHANNEL_MISMATCH if the root is
    not in it: somebody else answers there.
    """
    wanted = root_sha256.strip().lower()
    for certificate in load_certificates(pem):
        if hmac.compare_digest(certificate.fingerprint(SHA256()).hex().encode(), wanted.encode()):
            return to_pem(certificate)
    detail = "the other end does not show the root that the join token names: it is not our system"
    raise RefusedError(Refusal.CHANNEL_MISMATCH, detail)
