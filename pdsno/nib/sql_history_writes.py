"""Writing the history: what a transaction changes is compared with what was there before.

Devices are put one at a time and written many at a time (`sql_batch`), and so is this: what was
there before is taken from what the transaction read already, else read for many at once, just
before they are written over.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import bindparam, delete, select

from pdsno.domain.entities import Device, Link
from pdsno.domain.history import Change, device_changes, link_changes
from pdsno.nib import codec, sql_history
from pdsno.nib.codec_history import history_rows
from pdsno.nib.schema import devices
from pdsno.nib.schema_history import history, retention
from pdsno.nib.sql_reader import read_devices
from pdsno.nib.sql_session import Session, chunks
from pdsno.nib.sql_writes import insert_into, put

_MOST = 20_000
"""Changes that wait at most."""

_REGIONS = select(devices.c.device_id, devices.c.region).where(
    devices.c.device_id.in_(bindparam("ids", expanding=True))
)
FORGET = delete(history).where(history.c.at < bindparam("before"))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Put:
    """A device as it was put; `before` is None if it was new or was not looked up yet."""

    before: Device | None
    after: Device
    is_known: bool
    actor: str


@dataclass(slots=True)
class HistoryLog:
    """The changes of one transaction that wait to be written."""

    _session: Session
    _known: dict[str, Device] = field(default_factory=dict)
    """The devices that this transaction read or put, as they are now."""
    _puts: list[_Put] = field(default_factory=list)
    _changes: list[Change] = field(default_factory=list)
    _at: datetime | None = None
    """When all of this transaction counts as learnt, so that no picture shows half of it."""

    def seen(self, found: Iterable[Device]) -> None:
        """Remember devices as they were read."""
        self._known.update((device.device_id, device) for device in found)

    def touched(self, device_ids: Iterable[str]) -> None:
        """Forget devices of which something changed that makes no version."""
        for device_id in device_ids:
            self._known.pop(device_id, None)

    def version(self, device_id: str) -> int | None:
        """Return the version of a device that was read or put, None if it was not."""
        known = self._known.get(device_id)
        return known.version if known else None

    def put(self, device: Device, *, is_new: bool, actor: str) -> Device | None:
        """Take note of a device as it will be written; return it as it was, if that is known."""
        before = None if is_new else self._known.get(device.device_id)
        is_known = is_new or (before is not None and before.version == device.version - 1)
        self._puts.append(
            _Put(before=before if is_known else None, after=device, is_known=is_known, actor=actor)
        )
        self._known[device.device_id] = device
        return before if is_known else None

    def compare(self) -> None:
        """Look up what is still there of before: the next statement may write over it."""
        puts, self._puts = self._puts, []
        if not puts:
            return
        missing = {entry.after.device_id for entry in puts if not entry.is_known}
        held = self._read(sorted(missing))
        for entry in puts:
            before = entry.before if entry.is_known else held.get(entry.after.device_id)
            self._changes += device_changes(before, entry.after, actor=entry.actor)
        if len(self._changes) >= _MOST:
            self.flush()

    def _read(self, ids: list[str]) -> dict[str, Device]:
        return {device.device_id: device for device in read_devices(self._session, ids)}

    def removed(self, device_id: str, *, became: object = None) -> None:
        """Take note that a device goes; it must be there still, and all others be written."""
        before = self._known.pop(device_id, None) or self._read([device_id]).get(device_id)
        self._changes += device_changes(before, None, became=became)

    def links(self, before: Mapping[str, Link], after: Mapping[str, Link]) -> None:
        """Take note of links that changed."""
        ids = {
            end.device_id
            for link in (*before.values(), *after.values())
            for end in (link.a, link.b)
            if end.device_id
        }
        regions = self._regions(sorted(ids))
        for key in sorted(before.keys() | after.keys()):
            self._changes += link_changes(before.get(key), after.get(key), regions=regions)

    def _regions(self, ids: list[str]) -> dict[str, str]:
        return {
            row["device_id"]: row["region"]
            for chunk in chunks(ids)
            for row in self._session.rows(_REGIONS, {"ids": chunk})
        }

    def flush(self) -> None:
        """Write what waits, at one time: never before what another transaction wrote."""
        changes, self._changes = self._changes, []
        if not changes:
            return
        last = self._session.row(sql_history.LAST)
        if self._at is None:
            now = datetime.now(UTC)
            self._at = max(now, last["at"]) if last else now
        first = last["seq"] + 1 if last else 1
        self._session.run(insert_into(history), history_rows(changes, self._at, first))

    def prune(self, before: datetime) -> int:
        """Forget what happened before a time."""
        before = min(codec.utc(before), datetime.now(UTC))
        kept_from = self._session.scalar(sql_history.KEPT_FROM)
        row = {"kind": "history", "kept_from": max(before, kept_from) if kept_from else before}
        put(self._session, retention, row)
        return self._session.run(FORGET, {"before": before})
