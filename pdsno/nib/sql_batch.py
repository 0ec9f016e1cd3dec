"""Device rows that wait inside a transaction, to be written many at a time.

One statement per row costs more in Python than in the database: ten thousand devices put one by
one are written as fast as ten thousand given at once. Whoever reads many devices flushes first;
one by its ID, or those with one MAC, serial or address, are looked up here, too, since a report
asks for these once for each of its devices.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Table

from pdsno.domain.entities import Device
from pdsno.nib import codec, codec_items
from pdsno.nib.criteria import Criteria, Mark, marks_of
from pdsno.nib.schema import addresses, device_items, devices, interfaces, macs
from pdsno.nib.schema_marks import link_marks, mark_rows
from pdsno.nib.sql_ahead import Ahead
from pdsno.nib.sql_history_writes import HistoryLog
from pdsno.nib.sql_session import Session, chunks
from pdsno.nib.sql_writes import TOUCH, delete_of_devices, insert_into, upsert

_MOST = 5000
"""Rows that wait at most: a bound on memory, far above where larger batches gain."""

_PARTS = {
    interfaces: ("interfaces",),
    macs: ("macs",),
    addresses: ("interfaces", "ips", "namespace", "management_ip"),
    link_marks: ("name", "chassis_id", "neighbors"),
}
"""What hangs on a device, and the fields that it follows from."""

_Rows: TypeAlias = list[dict[str, Any]]


@dataclass(slots=True)
class _Entry:
    device: Device
    row: dict[str, Any]
    parts: dict[Table, _Rows]
    """Only what is other than in the store."""
    is_new: bool


@dataclass(slots=True)
class DeviceBatch:
    """The devices put since the last flush, by ID."""

    _session: Session
    _log: HistoryLog
    _ahead: Ahead
    _entries: dict[str, _Entry] = field(default_factory=dict)
    _marks: dict[Mark, set[str]] = field(default_factory=dict)
    """IDs of devices that have, or had since the last flush, a MAC, serial or address."""
    _touched: dict[str, datetime] = field(default_factory=dict)
    """Devices looked ahead that answered, and when; who waits as well is touched after it."""

    def __contains__(self, device_id: str) -> bool:
        return device_id in self._entries

    def marked(self, mark: Mark, wanted: Criteria) -> list[Device]:
        """Return the devices that wait and have a MAC, serial or address, and all else asked."""
        waiting = (self._ahead.device(device_id) for device_id in self._marks.get(mark, ()))
        return [device for device in waiting if device is not None and wanted.match(device)]

    def put(self, device: Device, *, is_new: bool, actor: str) -> None:
        """Let a device wait; of one put twice only the last is written."""
        before = self._log.put(device, is_new=is_new, actor=actor)
        waiting = self._entries.get(device.device_id)
        changed = {table for table in _PARTS if before is None or _differs(table, before, device)}
        changed |= waiting.parts.keys() if waiting else set()
        self._entries[device.device_id] = _Entry(
            device=device,
            row=codec.device_row(device),
            parts={table: _rows_of(table, device) for table in changed},
            is_new=waiting.is_new if waiting else is_new,
        )
        marks = tuple(marks_of(device))
        for mark in marks:
            self._marks.setdefault(mark, set()).add(device.device_id)
        self._touched.pop(device.device_id, None)
        self._ahead.put(device, marks)
        if len(self._entries) >= _MOST:
            self.flush()

    def touch(self, device_ids: Iterable[str], seen: datetime) -> None:
        """Let devices have answered; who was looked ahead is written later, others at once."""
        ids = tuple(device_ids)
        self._log.touched(ids)
        known = {device.device_id: device for device in self._ahead.touch(ids, seen)}
        self._log.seen(known.values())
        self._touched |= {key: device.last_seen for key, device in known.items()}
        others = [key for key in ids if key not in known]
        if others:
            self.flush()
            self._touch(others, seen)

    def flush(self) -> None:
        """Write everything that waits."""
        self._flush_entries()
        touched, self._touched = self._touched, {}
        at_once: dict[datetime, list[str]] = {}
        for key, seen in touched.items():
            at_once.setdefault(seen, []).append(key)
        for seen, ids in at_once.items():
            self._touch(ids, seen)

    def _touch(self, device_ids: Sequence[str], seen: datetime) -> None:
        for ids in chunks(device_ids):
            self._session.run(TOUCH, {"ids": ids, "seen": seen})

    def _flush_entries(self) -> None:
        entries = list(self._entries.values())
        if not entries:
            return
        self._entries.clear()
        self._marks.clear()
        self._log.compare()
        new = [entry.row for entry in entries if entry.is_new]
        old = [entry.row for entry in entries if not entry.is_new]
        self._session.run(insert_into(devices), new)
        self._session.run(upsert(devices), old)
        items = [codec_items.item_row(entry.device) for entry in entries]
        self._session.run(upsert(device_items), items)
        for table in _PARTS:
            told = [entry for entry in entries if table in entry.parts]
            for ids in chunks([e.device.device_id for e in told if not e.is_new]):
                self._session.run(delete_of_devices(table), {"ids": ids})
            self._session.run(insert_into(table), [row for e in told for row in e.parts[table]])


def _differs(table: Table, before: Device, after: Device) -> bool:
    return any(getattr(before, name) != getattr(after, name) for name in _PARTS[table])


def _rows_of(table: Table, device: Device) -> _Rows:
    if table is interfaces:
        return codec.interface_rows(device)
    if table is macs:
        return [{"device_id": device.device_id, "mac": mac} for mac in sorted(set(device.macs))]
    return codec.address_rows(device) if table is addresses else list(mark_rows(device))
