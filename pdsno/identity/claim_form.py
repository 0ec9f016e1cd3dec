"""The form of what a joiner says of itself, checked before anything is believed or stored."""

from urllib.parse import urlsplit

from pdsno.domain.errors import InputError, RemoteProtocolError
from pdsno.domain.identifiers import check_controller_id, check_region
from pdsno.domain.messages import ValidationRequest
from pdsno.domain.policy import check_subnet

_MOST_SUBNETS = 256
_LONGEST_HOSTNAME = 253
_LONGEST_URL = 512
_LONGEST_TOKEN = 4096


def check_form(request: ValidationRequest) -> None:
    """Raise RemoteProtocolError, naming the field, unless a request is well formed."""
    try:
        check_controller_id(request.temp_id)
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
    ):
        if not is_sound:
            raise RemoteProtocolError(f"VALIDATION_REQUEST: {field} is malformed")


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
