"""(RC, GC) What is unusual between reporters: rules over the merged picture.

Only what no single reporter can know; what it can comes up with its reports. What spans regions is
of no region: a token for one of them does not see it.
"""

from collections.abc import Iterable, Iterator, Sequence

from pdsno.domain.anomalies.cycle import holders_told, is_there, named
from pdsno.domain.anomalies.entities import Finding, Kind
from pdsno.domain.entities import Device, Endpoint
from pdsno.domain.identifiers import Role

_TWO = 2


def place_of(device: Device | Endpoint, role: Role) -> str:
    """Return by what this tier tells its reporters apart: regions, or local controllers."""
    return device.region if role is Role.GLOBAL else device.local_controller


def moved(changes: Iterable[tuple[Device, Device]], role: Role) -> Iterator[Finding]:
    """Return devices that are another reporter's now than they were, of (before, after)."""
    for before, after in changes:
        old, new = place_of(before, role), place_of(after, role)
        if is_there(after) and old and new and old != new:
            what = "region" if role is Role.GLOBAL else "local_controller"
            yield Finding(
                kind=Kind.DEVICE_MOVED,
                key=after.device_id,
                subject=after.device_id,
                region=None if role is Role.GLOBAL else after.region,
                evidence={"name": named(after), "from": {what: old}, "to": {what: new}},
            )


def are_apart(devices: Sequence[Device], role: Role) -> bool:
    """Tell whether devices are of several reporters, so that none of them could compare them."""
    return len({place_of(device, role) for device in devices}) >= _TWO


def serial_in_two(serial: str, holders: Sequence[Device], role: Role) -> Iterator[Finding]:
    """Return it if devices of several reporters with different hardware tell one serial."""
    if are_apart(holders, role):
        yield Finding(
            kind=Kind.CLONED_SERIAL,
            key=serial,
            subject=serial,
            region=None if role is Role.GLOBAL else holders[0].region,
            evidence=holders_told(holders),
        )


def address_in_two(
    namespace: str, ip: str, holders: Sequence[Device], role: Role
) -> Iterator[Finding]:
    """Return it if two devices of several reporters are managed at one address."""
    there = [d for d in holders if is_there(d) and d.macs and d.management_ip == ip]
    if are_apart(there, role) and set(there[0].macs).isdisjoint(there[-1].macs):
        yield Finding(
            kind=Kind.ADDRESS_CONFLICT,
            key=f"{namespace}/{ip}",
            subject=ip,
            region=None if role is Role.GLOBAL else there[0].region,
            evidence={"namespace": namespace, "ip": ip, **holders_told(there)},
        )


def mac_in_two_regions(
    mac: str, devices: Sequence[Device], endpoints: Sequence[Endpoint]
) -> Iterator[Finding]:
    """Return it if one MAC is there in two regions at a time."""
    holders: list[Device | Endpoint] = [*filter(is_there, devices), *endpoints]
    regions = sorted({item.region for item in holders if item.region})
    if len(regions) < _TWO:
        return
    told = [
        {
            "region": item.region,
            "id": item.device_id if isinstance(item, Device) else item.endpoint_id,
            "ips": list(item.ips[:3]),
            "last_seen": item.last_seen.isoformat(),
        }
        for item in holders[:10]
    ]
    yield Finding(
        kind=Kind.MAC_IN_TWO_REGIONS,
        key=mac,
        subject=mac,
        region=None,
        evidence={"regions": regions, "holders": told},
    )
