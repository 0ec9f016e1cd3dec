"""Why a device is one, people's words on that, anomalies, and when subnets were covered."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_INSTANT = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Add four tables; devices of before have no making until they are seen again."""
    op.create_table(
        "makings",
        sa.Column("device_id", _KEY, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("device_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "words",
        sa.Column("word_id", _KEY, nullable=False),
        sa.Column("verb", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("word_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "covered",
        sa.Column("controller_id", _KEY, nullable=False),
        sa.Column("subnet", _KEY, nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("controller_id", "subnet"),
        sqlite_strict=True,
    )
    _create_anomalies()


def _create_anomalies() -> None:
    op.create_table(
        "anomalies",
        sa.Column("anomaly_id", _KEY, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("region", sa.Text()),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("found_by", sa.Text(), nullable=False),
        sa.Column("closed_at", _INSTANT),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("anomaly_id"),
        sqlite_strict=True,
    )
    for name in ("status", "subject", "found_by"):
        op.create_index(f"ix_anomalies_{name}", "anomalies", [name, "anomaly_id"])
