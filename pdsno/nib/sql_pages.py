"""One page of devices: which of them, in which order, and along which index they are read."""

import time
from collections.abc import Callable
from functools import cache
from typing import TypeAlias
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, Select, bindparam, func, literal, select

from pdsno.domain.ordering import DEVICE_ORDERS, Keyset, ordering
from pdsno.domain.ports import DeviceFilter
from pdsno.nib import sql_devices
from pdsno.nib.criteria import Criteria, check_limit, criteria
from pdsno.nib.schema import devices
from pdsno.nib.sql_session import Row, Session
from pdsno.nib.sql_sorting import sorted_page

MANY = 4000
"""So many devices take as long to sort as one page takes to be found along another index."""

_TELLING = ("serial", "name")
"""Of these, hardly two devices have the same value."""
_COUNTED_S = 60.0
_MOST_COUNTS = 1000
_COUNTS: WeakKeyDictionary[Engine, dict[tuple[str, str], tuple[float, int]]] = WeakKeyDictionary()
"""Until when to go by it, and how many; an old count costs time, and changes no page."""

Columns: TypeAlias = Callable[[Select[tuple[object, ...]], str], Select[tuple[object, ...]]]
"""From a statement over whole devices, sorted by a field, to what is read of them."""


def device_page(
    session: Session,
    where: DeviceFilter,
    columns: Columns,
    *,
    limit: int,
    after: str | None,
    order: str | None,
) -> tuple[list[Row], str | None]:
    """Return the rows of one page and the place behind them, None if there are no more."""
    wanted = criteria(where)
    keyset = Keyset(ordering(order, DEVICE_ORDERS), "device_id", after)
    limit = check_limit(limit)
    statement, params = sql_devices.page(wanted, aside=_aside(session, wanted, keyset))
    read = columns(statement, keyset.order.field)
    return sorted_page(session, devices, read, params, keyset, limit)


def _aside(session: Session, wanted: Criteria, keyset: Keyset) -> frozenset[str]:
    """Return the filters along whose index the page is not to be read.

    SQLite does not know how many devices have a value, and takes any index of a filter: for one
    router among a region's devices it would read the region, for a page of a region by name sort
    all of it. PostgreSQL counts by itself.
    """
    fields = wanted.exact
    is_sorted = keyset.order.field not in (keyset.key, *fields)
    has_choice = len(fields) + is_sorted > 1
    # A MAC or an address gives a list of IDs, which every index can be asked for.
    has_ids = wanted.mac is not None or wanted.ips is not None
    if session.engine.name != "sqlite" or has_ids or not has_choice:
        return frozenset()
    counts = {name: _count(session, name, value) for name, value in fields.items()}
    rarest = min(counts, key=counts.__getitem__)
    used = set() if is_sorted and counts[rarest] >= MANY else {rarest}
    return frozenset(fields) - used


def _count(session: Session, field: str, value: str) -> int:
    """Return how many devices have a value, as of lately and `MANY` at most."""
    if field in _TELLING:
        return 1
    held = _COUNTS.setdefault(session.engine, {})
    until, count = held.get((field, value), (0.0, 0))
    now = time.monotonic()
    if now >= until:
        count = int(session.scalar(_some(field), {"value": value, "most": MANY}))
        if len(held) >= _MOST_COUNTS:
            held.clear()
        held[field, value] = (now + _COUNTED_S, count)
    return count


@cache
def _some(field: str) -> Select[int]:
    """Return the statement that counts devices with a value, in its index and not beyond `most`."""
    found = select(literal(1).label("one")).where(devices.c[field] == bindparam("value"))
    return select(func.count()).select_from(found.limit(bindparam("most")).subquery())
