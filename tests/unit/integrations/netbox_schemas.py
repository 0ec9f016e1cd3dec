"""NetBox's published API schema, as validators."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema_rs import Draft4Validator

FOLDER = Path(__file__).parent / "netbox_schema"
VERSIONS = ("4.3", "4.6")


@cache
def _document(version: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / f"netbox-{version}.json").read_text())
    return document


@cache
def writing(version: str, resource: str) -> Draft4Validator:
    """Return what checks the body of a POST; a field that NetBox does not have is refused."""
    document = _document(version)
    return _validator(document, document["write"][resource], is_closed=True)


@cache
def reading(version: str, resource: str) -> Draft4Validator:
    """Return what checks the fields that we read of an item; others may be absent."""
    document = _document(version)
    return _validator(document, document["read"][resource], is_closed=False)


def _validator(document: dict[str, Any], name: str, *, is_closed: bool) -> Draft4Validator:
    schemas = {
        key: _draft(value, is_closed=is_closed)
        for key, value in document["components"]["schemas"].items()
    }
    root = {"allOf": [{"$ref": f"#/components/schemas/{name}"}], "components": {"schemas": schemas}}
    return Draft4Validator(root)


def _draft(schema: Any, *, is_closed: bool) -> Any:  # noqa: ANN401 - any JSON
    """Return an OpenAPI 3.0 schema as JSON Schema: `nullable` is its own word for null."""
    if isinstance(schema, list):
        return [_draft(one, is_closed=is_closed) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _draft(value, is_closed=is_closed) for key, value in schema.items()}
    if not is_closed:
        found.pop("required", None)
    elif "properties" in found and isinstance(found["properties"], dict):
        found.setdefault("additionalProperties", False)
    if found.pop("nullable", False) is True:
        return {"anyOf": [found, {"type": "null"}]}
    return found
