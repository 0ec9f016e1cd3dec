"""Operators' API tokens, messages that are good once, and certificates in place of delegations.

A delegation of before was a signed note; now the regional controller's issuing certificate is the
delegation. The notes give no right any more and are dropped from the controllers' documents.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_INSTANT = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
_CONTROLLERS = sa.table(
    "controllers", sa.column("controller_id", sa.Text()), sa.column("document", sa.Text())
)


def upgrade() -> None:
    """Add two tables, drop the signed notes."""
    op.create_table(
        "api_tokens",
        sa.Column("token_sha256", _KEY, nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("token_sha256"),
        sqlite_strict=True,
    )
    op.create_table(
        "seen_messages",
        sa.Column("sender_id", _KEY, nullable=False),
        sa.Column("message_id", _KEY, nullable=False),
        sa.Column("timestamp", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("sender_id", "message_id"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_seen_messages_timestamp", "seen_messages", ["timestamp"])
    _drop_delegations()


def _drop_delegations() -> None:
    connection = op.get_bind()
    for controller_id, document in connection.execute(sa.select(_CONTROLLERS)).all():
        record = json.loads(document)
        if "delegation" not in record:
            continue
        del record["delegation"]
        kept = json.dumps(record, separators=(",", ":"), ensure_ascii=False)
        connection.execute(
            sa.update(_CONTROLLERS)
            .where(_CONTROLLERS.c.controller_id == controller_id)
            .values(document=kept)
        )
