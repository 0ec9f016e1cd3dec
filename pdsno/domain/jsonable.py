"""From our value types to plain JSON values: the one way, for wire, store, API and command line."""

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any

_SCALARS = frozenset({type(None), str, int, float, bool})

_FIELDS: dict[type, tuple[str, ...]] = {}
"""The fields of each dataclass met so far: asking for them takes longer than reading them."""


def jsonable(value: object) -> Any:  # noqa: ANN401 - JSON is what Any is for
    """Return `value` as dicts, lists and scalars.

    Dataclasses become dicts in field order, tuples and sets lists, enums their value, datetimes
    RFC 3339 in UTC with `Z`.
    """
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is tuple or kind is list:
        return [jsonable(item) for item in value]  # type: ignore[attr-defined] # by its type
    names = _FIELDS.get(kind)
    if names is not None:
        return {name: jsonable(getattr(value, name)) for name in names}
    return _rarer(value)


def one_level(value: object) -> Any:  # noqa: ANN401 - as above
    """Return what `jsonable` makes of a value that JSON knows not, with what is in it as it is.

    A JSON encoder's `default`: the walk is the encoder's, and so in C.
    """
    names = _FIELDS.get(type(value))
    if names is not None:
        return {name: getattr(value, name) for name in names}
    if isinstance(value, datetime | Enum):
        return _rarer(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        _FIELDS[type(value)] = tuple(f.name for f in dataclasses.fields(value))
        return one_level(value)
    if isinstance(value, Mapping):
        return {str(key): item for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return list(value)
    msg = f"{type(value).__name__} has no JSON form"
    raise TypeError(msg)


def _rarer(value: object) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        _FIELDS[type(value)] = tuple(f.name for f in dataclasses.fields(value))
        return jsonable(value)
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in value]
    msg = f"{type(value).__name__} has no JSON form"
    raise TypeError(msg)
