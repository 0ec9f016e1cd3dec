"""Devices out of a controller's REST API, whatever carries the requests: for inventories.

The Ansible collection carries this file along to where PDSNO is not: the standard library only.
"""

import json
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

DEFAULT_API = "http://127.0.0.1:8080"
API_VARIABLE = "PDSNO_API"
TOKEN_VARIABLE = "PDSNO_API_TOKEN"  # noqa: S105 - the name of a variable
CA_VARIABLE = "PDSNO_CA"
FILTERS = ("region", "device_type", "platform", "status")
ANY = "any"
"""As `status`: devices in every state."""
MOST_BYTES = 64 << 20
"""Of one answer."""

TOKEN = re.compile(r"pdsno_[A-Za-z0-9_-]{43}", re.ASCII)
_SCHEMES = ("http", "https")
_PAGE = 1000
_OTHERS = 0o077
_OK, _BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN, _UNPROCESSABLE = 200, 400, 401, 403, 422
_TOO_MANY, _SERVER_ERROR = 429, 500


class NIBRestError(Exception):
    """The NIB could not be read; the text is one line with cause and remedy."""


class WrongAccessError(NIBRestError):
    """What was given is wrong: the URL, the token, the CA, a filter."""


class BusyError(NIBRestError):
    """The API cannot answer now; the same may succeed later."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """Whose API to ask, and how. `ca` empty: the machine's own CAs; `origin` is of the token."""

    url: str
    token: str | None = field(default=None, repr=False)
    origin: str = ""
    ca: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """What each request says."""
        own = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        return {"Accept": "application/json", **own}


class Answer(NamedTuple):
    """What the API said."""

    status: int
    body: bytes


Get = Callable[[str], Answer]
"""Asks a URL and does not follow redirects. What it raises when there is no answer is its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedDevice:
    """A device as inventories need it. Names are the REST API's."""

    device_id: str
    name: str | None
    status: str
    device_type: str
    vendor: str | None
    model: str | None
    platform: str | None
    os_version: str | None
    serial: str | None
    region: str
    namespace: str
    management_ip: str | None
    macs: tuple[str, ...]
    ips: tuple[str, ...]


_FIELDS = tuple(one.name for one in fields(ListedDevice))
_LISTS = frozenset({"macs", "ips"})
_ALWAYS = frozenset({"device_id", "status", "device_type", "region", "namespace"})


def access_to(
    *,
    url: str | None = None,
    token: str | None = None,
    token_file: str | None = None,
    ca: str | None = None,
    environment: Mapping[str, str],
) -> Access:
    """Return how to ask the API: what is given counts, else the environment, else the default.

    Raises WrongAccessError, also if the token would travel in the clear.
    """
    where = checked_url(url or environment.get(API_VARIABLE) or DEFAULT_API)
    told, origin = _token(token, token_file, environment)
    if told is not None and not (where.startswith("https:") or is_loopback(where)):
        raise WrongAccessError(
            f"{where} would carry the token in the clear: off loopback the API speaks https://"
        )
    named = ca or environment.get(CA_VARIABLE)
    authority = Path(named).expanduser() if named else None
    if authority is not None:
        check_ca(authority)
    return Access(url=where, token=told, origin=origin, ca=str(authority or ""))


def checked_url(url: str) -> str:
    """Return the URL of an API without a slash at its end, or raise WrongAccessError."""
    try:
        parts = urlsplit(url)
        is_sound = (
            parts.scheme in _SCHEMES
            and bool(parts.hostname)
            and parts.port != 0
            and not (parts.username or parts.query or parts.fragment)
        )
    except ValueError:
        is_sound = False
    if not is_sound:
        raise WrongAccessError(f"{url!r} is not the URL of an API: write it as {DEFAULT_API}")
    return url.rstrip("/")


def is_loopback(url: str) -> bool:
    """Tell whether a URL never leaves the machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def check_ca(path: Path) -> None:
    """Raise WrongAccessError for a file that is no CA in PEM."""
    import ssl  # noqa: PLC0415 - slow, and few commands name a CA

    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError as error:
        raise WrongAccessError(f"{path} is no CA certificate in PEM") from error
    except OSError as error:
        raise WrongAccessError(f"cannot read the CA {path}: {error.strerror}") from error


def read_devices(access: Access, filters: Mapping[str, str], get: Get) -> list[ListedDevice]:
    """Return all devices that a filter lets through, by any of FILTERS; empty ones are no filter.

    Raises WrongAccessError, NIBRestError, and what `get` raises. No device at all is an error: an
    inventory that is empty by mistake does its harm in silence.
    """
    chosen = {key: value for key, value in filters.items() if value}
    if chosen.get("status") == ANY:
        del chosen["status"]
    query = {**chosen, "limit": str(_PAGE), "fields": ",".join(_FIELDS)}
    found: list[ListedDevice] = []
    seen: set[str] = set()
    cursor: str | None = None
    while True:
        asked = query if cursor is None else {**query, "cursor": cursor}
        page = _page(access, get(f"{access.url}/api/v1/devices?{urlencode(asked)}"))
        found += [_device(item, access) for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        if cursor in seen:
            raise NIBRestError(f"{access.url} gives the same page again and again")
        seen.add(cursor)
    if not found:
        named = ", ".join(f"{key} {value}" for key, value in chosen.items()) or "no filter"
        raise WrongAccessError(f"the NIB at {access.url} has no device to show ({named})")
    return found


def _page(access: Access, answer: Answer) -> dict[str, Any]:
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise _stranger(access)
    if answer.status != _OK:
        raise _refusal(access, answer.status, body.get("detail"))
    following = body.get("next_cursor", "")
    is_cursor = following is None or (isinstance(following, str) and following)
    if not isinstance(body.get("items"), list) or not is_cursor:
        raise _stranger(access)
    return body


def _refusal(access: Access, status: int, detail: object) -> NIBRestError:
    if _OK <= status < _BAD_REQUEST or not isinstance(detail, str):
        return _stranger(access)
    if status == _UNAUTHORIZED and access.token is None:
        return WrongAccessError(
            f"the API at {access.url} needs a token: on the controller's machine `pdsno api-token "
            "create --name inventory --role viewer` makes one; name it by token_file or "
            f"{TOKEN_VARIABLE}"
        )
    if status in {_UNAUTHORIZED, _FORBIDDEN}:
        return WrongAccessError(
            f"the API at {access.url} refused the token {access.origin}: {detail}"
        )
    if status in {_BAD_REQUEST, _UNPROCESSABLE}:
        return WrongAccessError(f"the API at {access.url} refused what was asked: {detail}")
    is_passing = status == _TOO_MANY or status >= _SERVER_ERROR
    kind = BusyError if is_passing else NIBRestError
    return kind(f"the API at {access.url} answered {status}: {detail}")


def _stranger(access: Access) -> NIBRestError:
    return NIBRestError(
        f"what listens at {access.url} is not a PDSNO API: name one by url or {API_VARIABLE}"
    )


def _device(item: object, access: Access) -> ListedDevice:
    if not isinstance(item, dict):
        raise _stranger(access)
    values: dict[str, Any] = {name: item.get(name) for name in _FIELDS}
    for name, value in values.items():
        if name in _LISTS:
            is_sound = isinstance(value, list) and all(isinstance(one, str) for one in value)
            values[name] = tuple(value) if is_sound else ()
        else:
            is_sound = isinstance(value, str) or (value is None and name not in _ALWAYS)
        if not is_sound:
            raise NIBRestError(
                f"{access.url} gave a device that this version does not understand: {name}"
            )
    return ListedDevice(**values)


def _token(
    token: str | None, token_file: str | None, environment: Mapping[str, str]
) -> tuple[str | None, str]:
    if token and token_file:
        raise WrongAccessError("give either token or token_file")
    if token_file:
        told, origin = _private(Path(token_file).expanduser()), f"in {token_file}"
    elif token:
        told, origin = token, "given as token"
    elif environment.get(TOKEN_VARIABLE):
        told, origin = environment[TOKEN_VARIABLE], f"in {TOKEN_VARIABLE}"
    else:
        return None, ""
    if not TOKEN.fullmatch(told.strip()):
        raise WrongAccessError(f"what is {origin} is no API token (pdsno_…)")
    return told.strip(), origin


def _private(path: Path) -> str:
    """Return the text of a file that nobody else may read."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise WrongAccessError(f"cannot read the token in {path}: {why}") from error
    if stat.S_IMODE(mode) & _OTHERS:
        raise WrongAccessError(f"others can read the token in {path}: chmod 600 {path}")
    return text
