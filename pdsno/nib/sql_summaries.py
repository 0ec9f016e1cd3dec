"""Pages of devices as JSON values, made of rows without making devices of them first.

Making and checking a device takes ten times as long as reading its row. Whoever only passes
devices on, as the API does with its lists, reads them here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Select, Text, bindparam, select, type_coerce

from pdsno.domain.entities import Device
from pdsno.domain.jsonable import jsonable
from pdsno.domain.operator_ports import Stamp, Summary, summary_of
from pdsno.domain.ordering import DEVICE_ORDERS, Keyset, ordering
from pdsno.domain.ports import EVERY_DEVICE, DeviceFilter, Page
from pdsno.nib import sql_devices
from pdsno.nib.codec import DEVICE_COLUMNS
from pdsno.nib.criteria import PAGE, check_limit, criteria
from pdsno.nib.schema import devices, interfaces
from pdsno.nib.sql_session import Row, Session, chunks
from pdsno.nib.sql_sorting import sorted_page

_TIMES = ("first_seen", "last_seen")
_WHOLE_SECOND = ".000000Z"

_INTERFACES = (
    select(
        interfaces.c.device_id,
        interfaces.c.ips,
        interfaces.c.name,
        interfaces.c.mac,
        interfaces.c.oper_status,
        interfaces.c.admin_status,
        interfaces.c.mtu,
        interfaces.c.speed_mbps,
        interfaces.c.description,
        interfaces.c.vrf,
    )
    .where(interfaces.c.device_id.in_(bindparam("ids", expanding=True)))
    .order_by(interfaces.c.device_id, interfaces.c.name)
)


_STAMPED = ("device_id", "version", "last_seen")
# Times as they are stored.
_DEVICES = select(
    *(devices.c[name] for name in DEVICE_COLUMNS if name not in (*_TIMES, "missed")),
    *(type_coerce(devices.c[name], Text).label(name) for name in _TIMES),
    devices.c.document,
).where(devices.c.device_id.in_(bindparam("ids", expanding=True)))


@cache
def _stamped(statement: Select[tuple[object, ...]], field: str) -> Select[tuple[object, ...]]:
    """Return a statement that reads stamps, and the field that they are sorted by."""
    names = dict.fromkeys((*_STAMPED, field))
    return statement.with_only_columns(*(devices.c[name] for name in names))


_EPOCH = datetime.fromtimestamp(0, UTC)
_DEFAULTS = summary_of(Device(device_id="", first_seen=_EPOCH, last_seen=_EPOCH))
"""What a document of an earlier release, which has fewer fields, leaves out."""


class SummaryReads:
    """The part of a reader that is here."""

    _session: Session

    def device_stamps(
        self,
        where: DeviceFilter = EVERY_DEVICE,
        *,
        limit: int = PAGE,
        after: str | None = None,
        order: str | None = None,
    ) -> Page[Stamp]:
        statement, params = sql_devices.page(criteria(where))
        keyset = Keyset(ordering(order, DEVICE_ORDERS), "device_id", after)
        wanted = _stamped(statement, keyset.order.field)
        rows, following = sorted_page(
            self._session, devices, wanted, params, keyset, check_limit(limit)
        )
        found = (Stamp(row["device_id"], row["version"], row["last_seen"]) for row in rows)
        return Page(items=tuple(found), next_after=following)

    def device_summaries(self, device_ids: Iterable[str]) -> Mapping[str, Summary]:
        found: dict[str, Summary] = {}
        for ids in chunks(device_ids):
            rows = self._session.rows(_DEVICES, {"ids": ids})
            told = _by_device(self._session.tuples(_INTERFACES, {"ids": ids}))
            found |= {summary["device_id"]: summary for summary in _summaries(rows, told)}
        return found


def _summaries(
    rows: Sequence[Row], interfaces_of: Mapping[str, list[Summary]]
) -> Iterator[Summary]:
    for row, document in zip(rows, _parsed(row["document"] for row in rows), strict=True):
        told = interfaces_of.get(row["device_id"], [])
        try:
            yield _summary(row, document, told)
        except KeyError:
            yield _summary(row, _DEFAULTS | document, told)


def _summary(row: Row, document: Mapping[str, Any], interfaces: list[Summary]) -> Summary:
    """Return the fields `SUMMED`. Raises KeyError for a document that lacks one."""
    return {
        "device_id": row["device_id"],
        "name": row["name"],
        "status": row["status"],
        "device_type": row["device_type"],
        "vendor": row["vendor"],
        "model": document["model"],
        "platform": row["platform"],
        "os_version": document["os_version"],
        "serial": row["serial"],
        "region": row["region"],
        "namespace": row["namespace"],
        "local_controller": row["local_controller"],
        "management_ip": document["management_ip"],
        "macs": document["macs"],
        "ips": document["ips"],
        "interfaces": interfaces,
        "sources": document["sources"],
        "first_seen": _instant(row["first_seen"]),
        "last_seen": _instant(row["last_seen"]),
        "version": row["version"],
        "notes": document["notes"],
        "tags": document["tags"],
        "site": document["site"],
        "location": document["location"],
        "provenance": document["provenance"],
    }


def _by_device(rows: Sequence[tuple[Any, ...]]) -> dict[str, list[Summary]]:
    found: dict[str, list[Summary]] = {}
    for row, ips in zip(rows, _parsed(row[1] for row in rows), strict=True):
        device_id, _, name, mac, oper, admin, mtu, speed, description, vrf = row
        interface = {
            "name": name,
            "mac": mac,
            "ips": ips,
            "oper_status": oper,
            "admin_status": admin,
            "mtu": mtu,
            "speed_mbps": speed,
            "description": description,
            "vrf": vrf,
        }
        found.setdefault(device_id, []).append(interface)
    return found


def _parsed(documents: Iterable[str]) -> list[Any]:
    """Return the values of several JSON texts: parsed as one, in a third of the time."""
    # Names come again and again, values do not: remembering these takes longer than making them.
    found: list[Any] = from_json(f"[{','.join(documents)}]", cache_strings="keys")
    return found


def _instant(stored: str | datetime) -> object:
    """Return the JSON of a time as it is stored: text in SQLite, a timestamp in PostgreSQL."""
    if not isinstance(stored, str):
        return jsonable(stored)
    return f"{stored.removesuffix(_WHOLE_SECOND)}Z" if stored.endswith(_WHOLE_SECOND) else stored
