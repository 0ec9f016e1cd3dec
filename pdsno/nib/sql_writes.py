"""Statements that change tables, built once and run often, one row or many at a time."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    Delete,
    Insert,
    Table,
    TextClause,
    Update,
    bindparam,
    case,
    delete,
    insert,
    or_,
    select,
    text,
    update,
)

from pdsno.nib.schema import cycles, devices, events, outbox, seen_messages
from pdsno.nib.sql_session import TABLE, Session


@cache
def insert_into(table: Table) -> Insert:
    """Return the statement that inserts whole rows."""
    return insert(table)


@cache
def delete_of(table: Table) -> Delete:
    """Return the statement that deletes the row with a key, given as `key_COLUMN`."""
    key = [column == bindparam(f"key_{column.name}") for column in table.primary_key.columns]
    return delete(table).where(*key)


def put(session: Session, table: Table, row: Mapping[str, Any]) -> None:
    """Insert the row, or replace the one with its key."""
    session.run(upsert(table), dict(row))


@cache
def upsert(table: Table, span: tuple[str, str] | None = None) -> TextClause:
    """Return the statement that inserts rows, each over one with its key if it is there.

    With a `span` of two columns the row that is there stays, and its span is lengthened. Written
    out in the words that SQLite and PostgreSQL share; SQLAlchemy has one construct for each.
    """
    name = table.name
    columns = [column.name for column in table.columns]
    key = ", ".join(column.name for column in table.primary_key.columns)
    changes = [f"{c.name} = excluded.{c.name}" for c in table.columns if not c.primary_key]
    if span is not None:
        changes = [
            f"{c} = CASE WHEN excluded.{c} {sign} {name}.{c} THEN excluded.{c} ELSE {name}.{c} END"
            for c, sign in zip(span, "<>", strict=True)
        ]
    statement = (
        f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({', '.join(f':{c}' for c in columns)}) "  # noqa: S608 - names of our schema
        f"ON CONFLICT ({key}) DO UPDATE SET {', '.join(changes)}"
    )
    params = (bindparam(c.name, type_=c.type) for c in table.columns)
    return text(statement).bindparams(*params).execution_options(**{TABLE: name})


@cache
def delete_of_device(table: Table) -> Delete:
    """Return the statement that deletes whatever hangs on one device."""
    return delete(table).where(table.c.device_id == bindparam("key_device_id"))


_SEEN: BindParameter[Any] = bindparam("seen", type_=devices.c.last_seen.type)


@cache
def delete_of_devices(table: Table) -> Delete:
    """Return the statement that deletes whatever hangs on some devices."""
    return delete(table).where(table.c.device_id.in_(bindparam("ids", expanding=True)))


TOUCH = (
    update(devices)
    .where(
        devices.c.device_id.in_(bindparam("ids", expanding=True)),
        or_(devices.c.last_seen < _SEEN, devices.c.missed > 0),
    )
    .values(
        last_seen=case((devices.c.last_seen < _SEEN, _SEEN), else_=devices.c.last_seen),
        missed=0,
    )
)
CONFIRM = delete(outbox).where(
    outbox.c.stream_id == bindparam("key_stream_id"), outbox.c.seq <= bindparam("up_to_seq")
)
PRUNE_EVENTS = delete(events).where(events.c.seq <= bindparam("through_seq"))
FORGET_OUTBOX = delete(outbox).where(outbox.c.stream_id == bindparam("key_stream_id"))
FORGET_SEEN = delete(seen_messages).where(seen_messages.c.timestamp < bindparam("forget_before"))
FORGET_CYCLE = delete(cycles).where(cycles.c.cycle_id == bindparam("key_cycle_id"))
FORGET_OLD_CYCLES = delete(cycles).where(
    cycles.c.number
    < select(cycles.c.number)
    .order_by(cycles.c.number.desc())
    .limit(1)
    .offset(bindparam("keep"))
    .scalar_subquery()
)
"""Keeps `keep` + 1 cycles; with fewer there is no such row, and nothing is less than null."""


@cache
def repoint(table: Table) -> Update:
    """Return the statement that lets everything of one device hang on another."""
    return (
        update(table)
        .where(table.c.device_id == bindparam("from_id"))
        .values(device_id=bindparam("into_id"))
    )
