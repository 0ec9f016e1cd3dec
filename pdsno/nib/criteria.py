"""What a caller asks for, checked and normalised once for all backends."""

import base64
import binascii
import json
from dataclasses import dataclass, fields

from pdsno.domain.entities import Device
from pdsno.domain.errors import InputError
from pdsno.domain.identifiers import normalise_mac
from pdsno.domain.ports import DeviceFilter
from pdsno.nib.codec import ip_key, ip_range, search_text

PAGE = 100
"""Items of a page unless the caller says otherwise."""

_LONGEST_Q = 200
_SOUGHT = ("mac", "ip", "q")
_EXACT = tuple(f.name for f in fields(DeviceFilter) if f.name not in _SOUGHT)


def check_limit(limit: int) -> int:
    """Return `limit`, else raise InputError."""
    if limit < 1:
        raise InputError(f"a limit of {limit} shows nothing: it must be at least 1")
    return limit


@dataclass(frozen=True, kw_only=True, slots=True)
class Criteria:
    """A DeviceFilter ready to be compared: exact fields by name, keys of the address range."""

    exact: dict[str, str]
    mac: str | None
    ip_from: str | None
    ip_to: str | None
    q: str | None

    def match(self, device: Device) -> bool:
        """Tell whether all conditions hold."""
        if self.exact and any(getattr(device, k) != v for k, v in self.exact.items()):
            return False
        if self.mac is not None and self.mac not in device.macs:
            return False
        if self.q is not None and self.q not in search_text(device):
            return False
        return self.ip_from is None or any(self._in_range(ip) for ip in device.ips)

    def _in_range(self, ip: str) -> bool:
        key = ip_key(ip)
        return key is not None and (self.ip_from or "") <= key <= (self.ip_to or "")


def criteria(where: DeviceFilter) -> Criteria:
    """Return the criteria of a filter. Raises InputError if a condition can hold for nothing."""
    asked = {name: getattr(where, name) for name in _EXACT}
    first, last = _range(where.ip) if where.ip is not None else (None, None)
    if where.q is not None and len(where.q) > _LONGEST_Q:
        raise InputError(f"q is {len(where.q)} characters long: at most {_LONGEST_Q}")
    return Criteria(
        exact={name: str(value) for name, value in asked.items() if value is not None},
        mac=normalise_mac(where.mac) if where.mac is not None else None,
        ip_from=first,
        ip_to=last,
        q=where.q.casefold() if where.q is not None else None,
    )


def _range(ip: str) -> tuple[str, str]:
    try:
        return ip_range(ip)
    except ValueError as error:
        raise InputError(f"{ip!r} is neither an address nor a prefix") from error


def interface_cursor(device_id: str, name: str) -> str:
    """Return the opaque place after an interface."""
    text = json.dumps([device_id, name], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def interface_place(cursor: str) -> tuple[str, str]:
    """Return (device_id, name) of a cursor, else raise InputError."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        device_id, name = json.loads(text)
    except (binascii.Error, ValueError, TypeError) as error:
        raise InputError("after is not a cursor that was given out here") from error
    if not isinstance(device_id, str) or not isinstance(name, str):
        raise InputError("after is not a cursor that was given out here")
    return device_id, name
