"""Triggers that keep the event log append-only, below a checkpoint too; they stop accidents.

Past them somebody with the database's password may do as he likes: that the chain shows.
"""

from sqlalchemy import DDL, Table, event

_SQLITE = (
    """
CREATE TRIGGER events_no_update BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END
""",
    # With recursive_triggers on, this also stops INSERT OR REPLACE.
    """
CREATE TRIGGER events_no_delete BEFORE DELETE ON events
WHEN OLD.seq > COALESCE((SELECT MAX(seq) FROM event_checkpoints), 0)
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END
""",
    # A connection without recursive_triggers (the sqlite3 shell's) would let REPLACE through.
    """
CREATE TRIGGER events_next_only BEFORE INSERT ON events
WHEN NEW.seq IS NOT 1 + COALESCE(
  (SELECT MAX(seq) FROM events), (SELECT MAX(seq) FROM event_checkpoints), 0)
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END
""",
    """
CREATE TRIGGER event_checkpoints_no_update BEFORE UPDATE ON event_checkpoints
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END
""",
    """
CREATE TRIGGER event_checkpoints_no_delete BEFORE DELETE ON event_checkpoints
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END
""",
)

_POSTGRESQL = (
    """
CREATE FUNCTION events_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'events' THEN
    IF OLD.seq <= (SELECT MAX(seq) FROM event_checkpoints) THEN
      RETURN OLD;
    END IF;
  END IF;
  RAISE EXCEPTION 'events are append-only';
END $$
""",
    """
CREATE TRIGGER events_no_change BEFORE UPDATE OR DELETE ON events
FOR EACH ROW EXECUTE FUNCTION events_append_only()
""",
    """
CREATE TRIGGER events_no_truncate BEFORE TRUNCATE ON events
FOR EACH STATEMENT EXECUTE FUNCTION events_append_only()
""",
    """
CREATE TRIGGER event_checkpoints_no_change BEFORE UPDATE OR DELETE ON event_checkpoints
FOR EACH ROW EXECUTE FUNCTION events_append_only()
""",
)

STATEMENTS = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}
"""By dialect. Only the newest migration that changes them may use these: others keep their own."""


def guard(events: Table, checkpoints: Table) -> None:
    """Let the triggers be made with the tables, once both are there."""
    events.add_is_dependent_on(checkpoints)
    for dialect, statements in STATEMENTS.items():
        for statement in statements:
            event.listen(events, "after_create", _ddl(statement).execute_if(dialect=dialect))


def _ddl(statement: str) -> DDL:
    return DDL(statement.strip().replace("%", "%%"))  # type: ignore[no-untyped-call] # SQLAlchemy leaves it untyped
