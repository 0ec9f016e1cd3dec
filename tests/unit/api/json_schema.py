"""As much of JSON Schema as our OpenAPI document uses; anything else in a schema is an error."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

_ABOUT = {"title", "description", "default", "example", "examples"}
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


class Schemas:
    """The schemas of one OpenAPI document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    def faults(self, schema: dict[str, Any], value: object, where: str = "$") -> Iterator[str]:
        """Yield how a value departs from a schema; an object may have documented fields only."""
        rules = {name: rule for name, rule in schema.items() if name not in _ABOUT}
        if "$ref" in rules:
            yield from self.faults(self._resolve(rules.pop("$ref")), value, where)
        choices = rules.pop("anyOf", None)
        if choices and all(any(self.faults(choice, value, where)) for choice in choices):
            yield f"{where}: {value!r} is none of {choices}"
        yield from _scalar_faults(rules, value, where)
        if isinstance(value, dict):
            yield from self._object_faults(rules, value, where)
        for number, item in enumerate(value if isinstance(value, list) else ()):
            yield from self.faults(rules.get("items", {}), item, f"{where}[{number}]")
        unknown = rules.keys() - {"properties", "required", "additionalProperties", "items"}
        assert not unknown, f"{where}: this checker does not know {unknown}"

    def _object_faults(
        self, rules: dict[str, Any], value: dict[str, object], where: str
    ) -> Iterator[str]:
        properties = rules.get("properties", {})
        for name in rules.get("required", []):
            if name not in value:
                yield f"{where}: {name} is missing"
        others = rules.get("additionalProperties", not properties)
        for name, item in value.items():
            if name in properties:
                yield from self.faults(properties[name], item, f"{where}.{name}")
            elif isinstance(others, dict):
                yield from self.faults(others, item, f"{where}.{name}")
            elif not others:
                yield f"{where}: {name} is not documented"

    def _resolve(self, reference: str) -> dict[str, Any]:
        found: dict[str, Any] = self._document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        return found


def _scalar_faults(rules: dict[str, Any], value: object, where: str) -> Iterator[str]:
    """Yield faults of a single value, and take the rules that say so out of `rules`."""
    if "enum" in rules and value not in rules.pop("enum"):
        yield f"{where}: {value!r} is not in the enumeration"
    if rules.pop("format", None) == "date-time" and not _is_instant(value):
        yield f"{where}: {value!r} is no instant"
    kind = rules.pop("type", None)
    if kind and not _is_of(kind, value):
        yield f"{where}: {value!r} is no {kind}"


def _is_of(kind: str, value: object) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])


def _is_instant(value: object) -> bool:
    return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
