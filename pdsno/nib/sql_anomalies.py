"""Makings, words, anomalies and coverage by SQLAlchemy Core; promises are in `record_ports`."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, Select, bindparam, delete, select

from pdsno.domain.anomalies.entities import Anomaly, Status
from pdsno.domain.constraints import Word
from pdsno.domain.makings import Making
from pdsno.domain.ordering import ANOMALY_ORDERS, Keyset, ordering
from pdsno.domain.ports import Page
from pdsno.domain.record_ports import EVERY_ANOMALY, AnomalyFilter, Covered
from pdsno.nib import codec, codec_records, sql_writes
from pdsno.nib import schema_records as tables
from pdsno.nib.criteria import PAGE, check_limit
from pdsno.nib.schema import aliases
from pdsno.nib.sql_session import Session, chunks
from pdsno.nib.sql_sorting import sorted_page

_ID: BindParameter[Any] = bindparam("device_id")
_MAKING = select(tables.makings).where(tables.makings.c.device_id == _ID)
_MAKINGS = select(tables.makings).where(
    tables.makings.c.device_id.in_(bindparam("ids", expanding=True))
)
_ALIAS = select(aliases.c.device_id).where(aliases.c.alias_id == _ID)
_ALIASES = select(aliases.c.alias_id).where(aliases.c.device_id == _ID).order_by(aliases.c.alias_id)
_WORDS = select(tables.words).order_by(tables.words.c.word_id)
_BY_IDS = select(tables.anomalies).where(
    tables.anomalies.c.anomaly_id.in_(bindparam("ids", expanding=True))
)
_COVERED = select(tables.covered).order_by(tables.covered.c.controller_id, tables.covered.c.subnet)
_FORGET = delete(tables.anomalies).where(
    tables.anomalies.c.status == Status.CLOSED.value,
    tables.anomalies.c.closed_at < bindparam("closed_before"),
)


@cache
def _wanted(names: frozenset[str], *, is_ended: bool | None) -> Select[tuple[object, ...]]:
    conditions = [tables.anomalies.c[name] == bindparam(name) for name in sorted(names)]
    if is_ended is not None:
        is_closed = tables.anomalies.c.status == Status.CLOSED.value
        conditions.append(is_closed if is_ended else ~is_closed)
    return select(tables.anomalies).where(*conditions)


class SQLRecordReader:
    """Reads inside one database transaction."""

    _session: Session

    def making(self, device_id: str) -> Making | None:
        row = self._session.row(_MAKING, {"device_id": device_id})
        if row is None:
            into = self._session.scalar(_ALIAS, {"device_id": device_id})
            row = self._session.row(_MAKING, {"device_id": into}) if into is not None else None
        return codec_records.making_of(row) if row else None

    def makings(self) -> Mapping[str, Making]:
        rows = self._session.rows(select(tables.makings).order_by(tables.makings.c.device_id))
        return {row["device_id"]: codec_records.making_of(row) for row in rows}

    def words(self) -> tuple[Word, ...]:
        return tuple(codec_records.word_of(row) for row in self._session.rows(_WORDS))

    def aliases(self, device_id: str) -> tuple[str, ...]:
        rows = self._session.rows(_ALIASES, {"device_id": device_id})
        return tuple(row["alias_id"] for row in rows)

    def anomalies(
        self,
        where: AnomalyFilter = EVERY_ANOMALY,
        *,
        limit: int = PAGE,
        after: str | None = None,
        order: str | None = None,
    ) -> Page[Anomaly]:
        params = codec_records.exact_of(where)
        statement = _wanted(frozenset(params), is_ended=where.is_ended)
        keyset = Keyset(ordering(order, ANOMALY_ORDERS), "anomaly_id", after)
        rows, following = sorted_page(
            self._session, tables.anomalies, statement, params, keyset, check_limit(limit)
        )
        found = tuple(codec_records.anomaly_of(row) for row in rows)
        return Page(items=found, next_after=following)

    def anomalies_by_id(self, anomaly_ids: Iterable[str]) -> Mapping[str, Anomaly]:
        return {
            row["anomaly_id"]: codec_records.anomaly_of(row)
            for ids in chunks(anomaly_ids)
            for row in self._session.rows(_BY_IDS, {"ids": ids})
        }

    def covered(self) -> tuple[Covered, ...]:
        return tuple(codec_records.covered_of(row) for row in self._session.rows(_COVERED))


class SQLRecordWriter(SQLRecordReader):
    """Writes inside the one write transaction."""

    def makings_by_id(self, device_ids: Iterable[str]) -> Mapping[str, Making]:
        return {
            row["device_id"]: codec_records.making_of(row)
            for ids in chunks(device_ids)
            for row in self._session.rows(_MAKINGS, {"ids": ids})
        }

    def put_makings(self, makings: Iterable[Making]) -> None:
        rows = {making.device_id: codec_records.making_row(making) for making in makings}
        self._session.run(sql_writes.upsert(tables.makings), list(rows.values()))

    def _drop_making(self, device_id: str) -> None:
        key = {"key_device_id": device_id}
        self._session.run(sql_writes.delete_of(tables.makings), key)

    def put_word(self, word: Word) -> None:
        sql_writes.put(self._session, tables.words, codec_records.word_row(word))

    def drop_word(self, word_id: str) -> None:
        self._session.run(sql_writes.delete_of(tables.words), {"key_word_id": word_id})

    def drop_alias(self, alias_id: str) -> None:
        self._session.run(sql_writes.delete_of(aliases), {"key_alias_id": alias_id})

    def put_anomalies(self, anomalies: Iterable[Anomaly]) -> None:
        rows = {row.anomaly_id: codec_records.anomaly_row(row) for row in anomalies}
        self._session.run(sql_writes.upsert(tables.anomalies), list(rows.values()))

    def forget_anomalies(self, *, closed_before: datetime) -> int:
        return self._session.run(_FORGET, {"closed_before": codec.utc(closed_before)})

    def put_covered(self, covered: Iterable[Covered]) -> None:
        known = {(c.controller_id, c.subnet): c for c in self.covered()}
        newer = {}
        for item in covered:
            key = (item.controller_id, item.subnet)
            if key not in known or known[key].at < item.at:
                known[key] = item
                newer[key] = codec_records.covered_row(item)
        self._session.run(sql_writes.upsert(tables.covered), list(newer.values()))
