"""Device rows that wait inside a transaction, to be written many at a time.

One statement per row costs more in Python than in the database: ten thousand devices put one by
one are written as fast as ten thousand given at once. Whoever reads devices flushes first.
"""

from dataclasses import dataclass, field
from typing import Any

from pdsno.domain.entities import Device
from pdsno.nib import codec
from pdsno.nib.schema import addresses, devices, interfaces, macs
from pdsno.nib.sql_history_writes import HistoryLog
from pdsno.nib.sql_session import Session
from pdsno.nib.sql_writes import delete_of_device, insert_into, keyed, update_of

_MOST = 5000
"""Rows that wait at most: a bound on memory, far above where larger batches gain."""

_PARTS = (interfaces, macs, addresses)


@dataclass(slots=True)
class _Entry:
    row: dict[str, Any]
    parts: tuple[list[dict[str, Any]], ...]
    is_new: bool


@dataclass(slots=True)
class DeviceBatch:
    """The devices put since the last flush, by ID."""

    _session: Session
    _log: HistoryLog
    _entries: dict[str, _Entry] = field(default_factory=dict)

    def put(self, device: Device, *, is_new: bool, actor: str) -> None:
        """Let a device wait; of one put twice only the last is written."""
        self._log.put(device, is_new=is_new, actor=actor)
        waiting = self._entries.get(device.device_id)
        self._entries[device.device_id] = _Entry(
            row=codec.device_row(device),
            parts=_parts(device),
            is_new=waiting.is_new if waiting else is_new,
        )
        if len(self._entries) >= _MOST:
            self.flush()

    def flush(self) -> None:
        """Write everything that waits."""
        entries = list(self._entries.values())
        if not entries:
            return
        self._entries.clear()
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
