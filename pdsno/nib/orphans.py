"""Rows of a SQL database that hang on something which is not there."""

from typing import Any, NamedTuple

from sqlalchemy import Column, Select, exists, func, select

from pdsno.nib import schema
from pdsno.nib.schema_marks import link_marks
from pdsno.nib.schema_records import makings
from pdsno.nib.sql_session import Session


class Reference(NamedTuple):
    """A column that names a row of another table."""

    column: Column[str]
    target: Column[str]


_DEVICE = schema.devices.c.device_id
REFERENCES = (
    Reference(_DEVICE, schema.device_items.c.device_id),
    Reference(schema.device_items.c.device_id, _DEVICE),
    Reference(schema.interfaces.c.device_id, _DEVICE),
    Reference(schema.macs.c.device_id, _DEVICE),
    Reference(schema.addresses.c.device_id, _DEVICE),
    Reference(schema.aliases.c.device_id, _DEVICE),
    Reference(schema.claims.c.device_id, _DEVICE),
    Reference(link_marks.c.device_id, _DEVICE),
    Reference(makings.c.device_id, _DEVICE),
    Reference(schema.links.c.a_device_id, _DEVICE),
    Reference(schema.links.c.b_device_id, _DEVICE),
    Reference(schema.endpoint_addresses.c.endpoint_id, schema.endpoints.c.endpoint_id),
    Reference(schema.endpoint_sightings.c.endpoint_id, schema.endpoints.c.endpoint_id),
    Reference(schema.probes.c.cycle, schema.cycles.c.number),
    Reference(schema.outbox.c.stream_id, schema.streams.c.stream_id),
)


def orphans(session: Session) -> tuple[str, ...]:
    """Return one line for each reference that some rows break."""
    found = []
    for reference in REFERENCES:
        row = session.row(_statement(reference))
        if row is not None and row["rows"]:
            table, column = reference.column.table.name, reference.column.name
            target = reference.target.table.name
            found.append(
                f"{table}: {row['rows']} rows whose {column} is not in {target}, "
                f"as {row['example']}"
            )
    return tuple(found)


def _statement(reference: Reference) -> Select[Any, Any]:
    column, target = reference
    is_there = exists().where(target == column)
    return select(func.count().label("rows"), func.min(column).label("example")).where(
        column.is_not(None), ~is_there
    )
