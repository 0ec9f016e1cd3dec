"""One page of a sorted list, by the index of the field that it is sorted by."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from sqlalchemy import Select, Table, bindparam, tuple_

from pdsno.domain.ordering import Keyset, Order
from pdsno.nib.sql_session import Row, Session


def sorted_page(
    session: Session,
    table: Table,
    wanted: Select[tuple[object, ...]],
    params: Mapping[str, object],
    keyset: Keyset,
    limit: int,
) -> tuple[list[Row], str | None]:
    """Return the rows of one page and the place behind them, None if there are no more.

    Rows without a value are a stretch of their own: databases disagree on where they belong, and
    no comparison finds them. Each stretch is read by one statement, along its index.
    """
    rows: list[Row] = []
    for has_value, start in _stretches(table, keyset):
        statement = _stretch(
            wanted,
            table,
            keyset.key,
            keyset.order,
            has_value=None if keyset.is_by_key else has_value,
            is_from=start is not None,
        )
        room = {"page_limit": limit + 1 - len(rows)}
        rows += session.rows(statement, {**params, **_bounds(start), **room})
        if len(rows) > limit:
            break
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    return rows[:limit], keyset.place(last[keyset.order.field], last[keyset.key])


def _stretches(table: Table, keyset: Keyset) -> Iterator[tuple[bool, tuple[Any, str] | None]]:
    """Yield (whether its rows have a value, behind what it begins), in order."""
    order = (True, False) if keyset.order.is_descending else (False, True)
    start = keyset.start()
    for has_value in order:
        if not has_value and not table.c[keyset.order.field].nullable:
            continue
        if start is None:
            yield has_value, None
        elif (start[0] is not None) is has_value:
            yield has_value, start
            start = None


def _bounds(start: tuple[Any, str] | None) -> dict[str, object]:
    if start is None:
        return {}
    value, key = start
    return {"page_key": key} | ({} if value is None else {"page_value": value})


@cache
def _stretch(
    wanted: Select[tuple[object, ...]],
    table: Table,
    key: str,
    order: Order,
    *,
    has_value: bool | None,
    is_from: bool,
) -> Select[tuple[object, ...]]:
    """Return the statement of one stretch; `has_value` None: sorted by the key alone."""
    field, by_key = table.c[order.field], table.c[key]
    statement = wanted
    columns = (field, by_key) if has_value else (by_key,)
    if has_value is False:
        statement = statement.where(field.is_(None))
    elif has_value and field.nullable:
        statement = statement.where(field.is_not(None))
    if is_from:
        bounds = {field.name: "page_value", key: "page_key"}
        place = tuple_(*(bindparam(bounds[c.name], type_=c.type) for c in columns))
        here = tuple_(*columns)
        statement = statement.where(here < place if order.is_descending else here > place)
    ordered = (c.desc() if order.is_descending else c.asc() for c in columns)
    return statement.order_by(*ordered).limit(bindparam("page_limit"))
