"""The form of what a joiner says of itself, checked before anything is believed or stored."""

from urllib.parse import urlsplit

from pdsno.domain.errors import InputError, RemoteProtocolError
from pdsno.domain.identifiers import Role, check_controller_id, check_region
from pdsno.domain.messages import ValidationRequest
from pdsno.domain.policy import check_subnet

_MOST_SUBNETS = 256
_LONGEST_HOSTNAME = 253
_LONGEST_URL = 512
_LONGEST_TOKEN = 4096
_LONGEST_CSR = 4096
_MOST_ADDRESSES = 8
_LONGEST_ADDRESS = 45
_HIGHEST_GENERATION = 2**53


def check_form(request: ValidationRequest) -> None:
    """Raise RemoteProtocolError, naming the field, unless a request is well formed."""
    try:
        check_controller_id(request.temp_id)
        if not (request.region is None and request.role == Role.BROKER.value):
            check_region(request.region or "")
        for subnet in request.subnets:
            check_subnet(subnet, force=True)
    except InputError as error:
        raise RemoteProtocolError(f"VALIDATION_REQUEST: {error}") from error
    for field, is_sound in (
        ("subnets", len(request.subnets) <= _MOST_SUBNETS),
        ("hostname", len(request.hostname) <= _LONGEST_HOSTNAME and _is_plain(request.hostname)),
        ("token", len(request.token) <= _LONGEST_TOKEN),
        ("url", request.url is None or _is_url(request.url)),
        ("csr", _is_pem(request.csr)),
        ("authority_csr", not request.authority_csr or _is_pem(request.authority_csr)),
        ("generation", 0 <= (request.generation or 0) <= _HIGHEST_GENERATION),
        ("addresses", _are_addresses(request.addresses)),
    ):
        if not is_sound:
            raise RemoteProtocolError(f"VALIDATION_REQUEST: {field} is malformed")


def _is_pem(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_CSR and text.isascii()


def _are_addresses(addresses: tuple[str, ...]) -> bool:
    return len(addresses) <= _MOST_ADDRESSES and all(
        len(a) <= _LONGEST_ADDRESS and a.isascii() for a in addresses
    )


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises ValueError if it is none
    except ValueError:
        return False
    is_short = len(text) <= _LONGEST_URL and _is_plain(text)
    return is_short and parts.scheme in ("http", "https") and bool(parts.hostname)
