"""Certificates from one form into another."""

from cryptography.hazmat.primitives.serialization import Encoding

from pdsno.identity.pki.roots import load_certificates


def der_of(chain_pem: str) -> bytes:
    """Return the first certificate of a chain as TLS hands it over."""
    return load_certificates(chain_pem)[0].public_bytes(Encoding.DER)
