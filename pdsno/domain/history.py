"""What became of a device or a link, field by field, and how it stood at any time since. Pure.

A change of a list is what went and what came, so that one address in a thousand is one entry. What
moves at every sighting (`last_seen`, `version`, missed cycles, the times of sources) is no history.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from pdsno.domain.changes import LISTS, neighbor_order
from pdsno.domain.entities import (
    Device,
    DeviceStatus,
    DeviceType,
    Interface,
    Link,
    LinkEnd,
    LinkStatus,
    Neighbor,
)
from pdsno.domain.jsonable import jsonable
from pdsno.domain.ownership import OPERATOR

WHOLE = "*"
"""The field of an entry that tells that the entity itself came (`old` null) or went.

What went is whole in `old`; `new` says what became of it, if anything did.
"""


class HistoryKind(StrEnum):
    """Of what there is a history. That of an endpoint's place are its sightings."""

    DEVICE = "device"
    LINK = "link"


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One field changed. `old` and `new` are JSON values, of a list what went and what came.

    Of interfaces `field` is `interfaces[NAME]` (it came, it went) or `interfaces[NAME].COLUMN`.
    `source` is who told the new value, `actor` by whose doing: a controller, or a person.
    """

    kind: HistoryKind
    entity_id: str
    label: str
    region: str | None
    field: str
    old: Any
    new: Any
    source: str = ""
    actor: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryEntry:
    """A change as it is kept. `at` is when this NIB learned it, and never falls as `seq` rises."""

    seq: int
    at: datetime
    change: Change


_NO_HISTORY = frozenset(
    {"device_id", "version", "missed", "provenance", "pins", "last_seen", "interfaces"}
)
_FIELDS = tuple(f.name for f in fields(Device) if f.name not in _NO_HISTORY)
_COLUMNS = tuple(f.name for f in fields(Interface) if f.name != "name")
_LINK_FIELDS = ("a", "b", "source", "status")
_TABLE = "interfaces"

_Told: TypeAlias = tuple[str, Any, Any]
"""Field, old, new."""


# --- from two states to changes --------------------------------------------------------------


def device_changes(
    before: Device | None, after: Device | None, *, actor: str = "", became: object = None
) -> tuple[Change, ...]:
    """Return what changed from one state of a device to the next; None: it is not there.

    `became` tells into what a device went that is there no more.
    """
    shown = after or before
    if shown is None:
        return ()
    if before is None:
        told: list[_Told] = [(WHOLE, None, _summary(shown))]
    elif after is None:
        told = [(WHOLE, _document(before), jsonable(became))]
    else:
        told = _device_fields(before, after)
    return tuple(
        Change(
            kind=HistoryKind.DEVICE,
            entity_id=shown.device_id,
            label=shown.name or shown.management_ip or shown.device_id,
            region=shown.region,
            field=field,
            old=old,
            new=new,
            source=_source(shown, field),
            actor=actor or _actor(shown, field),
        )
        for field, old, new in told
    )


def _summary(device: Device) -> dict[str, Any]:
    return {"name": device.name, "management_ip": device.management_ip, "region": device.region}


def _document(device: Device) -> dict[str, Any]:
    """Return all that a device that went needs to be shown again."""
    names = (*_FIELDS, "last_seen", _TABLE)
    return {name: jsonable(getattr(device, name)) for name in names}


def _device_fields(before: Device, after: Device) -> list[_Told]:
    told: list[_Told] = []
    for name in _FIELDS:
        old, new = getattr(before, name), getattr(after, name)
        if old == new:
            continue
        if name in LISTS:
            gone, came = _without(old, new), _without(new, old)
            if gone or came:
                told.append((name, jsonable(gone), jsonable(came)))
        else:
            told.append((name, jsonable(old), jsonable(new)))
    if before.interfaces != after.interfaces:
        told += _table_changes(before.interfaces, after.interfaces)
    if before.status != after.status and before.last_seen != after.last_seen:
        # When it was last seen before it came back: from the present that cannot be told.
        told.append(("last_seen", jsonable(before.last_seen), jsonable(after.last_seen)))
    return told


def _without(these: Iterable[Any], those: Iterable[Any]) -> list[Any]:
    others = set(those)
    return [item for item in these if item not in others]


def _table_changes(old: Iterable[Interface], new: Iterable[Interface]) -> list[_Told]:
    before, after = {i.name: i for i in old}, {i.name: i for i in new}
    told: list[_Told] = []
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        field = f"{_TABLE}[{name}]"
        if was is None or now is None:
            told.append((field, _row(was), _row(now)))
        elif was != now:
            pairs = ((c, getattr(was, c), getattr(now, c)) for c in _COLUMNS)
            told += [(f"{field}.{c}", jsonable(a), jsonable(b)) for c, a, b in pairs if a != b]
    return told


def _row(interface: Interface | None) -> dict[str, Any] | None:
    if interface is None:
        return None
    told = ((name, getattr(interface, name)) for name in _COLUMNS)
    return {name: jsonable(value) for name, value in told if value not in (None, ())}


def _source(device: Device, field: str) -> str:
    name, bracket, rest = field.partition("[")
    column = rest.rpartition("]")[2] if bracket else ""
    known = device.provenance.get(f"{name}{column}") or device.provenance.get(name)
    return known.source if known else ""


def _actor(device: Device, field: str) -> str:
    pin = device.pins.get(field)
    if pin is not None and _source(device, field) == OPERATOR:
        return pin.by
    return device.local_controller


def link_changes(
    before: Link | None, after: Link | None, *, regions: Mapping[str, str], actor: str = ""
) -> tuple[Change, ...]:
    """Return what changed from one state of a link to the next; None: it is not there.

    It is of the region of its first end that is in `regions`, which are by device ID.
    """
    shown = after or before
    if shown is None:
        return ()
    ends = (end.device_id for end in (shown.a, shown.b) if end.device_id)
    region = next((regions[end] for end in ends if end in regions), None)
    if before is None:
        told: list[_Told] = [(WHOLE, None, {"status": shown.status.value})]
    elif after is None:
        told = [(WHOLE, jsonable(before), None)]
    else:
        pairs = ((name, getattr(before, name), getattr(after, name)) for name in _LINK_FIELDS)
        told = [(name, jsonable(old), jsonable(new)) for name, old, new in pairs if old != new]
    return tuple(
        Change(
            kind=HistoryKind.LINK,
            entity_id=shown.link_id,
            label=f"{_place(shown.a)} - {_place(shown.b)}",
            region=region,
            field=field,
            old=old,
            new=new,
            source=shown.source,
            actor=actor,
        )
        for field, old, new in told
    )


def _place(end: LinkEnd) -> str:
    return f"{end.device or end.device_id or '?'}:{end.interface or '?'}"


# --- and back --------------------------------------------------------------------------------


def device_at(
    current: Device | None, device_id: str, since: Iterable[Change], at: datetime
) -> Device | None:
    """Return a device as it was at a time: `since` are its changes after it, the newest first.

    `version` is 0, for the past cannot be edited; sources and pins are kept where they still hold.
    """
    past = _Past(current)
    for change in since:
        past.undo(change)
    values = past.values
    if values is None:
        return None
    if past.rows is not None:
        values[_TABLE] = tuple(past.rows[name] for name in sorted(past.rows))
    values["last_seen"] = min(values["last_seen"], at)
    given = {k: v for k, v in values.pop("provenance").items() if _top(k) not in past.undone}
    pins = {k: v for k, v in values.pop("pins").items() if k not in past.undone and v.at <= at}
    return Device(**{**values, "device_id": device_id, "version": 0}, provenance=given, pins=pins)


class _Past:
    """A device on its way back: its fields by name, None where it is not there."""

    def __init__(self, current: Device | None) -> None:
        self.values = _values(current) if current else None
        self.rows: dict[str, Interface] | None = None
        self.undone: set[str] = set()

    def undo(self, change: Change) -> None:
        if change.field == WHOLE:
            self.rows = None
            self.values = None if change.old is None else _restored(change.old)
        elif self.values is not None:
            self.undone.add(_top(change.field))
            if change.field.startswith(f"{_TABLE}["):
                self._undo_row(self.values, change)
            elif change.field in LISTS:
                now = _typed(change.field, [*map(jsonable, self.values[change.field])])
                came = _typed(change.field, change.new)
                gone = _typed(change.field, change.old)
                kept = {item for item in now if item not in set(came)}
                self.values[change.field] = _in_order(change.field, kept | set(gone))
            else:
                self.values[change.field] = _typed(change.field, change.old)

    def _undo_row(self, values: Mapping[str, Any], change: Change) -> None:
        if self.rows is None:
            self.rows = {i.name: i for i in values[_TABLE]}
        inner, _, column = change.field[len(_TABLE) + 1 :].rpartition("]")
        if not column:
            self.rows.pop(inner, None)
            if change.old is not None:
                self.rows[inner] = _interface({"name": inner, **change.old})
        elif inner in self.rows:
            old: Any = tuple(change.old) if column == ".ips" else change.old
            self.rows[inner] = replace(self.rows[inner], **{column[1:]: old})


def _top(field: str) -> str:
    return field.partition("[")[0].partition(".")[0]


def _values(device: Device) -> dict[str, Any]:
    return {f.name: getattr(device, f.name) for f in fields(Device)}


def _restored(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a device that went; a field of a later release has its default."""
    known = {name: _typed(name, value) for name, value in document.items() if name in _RESTORED}
    empty = Device(device_id="", first_seen=known["first_seen"], last_seen=known["last_seen"])
    return _values(empty) | known


_RESTORED = frozenset({*_FIELDS, "last_seen", _TABLE})


def _typed(field: str, value: Any) -> Any:  # noqa: ANN401 - each field has its own type
    """Return the value of a field from its JSON form."""
    if field in ("first_seen", "last_seen"):
        return datetime.fromisoformat(value)
    if field == "status":
        return DeviceStatus(value)
    if field == "device_type":
        return DeviceType(value)
    if field == "neighbors":
        return tuple(Neighbor(**entry) for entry in value)
    if field == _TABLE:
        return tuple(_interface(entry) for entry in value)
    return tuple(value) if field in LISTS else value


def _interface(entry: Mapping[str, Any]) -> Interface:
    return Interface(**{**entry, "ips": tuple(entry.get("ips", ()))})


def _in_order(field: str, items: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(sorted(items, key=neighbor_order if field == "neighbors" else None))


def link_at(current: Link | None, since: Iterable[Change], at: datetime) -> Link | None:
    """Return a link as it was at a time: `since` are its changes after it, the newest first."""
    link = current
    for change in since:
        if change.field == WHOLE:
            link = None if change.old is None else _link(change.old)
        elif link is not None:
            link = replace(link, **{change.field: _link_value(change.field, change.old)})
    return replace(link, last_seen=min(link.last_seen, at)) if link else None


def _link(document: Mapping[str, Any]) -> Link:
    return Link(
        link_id=document["link_id"],
        last_seen=datetime.fromisoformat(document["last_seen"]),
        **{name: _link_value(name, document[name]) for name in _LINK_FIELDS},
    )


def _link_value(field: str, value: Any) -> Any:  # noqa: ANN401 - each field has its own type
    if field in ("a", "b"):
        return LinkEnd(**value)
    return LinkStatus(value) if field == "status" else value
