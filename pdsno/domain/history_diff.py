"""What changed between two times, summed up: what came and went again is no change. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pdsno.domain.changes import LISTS
from pdsno.domain.entities import DeviceStatus
from pdsno.domain.history import WHOLE, Change, HistoryEntry, HistoryKind


class Became(StrEnum):
    """What became of a device or link."""

    APPEARED = "appeared"
    DISAPPEARED = "disappeared"
    RETURNED = "returned"
    CHANGED = "changed"


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldChange:
    """What a field was and is; of lists what went and what came."""

    field: str
    old: Any
    new: Any
    source: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class NetChange:
    """What became of one device or link; `at` is when it came, went, or changed last."""

    kind: HistoryKind
    entity_id: str
    label: str
    region: str | None
    became: Became
    at: datetime
    fields: tuple[FieldChange, ...] = ()
    detail: Any = None


@dataclass(slots=True)
class _Sum:
    """The changes of one entity as they add up, from the oldest on."""

    first_whole: Change | None = None
    last_whole: Change | None = None
    last: HistoryEntry | None = None
    fields: dict[str, FieldChange] = field(default_factory=dict)

    def add(self, entry: HistoryEntry) -> None:
        self.last = entry
        if entry.change.field == WHOLE:
            self.first_whole = self.first_whole or entry.change
            self.last_whole = entry.change
            self.fields.clear()
        elif entry.change.field != "last_seen":
            self._add_field(entry)

    def _add_field(self, entry: HistoryEntry) -> None:
        change = entry.change
        row, bracket, column = change.field.rpartition("]")
        row += bracket
        if column and bracket and row in self.fields and self.fields[row].old is None:
            return  # a new row, told by its coming
        if bracket and not column:
            inside = [name for name in self.fields if name.startswith(f"{row}.")]
            for name in inside:
                del self.fields[name]
        before = self.fields.pop(change.field, None)
        old, new = change.old, change.new
        if before is not None and change.field in LISTS:
            old, new = _lists(before, change)
        elif before is not None:
            old = before.old
        if old != new:
            self.fields[change.field] = FieldChange(
                field=change.field, old=old, new=new, source=change.source, at=entry.at
            )


def _lists(before: FieldChange, change: Change) -> tuple[list[Any], list[Any]]:
    gone = [item for item in before.old if item not in change.new]
    gone += [item for item in change.old if item not in before.new]
    came = [item for item in before.new if item not in change.old]
    came += [item for item in change.new if item not in before.old]
    return gone, came


def net_changes(entries: Iterable[HistoryEntry]) -> tuple[NetChange, ...]:
    """Return what became of each device and link; `entries` from the oldest on.

    Ordered by kind, what became of it, and what it is called.
    """
    sums: dict[tuple[HistoryKind, str], _Sum] = {}
    for entry in entries:
        key = (entry.change.kind, entry.change.entity_id)
        sums.setdefault(key, _Sum()).add(entry)
    order = list(Became)
    found = [change for total in sums.values() if (change := _net(total))]
    return tuple(sorted(found, key=lambda c: (c.kind, order.index(c.became), c.label, c.entity_id)))


def _net(total: _Sum) -> NetChange | None:
    if total.last is None:
        return None
    first, last = total.first_whole, total.last_whole
    was_there = first is None or first.old is not None
    is_there = last is None or last.old is None
    fields = tuple(total.fields[name] for name in sorted(total.fields))
    detail = None
    if was_there and is_there:
        if not fields and first is None:
            return None
        became = _by_status(total.fields.get("status"))
    elif was_there or is_there:
        became = Became.APPEARED if is_there else Became.DISAPPEARED
        fields = ()
        detail = last.new if last else None
    else:
        return None
    change = total.last.change
    return NetChange(
        kind=change.kind,
        entity_id=change.entity_id,
        label=change.label,
        region=change.region,
        became=became,
        at=total.last.at,
        fields=fields,
        detail=detail,
    )


def _by_status(status: FieldChange | None) -> Became:
    """Return what a change of status means to people: a device that is inactive is not there."""
    gone = DeviceStatus.INACTIVE.value
    if status is not None and status.new == gone:
        return Became.DISAPPEARED
    if status is not None and status.old == gone:
        return Became.RETURNED
    return Became.CHANGED
