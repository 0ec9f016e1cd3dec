"""Pages of devices as JSON values, made of rows without making devices of them first.

Making and checking a device takes ten times as long as reading its row. Whoever only passes
devices on, as the API does with its lists, reads them here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache
from operator import itemgetter
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Select, Text, bindparam, select, type_coerce

from pdsno.domain.entities import Device, Interface
from pdsno.domain.jsonable import jsonable
from pdsno.domain.operator_ports import SUMMED, Summary, summary_of
from pdsno.domain.ordering import DEVICE_ORDERS, Keyset, ordering
from pdsno.domain.ports import EVERY_DEVICE, DeviceFilter, Page
from pdsno.nib import sql_devices
from pdsno.nib.codec import DEVICE_COLUMNS
from pdsno.nib.criteria import PAGE, check_limit, criteria
from pdsno.nib.schema import devices, interfaces
from pdsno.nib.sql_session import Row, Session
from pdsno.nib.sql_sorting import sorted_page

_TIMES = ("first_seen", "last_seen")
_WHOLE_SECOND = ".000000Z"

# In the order of an interface's fields, with its device's ID at the end.
_INTERFACES = (
    select(*(interfaces.c[f.name] for f in fields(Interface)), interfaces.c.device_id)
    .where(interfaces.c.device_id.in_(bindparam("ids", expanding=True)))
    .order_by(interfaces.c.device_id, interfaces.c.name)
)


@cache
def _columns(statement: Select[tuple[object, ...]]) -> Select[tuple[object, ...]]:
    """Return a statement that reads what a summary is made of; times as they are stored."""
    plain = (devices.c[name] for name in DEVICE_COLUMNS if name not in _TIMES)
    times = (type_coerce(devices.c[name], Text).label(name) for name in _TIMES)
    return statement.with_only_columns(*plain, *times, devices.c.document)


_SUMMED = itemgetter(*SUMMED)
_EPOCH = datetime.fromtimestamp(0, UTC)
_DEFAULTS = summary_of(Device(device_id="", first_seen=_EPOCH, last_seen=_EPOCH))
"""What a document of an earlier release, which has fewer fields, leaves out."""


class SummaryReads:
    """The part of a reader that is here."""

    _session: Session

    def device_summaries(
        self,
        where: DeviceFilter = EVERY_DEVICE,
        *,
        limit: int = PAGE,
        after: str | None = None,
        order: str | None = None,
    ) -> Page[Summary]:
        statement, params = sql_devices.page(criteria(where))
        keyset = Keyset(ordering(order, DEVICE_ORDERS), "device_id", after)
        rows, following = sorted_page(
            self._session, devices, _columns(statement), params, keyset, check_limit(limit)
        )
        told: list[Row] = []
        for start in range(0, len(rows), sql_devices.CHUNK):
            ids = [row["device_id"] for row in rows[start : start + sql_devices.CHUNK]]
            told += self._session.rows(_INTERFACES, {"ids": ids})
        return Page(items=tuple(_summaries(rows, _by_device(told))), next_after=following)


def _summaries(
    rows: Sequence[Row], interfaces_of: Mapping[str, list[Summary]]
) -> Iterator[Summary]:
    for row, document in zip(rows, _parsed(row["document"] for row in rows), strict=True):
        values = document | row
        for name in _TIMES:
            values[name] = _instant(row[name])
        values["interfaces"] = interfaces_of.get(row["device_id"], [])
        try:
            summed = _SUMMED(values)
        except KeyError:
            summed = _SUMMED(_DEFAULTS | values)
        yield dict(zip(SUMMED, summed, strict=True))


def _by_device(rows: Sequence[Row]) -> dict[str, list[Summary]]:
    found: dict[str, list[Summary]] = {}
    for row, ips in zip(rows, _parsed(row["ips"] for row in rows), strict=True):
        interface = {**row, "ips": ips}
        found.setdefault(interface.pop("device_id"), []).append(interface)
    return found


def _parsed(documents: Iterable[str]) -> list[Any]:
    """Return the values of several JSON texts: parsed as one, in a third of the time."""
    found: list[Any] = from_json(f"[{','.join(documents)}]")
    return found


def _instant(stored: str | datetime) -> object:
    """Return the JSON of a time as it is stored: text in SQLite, a timestamp in PostgreSQL."""
    if not isinstance(stored, str):
        return jsonable(stored)
    return f"{stored.removesuffix(_WHOLE_SECOND)}Z" if stored.endswith(_WHOLE_SECOND) else stored
