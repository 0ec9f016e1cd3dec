"""What a caller asks for, checked and normalised once for all backends."""

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TypeAlias

from pdsno.domain.entities import Device, Endpoint
from pdsno.domain.errors import InputError
from pdsno.domain.identifiers import normalise_mac
from pdsno.domain.ports import DeviceFilter, EndpointFilter
from pdsno.nib.codec import ip_key, ip_range, placed_addresses, search_text, utc
from pdsno.nib.codec_endpoints import endpoint_search_text

PAGE = 100
"""Items of a page unless the caller says otherwise."""

_LONGEST_Q = 200
_SOUGHT = ("mac", "ip", "q")
_EXACT = tuple(f.name for f in fields(DeviceFilter) if f.name not in _SOUGHT)
_ENDPOINT_EXACT = ("region", "namespace", "local_controller", "vendor", "mac")
_PORT_EXACT = ("device_id", "interface", "vlan")


def check_limit(limit: int) -> int:
    """Return `limit`, else raise InputError."""
    if limit < 1:
        raise InputError(f"a limit of {limit} shows nothing: it must be at least 1")
    return limit


@dataclass(frozen=True, kw_only=True, slots=True)
class IpRange:
    """Addresses from one to another, by their keys."""

    first: str
    last: str

    def has(self, ip: str) -> bool:
        """Tell whether an address is in the range; what is no address is not."""
        key = ip_key(ip)
        return key is not None and self.first <= key <= self.last


@dataclass(frozen=True, kw_only=True, slots=True)
class Criteria:
    """A DeviceFilter ready to be compared: exact fields by name, keys of the address range.

    `ip_namespace` is where the address is looked for; without an address the namespace is an
    exact field like the others.
    """

    exact: dict[str, str]
    mac: str | None
    ips: IpRange | None
    ip_namespace: str | None
    q: str | None

    def match(self, device: Device) -> bool:
        """Tell whether all conditions hold."""
        if self.exact and any(getattr(device, k) != v for k, v in self.exact.items()):
            return False
        if self.mac is not None and self.mac not in device.macs:
            return False
        if self.q is not None and self.q not in search_text(device):
            return False
        return self.ips is None or any(
            self.ips.has(ip) and self.ip_namespace in (None, namespace)
            for namespace, ip in placed_addresses(device)
        )


def criteria(where: DeviceFilter) -> Criteria:
    """Return the criteria of a filter. Raises InputError if a condition can hold for nothing."""
    asked = {name: str(value) for name in _EXACT if (value := getattr(where, name)) is not None}
    ips = _range(where.ip)
    if ips is not None:
        asked.pop("namespace", None)
    return Criteria(
        exact=asked,
        mac=normalise_mac(where.mac) if where.mac is not None else None,
        ips=ips,
        ip_namespace=where.namespace if ips is not None else None,
        q=_sought(where.q),
    )


Mark: TypeAlias = tuple[str, str]
"""A kind (mac, serial, ip) and a value: an address by its key."""


def mark_of(wanted: Criteria) -> Mark | None:
    """Return the one MAC, serial or address that whatever matches must have, None without one."""
    if wanted.mac is not None:
        return ("mac", wanted.mac)
    if "serial" in wanted.exact:
        return ("serial", wanted.exact["serial"])
    ips = wanted.ips
    return ("ip", ips.first) if ips is not None and ips.first == ips.last else None


def marks_of(device: Device) -> Iterator[Mark]:
    """Yield all by which `mark_of` may ask for a device."""
    for mac in device.macs:
        yield ("mac", mac)
    if device.serial is not None:
        yield ("serial", device.serial)
    for ip in {ip for _, ip in placed_addresses(device)}:
        key = ip_key(ip)
        if key is not None:
            yield ("ip", key)


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointCriteria:
    """An EndpointFilter ready to be compared; `exact` and `port` hold fields by name."""

    exact: dict[str, str | int]
    port: dict[str, str | int]
    ips: IpRange | None
    seen_since: datetime | None
    q: str | None

    def match(self, endpoint: Endpoint) -> bool:
        """Tell whether all conditions hold."""
        if any(getattr(endpoint, k) != v for k, v in self.exact.items()):
            return False
        if any(getattr(endpoint.attachment, k, None) != v for k, v in self.port.items()):
            return False
        if self.seen_since is not None and endpoint.last_seen < self.seen_since:
            return False
        if self.q is not None and self.q not in endpoint_search_text(endpoint):
            return False
        return self.ips is None or any(map(self.ips.has, endpoint.ips))


def endpoint_criteria(where: EndpointFilter) -> EndpointCriteria:
    """Return the criteria of a filter. Raises InputError if a condition can hold for nothing."""
    exact = {name: getattr(where, name) for name in _ENDPOINT_EXACT}
    if where.mac is not None:
        exact["mac"] = normalise_mac(where.mac)
    if where.is_random_mac is not None:
        exact["is_random_mac"] = int(where.is_random_mac)
    port = {name: getattr(where, name) for name in _PORT_EXACT}
    return EndpointCriteria(
        exact={name: value for name, value in exact.items() if value is not None},
        port={name: value for name, value in port.items() if value is not None},
        ips=_range(where.ip),
        seen_since=utc(where.seen_since) if where.seen_since is not None else None,
        q=_sought(where.q),
    )


def _sought(q: str | None) -> str | None:
    if q is not None and len(q) > _LONGEST_Q:
        raise InputError(f"q is {len(q)} characters long: at most {_LONGEST_Q}")
    return q.casefold() if q is not None else None


def _range(ip: str | None) -> IpRange | None:
    if ip is None:
        return None
    try:
        first, last = ip_range(ip)
    except ValueError as error:
        raise InputError(f"{ip!r} is neither an address nor a prefix") from error
    return IpRange(first=first, last=last)


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
