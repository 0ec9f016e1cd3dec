"""What is asked of certificates that were issued: until when they hold, and for which key."""

from datetime import datetime

from pdsno.identity.pki.requests import check_request
from pdsno.identity.pki.roots import load_certificates


def not_after(chain_pem: str) -> datetime:
    """Return when the leaf of a chain ends. Raises RemoteProtocolError if there is none."""
    return load_certificates(chain_pem)[0].not_valid_after_utc


def is_for(chain_pem: str, csr_pem: str) -> bool:
    """Tell whether the leaf of a chain is for the very key of a request.

    Raises RefusedError INVALID_CSR if that is no request.
    """
    if not chain_pem:
        return False
    return load_certificates(chain_pem)[0].public_key() == check_request(csr_pem)
