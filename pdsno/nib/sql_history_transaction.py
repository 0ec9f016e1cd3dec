"""Devices and history inside the write transaction: what waits counts when it is read."""

from collections.abc import Iterable
from datetime import datetime

from pdsno.domain.entities import Device
from pdsno.domain.history import HistoryEntry, HistoryKind
from pdsno.domain.history_ports import EVERYTHING, HistoryFilter
from pdsno.domain.ports import EVERY_DEVICE, DeviceFilter, DeviceInterface, NIBCounts, Page
from pdsno.nib.criteria import PAGE, criteria, mark_of
from pdsno.nib.sql_ahead import Ahead
from pdsno.nib.sql_anomalies import SQLRecordWriter
from pdsno.nib.sql_batch import DeviceBatch
from pdsno.nib.sql_history_writes import HistoryLog
from pdsno.nib.sql_reader import SQLReader
from pdsno.nib.sql_session import Session


class SQLHistoryTransaction(SQLReader, SQLRecordWriter):
    """Devices and changes that wait, and reading of the history. Not for several threads."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._log = HistoryLog(session)
        self._ahead = Ahead()
        self._batch = DeviceBatch(session, self._log, self._ahead)

    # --- devices: found among those that wait, or after they were written ------------------------

    def device(self, device_id: str) -> Device | None:
        found = self._ahead.device(device_id)
        if found is not None or self._ahead.is_absent(device_id):
            return found
        found = super().device(device_id)
        if found is None:
            return None
        # An alias leads to a device that may wait as well.
        waiting = self._ahead.device(found.device_id)
        if waiting is None:
            self._log.seen((found,))
        return waiting or found

    def devices(
        self,
        where: DeviceFilter = EVERY_DEVICE,
        *,
        limit: int = PAGE,
        after: str | None = None,
        order: str | None = None,
    ) -> Page[Device]:
        wanted = criteria(where)
        mark = mark_of(wanted) if after is None and order is None else None
        if mark is not None:
            found = self._ahead.find(mark, wanted)
            if found is not None and len(found) <= limit:
                return Page(items=tuple(found))
            stored = super().devices(where, limit=limit)
            waiting = self._batch.marked(mark, wanted)
            kept = [
                self._ahead.device(device.device_id) or device
                for device in stored.items
                if device.device_id not in self._batch
            ]
            self._log.seen(kept)
            if stored.next_after is None and len(kept) + len(waiting) <= limit:
                return Page(items=tuple(sorted(kept + waiting, key=lambda d: d.device_id)))
        self._batch.flush()
        page = super().devices(where, limit=limit, after=after, order=order)
        self._log.seen(page.items)
        return page

    def device_items(
        self,
        where: DeviceFilter = EVERY_DEVICE,
        *,
        limit: int = PAGE,
        after: str | None = None,
        order: str | None = None,
    ) -> Page[str]:
        self._batch.flush()
        return super().device_items(where, limit=limit, after=after, order=order)

    def all_devices(self) -> tuple[Device, ...]:
        self._batch.flush()
        found = super().all_devices()
        self._log.seen(found)
        return found

    def counts(self) -> NIBCounts:
        self._batch.flush()
        return super().counts()

    def interfaces(
        self,
        *,
        device_id: str | None = None,
        region: str | None = None,
        mac: str | None = None,
        limit: int = PAGE,
        after: str | None = None,
    ) -> Page[DeviceInterface]:
        self._batch.flush()
        return super().interfaces(
            device_id=device_id, region=region, mac=mac, limit=limit, after=after
        )

    # --- the history -----------------------------------------------------------------------------

    def _flush_history(self) -> None:
        self._batch.flush()
        self._log.flush()

    def history(
        self, where: HistoryFilter = EVERYTHING, *, limit: int = PAGE, below: int | None = None
    ) -> tuple[HistoryEntry, ...]:
        self._flush_history()
        return super().history(where, limit=limit, below=below)

    def history_of(
        self, kind: HistoryKind, ids: Iterable[str], after: datetime
    ) -> tuple[HistoryEntry, ...]:
        self._flush_history()
        return super().history_of(kind, ids, after)

    def changed_since(self, kind: HistoryKind, after: datetime) -> tuple[str, ...]:
        self._flush_history()
        return super().changed_since(kind, after)

    def history_count(self, before: datetime) -> int:
        self._flush_history()
        return super().history_count(before)

    def prune_history(self, before: datetime) -> int:
        self._flush_history()
        return self._log.prune(before)
