"""Which devices' neighbour entries may mean which device, so that no report looks at all."""

import json
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from pdsno.domain.entities import Device, Neighbor
from pdsno.nib.schema_marks import mark_rows

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_AT_ONCE = 1000
_NEVER = datetime.fromtimestamp(0, UTC)


def upgrade() -> None:
    """Add the table, and fill it from the devices that are here."""
    op.create_table(
        "link_marks",
        sa.Column("device_id", _KEY, nullable=False),
        sa.Column("mark", _KEY, nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.device_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("device_id", "mark"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_link_marks_mark", "link_marks", ["mark"])
    connection = op.get_bind()
    table = sa.table("link_marks", sa.column("device_id"), sa.column("mark"))
    found = connection.execute(sa.text("SELECT device_id, name, document FROM devices")).all()
    rows = [row for device in found for row in mark_rows(_heard_of(*device))]
    for start in range(0, len(rows), _AT_ONCE):
        connection.execute(sa.insert(table), rows[start : start + _AT_ONCE])


def _heard_of(device_id: str, name: str | None, document: str) -> Device:
    """Return of a stored device what its marks follow from."""
    told = json.loads(document)
    return Device(
        device_id=device_id,
        name=name,
        chassis_id=told.get("chassis_id"),
        neighbors=tuple(Neighbor(**entry) for entry in told.get("neighbors", ())),
        first_seen=_NEVER,
        last_seen=_NEVER,
    )
