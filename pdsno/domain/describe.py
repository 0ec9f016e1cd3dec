"""From what sources told to the fields of a device: whose word counts, and what is kept.

By the rules of `ownership`. What a device really lost (a MAC, an address, a description, a
neighbour) goes when who told it tells all it knows without it, not when that source is silent.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pdsno.domain.addresses import loopback_addresses
from pdsno.domain.changes import neighbor_order
from pdsno.domain.coverage import Coverage
from pdsno.domain.entities import (
    Device,
    DeviceStatus,
    DeviceType,
    FieldSource,
    Neighbor,
)
from pdsno.domain.observations import Facts, ObservedDevice
from pdsno.domain.ownership import (
    SCALARS,
    TOLD,
    VAGUE,
    beneath,
    keeps,
    outranks,
    overlay,
    rank,
)
from pdsno.domain.table_ownership import (
    TABLE,
    addresses_of,
    merge_interfaces,
    table_over,
    table_sources,
)

VendorOf = Callable[[str], str | None]
"""Who made the hardware behind a normalised MAC, as registered, or None."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Told:
    """What a device as it now stands does not show: who told, and where only it answers.

    `tables` are the sources that told an interface table, `neighbors` those that told neighbours.
    """

    tables: frozenset[str]
    neighbors: frozenset[str]
    answered: frozenset[str]


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
        ips=tuple(sorted({*observed.ips, *addresses_of(interfaces)})),
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
        tables=frozenset(f.source for f in facts if f.interfaces),
        neighbors=frozenset(f.source for f in facts if f.neighbors is not None),
        answered=frozenset({f.address for f in facts} | {s.address for s in observed.sightings})
        - observed.shared_ips,
    )
    return overlay(_over(beneath(previous), device, coverage, told), previous.pins)


def _scalars(
    observed: ObservedDevice, facts: Sequence[Facts], vendor_of: VendorOf
) -> tuple[dict[str, Any], dict[str, FieldSource]]:
    values: dict[str, Any] = dict.fromkeys(TOLD)
    provenance: dict[str, FieldSource] = {}
    for name in TOLD:
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
    provenance |= table_sources(facts)
    for name, tells in (("device_type", _tells_type), ("neighbors", _tells_neighbors)):
        teller = next(filter(tells, facts), None)
        if teller:
            provenance[name] = FieldSource(source=teller.source, at=teller.at)
    source = facts[0].source if facts else observed.sightings[0].method.value
    provenance |= dict.fromkeys(
        ("macs", "ips", "management_ip"), FieldSource(source=source, at=observed.at)
    )
    return values, provenance


def _tells_type(item: Facts) -> bool:
    return item.device_type is not DeviceType.UNKNOWN


def _tells_neighbors(item: Facts) -> bool:
    return bool(item.neighbors)


def _device_type(facts: Sequence[Facts]) -> DeviceType:
    if not facts:
        return DeviceType.ENDPOINT
    return next((f.device_type for f in facts if _tells_type(f)), DeviceType.UNKNOWN)


def _neighbors(facts: Sequence[Facts]) -> tuple[Neighbor, ...] | None:
    """Return the neighbours of the best source that has any; None if no source was able to tell."""
    told = [f.neighbors for f in facts if f.neighbors is not None]
    if not told:
        return None
    best = next((entries for entries in told if entries), ())
    return tuple(sorted(best, key=neighbor_order))


def _over(previous: Device, now: Device, coverage: Coverage, told: _Told) -> Device:
    kept: dict[str, Any] = {}
    for name in (*SCALARS, "device_type"):
        if keeps(name, previous, now):
            kept[name] = getattr(previous, name)
    if now.device_type in VAGUE and previous.interfaces:
        kept["device_type"] = previous.device_type
    if not now.neighbors and not _has_lost_neighbors(previous, told):
        kept["neighbors"] = previous.neighbors
    kept["sources"] = tuple(sorted({*previous.sources, *now.sources}))
    columns: Mapping[str, FieldSource] = {}
    if now.interfaces:
        stays, columns = table_over(previous, now, told.tables)
        kept |= stays
    else:
        kept |= _addresses_without_interfaces(previous, now, coverage)
    if _stays_managed_at(previous.management_ip, now, told.answered):
        kept["management_ip"] = previous.management_ip
    return replace(now, **kept, provenance=_provenance(previous, now, kept, columns))


def _provenance(
    previous: Device,
    now: Device,
    kept: Mapping[str, Any],
    columns: Mapping[str, FieldSource],
) -> Mapping[str, FieldSource]:
    """Return who owns what: where a value was kept, or told by a lesser source, who did before."""
    provenance = {
        **{k: v for k, v in previous.provenance.items() if k != "status"},
        **{k: v for k, v in now.provenance.items() if k not in kept or k in ("ips", "macs")},
    }
    if outranks("neighbors", previous, now):
        provenance["neighbors"] = previous.provenance["neighbors"]
    if columns:
        provenance = {k: v for k, v in provenance.items() if not k.startswith(TABLE)}
    return {**provenance, **columns}


def _has_lost_neighbors(previous: Device, told: _Told) -> bool:
    """Tell whether whoever told the neighbours of before told now that there are none."""
    owner = previous.provenance.get("neighbors")
    return owner.source in told.neighbors if owner else bool(told.neighbors)


def _stays_managed_at(before: str | None, now: Device, answered: frozenset[str]) -> bool:
    """Tell whether the address by which we know it still serves: then it is not given up.

    Which of several addresses answers a query differs from day to day; only a loopback's is
    worth a change.
    """
    if before not in answered or before == now.management_ip:
        return False
    loopbacks = loopback_addresses(now.interfaces)
    return before in loopbacks or now.management_ip not in loopbacks


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
