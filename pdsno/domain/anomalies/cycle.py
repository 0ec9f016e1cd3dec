"""(LC) What is unusual in one discovery cycle: rules over the pictures before and after it."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from pdsno.domain.anomalies.entities import Anomaly, Finding, Kind
from pdsno.domain.conflicts import ADDRESS_CONFLICT, Conflict
from pdsno.domain.coverage import Coverage
from pdsno.domain.entities import Device, DeviceStatus, Link, LinkStatus
from pdsno.domain.identifiers import identifying_serial, is_identifying_mac
from pdsno.domain.jsonable import jsonable
from pdsno.domain.observations import AddressOutcome, CycleRecord, Method, Outcome
from pdsno.domain.policy import is_inside

SPIKE_FROM = 10
SPIKE_TIMES = 5
"""New devices of one cycle are a spike from so many on, if that is so many times the usual."""
_MOST_NAMES = 50
_UNSENT = frozenset({Outcome.EXCLUDED, Outcome.PASSIVE_ONLY, Outcome.NOT_TRIED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A NIB at one time."""

    devices: Mapping[str, Device]
    links: Sequence[Link] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What a cycle knows besides. `cycles` are the kept ones before it, the newest first."""

    controller_id: str
    region: str
    now: datetime
    coverage: Coverage
    is_complete: bool = True
    subnets: tuple[str, ...] = ()
    cycles: Sequence[CycleRecord] = ()
    conflicts: Sequence[Conflict] = ()
    outcomes: Sequence[AddressOutcome] = ()
    held: int = 0
    asked: int = 0
    miss_limit: int = 3
    known_parts: frozenset[str] = field(default_factory=frozenset)
    """IDs of devices that a person made by a split: they are new, and no news."""


Rule: TypeAlias = Callable[[Picture, Picture, Context], Iterable[Finding]]


def named(device: Device) -> str:
    """Return what people call a device."""
    return device.name or device.management_ip or device.device_id


def is_there(device: Device) -> bool:
    """Tell whether a device is not inactive."""
    return device.status is not DeviceStatus.INACTIVE


# --- new ones --------------------------------------------------------------------------------


def came(old: Picture, new: Picture, context: Context) -> list[Device]:
    """Return the devices that are new where an earlier cycle has looked at everything."""
    baseline = {net for cycle in context.cycles if cycle.is_complete for net in cycle.subnets}
    fresh = [d for key, d in new.devices.items() if key not in old.devices and is_there(d)]
    return [
        device
        for device in fresh
        if device.device_id not in context.known_parts
        and device.management_ip is not None
        and is_inside(device.management_ip, baseline)
    ]


def _usual(old: Picture, context: Context) -> float:
    """Return how many new devices a cycle has brought, of those that are kept."""
    if not context.cycles:
        return 0.0
    since = context.cycles[-1].finished_at
    recent = sum(device.first_seen > since for device in old.devices.values())
    return recent / len(context.cycles)


def _is_spike(count: int, old: Picture, context: Context) -> bool:
    return count >= SPIKE_FROM and count >= SPIKE_TIMES * _usual(old, context)


def new_devices(old: Picture, new: Picture, context: Context) -> Iterator[Finding]:
    """Every device that nobody expected, unless they are so many that they are told together."""
    fresh = came(old, new, context)
    if _is_spike(len(fresh), old, context):
        return
    for device in fresh:
        evidence = {
            "name": named(device),
            "management_ip": device.management_ip,
            "macs": list(device.macs[:10]),
            "vendor": device.vendor,
        }
        yield _of(Kind.NEW_DEVICE, device, evidence)


def device_spike(old: Picture, new: Picture, context: Context) -> Iterator[Finding]:
    """Many new devices at once, against the usual."""
    fresh = came(old, new, context)
    if _is_spike(len(fresh), old, context):
        evidence = {
            "new": len(fresh),
            "usual": round(_usual(old, context), 1),
            "devices": sorted(d.device_id for d in fresh)[:_MOST_NAMES],
            "names": sorted(map(named, fresh))[:_MOST_NAMES],
        }
        yield Finding(
            kind=Kind.DEVICE_SPIKE,
            key=context.controller_id,
            subject=context.controller_id,
            region=context.region,
            evidence=evidence,
        )


def _of(kind: Kind, device: Device, evidence: Mapping[str, object]) -> Finding:
    return Finding(
        kind=kind,
        key=device.device_id,
        subject=device.device_id,
        region=device.region,
        evidence=evidence,
    )


# --- those that are gone, changed or moved ---------------------------------------------------


def mass_disappearance(_old: Picture, new: Picture, context: Context) -> Iterator[Finding]:
    """So many are missing that they are held: none is inactive until a person approves."""
    if not context.held:
        return
    gone = [d for d in new.devices.values() if is_there(d) and d.missed >= context.miss_limit]
    evidence = {
        "missing": context.held,
        "asked": context.asked,
        "percent": round(100 * context.held / max(context.asked, 1)),
        "subnets": list(context.subnets),
        "devices": sorted(d.device_id for d in gone)[:_MOST_NAMES],
        "names": sorted(map(named, gone))[:_MOST_NAMES],
    }
    yield Finding(
        kind=Kind.MASS_DISAPPEARANCE,
        key=context.controller_id,
        subject=context.controller_id,
        region=context.region,
        evidence=evidence,
    )


def os_changed(old: Picture, new: Picture, _context: Context) -> Iterator[Finding]:
    """Another OS version than before, as far as both are known."""
    for key, device in new.devices.items():
        before = old.devices.get(key)
        if before is None or not before.os_version or not device.os_version:
            continue
        if before.os_version != device.os_version:
            versions = {"from": before.os_version, "to": device.os_version, "name": named(device)}
            yield _of(Kind.OS_CHANGED, device, versions)


def device_moved(old: Picture, new: Picture, _context: Context) -> Iterator[Finding]:
    """A device with one cable, which leads to another port than before."""
    was, now = _cables(old.links), _cables(new.links)
    for key in sorted(was.keys() & now.keys()):
        device = new.devices.get(key)
        if device is not None and was[key] != now[key]:
            ends = {"from": _end(was[key]), "to": _end(now[key]), "name": named(device)}
            yield _of(Kind.DEVICE_MOVED, device, ends)


_Place: TypeAlias = tuple[str, str, str]


def _cables(links: Iterable[Link]) -> dict[str, _Place]:
    """Return for each device that has one link only where that leads to."""
    found: dict[str, list[_Place | None]] = defaultdict(list)
    for link in links:
        for near, far in ((link.a, link.b), (link.b, link.a)):
            if near.device_id is None:
                continue
            is_known = far.device_id is not None and far.interface is not None
            place = (far.device_id or "", far.device or "", far.interface or "")
            found[near.device_id].append(place if is_known else None)
    single = {key: places[0] for key, places in found.items() if len(places) == 1}
    return {key: place for key, place in single.items() if place is not None}


def _end(place: _Place) -> dict[str, str]:
    device_id, device, interface = place
    return {"device_id": device_id, "device": device, "interface": interface}


# --- what contradicts itself -----------------------------------------------------------------


def conflicts(_old: Picture, _new: Picture, context: Context) -> Iterator[Finding]:
    """One address answered by two, one MAC at two places."""
    for conflict in context.conflicts:
        is_address = conflict.kind == ADDRESS_CONFLICT
        yield Finding(
            kind=Kind.ADDRESS_CONFLICT if is_address else Kind.CLONED_MAC,
            key=conflict.key,
            subject=conflict.key.rpartition("/")[2],
            region=context.region,
            evidence=jsonable(conflict.data),
        )


def cloned_serials(_old: Picture, new: Picture, context: Context) -> Iterator[Finding]:
    """One serial, told by devices that have no MAC in common; contexts of one chassis have."""
    for serial, holders in sorted(by_serial(new.devices.values()).items()):
        yield Finding(
            kind=Kind.CLONED_SERIAL,
            key=serial,
            subject=serial,
            region=context.region,
            evidence=holders_told(holders),
        )


def by_serial(devices: Iterable[Device]) -> dict[str, list[Device]]:
    """Return the serials that several devices of different hardware tell, with these devices."""
    holders: dict[str, list[Device]] = defaultdict(list)
    for device in devices:
        serial = identifying_serial(device.serial)
        if serial and is_there(device):
            holders[serial].append(device)
    return {serial: found for serial, found in holders.items() if _have_two_bodies(found)}


def _have_two_bodies(devices: Sequence[Device]) -> bool:
    macs = [{mac for mac in device.macs if is_identifying_mac(mac)} for device in devices]
    known = [held for held in macs if held]
    return any(known[0].isdisjoint(other) for other in known[1:])


def holders_told(holders: Iterable[Device]) -> dict[str, object]:
    """Return devices as evidence."""
    told = [
        {
            "device_id": d.device_id,
            "name": named(d),
            "region": d.region,
            "local_controller": d.local_controller,
            "macs": list(d.macs[:3]),
        }
        for d in sorted(holders, key=lambda d: d.device_id)
    ]
    return {"holders": told[:_MOST_NAMES]}


def links_one_ended(_old: Picture, new: Picture, _context: Context) -> Iterator[Finding]:
    """A link that one end tells of, while the other tells of neighbours and not of this one."""
    yield from one_ended(new.links, new.devices)


def one_ended(links: Iterable[Link], devices: Mapping[str, Device]) -> Iterator[Finding]:
    """Return the links that only one of two talkative ends sees."""
    for link in links:
        ends = [devices.get(end.device_id or "") for end in (link.a, link.b)]
        if link.status is not LinkStatus.CLAIMED:
            continue
        if all(device is not None and is_there(device) and device.neighbors for device in ends):
            yield Finding(
                kind=Kind.LINK_ONE_ENDED,
                key=link.link_id,
                subject=link.link_id,
                region=ends[0].region if ends[0] else None,
                evidence={"a": jsonable(link.a), "b": jsonable(link.b), "source": link.source},
            )


def host_keys(_old: Picture, new: Picture, context: Context) -> Iterator[Finding]:
    """Servers that show another SSH host key than the one that we know."""
    owners = {(d.namespace, ip): d for d in new.devices.values() for ip in d.ips}
    for record in context.outcomes:
        changed = [p for p in record.probes if p.outcome is Outcome.HOST_KEY_CHANGED]
        if changed:
            owner = owners.get((record.namespace, record.address))
            yield Finding(
                kind=Kind.HOST_KEY_CHANGED,
                key=f"{record.namespace}/{record.address}",
                subject=owner.device_id if owner else record.address,
                region=context.region,
                evidence={
                    "address": record.address,
                    "name": named(owner) if owner else None,
                    "detail": changed[0].detail,
                },
            )


RULES: tuple[Rule, ...] = (
    new_devices,
    device_spike,
    mass_disappearance,
    os_changed,
    device_moved,
    conflicts,
    cloned_serials,
    links_one_ended,
    host_keys,
)


def find(old: Picture, new: Picture, context: Context) -> tuple[Finding, ...]:
    """Return what all rules find."""
    return tuple(finding for rule in RULES for finding in rule(old, new, context))


def is_looked_at(context: Context) -> Callable[[Anomaly], bool]:
    """Return who tells whether an anomaly would have shown itself in this cycle."""
    asked = {
        f"{record.namespace}/{record.address}"
        for record in context.outcomes
        if any(p.method is Method.SSH and p.outcome not in _UNSENT for p in record.probes)
    }

    def looked(row: Anomaly) -> bool:
        match row.kind:
            case Kind.ADDRESS_CONFLICT:
                space, _, ip = row.key.rpartition("/")
                return context.coverage.covers(space, ip)
            case Kind.HOST_KEY_CHANGED:
                return row.key in asked
            case Kind.CLONED_MAC | Kind.MASS_DISAPPEARANCE:
                return context.is_complete
            case _:
                return True

    return looked
