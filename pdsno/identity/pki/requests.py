"""Certificate requests (PKCS #10): made by whoever needs a certificate, strictly checked."""

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from pdsno.domain.errors import Refusal, RefusedError

_MOST_CHARACTERS = 4096


def new_key() -> ec.EllipticCurvePrivateKey:
    """Return a new P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def key_to_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the private key as unencrypted PKCS#8 PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def key_from_pem(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """Return the P-256 key of a PEM. Raises ValueError if there is none."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("not an open private key") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not _is_p256(key.public_key()):
        raise ValueError("not a P-256 key")
    return key


def make_request(key: ec.EllipticCurvePrivateKey) -> str:
    """Return a request in PEM. It names nobody: the issuer says who the key is of."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def check_request(csr_pem: str) -> ec.EllipticCurvePublicKey:
    """Return the key of a request; nothing else is taken from it.

    Raises RefusedError INVALID_CSR unless it is of a P-256 key that signed it itself.
    """
    if len(csr_pem) > _MOST_CHARACTERS:
        detail = f"a request of {len(csr_pem)} characters, at most {_MOST_CHARACTERS}"
        raise RefusedError(Refusal.INVALID_CSR, detail)
    try:
        request = x509.load_pem_x509_csr(csr_pem.encode("ascii"))
        key = request.public_key()
        # The kind first: verifying with a key of the sender's choice may take long.
        if not isinstance(key, ec.EllipticCurvePublicKey) or not _is_p256(key):
            raise RefusedError(Refusal.INVALID_CSR, "the key is not of the curve P-256")
        is_signed = request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise RefusedError(Refusal.INVALID_CSR, "not a PKCS #10 request in PEM") from error
    if not is_signed:
        raise RefusedError(Refusal.INVALID_CSR, "its key did not sign it")
    return key


def _is_p256(key: ec.EllipticCurvePublicKey) -> bool:
    return isinstance(key.curve, ec.SECP256R1)
