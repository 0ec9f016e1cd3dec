"""What one command's output tells, and how the outputs of one session become facts. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import TypeVar

from pdsno.domain.entities import DeviceType, Interface, Neighbor
from pdsno.domain.observations import Announcement, ArpEntry, Facts, MacTableEntry, Module, Vlan

_Item = TypeVar("_Item")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What one command told. None and empty mean "not told".

    `problem` says what in the output was not understood; what was is in the other fields.
    """

    name: str | None = None
    vendor: str | None = None
    model: str | None = None
    platform: str | None = None
    os_version: str | None = None
    serial: str | None = None
    device_type: DeviceType = DeviceType.UNKNOWN
    chassis_id: str | None = None
    interfaces: tuple[Interface, ...] = ()
    neighbors: tuple[Neighbor, ...] | None = None
    announcements: tuple[Announcement, ...] = ()
    arp: tuple[ArpEntry, ...] = ()
    mac_table: tuple[MacTableEntry, ...] = ()
    vlans: tuple[Vlan, ...] = ()
    modules: tuple[Module, ...] = ()
    uptime_s: int | None = None
    problem: str | None = None


_SCALARS = ("name", "model", "os_version", "serial", "chassis_id", "uptime_s")


def facts_of(
    readings: Sequence[Reading],
    *,
    address: str,
    at: datetime,
    platform: str,
    vendor: str | None,
    device_type: DeviceType = DeviceType.UNKNOWN,
) -> Facts:
    """Put the readings of one session together; of two that tell the same, the first is right."""
    told = {name: _first(getattr(r, name) for r in readings) for name in _SCALARS}
    heard = [r.neighbors for r in readings if r.neighbors is not None]
    kind = _first(r.device_type for r in readings if r.device_type is not DeviceType.UNKNOWN)
    return Facts(
        source="ssh",
        address=address,
        at=at,
        vendor=_first(r.vendor for r in readings) or vendor,
        platform=_first(r.platform for r in readings) or platform,
        device_type=kind or device_type,
        interfaces=merged_interfaces(i for r in readings for i in r.interfaces),
        neighbors=merged_neighbors(n for some in heard for n in some) if heard else None,
        announcements=_unique(a for r in readings for a in r.announcements),
        arp=_unique(e for r in readings for e in r.arp),
        mac_table=_unique(e for r in readings for e in r.mac_table),
        vlans=_unique_vlans(v for r in readings for v in r.vlans),
        modules=_unique(m for r in readings for m in r.modules),
        **told,
    )


def merged_interfaces(found: Iterable[Interface]) -> tuple[Interface, ...]:
    """Return one entry per name, sorted; of each field the first value told, of IPs all."""
    by_name: dict[str, Interface] = {}
    for entry in found:
        known = by_name.get(entry.name)
        by_name[entry.name] = entry if known is None else _with(known, entry)
    return tuple(by_name[name] for name in sorted(by_name))


def _with(known: Interface, other: Interface) -> Interface:
    names = (f.name for f in fields(Interface) if f.name not in ("name", "ips"))
    told = {n: getattr(other, n) for n in names if getattr(known, n) is None}
    return replace(known, ips=union_of_ips((*known.ips, *other.ips)), **told)


def union_of_ips(ips: Iterable[str]) -> tuple[str, ...]:
    """Return each address once, with its prefix length where one source told it; sorted."""
    found = set(ips)
    with_length = {ip.partition("/")[0] for ip in found if "/" in ip}
    return tuple(sorted(ip for ip in found if "/" in ip or ip not in with_length))


def merged_neighbors(found: Iterable[Neighbor]) -> tuple[Neighbor, ...]:
    """Return each neighbour once: a brief list and a detailed one may tell of the same."""
    kept: list[Neighbor] = []
    for entry in dict.fromkeys(found):
        twin = next((i for i, known in enumerate(kept) if _same_neighbor(known, entry)), None)
        if twin is None:
            kept.append(entry)
        else:
            names = (f.name for f in fields(Neighbor))
            told = {n: getattr(entry, n) for n in names if getattr(kept[twin], n) is None}
            kept[twin] = replace(kept[twin], **told)
    return tuple(sorted(kept, key=_neighbor_key))


def _same_neighbor(a: Neighbor, b: Neighbor) -> bool:
    """Tell whether two entries are of one neighbour: nothing that both say differs."""
    if (a.local_interface, a.protocol) != (b.local_interface, b.protocol):
        return False
    names = ("remote_name", "remote_interface", "remote_chassis_id")
    both = [(getattr(a, n), getattr(b, n)) for n in names]
    both = [(x, y) for x, y in both if x is not None and y is not None]
    return bool(both) and all(x == y for x, y in both)


def _neighbor_key(entry: Neighbor) -> tuple[str, ...]:
    return (
        entry.local_interface,
        entry.protocol,
        entry.remote_name or "",
        entry.remote_chassis_id or "",
        entry.remote_interface or "",
    )


def _unique_vlans(found: Iterable[Vlan]) -> tuple[Vlan, ...]:
    by_id: dict[int, Vlan] = {}
    for vlan in found:
        if vlan.id not in by_id or by_id[vlan.id].name is None:
            by_id[vlan.id] = vlan
    return tuple(by_id[key] for key in sorted(by_id))


def _unique(found: Iterable[_Item]) -> tuple[_Item, ...]:
    return tuple(dict.fromkeys(found))


def _first(values: Iterable[_Item | None]) -> _Item | None:
    return next((value for value in values if value is not None), None)
