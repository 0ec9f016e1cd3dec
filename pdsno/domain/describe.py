"""From what sources told to the fields of a device: whose word counts, and what is kept.

Rank per field: SSH before SNMP before what the sweep shows. Nothing is overwritten by null; what
a device that told its interfaces really lost (a MAC, an address, a neighbour) goes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pdsno.domain.addresses import identifying_ips, loopback_addresses
from pdsno.domain.changes import renamed
from pdsno.domain.coverage import Coverage
from pdsno.domain.entities import (
    Device,
    DeviceStatus,
    DeviceType,
    FieldSource,
    Interface,
    Neighbor,
)
from pdsno.domain.observations import Facts, ObservedDevice

VendorOf = Callable[[str], str | None]
"""Who made the hardware behind a normalised MAC, as registered, or None."""

RANK = {"operator": 0, "ssh": 1, "snmp": 2, "lldp": 3, "arp": 4}
SCALARS = (
    "name", "vendor", "model", "platform", "os_version",
    "serial", "chassis_id", "engine_id", "ssh_host_key",
)  # fmt: skip
"""Fields with one value, each with a source of its own."""
_COLUMNS = (
    "mac", "ips", "oper_status", "admin_status", "mtu", "speed_mbps", "description", "vrf",
)  # fmt: skip
_ALWAYS_THERE = frozenset({"mac", "ips"})
"""Columns that no table of a device that we reached is without: if all is empty, it was cut."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Told:
    """What a device as it now stands does not show: whether it told, and where only it answers."""

    neighbors: bool
    answered: frozenset[str]


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
        ips=tuple(sorted({*observed.ips, *_addresses(interfaces)})),
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
    told = _Told(
        neighbors=neighbors is not None,
        answered=frozenset({f.address for f in facts} | {s.address for s in observed.sightings})
        - observed.shared_ips,
    )
    return _over(previous, device, coverage, told)


def _scalars(
    observed: ObservedDevice, facts: Sequence[Facts], vendor_of: VendorOf
) -> tuple[dict[str, Any], dict[str, FieldSource]]:
    values: dict[str, Any] = dict.fromkeys(SCALARS)
    provenance: dict[str, FieldSource] = {}
    for name in SCALARS:
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
    """Return one table by name; the first table's word counts, later ones fill its gaps.

    That of names too: an agent may call a port by the name that it had yesterday.
    """
    merged: dict[str, Interface] = {}
    for table in map(tuple, tables):
        called = renamed(merged.values(), table)
        for entry in table:
            name = called.get(entry.name, entry).name
            known = merged.get(name)
            merged[name] = _fill(known, entry) if known else _sorted_ips(entry)
    return tuple(merged[name] for name in sorted(merged))


def _sorted_ips(entry: Interface) -> Interface:
    return replace(entry, ips=tuple(sorted(set(entry.ips))))


def _fill(first: Interface, second: Interface, columns: Iterable[str] = _COLUMNS) -> Interface:
    gaps: dict[str, Any] = {
        name: getattr(second, name) for name in columns if not _is_told(getattr(first, name))
    }
    return _sorted_ips(replace(first, **gaps)) if gaps else first


def _is_told(value: object) -> bool:
    return value not in (None, ())


def _addresses(interfaces: Iterable[Interface]) -> frozenset[str]:
    """Return the bare addresses of all interfaces, in whatever VRF, that name one device."""
    return frozenset(ip for interface in interfaces for ip in identifying_ips(interface))


def _over(previous: Device, now: Device, coverage: Coverage, told: _Told) -> Device:
    kept: dict[str, Any] = {}
    for name in SCALARS:
        outranked = _outranks(name, previous, now) and getattr(previous, name) is not None
        if getattr(now, name) is None or outranked:
            kept[name] = getattr(previous, name)
    if now.device_type in (DeviceType.UNKNOWN, DeviceType.ENDPOINT) and previous.interfaces:
        kept["device_type"] = previous.device_type
    if not told.neighbors:
        kept["neighbors"] = previous.neighbors
    kept["sources"] = tuple(sorted({*previous.sources, *now.sources}))
    if now.interfaces:
        kept |= _interfaces_over(previous, now)
    else:
        kept |= _addresses_without_interfaces(previous, now, coverage)
    if _stays_managed_at(previous.management_ip, now, told.answered):
        kept["management_ip"] = previous.management_ip
    provenance = {
        **{k: v for k, v in previous.provenance.items() if k != "status"},
        **{k: v for k, v in now.provenance.items() if k not in kept or k in ("ips", "macs")},
    }
    return replace(now, **kept, provenance=provenance)


def _outranks(field: str, previous: Device, now: Device) -> bool:
    """Tell whether who told a field before has more to say than who tells it now."""
    old, new = previous.provenance.get(field), now.provenance.get(field)
    return bool(old and new and rank(old.source) < rank(new.source))


def _stays_managed_at(before: str | None, now: Device, answered: frozenset[str]) -> bool:
    """Tell whether the address by which we know it still serves: then it is not given up.

    Which of several addresses answers a query differs from day to day; only a loopback's is
    worth a change.
    """
    if before not in answered or before == now.management_ip:
        return False
    loopbacks = loopback_addresses(now.interfaces)
    return before in loopbacks or now.management_ip not in loopbacks


def _interfaces_over(previous: Device, now: Device) -> Mapping[str, Any]:
    """Return what stays of an interface table because this time's teller does not know it.

    An empty column was not told if a lesser source tells this time, or if it cannot be empty.
    Else it was told, and what is missing in it is lost.
    """
    lesser = _outranks("interfaces", previous, now)
    untold = [
        name
        for name in _COLUMNS
        if (lesser or name in _ALWAYS_THERE)
        and not any(_is_told(getattr(i, name)) for i in now.interfaces)
    ]
    before = {i.name: i for i in previous.interfaces}
    filled = tuple(
        _fill(i, before[i.name], untold) if i.name in before else i for i in now.interfaces
    )
    if filled == now.interfaces:
        return {}
    macs = {i.mac for i in filled if i.mac and i.mac in previous.macs}
    return {
        "interfaces": filled,
        "ips": tuple(sorted({*now.ips, *_addresses(filled)})),
        "macs": tuple(sorted({*now.macs, *macs})),
    }


def _addresses_without_interfaces(
    previous: Device, now: Device, coverage: Coverage
) -> Mapping[str, Any]:
    """Return addresses and MACs of a device that did not tell its interfaces this time."""
    macs = tuple(sorted({*previous.macs, *now.macs}))
    if previous.interfaces:
        ips = {*previous.ips, *now.ips}
        was = previous.management_ip
        is_silent = was is not None and coverage.covers(now.namespace, was)
        has_moved = is_silent and now.management_ip not in (None, *previous.ips)
        management = now.management_ip if has_moved or was is None else was
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
