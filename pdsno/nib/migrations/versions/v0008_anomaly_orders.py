"""Lists of anomalies are sorted: by code point in every database, and by time.

The table is made anew, as SQLite adds no column that must have a value.
"""

import json
from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_INSTANT = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
_KEPT = ("anomaly_id", "kind", "status", "severity", "region", "subject", "found_by")
_SORTED = ("kind", "status", "region", "subject", "found_by", "opened_at", "last_seen")
_OLD_INDEXES = ("status", "subject", "found_by")


def upgrade() -> None:
    """Give anomalies the times that only their documents had."""
    for name in _OLD_INDEXES:
        op.drop_index(f"ix_anomalies_{name}", "anomalies")
    op.rename_table("anomalies", "anomalies_0007")
    new = _create()
    old = sa.table("anomalies_0007", *(sa.column(name) for name in (*_KEPT, "closed_at")))
    documents = sa.column("document", sa.Text())
    connection = op.get_bind()
    rows = connection.execute(sa.select(*old.c, documents).select_from(old)).mappings().all()
    if rows:
        connection.execute(sa.insert(new), [dict(row) | _times(row["document"]) for row in rows])
    op.drop_table("anomalies_0007")
    for name in _SORTED:
        op.create_index(f"ix_anomalies_{name}", "anomalies", [name, "anomaly_id"])


def _create() -> sa.Table:
    return op.create_table(
        "anomalies",
        sa.Column("anomaly_id", _KEY, nullable=False),
        sa.Column("kind", _KEY, nullable=False),
        sa.Column("status", _KEY, nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("region", _KEY),
        sa.Column("subject", _KEY, nullable=False),
        sa.Column("found_by", _KEY, nullable=False),
        sa.Column("opened_at", _INSTANT, nullable=False),
        sa.Column("last_seen", _INSTANT, nullable=False),
        sa.Column("closed_at", _INSTANT),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("anomaly_id"),
        sqlite_strict=True,
    )


def _times(document: str) -> dict[str, object]:
    told = json.loads(document)
    times = {name: datetime.fromisoformat(told[name]) for name in ("opened_at", "last_seen")}
    if op.get_bind().dialect.name == "postgresql":
        return dict(times)
    return {name: f"{at:%Y-%m-%dT%H:%M:%S.%f}Z" for name, at in times.items()}
