"""Devices that a report will ask for, asked for at once and kept as the transaction leaves them.

A report asks who has each MAC, serial and address of each of its devices. One question for all of
a kind costs as much as one of them alone. What is kept here is what the database would say, with
all that this transaction changed since: who changes a device says so here.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Select, bindparam, select

from pdsno.domain.entities import Device
from pdsno.nib import codec
from pdsno.nib.criteria import Criteria, Mark, marks_of
from pdsno.nib.schema import addresses, aliases, devices, macs
from pdsno.nib.sql_session import Session, chunks

_WANTED: BindParameter[Any] = bindparam("wanted", expanding=True)
_HOLDERS: dict[str, Select[tuple[str, str]]] = {
    "mac": select(macs.c.mac, macs.c.device_id).where(macs.c.mac.in_(_WANTED)),
    "serial": select(devices.c.serial, devices.c.device_id).where(devices.c.serial.in_(_WANTED)),
    "ip": select(addresses.c.ip_key, addresses.c.device_id).where(addresses.c.ip_key.in_(_WANTED)),
}
_ALIASES = select(aliases.c.alias_id).where(aliases.c.alias_id.in_(_WANTED))


@dataclass(slots=True)
class Ahead:
    """The devices of a transaction that were looked ahead, or put since, by ID and by mark."""

    _devices: dict[str, Device] = field(default_factory=dict)
    _absent: set[str] = field(default_factory=set)
    _holders: dict[Mark, set[str]] = field(default_factory=dict)
    """Who has a mark, or had it: whole for every mark that is here, and all of them are known."""

    def device(self, device_id: str) -> Device | None:
        """Return a device, None if it is not known here."""
        return self._devices.get(device_id)

    def is_absent(self, device_id: str) -> bool:
        """Tell whether it is known that there is neither a device nor an alias of this ID."""
        return device_id in self._absent

    def find(self, mark: Mark, wanted: Criteria) -> list[Device] | None:
        """Return who has a mark and all else that is wanted, None if that is not known here."""
        holders = self._holders.get(mark)
        if holders is None:
            return None
        found = [self._devices[key] for key in sorted(holders) if key in self._devices]
        return [device for device in found if wanted.match(device)]

    def holders(
        self, session: Session, told: Iterable[Device], also: Iterable[str]
    ) -> tuple[str, ...]:
        """Ask who has the marks of some devices; return their IDs and `also`, as far as unknown."""
        wanted: dict[str, set[str]] = {kind: set() for kind in _HOLDERS}
        for device in told:
            for kind, value in marks_of(device):
                wanted[kind].add(value)
        ids = set(also)
        for kind, values in wanted.items():
            for value in values:
                self._holders.setdefault((kind, value), set())
            for chunk in chunks(sorted(values)):
                for row in session.rows(_HOLDERS[kind], {"wanted": chunk}):
                    value, device_id = row.values()
                    self._holders[kind, value].add(device_id)
                    ids.add(device_id)
        return tuple(sorted(ids - self._devices.keys()))

    def learn(self, session: Session, asked: Iterable[str], found: Iterable[Device]) -> None:
        """Keep devices as they were read, and which of those asked for are not there."""
        self._devices.update((device.device_id, device) for device in found)
        missing = sorted(set(asked) - self._devices.keys())
        for chunk in chunks(missing):
            merged = {row["alias_id"] for row in session.rows(_ALIASES, {"wanted": chunk})}
            self._absent.update(key for key in chunk if key not in merged)

    def put(self, device: Device, marks: Iterable[Mark]) -> None:
        """Take note of a device that was put, with its `marks_of`."""
        self._devices[device.device_id] = codec.as_stored(device)
        self._absent.discard(device.device_id)
        for mark in marks:
            if mark in self._holders:
                self._holders[mark].add(device.device_id)

    def touch(self, device_ids: Iterable[str], seen: datetime) -> list[Device]:
        """Take note of who answered; return those that are known here as they are now."""
        touched = []
        for key in device_ids:
            known = self._devices.get(key)
            if known is not None:
                latest = max(known.last_seen, seen)
                self._devices[key] = replace(known, last_seen=latest, missed=0)
                touched.append(self._devices[key])
        return touched

    def drop(self, device_id: str) -> None:
        """Take note of a device that went."""
        self._devices.pop(device_id, None)
