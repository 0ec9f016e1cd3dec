"""Reading the history by SQLAlchemy Core; what each call promises is in `domain.history_ports`."""

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Select, bindparam, func, or_, select

from pdsno.domain.errors import OperationError
from pdsno.domain.history import HistoryEntry, HistoryKind
from pdsno.domain.history_ports import EVERYTHING, HistoryFilter
from pdsno.nib.codec import utc
from pdsno.nib.codec_history import entry_of
from pdsno.nib.criteria import PAGE, check_limit
from pdsno.nib.past import PastReader
from pdsno.nib.schema_history import history, retention
from pdsno.nib.sql_session import MOST_IDS, Session, chunks

_C = history.c

OF_MANY = (
    select(history)
    .where(
        _C.entity_id.in_(bindparam("ids", expanding=True)),
        _C.kind == bindparam("kind"),
        _C.at > bindparam("after"),
    )
    .order_by(_C.seq.desc())
)
CHANGED = (
    select(_C.entity_id)
    .where(_C.at > bindparam("after"), _C.kind == bindparam("kind"))
    .distinct()
    .order_by(_C.entity_id)
)
LAST = select(_C.seq, _C.at).order_by(_C.seq.desc()).limit(1)
COUNT = select(func.count()).select_from(history).where(_C.at < bindparam("before"))
KEPT_FROM = select(retention.c.kept_from).where(retention.c.kind == "history")


def _in_field() -> ColumnElement[bool]:
    field: BindParameter[Any] = bindparam("field")
    head = func.substr(_C.field, 1, func.length(field) + 1)
    return or_(_C.field == field, head.in_([bindparam("field_row"), bindparam("field_column")]))


@cache
def _page(names: frozenset[str]) -> Select[tuple[object, ...]]:
    conditions: dict[str, ColumnElement[bool]] = {
        name: _C[name] == bindparam(name) for name in ("kind", "entity_id", "region")
    }
    conditions |= {
        "field": _in_field(),
        "after": _C.at > bindparam("after"),
        "until": _C.at <= bindparam("until"),
        "below": _C.seq < bindparam("below"),
    }
    wanted = [conditions[name] for name in sorted(names)]
    return select(history).where(*wanted).order_by(_C.seq.desc()).limit(bindparam("limit"))


class SQLHistoryReader(PastReader):
    """The part of a reader that knows the history."""

    _session: Session

    def history(
        self, where: HistoryFilter = EVERYTHING, *, limit: int = PAGE, below: int | None = None
    ) -> tuple[HistoryEntry, ...]:
        given: dict[str, Any] = {
            "kind": where.kind.value if where.kind else None,
            "entity_id": where.entity_id,
            "region": where.region,
            "field": where.field,
            "after": utc(where.after) if where.after else None,
            "until": utc(where.until) if where.until else None,
            "below": below,
        }
        params = {name: value for name, value in given.items() if value is not None}
        statement = _page(frozenset(params))
        if where.field is not None:
            params |= {"field_row": f"{where.field}[", "field_column": f"{where.field}."}
        rows = self._session.rows(statement, params | {"limit": check_limit(limit)})
        return tuple(entry_of(row) for row in rows)

    def history_of(
        self, kind: HistoryKind, ids: Iterable[str], after: datetime
    ) -> tuple[HistoryEntry, ...]:
        wanted, found = list(ids), []
        params = {"kind": kind.value, "after": utc(after)}
        for chunk in chunks(wanted):
            rows = self._session.rows(OF_MANY, params | {"ids": chunk})
            found += [entry_of(row) for row in rows]
        if len(wanted) > MOST_IDS:
            found.sort(key=lambda entry: -entry.seq)
        return tuple(found)

    def changed_since(self, kind: HistoryKind, after: datetime) -> tuple[str, ...]:
        params = {"kind": kind.value, "after": utc(after)}
        return tuple(row["entity_id"] for row in self._session.rows(CHANGED, params))

    def history_from(self) -> datetime:
        kept_from = self._session.scalar(KEPT_FROM)
        if not isinstance(kept_from, datetime):
            raise OperationError("the NIB has lost the begin of its history: restore a backup")
        return kept_from

    def history_count(self, before: datetime) -> int:
        return int(self._session.scalar(COUNT, {"before": utc(before)}))
