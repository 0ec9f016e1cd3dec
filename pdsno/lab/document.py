"""A YAML file whose every value knows its place, so that an error can name it."""

import os
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import yaml

from pdsno.domain.errors import InputError

_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?:(?P<operator>:?[-=])(?P<default>[^}]*))?\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value of the file: a scalar, a list of values, or a mapping of names to values."""

    path: Path
    line: int
    place: str
    data: "str | list[Value] | dict[str, Value]"
    is_null: bool = False

    def error(self, message: str) -> InputError:
        """Return the error that names file, line and place."""
        place = f" {self.place}:" if self.place else ""
        return InputError(f"{self.path}:{self.line}:{place} {message}")

    def where(self) -> str:
        """Name the place for a warning."""
        return f"{self.path}:{self.line}: {self.place}"

    def fields(self) -> "dict[str, Value]":
        """Return a mapping's entries; nothing written there is an empty mapping."""
        if self.is_null:
            return {}
        if not isinstance(self.data, dict):
            raise self.error("must be a mapping of names to values")
        return self.data

    def items(self) -> "list[Value]":
        """Return a list's entries; nothing written there is an empty list."""
        if self.is_null:
            return []
        if not isinstance(self.data, list):
            raise self.error("must be a list")
        return self.data

    def text(self) -> str:
        """Return a scalar as it is written; empty for nothing."""
        if not isinstance(self.data, str):
            raise self.error("must be a single value")
        return self.data

    def integer(self, *, low: int, high: int) -> int:
        """Return a whole number within bounds."""
        try:
            number = int(self.text())
        except ValueError as error:
            raise self.error(f"must be a whole number, not {self.text()!r}") from error
        if not low <= number <= high:
            raise self.error(f"must be between {low} and {high}, not {number}")
        return number

    def mapping_of_text(self) -> dict[str, str]:
        """Return a mapping whose values are scalars (environment, labels, sysctls)."""
        return {name: value.text() for name, value in self.fields().items()}

    def refuse_unknown(self, known: frozenset[str]) -> None:
        """Refuse a field that the format does not have; most often a typing error."""
        for name, value in self.fields().items():
            if name not in known:
                raise value.error(f"unknown field '{name}'")


class _Builder:
    def __init__(self, path: Path) -> None:
        self._path = path

    def build(self, node: yaml.Node, place: str) -> Value:
        data: str | list[Value] | dict[str, Value]
        is_null = False
        if isinstance(node, yaml.MappingNode):
            data = self._mapping(node, place)
        elif isinstance(node, yaml.SequenceNode):
            data = [self.build(item, f"{place}[{index}]") for index, item in enumerate(node.value)]
        else:
            data = str(node.value)
            is_null = node.tag == "tag:yaml.org,2002:null"
        return Value(
            path=self._path,
            line=node.start_mark.line + 1,
            place=place,
            data="" if is_null else data,
            is_null=is_null,
        )

    def _mapping(self, node: yaml.MappingNode, place: str) -> dict[str, Value]:
        found: dict[str, Value] = {}
        merged: dict[str, Value] = {}
        for key, child in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                merged |= self._merge(child, place)
                continue
            name = str(key.value)
            here = f"{place}.{name}" if place else name
            if name in found:
                line = key.start_mark.line + 1
                first = found[name].line
                raise InputError(
                    f"{self._path}:{line}: {here}: '{name}' is defined twice "
                    f"(first at line {first})"
                )
            found[name] = self.build(child, here)
        return merged | found

    def _merge(self, node: yaml.Node, place: str) -> dict[str, Value]:
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, Value] = {}
        for source in reversed(sources):
            merged |= self.build(source, place).fields()
        return merged


def _variable(match: re.Match[str], path: Path, number: int) -> str:
    """Return what a variable stands for."""
    name, operator = match["name"], match["operator"]
    current = os.environ.get(name)
    if current or (current is not None and operator in {"-", "="}):
        return current
    if operator is None and current is None:
        raise InputError(
            f"{path}:{number}: variable {name} is not set and has no default; "
            f"set it, or write ${{{name}:=value}}"
        )
    return match["default"] or ""


def _substitute(text: str, path: Path) -> str:
    lines = []
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        if line.lstrip().startswith("#"):
            lines.append(line)
        else:
            lines.append(_VARIABLE.sub(partial(_variable, path=path, number=number), line))
    return "".join(lines)


def read_document(path: Path) -> Value:
    """Read a YAML file; `${NAME}` and `${NAME:=default}` are taken from the environment.

    Raises InputError for a file that cannot be read, is not YAML, or defines a name twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        node = yaml.compose(_substitute(text, path), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"{path}:{line}: not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if node is None:
        raise InputError(f"{path}: the file is empty")
    return _Builder(path).build(node, "")
