"""Runs ntc-templates (TextFSM) over a command's output.

A template that meets a line that it does not know gives up. Then it is run once more without
those rules: what it understands is kept, and the line is named.
"""

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files

import textfsm  # type: ignore[import-untyped]

from pdsno.southbound.platforms.readings import Reading
from pdsno.southbound.platforms.rows import Row

_GIVE_UP = re.compile(r"^\s+\^.*->\s*Error\b.*$\n?", re.MULTILINE)


class ParserError(ValueError):
    """An output cannot be read; the text says what in it."""


@cache
def _template_text(name: str) -> str:
    return (files("ntc_templates") / "templates" / f"{name}.textfsm").read_text("utf-8")


def _rows(source: str, text: str) -> list[Row]:
    machine = textfsm.TextFSM(io.StringIO(source))
    found = machine.ParseText(text)
    names = [name.lower() for name in machine.header]
    return [dict(zip(names, row, strict=True)) for row in found]


def template_rows(name: str, text: str) -> tuple[list[Row], str | None]:
    """Return the rows and, if a line was not understood, which. Raises ParserError."""
    source = _template_text(name)
    try:
        return _rows(source, text), None
    except textfsm.TextFSMError as error:
        reason = " ".join(str(error).split())[:200]
    try:
        rows = _rows(_GIVE_UP.sub("", source), text)
    except textfsm.TextFSMError as error:
        raise ParserError(reason) from error
    if not rows:
        raise ParserError(reason)
    return rows, reason


Reader = Callable[[str], Reading]
Mapper = Callable[[Sequence[Row], str], Reading]


_LONE_NAME = re.compile(r"^(\S+)[ \t]*\n(?= {8,}\S)", re.MULTILINE)


def join_long_names(text: str) -> str:
    """Put a name too long for its column, and the rest of its row beneath, on one line."""
    return _LONE_NAME.sub(r"\1  ", text)


def table(
    template: str,
    mapper: Mapper,
    style: str = "ios",
    prepare: Callable[[str], str] | None = None,
) -> Reader:
    """Return a reader: a template's rows (its name without `.textfsm`) through a mapper.

    `prepare` mends what the template does not cope with, before it sees the text.
    """

    def read(text: str) -> Reading:
        text = text if prepare is None else prepare(text)
        rows, problem = template_rows(template, text)
        reading = mapper(rows, style)
        return replace(reading, problem=problem) if problem else reading

    return read


def certain(reader: Reader) -> Reader:
    """Return a reader for an output that no device leaves empty: to find nothing is a failure."""

    def read(text: str) -> Reading:
        reading = reader(text)
        if text.strip() and reading == Reading():
            return replace(reading, problem="nothing in it was understood")
        return reading

    return read
