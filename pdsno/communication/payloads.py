"""From the payload of a message to the dataclass of its type."""

from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter
from pydantic_core import CoreSchema, SchemaValidator, ValidationError

from pdsno.domain.errors import RemoteProtocolError
from pdsno.domain.messages import Message

T = TypeVar("T")

# JSON has types for these: text is no number, and a number no truth value.
_STRICT = frozenset({"int", "float", "bool", "str"})

# Beyond these a time has no form in every other zone.
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)

# Filled once per payload type: building a validator takes milliseconds.
_VALIDATORS: dict[Any, SchemaValidator] = {}


def read(message: Message, payload_type: type[T]) -> T:
    """Return the payload of a message as `payload_type`.

    Unknown fields are ignored: tiers are upgraded one at a time. Raises RemoteProtocolError
    naming the first place that is missing or of another type; times must tell their zone.
    """
    try:
        value: T = _validator(payload_type).validate_python(dict(message.payload))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RemoteProtocolError(
            f"payload of {message.message_type}: {place}: {first['msg']}"
        ) from error
    return value


def _validator(payload_type: type[Any]) -> SchemaValidator:
    validator = _VALIDATORS.get(payload_type)
    if validator is None:
        schema: CoreSchema = _tightened(TypeAdapter(payload_type).core_schema)
        validator = _VALIDATORS.setdefault(payload_type, SchemaValidator(schema))
    return validator


def _tightened(schema: Any) -> Any:  # noqa: ANN401 - pydantic's schemas are nested dicts
    """Return a schema with strict scalars and aware times.

    The domain's dataclasses are plain ones, so what pydantic shall demand cannot stand in them.
    """
    if isinstance(schema, list):
        return [_tightened(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {name: _tightened(item) for name, item in schema.items()}
    if copy.get("type") in _STRICT:
        copy["strict"] = True
    elif copy.get("type") == "datetime":
        copy.update(tz_constraint="aware", ge=_FIRST, le=_LAST)
    return copy
