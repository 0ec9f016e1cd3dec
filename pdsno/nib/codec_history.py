"""The history's entries to stored rows and back; see `codec`."""

import json
from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from typing import Any

from pdsno.domain.history import Change, HistoryEntry, HistoryKind
from pdsno.domain.history_ports import HistoryFilter
from pdsno.nib.codec import Row, dumps, text, utc

_PLAIN = tuple(f.name for f in fields(Change) if f.name not in ("kind", "old", "new"))


def history_rows(changes: Iterable[Change], at: datetime, first: int) -> list[dict[str, Any]]:
    """Return changes that were learnt at one time as rows, numbered from `first` on."""
    told = utc(at)
    return [
        {name: getattr(change, name) for name in _PLAIN}
        | {
            "kind": change.kind.value,
            "field": text(change.field),
            "label": text(change.label),
            "old": None if change.old is None else dumps(change.old),
            "new": None if change.new is None else dumps(change.new),
            "at": told,
            "seq": seq,
        }
        for seq, change in enumerate(changes, first)
    ]


def entry_of(row: Row) -> HistoryEntry:
    """Return the entry of a row."""
    old, new = row["old"], row["new"]
    change = Change(
        **{name: row[name] for name in _PLAIN},
        kind=HistoryKind(row["kind"]),
        old=None if old is None else json.loads(old),
        new=None if new is None else json.loads(new),
    )
    return HistoryEntry(seq=row["seq"], at=row["at"], change=change)


def fits(entry: HistoryEntry, where: HistoryFilter) -> bool:
    """Tell whether all conditions of a filter hold."""
    change = entry.change
    if any(
        wanted is not None and getattr(change, name) != wanted
        for name, wanted in (
            ("kind", where.kind),
            ("entity_id", where.entity_id),
            ("region", where.region),
        )
    ):
        return False
    if where.after is not None and entry.at <= where.after:
        return False
    if where.until is not None and entry.at > where.until:
        return False
    field = where.field
    return (
        field is None
        or change.field == field
        or change.field.startswith((f"{field}[", f"{field}."))
    )
