"""Device rows that wait inside a transaction, to be written many at a time.

One statement per row costs more in Python than in the database: ten thousand devices put one by
one are written as fast as ten thousand given at once. Whoever reads many devices flushes first;
one by its ID, or those with one MAC, serial or address, are looked up here, too, since a report
asks for these once for each of its devices.
"""

from dataclasses import dataclass, field
from typing import Any

from pdsno.domain.entities import Device
from pdsno.nib import codec
from pdsno.nib.criteria import Criteria, marks_of
from pdsno.nib.schema import addresses, devices, interfaces, macs
from pdsno.nib.sql_history_writes import HistoryLog
from pdsno.nib.sql_session import Session
from pdsno.nib.sql_writes import delete_of_device, insert_into, keyed, update_of

_MOST = 5000
"""Rows that wait at most: a bound on memory, far above where larger batches gain."""

_PARTS = (interfaces, macs, addresses)


@dataclass(slots=True)
class _Entry:
    device: Device
    row: dict[str, Any]
    parts: tuple[list[dict[str, Any]], ...]
    is_new: bool


@dataclass(slots=True)
class DeviceBatch:
    """The devices put since the last flush, by ID."""

    _session: Session
    _log: HistoryLog
    _entries: dict[str, _Entry] = field(default_factory=dict)
    _marks: dict[str, set[str]] = field(default_factory=dict)
    """IDs of devices that have, or had since the last flush, a MAC, serial or address."""

    def __contains__(self, device_id: str) -> bool:
        return device_id in self._entries

    def device(self, device_id: str) -> Device | None:
        """Return a device that waits as it will come back from the store, None if it does not."""
        entry = self._entries.get(device_id)
        return codec.stored_device(entry.device) if entry else None

    def marked(self, mark: str, wanted: Criteria) -> list[Device]:
        """Return the devices that wait and have a MAC, serial or address, and all else asked."""
        waiting = (self._entries[device_id].device for device_id in self._marks.get(mark, ()))
        return [codec.stored_device(device) for device in waiting if wanted.match(device)]

    def put(self, device: Device, *, is_new: bool, actor: str) -> None:
        """Let a device wait; of one put twice only the last is written."""
        self._log.put(device, is_new=is_new, actor=actor)
        waiting = self._entries.get(device.device_id)
        self._entries[device.device_id] = _Entry(
            device=device,
            row=codec.device_row(device),
            parts=_parts(device),
            is_new=waiting.is_new if waiting else is_new,
        )
        for mark in marks_of(device):
            self._marks.setdefault(mark, set()).add(device.device_id)
        if len(self._entries) >= _MOST:
            self.flush()

    def flush(self) -> None:
        """Write everything that waits."""
        entries = list(self._entries.values())
        if not entries:
            return
        self._entries.clear()
        self._marks.clear()
        self._log.compare()
        new = [entry.row for entry in entries if entry.is_new]
        old = [entry.row for entry in entries if not entry.is_new]
        keys = [{"key_device_id": row["device_id"]} for row in old]
        self._session.run(insert_into(devices), new)
        self._session.run(update_of(devices), [keyed(devices, row) for row in old])
        for number, table in enumerate(_PARTS):
            self._session.run(delete_of_device(table), keys)
            rows = [row for entry in entries for row in entry.parts[number]]
            self._session.run(insert_into(table), rows)


def _parts(device: Device) -> tuple[list[dict[str, Any]], ...]:
    device_id = device.device_id
    return (
        codec.interface_rows(device),
        [{"device_id": device_id, "mac": mac} for mac in sorted(set(device.macs))],
        codec.address_rows(device),
    )
