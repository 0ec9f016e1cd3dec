"""Whose word counts in a device's table of interfaces: who told a column may clear it. Pure.

A table is told whole, so what its owner leaves out is gone. A source that is silent clears
nothing: neither its columns nor, if a lesser source tells a table meanwhile, its rows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pdsno.domain.addresses import identifying_ips
from pdsno.domain.changes import renamed
from pdsno.domain.entities import Device, FieldSource, Interface
from pdsno.domain.interface_names import spellings
from pdsno.domain.observations import Facts
from pdsno.domain.ownership import is_told, outranks, rank

TABLE = "interfaces"
_COLUMNS = (
    "mac", "ips", "oper_status", "admin_status", "mtu", "speed_mbps", "description", "vrf",
)  # fmt: skip
_ALWAYS_THERE = frozenset({"mac", "ips"})
"""Columns that no table of a device that we reached is without: if all is empty, it was cut."""


def merge_interfaces(tables: Iterable[Iterable[Interface]]) -> tuple[Interface, ...]:
    """Return one table by name; the first table's word counts, later ones fill its gaps.

    That of names too: an agent may call a port by the name that it had yesterday.
    """
    merged: dict[str, Interface] = {}
    for table in map(tuple, tables):
        called = renamed(merged.values(), table) if merged else {}
        for entry in table:
            name = called.get(entry.name, entry).name
            known = merged.get(name)
            merged[name] = _fill(known, entry) if known else _sorted_ips(entry)
    return tuple(merged[name] for name in sorted(merged))


def _sorted_ips(entry: Interface) -> Interface:
    ips = tuple(sorted(set(entry.ips)))
    return entry if ips == entry.ips else replace(entry, ips=ips)


def _fill(first: Interface, second: Interface, columns: Iterable[str] = _COLUMNS) -> Interface:
    gaps: dict[str, Any] = {
        name: getattr(second, name) for name in columns if not is_told(getattr(first, name))
    }
    return _sorted_ips(replace(first, **gaps)) if gaps else first


def addresses_of(interfaces: Iterable[Interface]) -> frozenset[str]:
    """Return the bare addresses of all interfaces, in whatever VRF, that name one device."""
    return frozenset(ip for interface in interfaces for ip in identifying_ips(interface))


def table_sources(facts: Iterable[Facts]) -> dict[str, FieldSource]:
    """Return who told the table, and who its columns where that is another; the best come first.

    As provenance: `interfaces`, and `interfaces.COLUMN` for what only a lesser source told.
    """
    tellers = [item for item in facts if item.interfaces]
    if not tellers:
        return {}
    told = {TABLE: FieldSource(source=tellers[0].source, at=tellers[0].at)}
    for column in _COLUMNS:
        teller = next((t for t in tellers if _tells(t.interfaces, column)), tellers[0])
        if teller.source != tellers[0].source:
            told[_key(column)] = FieldSource(source=teller.source, at=teller.at)
    return told


def _key(column: str) -> str:
    return f"{TABLE}.{column}"


def _tells(interfaces: Iterable[Interface], column: str) -> bool:
    return any(is_told(getattr(interface, column)) for interface in interfaces)


def _owner(device: Device, column: str) -> FieldSource | None:
    return device.provenance.get(_key(column)) or device.provenance.get(TABLE)


def table_over(
    previous: Device, now: Device, tellers: frozenset[str]
) -> tuple[Mapping[str, Any], Mapping[str, FieldSource]]:
    """Return what stays of an interface table that was told anew, and whose its columns are then.

    `tellers` are the sources that told a table this time. An empty column was not told if its
    owner is not among them, or if it cannot be empty; else what is missing in it is lost.
    """
    untold = [
        column
        for column in _COLUMNS
        if (column in _ALWAYS_THERE or not _may_clear(previous, column, tellers))
        and not _tells(now.interfaces, column)
    ]
    before = {i.name: i for i in previous.interfaces}
    filled = [_fill(i, before[i.name], untold) if i.name in before else i for i in now.interfaces]
    filled += _unseen(previous, now, tellers)
    table = tuple(sorted(filled, key=lambda i: i.name))
    owner = (previous if outranks(TABLE, previous, now) else now).provenance.get(TABLE)
    columns = _columns(previous, now, owner)
    if table == now.interfaces:
        return {}, columns
    macs = {i.mac for i in table if i.mac and i.mac in previous.macs}
    stays = {
        TABLE: table,
        "ips": tuple(sorted({*now.ips, *addresses_of(table)})),
        "macs": tuple(sorted({*now.macs, *macs})),
    }
    return stays, columns


def _may_clear(previous: Device, column: str, tellers: frozenset[str]) -> bool:
    owner = _owner(previous, column)
    return owner is None or owner.source in tellers


def _unseen(previous: Device, now: Device, tellers: frozenset[str]) -> list[Interface]:
    """Return the rows of a better source that is silent, unless the lesser one calls them else."""
    owner = previous.provenance.get(TABLE)
    if owner is None or owner.source in tellers or not outranks(TABLE, previous, now):
        return []
    names = {spelling for i in now.interfaces for spelling in spellings(i.name)}
    macs = {i.mac for i in now.interfaces}
    ips = {ip.partition("/")[0] for i in now.interfaces for ip in i.ips}
    return [
        i
        for i in previous.interfaces
        if not spellings(i.name) & names
        and (i.mac is None or i.mac not in macs)
        and not {ip.partition("/")[0] for ip in i.ips} & ips
    ]


def _columns(previous: Device, now: Device, teller: FieldSource | None) -> dict[str, FieldSource]:
    """Return the provenance of the table and of those columns that another source owns."""
    if teller is None:
        return {}
    told = {TABLE: teller}
    for column in _COLUMNS:
        before, after = _owner(previous, column), _owner(now, column)
        is_new = _tells(now.interfaces, column) and not (
            before and after and rank(before.source) < rank(after.source)
        )
        owner = after if is_new else before
        if owner is not None and owner.source != teller.source:
            told[_key(column)] = owner
    return told
