"""The tables that only operators' tools use; `metadata` has all tables of a NIB."""

from sqlalchemy import Column, ForeignKey, Table, Text

from pdsno.nib.schema import Instant, Key, Number
from pdsno.nib.schema_history import metadata

__all__ = ["metadata", "readers", "revisions", "webhook_deliveries", "webhooks"]

readers = Table(
    "readers",
    metadata,
    Column("name", Key, primary_key=True),
    Column("document", Text, nullable=False),
    sqlite_strict=True,
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("webhook_id", Key, primary_key=True),
    Column("created_at", Instant, nullable=False),
    Column("document", Text, nullable=False),
    sqlite_strict=True,
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column(
        "webhook_id",
        Key,
        ForeignKey("webhooks.webhook_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("document", Text, nullable=False),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

revisions = Table(
    "revisions",
    metadata,
    Column("name", Key, primary_key=True, comment="of a table"),
    Column("number", Number, nullable=False, comment="rises with each change of it"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
