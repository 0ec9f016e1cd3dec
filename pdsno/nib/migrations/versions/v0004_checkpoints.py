"""Checkpoints of the event log, so that old events may go and the chain still holds.

PostgreSQL gets the triggers that SQLite always had.
"""

import sqlalchemy as sa
from alembic import op

from pdsno.nib import append_only

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Add a table, renew the triggers."""
    op.create_table(
        "event_checkpoints",
        sa.Column("seq", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False, comment="of the last event that was removed"),
        sa.Column("at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_strict=True,
    )
    dialect = op.get_bind().dialect.name
    if dialect == "sqlite":
        for name in ("events_no_update", "events_no_delete", "events_next_only"):
            op.execute(f"DROP TRIGGER {name}")
    for statement in append_only.STATEMENTS[dialect]:
        op.execute(statement.strip())
