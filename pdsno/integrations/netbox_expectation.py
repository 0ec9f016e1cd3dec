"""What a NetBox lets expect of the network: its devices, their interfaces and cabling."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pdsno.domain.errors import OperationError
from pdsno.domain.expectation import (
    Expectation,
    ExpectedDevice,
    ExpectedInterface,
    ExpectedLink,
    LinkEnd,
    Presence,
)
from pdsno.integrations import netbox_records as records
from pdsno.integrations.netbox_client import NetBoxClient
from pdsno.integrations.netbox_records import Box, Port, Site
from pdsno.integrations.netbox_scope import NetBoxScope
from pdsno.integrations.platform_names import own_platform

_PRESENCE = {
    "active": Presence.MUST,
    "offline": Presence.MUST_NOT,
    "inventory": Presence.MUST_NOT,
}
_HOST_ROLE = re.compile(r"server|host|hypervisor|printer|camera|phone|pdu|ups|workstation|storage")


@dataclass(kw_only=True, slots=True)
class _Read:
    """All that was read, by NetBox's IDs."""

    sites: dict[str, Site]
    boxes: dict[int, Box]
    ports: dict[int, Port] = field(default_factory=dict)
    addresses: dict[int, list[str]] = field(default_factory=dict)


def read_netbox(client: NetBoxClient, scope: NetBoxScope) -> Expectation:
    """Read devices, interfaces, addresses and cabling. Raises as NetBoxClient does."""
    return _Expecting(client.url, _read(client, scope), scope).result()


def read_sites(client: NetBoxClient, scope: NetBoxScope) -> dict[str, Site]:
    """Read all sites, by slug, and check the scope's names against them."""
    sites = {site.slug: site for site in map(records.site, client.items("dcim/sites"))}
    scope.check(sites.values())
    return sites


def _read(client: NetBoxClient, scope: NetBoxScope) -> _Read:
    sites = read_sites(client, scope)
    found = _Read(sites=sites, boxes={})
    for query in _queries(scope):
        items = client.items("dcim/devices", {"exclude": "config_context", **query})
        found.boxes |= {box.id: box for box in map(records.box, items)}
    if not found.boxes:
        raise OperationError(f"{client.url} has no device in this scope: nothing to expect")
    if scope.with_interfaces:
        _read_ports(client, scope, found)
    return found


def _read_ports(client: NetBoxClient, scope: NetBoxScope, found: _Read) -> None:
    for query in [{"site": site} for site in scope.sites] or [{}]:
        for item in client.items("dcim/interfaces", query):
            port = records.port(item)
            if port is not None and port.device in found.boxes:
                found.ports[port.id] = port
    for item in client.items("ipam/ip-addresses", {"assigned_to_interface": "true"}):
        told = records.assigned(item)
        if told is not None and told[0] in found.ports:
            found.addresses.setdefault(told[0], []).append(told[1])


def _queries(scope: NetBoxScope) -> list[dict[str, str]]:
    """Return a query for each site and tag; NetBox takes one value a query here."""
    sites: list[dict[str, str]] = [{"site": one} for one in scope.sites] or [{}]
    tags: list[dict[str, str]] = [{"tag": one} for one in scope.tags] or [{}]
    return [{**site, **tag} for site in sites for tag in tags]


class _Expecting:
    """Makes an expectation of what was read."""

    def __init__(self, url: str, read: _Read, scope: NetBoxScope) -> None:
        self._url = url
        self._read = read
        self._scope = scope
        self._notes: Counter[str] = Counter()
        self._ports_of: dict[int, list[Port]] = {}
        for port in sorted(read.ports.values(), key=lambda one: one.id):
            self._ports_of.setdefault(port.device, []).append(port)
        self._names = self._unique_names()

    def result(self) -> Expectation:
        devices = tuple(self._device(box) for box in self._read.boxes.values())
        by_name = {one.name: one for one in devices}
        links = tuple(self._links(by_name)) if self._scope.with_interfaces else None
        notes = tuple(f"{count} devices {what}" for what, count in sorted(self._notes.items()))
        return Expectation(source=self._url, devices=devices, links=links, notes=notes)

    def _unique_names(self) -> dict[int, str]:
        """Name each device; NetBox lets two sites have one of the same name, and some none."""
        counts = Counter((box.name or "").casefold() for box in self._read.boxes.values())
        names = {}
        for box in self._read.boxes.values():
            is_alone = box.name and counts[box.name.casefold()] == 1
            names[box.id] = str(box.name) if is_alone else f"{box.name or 'device'} (#{box.id})"
        return names

    def _device(self, box: Box) -> ExpectedDevice:
        interfaces = tuple(self._interfaces(box))
        addresses = {text.partition("/")[0] for one in interfaces for text in one.ips}
        macs = frozenset(one.mac for one in interfaces if one.mac)
        presence = self._presence(box, has_trace=bool(box.primary_ips or addresses or macs))
        return ExpectedDevice(
            name=self._names[box.id],
            aliases=(box.name,) if box.name and box.name != self._names[box.id] else (),
            place=f"{self._url}/dcim/devices/{box.id}/",
            region=self._scope.region_of(self._read.sites.get(box.site or "")),
            serial=box.serial or None,
            vendor=box.vendor or None,
            model=box.model or None,
            platform=own_platform(box.platform),
            management_ip=next(iter(box.primary_ips), None),
            macs=macs,
            addresses=frozenset(addresses | set(box.primary_ips)),
            interfaces=interfaces,
            presence=presence,
            status=box.status,
            is_host=bool(_HOST_ROLE.search(box.role)) or own_platform(box.platform) == "linux",
            is_named=box.name is not None,
            tells_addresses=bool(addresses),
        )

    def _presence(self, box: Box, *, has_trace: bool) -> Presence:
        if box.master is not None and box.master != box.id:
            self._notes["are members of a virtual chassis: its master speaks for them"] += 1
            return Presence.MAY
        presence = _PRESENCE.get(box.status, Presence.MAY)
        if presence is Presence.MAY:
            self._notes[f"have status {box.status or 'none'}: they may be absent"] += 1
        elif presence is Presence.MUST and not has_trace:
            self._notes["have neither an address nor a MAC (patch panels?): not expected"] += 1
            return Presence.MAY
        return presence

    def _interfaces(self, box: Box) -> Iterator[ExpectedInterface]:
        """Yield the ports of which something is recorded: types of devices bring all the others."""
        for port in self._ports_of.get(box.id, ()):
            ips = tuple(sorted(self._read.addresses.get(port.id, ())))
            if port.mac or ips or port.is_cabled:
                yield ExpectedInterface(
                    name=port.name, mac=port.mac, ips=ips, is_enabled=port.is_enabled
                )

    # --- cabling -----------------------------------------------------------------------------

    def _links(self, devices: Mapping[str, ExpectedDevice]) -> Iterator[ExpectedLink]:
        """Yield what is cabled port to port, patch panels in between or not."""
        seen = set()
        for port in self._read.ports.values():
            if len(port.peers) != 1 or port.peers[0] not in self._read.ports:
                continue
            other = self._read.ports[port.peers[0]]
            ends = frozenset((self._end(port), self._end(other)))
            if ends in seen or len(ends) == 1:
                continue
            seen.add(ends)
            both = [devices[end.device] for end in ends]
            yield ExpectedLink(
                ends=ends,
                place=f"{self._url}/dcim/interfaces/{min(port.id, other.id)}/",
                is_told=_is_told(both),
            )

    def _end(self, port: Port) -> LinkEnd:
        """Return an end; a member's port is one of its virtual chassis."""
        box = self._read.boxes[port.device]
        owner = box.master if box.master in self._names else box.id
        return LinkEnd(device=self._names[owner or box.id], interface=port.name)


def _is_told(ends: Sequence[ExpectedDevice]) -> bool:
    """Tell whether somebody hears the other: hosts seldom do, what may be absent need not."""
    return not any(end.is_host or end.presence is not Presence.MUST for end in ends)
