"""By which words a neighbour entry may find a device, and which devices' entries may mean one.

An index over both finds what a change of one device can do to links, without the rest of the
network. It may say too much and never too little: `link_directory` decides. Who changes that rule
changes these marks as well, and fills the index anew.
"""

from enum import StrEnum

from pdsno.domain.entities import Device
from pdsno.domain.identifiers import identifying_name
from pdsno.domain.link_directory import bare_name, named_by


class MarkKind(StrEnum):
    """What a mark is; it begins with that."""

    CHASSIS = "c"
    """A chassis ID, or any MAC."""
    IP = "i"
    NAME = "n"
    """The first label of a name."""


def _mark(kind: MarkKind, told: str) -> str:
    return f"{kind}:{told}"


def split_mark(mark: str) -> tuple[MarkKind, str]:
    """Return what a mark is, and what it tells."""
    kind, _, told = mark.partition(":")
    return MarkKind(kind), told


def heard_marks(device: Device) -> frozenset[str]:
    """Return the marks that a device's neighbour entries name."""
    marks: set[str] = set()
    for entry in device.neighbors:
        named = named_by(entry)
        if named is None:
            continue
        if named.chassis:
            marks.add(_mark(MarkKind.CHASSIS, named.chassis))
        if named.ip:
            marks.add(_mark(MarkKind.IP, named.ip))
        marks |= _name_marks(named.name)
    return frozenset(marks)


def own_marks(device: Device) -> frozenset[str]:
    """Return the marks by which a neighbour may name a device."""
    return lasting_marks(device).union(
        map(mac_mark, device.macs), (_mark(MarkKind.IP, ip) for ip in device.ips)
    )


def lasting_marks(device: Device) -> frozenset[str]:
    """Return those of its own marks that are neither its MACs nor its addresses."""
    chassis = {_mark(MarkKind.CHASSIS, device.chassis_id)} if device.chassis_id else set()
    return frozenset(chassis | _name_marks(bare_name(device.name)))


def mac_mark(mac: str) -> str:
    """Return the mark of a device that has a MAC, in whatever role."""
    return _mark(MarkKind.CHASSIS, mac)


def _name_marks(name: str) -> set[str]:
    told = identifying_name(name)
    return {_mark(MarkKind.NAME, told.partition(".")[0])} if told else set()
