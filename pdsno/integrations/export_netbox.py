"""The NIB as requests to NetBox's REST API, in the order in which they depend on one another.

Nothing is sent: whoever carries them out has seen them. A value `{"$id": REF}` stands for the ID
that NetBox gave to the request with that `ref`; `find` is the query by which to see first whether
it is there already. docs/how-to/netbox.md has the dozen lines that carry such a file out.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_interface
from typing import Any

from pdsno.domain.compare_match import identifying_addresses
from pdsno.domain.entities import Device, DeviceStatus, Interface, Link, LinkStatus
from pdsno.domain.identifiers import is_identifying_mac
from pdsno.domain.interface_names import spellings
from pdsno.integrations.inventory_names import in_order

_UNKNOWN = "Unknown"
_NAME, _TEXT, _SERIAL = 64, 100, 50
_LARGEST_MTU, _LARGEST_SPEED = 65_536, 2_147_483_647
_STATUS = {
    DeviceStatus.ACTIVE: "active",
    DeviceStatus.DEGRADED: "active",
    DeviceStatus.INACTIVE: "offline",
    DeviceStatus.UNREACHABLE: "failed",
    DeviceStatus.QUARANTINED: "failed",
}
_VIRTUAL = re.compile(
    r"lo\d*$|loopback|vlan|irb|bvi|bdi|tunnel|tu\d|nve|vxlan|null|dummy|br[-_\d]|bridge|"
    r"virtual|vrf|.*\.\d+$",
    re.IGNORECASE,
)
_LAG = re.compile(
    r"port-channel|po\d|bond|ae\d|bundle-ether|lag|eth-trunk|bridge-aggregation", re.IGNORECASE
)
_COLOUR = "9e9e9e"

Body = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request. `resource` as in `dcim/sites`; a PATCH names its object by `id`."""

    ref: str
    method: str
    resource: str
    body: Body
    find: Mapping[str, Any] = field(default_factory=dict)
    id: Mapping[str, str] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the object that stands in the file."""
        found: dict[str, Any] = {
            "ref": self.ref,
            "method": self.method,
            "path": f"/api/{self.resource}/",
        }
        if self.id is not None:
            found["id"] = dict(self.id)
        if self.find:
            found["find"] = dict(self.find)
        return {**found, "body": self.body}


@dataclass(frozen=True, kw_only=True, slots=True)
class Export:
    """All requests in order; `notes` say what could not be said to NetBox, and why."""

    requests: tuple[Request, ...]
    notes: tuple[str, ...]


def netbox_requests(
    devices: Iterable[Device], links: Iterable[Link], *, has_mac_objects: bool = True
) -> Export:
    """Return what brings devices, interfaces, addresses, MACs and cables into a NetBox.

    Without `has_mac_objects` (NetBox before 4.2) an interface's MAC is a field of its own.
    """
    exporting = _Exporting(in_order(devices), has_mac_objects=has_mac_objects)
    requests = tuple(exporting.requests(list(links)))
    notes = tuple(f"{count} {what}" for what, count in sorted(exporting.notes.items()))
    return Export(requests=requests, notes=notes)


def _id(ref: str) -> dict[str, str]:
    return {"$id": ref}


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:_TEXT] or "unknown"


class _Exporting:
    """One export under way."""

    def __init__(self, devices: Sequence[Device], *, has_mac_objects: bool) -> None:
        self._devices = devices
        self._has_mac_objects = has_mac_objects
        self.notes: Counter[str] = Counter()
        self._by_id = {one.device_id: one for one in devices}
        self._names = _unique_names(devices)
        spaces: dict[str, set[str]] = defaultdict(set)
        for device in devices:
            for text in _addresses(device):
                spaces[text.partition("/")[0]].add(device.namespace)
        self._in_many_spaces = {ip for ip, found in spaces.items() if len(found) > 1}
        self._holders: Counter[tuple[str | None, str]] = Counter(
            (self._vrf(device, one.vrf, text), text.partition("/")[0])
            for device in devices
            for one in device.interfaces
            for text in one.ips
        )
        self._cabled: set[str] = set()

    def requests(self, links: Sequence[Link]) -> Iterator[Request]:
        yield from self._catalogue()
        for device in self._devices:
            yield self._device(device)
            for one in device.interfaces:
                yield from self._interface(device, one)
            yield from self._primary(device)
        for link in sorted(links, key=lambda one: one.link_id):
            yield from self._cable(link)

    # --- what devices are made of ------------------------------------------------------------

    def _catalogue(self) -> Iterator[Request]:
        """Yield makers, types, roles, platforms, sites and VRFs, each once."""
        makers = {one.vendor or _UNKNOWN for one in self._devices}
        yield from _named("manufacturer", "dcim/manufacturers", makers)
        types = {(one.vendor or _UNKNOWN, one.model or _UNKNOWN) for one in self._devices}
        seen: set[str] = set()
        for maker, model in sorted(types):
            ref = _type_ref(maker, model)
            if ref not in seen:
                yield _type_request(ref, maker, model)
            seen.add(ref)
        roles = {str(one.device_type) for one in self._devices}
        yield from _named("role", "dcim/device-roles", roles, {"color": _COLOUR})
        platforms = {one.platform for one in self._devices if one.platform}
        yield from _named("platform", "dcim/platforms", platforms)
        sites = {one.region or _UNKNOWN for one in self._devices}
        yield from _named("site", "dcim/sites", sites, {"status": "active"})
        vrfs = {
            self._vrf(device, one.vrf, text)
            for device in self._devices
            for one in device.interfaces
            for text in one.ips
        } | {self._vrf(one, None, one.management_ip or "") for one in self._devices}
        for name in sorted(filter(None, vrfs)):
            yield Request(
                ref=f"vrf:{name}", method="POST", resource="ipam/vrfs", body={"name": name[:_TEXT]},
                find={"name": name[:_TEXT]},
            )  # fmt: skip

    def _vrf(self, device: Device, vrf: str | None, ip: str) -> str | None:
        """Return the VRF of an address: its own, else the namespace's where that tells apart."""
        is_shared = ip.partition("/")[0] in self._in_many_spaces
        has_space = device.namespace and (device.namespace != device.region or is_shared)
        space = device.namespace if has_space else None
        return "/".join(filter(None, (space, vrf))) or None

    # --- devices and their ports -------------------------------------------------------------

    def _device(self, device: Device) -> Request:
        site = device.region or _UNKNOWN
        body: Body = {
            "name": self._names[device.device_id],
            "device_type": _id(_type_ref(device.vendor or _UNKNOWN, device.model or _UNKNOWN)),
            "role": _id(f"role:{_slug(str(device.device_type))}"),
            "site": _id(f"site:{_slug(site)}"),
            "status": _STATUS[device.status],
            "description": f"PDSNO {device.device_id}"[:200],
        }
        if device.platform:
            body["platform"] = _id(f"platform:{_slug(device.platform)}")
        if device.serial:
            body["serial"] = device.serial[:_SERIAL]
        return Request(
            ref=f"device:{device.device_id}", method="POST", resource="dcim/devices", body=body,
            find={"name": body["name"], "site": _slug(site)},
        )  # fmt: skip

    def _interface(self, device: Device, one: Interface) -> Iterator[Request]:
        ref = _port_ref(device, one.name)
        name = one.name[:_NAME]
        body: Body = {
            "device": _id(f"device:{device.device_id}"),
            "name": name,
            "type": _type_of(one.name),
        }
        body |= _optional(one)
        is_own_mac = bool(one.mac) and is_identifying_mac(one.mac or "")
        if is_own_mac and not self._has_mac_objects:
            body["mac_address"] = one.mac
        yield Request(
            ref=ref, method="POST", resource="dcim/interfaces", body=body,
            find={"device_id": _id(f"device:{device.device_id}"), "name": name},
        )  # fmt: skip
        if is_own_mac and self._has_mac_objects:
            yield from _mac(ref, one.mac or "")
        for text in sorted(set(one.ips)):
            if identifying_addresses([text]):
                yield self._address(device, one, text, ref)

    def _address(self, device: Device, one: Interface, text: str, port: str) -> Request:
        vrf = self._vrf(device, one.vrf, text)
        address = str(ip_interface(text))
        body: Body = {
            "address": address,
            "status": "active",
            "assigned_object_type": "dcim.interface",
            "assigned_object_id": _id(port),
        }
        if self._is_shared(vrf, text):
            body["role"] = "vip"  # NetBox refuses the second one of any other role
        find: Body = {"address": address, "interface_id": _id(port)}
        if vrf:
            body["vrf"] = _id(f"vrf:{vrf}")
        return Request(
            ref=f"ip:{port}/{address}", method="POST", resource="ipam/ip-addresses", body=body,
            find=find,
        )  # fmt: skip

    def _is_shared(self, vrf: str | None, text: str) -> bool:
        return self._holders[vrf, text.partition("/")[0]] > 1

    def _primary(self, device: Device) -> Iterator[Request]:
        ip = device.management_ip
        if ip is None:
            return
        for one in device.interfaces:
            for text in one.ips:
                if text.partition("/")[0] == ip and identifying_addresses([text]):
                    ref = f"ip:{_port_ref(device, one.name)}/{ip_interface(text)}"
                    name = f"primary_ip{ip_address(ip).version}"
                    owner = f"device:{device.device_id}"
                    yield Request(
                        ref=f"primary:{device.device_id}", method="PATCH", resource="dcim/devices",
                        id=_id(owner), body={name: _id(ref)},
                    )  # fmt: skip
                    return
        if identifying_addresses([ip]):
            self.notes["addresses are assigned to no interface: none was told that has them"] += 1
            yield self._loose_address(device, ip)

    def _loose_address(self, device: Device, ip: str) -> Request:
        """Return an address alone: its device answers there and told no interface."""
        vrf = self._vrf(device, None, ip)
        address = str(ip_interface(ip))
        body: Body = {
            "address": address,
            "status": "active",
            "description": f"{self._names[device.device_id]}, PDSNO {device.device_id}"[:200],
        }
        if vrf:
            body["vrf"] = _id(f"vrf:{vrf}")
        return Request(
            ref=f"ip:{device.device_id}/{address}", method="POST", resource="ipam/ip-addresses",
            body=body, find={"address": address, "vrf_id": body.get("vrf", "null")},
        )  # fmt: skip

    # --- cables ------------------------------------------------------------------------------

    def _cable(self, link: Link) -> Iterator[Request]:
        if link.status is LinkStatus.CONFLICT:
            self.notes["links are left out: their ends contradict each other"] += 1
            return
        ports = [self._port(end.device_id, end.interface) for end in (link.a, link.b)]
        a, b = ports
        if a is None or b is None:
            self.notes["links are left out: an end is no port that can be cabled"] += 1
        elif {a, b} & self._cabled:
            self.notes["links are left out: a port of theirs is cabled already"] += 1
        else:
            self._cabled |= {a, b}
            yield Request(
                ref=f"cable:{link.link_id}", method="POST", resource="dcim/cables",
                body={
                    "a_terminations": [{"object_type": "dcim.interface", "object_id": _id(a)}],
                    "b_terminations": [{"object_type": "dcim.interface", "object_id": _id(b)}],
                    "status": "connected",
                },
                find={"termination_a_type": "dcim.interface", "termination_a_id": _id(a)},
            )  # fmt: skip

    def _port(self, device_id: str | None, name: str | None) -> str | None:
        device = self._by_id.get(device_id or "")
        if device is None or not name:
            return None
        near = [
            one.name
            for one in device.interfaces
            if one.name == name or spellings(one.name) & spellings(name)
        ]
        exact = [one for one in near if one == name] or near
        if len(exact) != 1 or _type_of(exact[0]) != "other":
            return None
        return _port_ref(device, exact[0])


def _named(
    kind: str, resource: str, names: Iterable[str], more: Mapping[str, Any] | None = None
) -> Iterator[Request]:
    """Yield one request for each slug: "Cisco" and "CISCO" are one."""
    by_slug: dict[str, str] = {}
    for name in sorted(names):
        by_slug.setdefault(_slug(name), name)
    for slug, name in by_slug.items():
        body = {"name": name[:_TEXT], "slug": slug, **(more or {})}
        yield Request(
            ref=f"{kind}:{slug}", method="POST", resource=resource, body=body, find={"slug": slug}
        )


def _type_ref(maker: str, model: str) -> str:
    return f"device-type:{_slug(maker)}/{_slug(model)}"


def _type_request(ref: str, maker: str, model: str) -> Request:
    slug = _slug(f"{maker} {model}")
    body = {"manufacturer": _id(f"manufacturer:{_slug(maker)}"), "model": model[:_TEXT],
            "slug": slug}  # fmt: skip
    return Request(
        ref=ref, method="POST", resource="dcim/device-types", body=body, find={"slug": slug}
    )


def _mac(port: str, mac: str) -> Iterator[Request]:
    ref = f"mac:{port}"
    body: Body = {
        "mac_address": mac,
        "assigned_object_type": "dcim.interface",
        "assigned_object_id": _id(port),
    }
    yield Request(
        ref=ref, method="POST", resource="dcim/mac-addresses", body=body,
        find={"mac_address": mac, "interface_id": _id(port)},
    )  # fmt: skip
    yield Request(
        ref=f"primary-{ref}", method="PATCH", resource="dcim/interfaces", id=_id(port),
        body={"primary_mac_address": _id(ref)},
    )  # fmt: skip


def _optional(one: Interface) -> Body:
    found: Body = {}
    if one.admin_status in {"up", "down"}:
        found["enabled"] = one.admin_status == "up"
    if one.mtu and 0 < one.mtu <= _LARGEST_MTU:
        found["mtu"] = one.mtu
    if one.speed_mbps and 0 < one.speed_mbps * 1000 <= _LARGEST_SPEED:
        found["speed"] = one.speed_mbps * 1000
    if one.description:
        found["description"] = one.description[:200]
    return found


def _type_of(name: str) -> str:
    """Return the type of an interface: NetBox wants one, and what is pluggable we do not know."""
    if _LAG.match(name):
        return "lag"
    return "virtual" if _VIRTUAL.match(name) else "other"


def _port_ref(device: Device, name: str) -> str:
    return f"interface:{device.device_id}/{name}"


def _addresses(device: Device) -> set[str]:
    own = {device.management_ip} if device.management_ip else set()
    return own | {text for one in device.interfaces for text in one.ips}


def _unique_names(devices: Sequence[Device]) -> dict[str, str]:
    """Name devices: NetBox wants a site's to differ, whatever their case, in 64 characters."""
    own = {one.device_id: one.name or one.management_ip or one.device_id for one in devices}
    counts = Counter((one.region, own[one.device_id][:_NAME].casefold()) for one in devices)
    names = {}
    for one in devices:
        name = own[one.device_id][:_NAME]
        if counts[one.region, name.casefold()] > 1:
            name = f"{name[: _NAME - len(one.device_id) - 3]} ({one.device_id})"
        names[one.device_id] = name
    return names
