"""Links (RFC 8345) out of what devices hear of one another by LLDP.

Every tier derives its links from its own devices, so a neighbour that one reporter does not know
is found when another reporter does. Both ends tell of each other: confirmed. One end: claimed.
The far end tells of somebody else on that port: conflict.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from pdsno.domain.entities import Device, DeviceStatus, Link, LinkEnd, LinkStatus, Neighbor
from pdsno.domain.errors import InputError
from pdsno.domain.identifiers import normalise_mac


@dataclass(frozen=True, slots=True)
class _Claim:
    """One device says: my port leads to that end."""

    teller: Device
    near: LinkEnd
    far: LinkEnd
    protocol: str


class _Directory:
    """Finds the device that a neighbour entry names."""

    def __init__(self, devices: Iterable[Device]) -> None:
        self._devices: dict[str, Device] = {}
        self._ids: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for device in devices:
            self._devices[device.device_id] = device
            for mac in device.macs:
                self._ids["chassis", mac].add(device.device_id)
            if device.chassis_id:
                self._ids["chassis", device.chassis_id].add(device.device_id)
            for ip in device.ips:
                self._ids["ip", device.namespace, ip].add(device.device_id)
            if device.name:
                self._ids["name", device.name].add(device.device_id)

    def find(self, teller: Device, entry: Neighbor) -> Device | None:
        """Return the named device if one kind of evidence names exactly one."""
        keys: list[tuple[str, ...]] = []
        if entry.remote_chassis_id:
            keys.append(("chassis", _normal(entry.remote_chassis_id)))
        if entry.remote_management_ip:
            keys.append(("ip", teller.namespace, entry.remote_management_ip))
        if entry.remote_name:
            keys.append(("name", entry.remote_name))
        for key in keys:
            ids = self._ids.get(key, set()) - {teller.device_id}
            if len(ids) == 1:
                return self._devices[next(iter(ids))]
        return None


def _normal(chassis_id: str) -> str:
    try:
        return normalise_mac(chassis_id)
    except InputError:
        return chassis_id


def _port(device: Device, told: str | None) -> str | None:
    """Return the name of the interface that a neighbour names by name, MAC or description."""
    if told is None:
        return None
    normal = _normal(told)
    for interface in device.interfaces:
        if interface.name == told or interface.mac == normal:
            return interface.name
    described = [i.name for i in device.interfaces if i.description == told]
    return described[0] if len(described) == 1 else told


def _claims(devices: list[Device]) -> list[_Claim]:
    directory = _Directory(devices)
    claims = []
    for teller in devices:
        if teller.status is DeviceStatus.INACTIVE:
            continue
        for entry in teller.neighbors:
            near = LinkEnd(
                device_id=teller.device_id, device=teller.name, interface=entry.local_interface
            )
            found = directory.find(teller, entry)
            if found is None:
                name = entry.remote_name or entry.remote_chassis_id
                far = LinkEnd(device_id=None, device=name, interface=entry.remote_interface)
            else:
                port = _port(found, entry.remote_interface)
                far = LinkEnd(device_id=found.device_id, device=found.name, interface=port)
            claims.append(_Claim(teller, near, far, entry.protocol))
    return claims


def _end_key(end: LinkEnd) -> tuple[str, str, str]:
    return (end.device_id or "", "" if end.device_id else end.device or "", end.interface or "")


def _link_id(a: LinkEnd, b: LinkEnd) -> str:
    text = "\0".join((*_end_key(a), *_end_key(b)))
    return f"link_{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def derive_links(devices: Iterable[Device]) -> tuple[Link, ...]:
    """Return all links that the devices' neighbour tables show, ordered by link_id.

    A link's `last_seen` is the latest sighting of a device that tells of it.
    """
    known = list(devices)
    claims = _claims(known)
    by_pair: dict[str, list[_Claim]] = defaultdict(list)
    by_port: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for claim in claims:
        a, b = sorted((claim.near, claim.far), key=_end_key)
        by_pair[_link_id(a, b)].append(claim)
        by_port[_end_key(claim.near)].add(_link_id(a, b))
    links = []
    for link_id, told in by_pair.items():
        a, b = sorted((told[0].near, told[0].far), key=_end_key)
        links.append(
            Link(
                link_id=link_id,
                a=a,
                b=b,
                source=told[0].protocol,
                status=_status(link_id, told, by_port),
                last_seen=max(claim.teller.last_seen for claim in told),
            )
        )
    return tuple(sorted(links, key=lambda link: link.link_id))


def _status(
    link_id: str, told: list[_Claim], by_port: dict[tuple[str, str, str], set[str]]
) -> LinkStatus:
    if len({claim.teller.device_id for claim in told}) > 1:
        return LinkStatus.CONFIRMED
    others = by_port.get(_end_key(told[0].far), set()) - {link_id}
    return LinkStatus.CONFLICT if others else LinkStatus.CLAIMED
