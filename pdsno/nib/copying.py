"""All rows of a NIB from one database to another, of whatever dialects: one schema, one way."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from pdsno.nib.schema_operators import metadata

_AT_ONCE = 1000


def copy_rows(source: Connection, target: Connection) -> None:
    """Copy every row into the empty tables of `target`, inside the transactions of the caller."""
    source = source.execution_options(yield_per=_AT_ONCE)
    for table in metadata.sorted_tables:
        found = source.execute(select(table).order_by(*table.primary_key.columns))
        for part in found.mappings().partitions():
            target.execute(insert(table), [_plain(row) for row in part])


def remove_rows(target: Connection) -> None:
    """Delete every row. The triggers of the event log must have been switched off."""
    for table in reversed(metadata.sorted_tables):
        target.execute(delete(table))


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in row.items()}
