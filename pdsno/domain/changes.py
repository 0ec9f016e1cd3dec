"""What differs between two states of a device, field by field, small enough to be told.

Events travel and are kept, so they carry what differs, and not two whole tables.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pdsno.domain.entities import Device, Interface, Neighbor
from pdsno.domain.jsonable import jsonable

_SILENT = frozenset({"device_id", "last_seen", "version", "provenance", "missed", "first_seen"})
_TOLD = tuple(name for name in Device.__dataclass_fields__ if name not in _SILENT)
LISTS = frozenset({"macs", "ips", "sources", "neighbors", "tags"})
"""Fields whose order says nothing; their entries are kept sorted and without repeats."""
_MOST_ITEMS = 50
_MOST_TEXT = 256

Changes = dict[str, Any]
"""Field -> [old, new]; `interfaces` -> {name: {field: [old, new]}}."""


def differs(before: Device, after: Device) -> bool:
    """Tell whether `field_changes` has anything to tell."""
    return any(getattr(before, name) != getattr(after, name) for name in _TOLD)


def field_changes(before: Device, after: Device) -> Changes:
    """Return `{field: [old, new]}` as JSON values, leaving out what changes at every sighting.

    Of a list, `[entries that went, entries that came]`. Of `interfaces`, what became of each by
    its present name: `{field: [old, new]}`, `{"added": {...}}`, `{"removed": {...}}`, and
    `{"renamed": [old, new]}` where the same MAC has another name now.
    """
    changes: Changes = {}
    for name in _TOLD:
        old, new = getattr(before, name), getattr(after, name)
        if old == new:
            continue
        if name == "interfaces":
            changes[name] = _interface_changes(old, new)
        elif name in LISTS:
            changes[name] = [jsonable(_without(old, new)), jsonable(_without(new, old))]
        else:
            changes[name] = [jsonable(old), jsonable(new)]
    return changes


def neighbor_order(entry: Neighbor) -> tuple[str, ...]:
    """Return the key by which neighbours are sorted; no two that differ have one key."""
    return (
        entry.local_interface,
        entry.remote_chassis_id or entry.remote_name or "",
        entry.remote_interface or "",
        entry.protocol,
        *(value or "" for value in (entry.remote_name, entry.remote_management_ip)),
        "" if entry.remote_chassis_id is None else "=",
    )


def _without(these: Sequence[Any], those: Iterable[Any]) -> list[Any]:
    others = set(those)
    return [item for item in these if item not in others]


def _interface_changes(old: Sequence[Interface], new: Sequence[Interface]) -> Changes:
    before = {interface.name: interface for interface in old}
    after = {interface.name: interface for interface in new}
    was_called = renamed(old, new)
    changes: Changes = {}
    for name, interface in after.items():
        was = before.get(name) or was_called.get(name)
        if was is None:
            changes[name] = {"added": _told(interface)}
        elif differing := _differing(was, interface):
            changes[name] = differing
    kept = {interface.name for interface in was_called.values()}
    gone = [i for i in old if i.name not in after and i.name not in kept]
    return changes | {i.name: {"removed": _told(i)} for i in gone}


def renamed(old: Iterable[Interface], new: Iterable[Interface]) -> dict[str, Interface]:
    """Return what interfaces of one table are in another, where they have other names.

    By the name in `new`, the entry of `old`: its MAC must be on one only, in both.
    """
    old, new = list(old), list(new)
    then, now = {i.name for i in old}, {i.name for i in new}
    single = _single_macs(old) & _single_macs(new)
    by_mac = {i.mac: i for i in old if i.mac in single and i.name not in now}
    return {i.name: by_mac[i.mac] for i in new if i.mac in by_mac and i.name not in then}


def _single_macs(interfaces: Iterable[Interface]) -> frozenset[str]:
    seen: set[str] = set()
    several: set[str] = set()
    for interface in interfaces:
        if interface.mac:
            (several if interface.mac in seen else seen).add(interface.mac)
    return frozenset(seen - several)


def _told(interface: Interface) -> Changes:
    return {
        name: jsonable(value)
        for name in Interface.__dataclass_fields__
        if name != "name" and (value := getattr(interface, name)) not in (None, ())
    }


def _differing(old: Interface, new: Interface) -> Changes:
    differing: Changes = {}
    for name in Interface.__dataclass_fields__:
        was, now = getattr(old, name), getattr(new, name)
        if was != now:
            differing["renamed" if name == "name" else name] = [jsonable(was), jsonable(now)]
    return differing


def compact(changes: Mapping[str, Any]) -> tuple[Changes, dict[str, int]]:
    """Return changes that fit an event, and how many entries of which field were left out."""
    told: Changes = {}
    omitted: dict[str, int] = {}
    for name, change in changes.items():
        if isinstance(change, dict):
            told[name] = {key: _shortened(change[key]) for key in list(change)[:_MOST_ITEMS]}
            beyond = len(change) - _MOST_ITEMS
        else:
            told[name] = [_shortened(side) for side in change]
            beyond = sum(
                max(0, len(side) - _MOST_ITEMS) for side in change if isinstance(side, list)
            )
        if beyond > 0:
            omitted[name] = beyond
    return told, omitted


def _shortened(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return value if len(value) <= _MOST_TEXT else f"{value[: _MOST_TEXT - 3]}..."
    if isinstance(value, list):
        return [_shortened(item) for item in value[:_MOST_ITEMS]]
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in value.items()}
    return value
