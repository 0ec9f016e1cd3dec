"""What operators' tools need: revisions of tables, webhooks, one order of text."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


_SORTED = {
    "devices": (
        "name",
        "status",
        "device_type",
        "vendor",
        "platform",
        "serial",
        "region",
        "namespace",
        "local_controller",
    ),
    "endpoints": ("mac", "vendor", "local_controller"),
}
"""What lists are sorted by: by code point, in every database."""


def upgrade() -> None:
    """Add three tables, and let PostgreSQL sort as everybody else does."""
    if op.get_bind().dialect.name == "postgresql":
        for table, columns in _SORTED.items():
            for column in columns:
                op.execute(f'ALTER TABLE {table} ALTER COLUMN {column} TYPE text COLLATE "C"')
    op.create_table(
        "revisions",
        sa.Column("name", _KEY, nullable=False, comment="of a table"),
        sa.Column("number", _NUMBER, nullable=False, comment="rises with each change of it"),
        sa.PrimaryKeyConstraint("name"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "webhooks",
        sa.Column("webhook_id", _KEY, nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("webhook_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("webhook_id", _KEY, nullable=False),
        sa.Column("seq", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhooks.webhook_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("webhook_id", "seq"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
