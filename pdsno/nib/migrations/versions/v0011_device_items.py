"""What a list shows of a device, kept as JSON beside it, so that no page makes it anew.

Frozen: it reads the schema of this revision, and writes what this revision shows.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_COMMENT = "JSON of a list, with a line feed for last_seen"
_AT_ONCE = 1000
_OPERATOR = "operator"

# In the order in which a list shows them, `interfaces` and `last_seen` in their places.
_COLUMNS = (
    "device_id", "name", "status", "device_type", "vendor", "platform", "serial", "region",
    "namespace", "local_controller", "first_seen", "version",
)  # fmt: skip
_SHOWN = (
    "device_id", "name", "status", "device_type", "vendor", "model", "platform", "os_version",
    "serial", "region", "namespace", "local_controller", "management_ip", "macs", "ips",
    "interfaces", "sources", "first_seen", "last_seen", "version", "notes", "tags", "site",
    "location", "pinned",
)  # fmt: skip
_EMPTY: Mapping[str, Any] = {
    "model": None, "os_version": None, "management_ip": None, "macs": [], "ips": [], "sources": [],
    "notes": None, "tags": [], "site": None, "location": None, "provenance": {},
}  # fmt: skip
"""What a document of an earlier release leaves out."""
_OF_INTERFACE = (
    "name", "mac", "ips", "oper_status", "admin_status", "mtu", "speed_mbps", "description", "vrf",
)  # fmt: skip

_DEVICES = sa.text(
    f"SELECT {', '.join(_COLUMNS)}, document FROM devices "  # noqa: S608 - names from above
    "WHERE device_id > :after ORDER BY device_id LIMIT :most"
)
_INTERFACES = sa.text(
    f"SELECT device_id, {', '.join(_OF_INTERFACE)} FROM interfaces "  # noqa: S608 - as above
    "WHERE device_id > :after AND device_id <= :last ORDER BY device_id, name"
)


def upgrade() -> None:
    """Add the table, and fill it from the devices that are here."""
    op.create_table(
        "device_items",
        sa.Column("device_id", _KEY, nullable=False),
        sa.Column("item", sa.Text(), nullable=False, comment=_COMMENT),
        sa.ForeignKeyConstraint(["device_id"], ["devices.device_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("device_id"),
        sqlite_strict=True,
    )
    connection = op.get_bind()
    table = sa.table("device_items", sa.column("device_id"), sa.column("item"))
    after = ""
    while rows := _rows(connection, _DEVICES, after=after, most=_AT_ONCE):
        last = rows[-1]["device_id"]
        told = _by_device(_rows(connection, _INTERFACES, after=after, last=last))
        items = [{"device_id": r["device_id"], "item": _item(r, told[r["device_id"]])} for r in rows]
        connection.execute(sa.insert(table), items)
        after = last


def _rows(
    connection: sa.Connection, statement: sa.TextClause, **given: object
) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(statement, given).mappings()]


def _by_device(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        interface = {name: row[name] for name in _OF_INTERFACE}
        found[row["device_id"]].append(interface | {"ips": json.loads(row["ips"])})
    return found


def _item(row: Mapping[str, Any], interfaces: list[dict[str, Any]]) -> str:
    told = {**_EMPTY, **json.loads(row["document"]), **{name: row[name] for name in _COLUMNS}}
    told |= {"interfaces": interfaces, "first_seen": _instant(row["first_seen"]), "last_seen": ""}
    known = told["provenance"].items()
    told["pinned"] = sorted(name for name, found in known if found["source"] == _OPERATOR)
    shown = {name: told[name] for name in _SHOWN}
    item = json.dumps(shown, separators=(",", ":"), ensure_ascii=False)
    # Inside of text the quotes would be escaped.
    return item.replace('"last_seen":""', '"last_seen":"\n"', 1)


def _instant(stored: str | datetime) -> str:
    at = datetime.fromisoformat(stored) if isinstance(stored, str) else stored
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
