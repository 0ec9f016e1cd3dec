"""From our value types to plain JSON values: the one way, for wire, store, API and command line."""

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any


def jsonable(value: object) -> Any:  # noqa: ANN401 - JSON is what Any is for
    """Return `value` as dicts, lists and scalars.

    Dataclasses become dicts in field order, tuples and sets lists, enums their value, datetimes
    RFC 3339 in UTC with `Z`.
    """
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: jsonable(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in value]
    msg = f"{type(value).__name__} has no JSON form"
    raise TypeError(msg)
