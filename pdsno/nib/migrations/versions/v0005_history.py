"""The history of devices and links by field; it begins now."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from pdsno.nib.schema import instant_text

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Add the history, and since when it is whole."""
    op.create_table(
        "history",
        sa.Column("seq", _NUMBER, nullable=False, autoincrement=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("entity_id", _KEY, nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("region", sa.Text()),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("old", sa.Text(), comment="JSON"),
        sa.Column("new", sa.Text(), comment="JSON"),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_strict=True,
    )
    op.create_index("ix_history_entity_id", "history", ["entity_id", "seq"])
    op.create_index("ix_history_at", "history", ["at", "kind", "entity_id"])
    retention = op.create_table(
        "retention",
        sa.Column("kind", _KEY, nullable=False),
        sa.Column("kept_from", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("kind"),
        sqlite_strict=True,
    )
    now = datetime.now(UTC)
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    row = {"kind": "history", "kept_from": instant_text(now) if is_sqlite else now}
    op.bulk_insert(retention, [row])
