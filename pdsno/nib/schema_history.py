"""Tables of the history: see `schema` for what all tables have in common."""

from sqlalchemy import Column, Index, Table, Text

from pdsno.nib.schema import Instant, Key, Number, metadata

__all__ = ["history", "metadata", "retention"]

history = Table(
    "history",
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("entity_id", Key, nullable=False),
    Column("label", Text, nullable=False),
    Column("region", Text),
    Column("field", Text, nullable=False),
    Column("old", Text, comment="JSON"),
    Column("new", Text, comment="JSON"),
    Column("at", Instant, nullable=False),
    Column("source", Text, nullable=False),
    Column("actor", Text, nullable=False),
    # Every change is written here: an index by entity, one by time, and no more.
    Index("ix_history_entity_id", "entity_id", "seq"),
    Index("ix_history_at", "at", "kind", "entity_id"),
    sqlite_strict=True,
)

retention = Table(
    "retention",
    metadata,
    Column("kind", Key, primary_key=True),
    Column("kept_from", Instant, nullable=False),
    sqlite_strict=True,
)
"""Since when something is kept whole: what was before is forgotten, or was never known."""
