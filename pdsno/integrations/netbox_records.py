"""What NetBox tells, as values: one shape for what versions 3.7 to 4.x write differently.

Differences: `device_role` became `role` (4.0), a prefix's `site` became `scope` (4.2), an
interface's `mac_address` became objects of their own (4.2).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_interface, ip_network
from typing import Any

from pdsno.domain.errors import InputError
from pdsno.domain.identifiers import normalise_mac

SITE = "dcim.site"


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """A site; `region` and `group` are slugs."""

    slug: str
    name: str
    region: str = ""
    group: str = ""
    status: str = "active"


@dataclass(frozen=True, kw_only=True, slots=True)
class Prefix:
    """A prefix. `scope` is what it belongs to: a type (`dcim.site`) and a slug; `vrf` an ID."""

    prefix: str
    status: str
    scope: tuple[str, str] | None = None
    vrf: int | None = None
    is_container: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Port:
    """An interface of a device; `peers` are the IDs of those at the far end of its cabling."""

    id: int
    device: int
    name: str
    mac: str | None
    is_enabled: bool | None
    is_cabled: bool
    peers: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """A device. `master` is the ID of the one that speaks for its virtual chassis."""

    id: int
    name: str | None
    status: str
    site: str | None
    role: str
    platform: str
    vendor: str
    model: str
    serial: str
    primary_ips: tuple[str, ...]
    master: int | None = None


def site(item: Mapping[str, Any]) -> Site:
    """Read an item of `dcim/sites`."""
    return Site(
        slug=text(item, "slug"),
        name=text(item, "name"),
        region=slug(item.get("region")),
        group=slug(item.get("group")),
        status=choice(item.get("status")) or "active",
    )


def prefix(item: Mapping[str, Any]) -> Prefix | None:
    """Read an item of `ipam/prefixes`; None for one that is no prefix."""
    try:
        network = str(ip_network(text(item, "prefix")))
    except ValueError:
        return None
    scope = None
    if item.get("scope_type") and item.get("scope"):
        scope = (str(item["scope_type"]), slug(item["scope"]))
    elif item.get("site"):
        scope = (SITE, slug(item["site"]))
    status = choice(item.get("status"))
    vrf = item.get("vrf")
    return Prefix(
        prefix=network,
        status=status,
        scope=scope,
        vrf=vrf.get("id") if isinstance(vrf, dict) else None,
        is_container=status == "container",
    )


def box(item: Mapping[str, Any]) -> Box:
    """Read an item of `dcim/devices`."""
    kind = item.get("device_type")
    kind = kind if isinstance(kind, dict) else {}
    found = (address(item.get(name)) for name in ("primary_ip4", "primary_ip6"))
    chassis = item.get("virtual_chassis")
    master = chassis.get("master") if isinstance(chassis, dict) else None
    return Box(
        id=item["id"],
        name=text(item, "name") or None,
        status=choice(item.get("status")),
        site=slug(item.get("site")) or None,
        role=slug(item.get("role") or item.get("device_role")),
        platform=slug(item.get("platform")),
        vendor=text(kind.get("manufacturer"), "name"),
        model=text(kind, "model"),
        serial=text(item, "serial"),
        primary_ips=tuple(one for one in found if one),
        master=master.get("id") if isinstance(master, dict) else None,
    )


def port(item: Mapping[str, Any]) -> Port | None:
    """Read an item of `dcim/interfaces`; None for one of no device."""
    owner = item.get("device")
    if not isinstance(owner, dict) or not isinstance(owner.get("id"), int):
        return None
    is_of_ports = item.get("connected_endpoints_type") == "dcim.interface"
    peers = item.get("connected_endpoints") if is_of_ports else None
    enabled = item.get("enabled")
    return Port(
        id=item["id"],
        device=owner["id"],
        name=text(item, "name"),
        mac=_mac(item),
        is_enabled=enabled if isinstance(enabled, bool) else None,
        is_cabled=bool(item.get("cable")),
        peers=tuple(one["id"] for one in peers or () if isinstance(one, dict) and "id" in one),
    )


def _mac(item: Mapping[str, Any]) -> str | None:
    primary = item.get("primary_mac_address")
    told = text(primary, "mac_address") if isinstance(primary, dict) else text(item, "mac_address")
    try:
        return normalise_mac(told) if told else None
    except InputError:
        return None


def assigned(item: Mapping[str, Any]) -> tuple[int, str] | None:
    """Read an item of `ipam/ip-addresses`: its interface's ID and `address/prefixlen`, or None."""
    if item.get("assigned_object_type") != "dcim.interface":
        return None
    owner, told = item.get("assigned_object_id"), text(item, "address")
    try:
        return (owner, str(ip_interface(told))) if isinstance(owner, int) else None
    except ValueError:
        return None


def address(value: object) -> str | None:
    """Return the bare address of a nested IP address, or None."""
    told = text(value, "address")
    try:
        return str(ip_interface(told).ip) if told else None
    except ValueError:
        return None


def choice(value: object) -> str:
    """Return a choice: 3.7 and 4.x write an object, some plugins the bare value."""
    told = value.get("value") if isinstance(value, dict) else value
    return told if isinstance(told, str) else ""


def slug(value: object) -> str:
    """Return a nested object's slug."""
    return text(value, "slug")


def text(value: object, name: str) -> str:
    """Return a field of an object as text, empty for none; control characters become blanks."""
    told = value.get(name) if isinstance(value, dict) else None
    return re.sub(r"[\x00-\x1f\x7f]+", " ", told).strip() if isinstance(told, str) else ""
