"""YAML and JSON as typed documents, with the place of every fault."""

import dataclasses
import difflib
import json
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from pdsno.domain.errors import InputError
from pdsno.strict_yaml import load_strict

T = TypeVar("T")

Path = tuple[str | int, ...]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A parsed document that still knows where things stood."""

    value: object
    root: yaml.Node | None = None

    def line(self, path: Path) -> int | None:
        """Return the line (from 1) of the deepest part of `path` that exists, if known."""
        node = self.root
        for step in path:
            child = _child(node, step)
            if child is None:
                break
            node = child
        return None if node is None else node.start_mark.line + 1


def _child(node: yaml.Node | None, step: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == str(step)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        child: yaml.Node = node.value[step]
        return child
    return None


def parse(text: str) -> Document:
    """Return YAML (of which JSON is a part) as plain values. Raises InputError with the line."""
    value, root = load_strict(text)
    return Document(value=value, root=root)


def typed(document: Document, adapter: TypeAdapter[T], form: type[T]) -> T:
    """Return a document as a dataclass; unknown fields and wrong types are InputErrors."""
    for path, known in _unknown_fields(document.value, form, ()):
        raise InputError(_at(document, path, f"there is no such field{_hint(path[-1], known)}"))
    try:
        text = json.dumps(document.value, allow_nan=False)
        return adapter.validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise InputError(_at(document, first["loc"], _lower(first["msg"]))) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"holds what JSON cannot: {error}") from error


def _at(document: Document, path: Path, problem: str) -> str:
    line = document.line(path)
    where = pointer(path) or "the document"
    return f"line {line}: {where}: {problem}" if line else f"{where}: {problem}"


def pointer(path: Path) -> str:
    """Return a path as people write it: `regions[0].local_quota`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def _hint(name: str | int, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(name), known, n=1)
    return f"; did you mean {near[0]}?" if near else f" (there are: {', '.join(known)})"


def _unknown_fields(
    value: object, form: object, path: Path
) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Yield each field that its dataclass does not have, with those that it has."""
    if isinstance(form, types.UnionType):
        for option in get_args(form):
            yield from _unknown_fields(value, option, path)
    elif isinstance(value, Mapping):
        yield from _unknown_keys(value, form, path)
    elif get_origin(form) is tuple and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown_fields(item, get_args(form)[0], (*path, index))


def _unknown_keys(
    value: Mapping[str, object], form: object, path: Path
) -> Iterator[tuple[Path, tuple[str, ...]]]:
    if not (isinstance(form, type) and dataclasses.is_dataclass(form)):
        return
    hints = get_type_hints(form)
    names = tuple(field.name for field in dataclasses.fields(form))
    for name, item in value.items():
        if name in names:
            yield from _unknown_fields(item, hints[name], (*path, name))
        else:
            yield (*path, str(name)), names


def from_plain(value: Mapping[str, Any]) -> Document:
    """Return values that came as JSON over a socket as a document without lines."""
    return Document(value=dict(value))
