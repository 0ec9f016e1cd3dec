"""The history inside the write transaction: what waits is written before it is read."""

from collections.abc import Iterable
from datetime import datetime

from pdsno.domain.history import HistoryEntry, HistoryKind
from pdsno.domain.history_ports import EVERYTHING, HistoryFilter
from pdsno.nib.criteria import PAGE
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
        self._batch = DeviceBatch(session, self._log)

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
