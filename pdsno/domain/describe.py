"""From what sources told to the fields of a device: whose word counts, and what is kept.

Rank per field: SSH before SNMP before what the sweep shows. Nothing is overwritten by null; what
a device that told its interfaces really lost (a MAC, an address, a neighbour) goes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pdsno.domain.coverage import Coverage
from pdsno.domain.entities import (
    Device,
    DeviceStatus,
    DeviceType,
    FieldSource,
    Interface,
    Neighbor,
)
from pdsno.domain.jsonable import jsonable
from pdsno.domain.observations import Facts, ObservedDevice

VendorOf = Callable[[str], str | None]
"""Who made the hardware behind a normalised MAC, as registered, or None."""

RANK = {"operator": 0, "ssh": 1, "snmp": 2, "lldp": 3, "arp": 4}
_SCALARS = (
    "name", "vendor", "model", "platform", "os_version",
    "serial", "chassis_id", "engine_id", "ssh_host_key",
)  # fmt: skip
_SILENT_FIELDS = frozenset(
    {"device_id", "last_seen", "version", "provenance", "missed", "first_seen"}
)


def rank(source: str) -> int:
    """Return how far down a source stands: the smaller, the more its word counts."""
    return RANK.get(source, len(RANK))


def describe(
    observed: ObservedDevice,
    previous: Device | None,
    *,
    device_id: str,
    region: str,
    local_controller: str,
    coverage: Coverage,
    vendor_of: VendorOf,
) -> Device:
    """Return the device as it now stands: what was told, over what was known."""
    facts = sorted(observed.facts, key=lambda f: (rank(f.source), f.address))
    values, provenance = _scalars(observed, facts, vendor_of)
    interfaces = merge_interfaces([f.interfaces for f in facts])
    neighbors = _neighbors(facts)
    sources = {s.method.value for s in observed.sightings} | {f.source for f in facts}
    device = Device(
        device_id=device_id,
        status=DeviceStatus.ACTIVE,
        device_type=_device_type(facts),
        region=region,
        namespace=observed.namespace,
        local_controller=local_controller,
        management_ip=observed.management_ip,
        macs=observed.macs,
        ips=observed.ips,
        interfaces=interfaces,
        neighbors=neighbors or (),
        sources=tuple(sorted(sources)),
        first_seen=previous.first_seen if previous else observed.at,
        last_seen=observed.at,
        version=previous.version if previous else 0,
        provenance=provenance,
        **values,
    )
    if previous is None:
        return device
    return _over(previous, device, coverage, told_neighbors=neighbors is not None)


def _scalars(
    observed: ObservedDevice, facts: Sequence[Facts], vendor_of: VendorOf
) -> tuple[dict[str, Any], dict[str, FieldSource]]:
    values: dict[str, Any] = dict.fromkeys(_SCALARS)
    provenance: dict[str, FieldSource] = {}
    for name in _SCALARS:
        for item in facts:
            value = getattr(item, name)
            if value is not None:
                values[name] = value
                provenance[name] = FieldSource(source=item.source, at=item.at)
                break
    if values["vendor"] is None:
        seen = (s.mac for s in observed.sightings if s.mac in observed.macs)
        registered = next((v for mac in seen if mac and (v := vendor_of(mac))), None)
        if registered:
            values["vendor"] = registered
            provenance["vendor"] = FieldSource(source="arp", at=observed.at)
    teller = next((f.source for f in facts if f.interfaces), None)
    if teller:
        provenance["interfaces"] = FieldSource(source=teller, at=observed.at)
    source = facts[0].source if facts else observed.sightings[0].method.value
    provenance |= dict.fromkeys(
        ("macs", "ips", "management_ip"), FieldSource(source=source, at=observed.at)
    )
    return values, provenance


def _device_type(facts: Sequence[Facts]) -> DeviceType:
    if not facts:
        return DeviceType.ENDPOINT
    told = (f.device_type for f in facts if f.device_type is not DeviceType.UNKNOWN)
    return next(told, DeviceType.UNKNOWN)


def _neighbors(facts: Sequence[Facts]) -> tuple[Neighbor, ...] | None:
    """Return the neighbours of the best source that has any; None if no source was able to tell."""
    told = [f.neighbors for f in facts if f.neighbors is not None]
    if not told:
        return None
    best = next((entries for entries in told if entries), ())
    return tuple(sorted(best, key=_neighbor_key))


def _neighbor_key(entry: Neighbor) -> tuple[str, str, str]:
    return (
        entry.local_interface,
        entry.remote_chassis_id or entry.remote_name or "",
        entry.remote_interface or "",
    )


def merge_interfaces(tables: Iterable[Iterable[Interface]]) -> tuple[Interface, ...]:
    """Return one table by name; the first table's word counts, later ones fill its gaps."""
    merged: dict[str, Interface] = {}
    for table in tables:
        for entry in table:
            known = merged.get(entry.name)
            merged[entry.name] = _fill(known, entry) if known else _sorted_ips(entry)
    return tuple(merged[name] for name in sorted(merged))


def _sorted_ips(entry: Interface) -> Interface:
    return replace(entry, ips=tuple(sorted(set(entry.ips))))


def _fill(first: Interface, second: Interface) -> Interface:
    gaps: dict[str, Any] = {
        name: getattr(second, name)
        for name in ("mac", "oper_status", "admin_status", "mtu", "speed_mbps", "description")
        if getattr(first, name) is None
    }
    if not first.ips:
        gaps["ips"] = tuple(sorted(set(second.ips)))
    return replace(first, **gaps)


def _over(previous: Device, now: Device, coverage: Coverage, *, told_neighbors: bool) -> Device:
    kept: dict[str, Any] = {}
    for name in _SCALARS:
        old, new = previous.provenance.get(name), now.provenance.get(name)
        outranked = old and new and rank(old.source) < rank(new.source)
        if getattr(now, name) is None or (outranked and getattr(previous, name) is not None):
            kept[name] = getattr(previous, name)
    if now.device_type in (DeviceType.UNKNOWN, DeviceType.ENDPOINT) and previous.interfaces:
        kept["device_type"] = previous.device_type
    if not told_neighbors:
        kept["neighbors"] = previous.neighbors
    kept["sources"] = tuple(sorted({*previous.sources, *now.sources}))
    if not now.interfaces:
        kept |= _addresses_without_interfaces(previous, now, coverage)
    provenance = {
        **previous.provenance,
        **{k: v for k, v in now.provenance.items() if k not in kept or k in ("ips", "macs")},
    }
    return replace(now, **kept, provenance=provenance)


def _addresses_without_interfaces(
    previous: Device, now: Device, coverage: Coverage
) -> Mapping[str, Any]:
    """Return addresses and MACs of a device that did not tell its interfaces this time."""
    macs = tuple(sorted({*previous.macs, *now.macs}))
    if previous.interfaces:
        ips = {*previous.ips, *now.ips}
        management = previous.management_ip or now.management_ip
    else:
        uncovered = {ip for ip in previous.ips if not coverage.covers(now.namespace, ip)}
        ips = uncovered | set(now.ips)
        still = previous.management_ip in ips
        management = previous.management_ip if still else now.management_ip
    return {
        "macs": macs,
        "ips": tuple(sorted(ips)),
        "interfaces": previous.interfaces,
        "management_ip": management,
    }


def field_changes(before: Device, after: Device) -> dict[str, list[Any]]:
    """Return `{field: [old, new]}` as JSON values, leaving out what changes at every sighting."""
    changes: dict[str, list[Any]] = {}
    for name in Device.__dataclass_fields__:
        old, new = getattr(before, name), getattr(after, name)
        if name not in _SILENT_FIELDS and old != new:
            changes[name] = [jsonable(old), jsonable(new)]
    return changes
