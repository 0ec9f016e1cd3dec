"""Statements compiled once and handed to the driver as they are.

SQLAlchemy builds each statement, once, for every dialect. Executing one through it costs fifty to
a hundred microseconds each time, and reading a value of a row one more; a NIB asks thousands of
small questions for one report. So the compiled text goes to the driver directly, and rows come
back as dicts. Statements with values of other types than ours SQLAlchemy executes itself.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any, cast
from weakref import WeakKeyDictionary

from sqlalchemy import Dialect, Executable
from sqlalchemy.engine.interfaces import Compiled
from sqlalchemy.sql import ClauseElement, Insert, Select
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import Integer, NullType, Text, TypeEngine

from pdsno.nib.schema import Instant, instant_text

Values = Mapping[str, Any]
_Convert = Callable[[Any], Any]

_AS_THEY_ARE = (Text, Integer, NullType)
"""Types whose values the drivers take and give without help."""


class Prepared:
    """The text of a statement for one dialect, and how values go in and out."""

    __slots__ = ("_constants", "_in", "_lists", "_order", "_out", "_text")

    def __init__(self, statement: ClauseElement, compiled: SQLCompiler, dialect: Dialect) -> None:
        is_text = dialect.name == "sqlite"
        self._text = str(compiled)
        self._lists = [name for name, bind in compiled.binds.items() if bind.expanding]
        self._order = tuple(compiled.positiontup or ()) if compiled.positional else None
        constants = [name for bind, name in compiled.bind_names.items() if not bind.required]
        self._constants = {name: compiled.params[name] for name in constants}
        times = {name for name, bind in compiled.binds.items() if isinstance(bind.type, Instant)}
        self._in: Sequence[str] = sorted(times) if is_text else ()
        columns = statement.selected_columns if isinstance(statement, Select) else ()
        self._out = [str(c.name) for c in columns if isinstance(c.type, Instant)]

    def text(self, given: Values) -> str:
        """Return the statement, with as many places in each `IN` as a caller gives values."""
        text = self._text
        for name in self._lists:
            numbers = range(len(given[name]))
            places = "?" * len(numbers) if self._order else [f"%({name}_{n})s" for n in numbers]
            text = text.replace(f"__[POSTCOMPILE_{name}]", ", ".join(places))
        return text

    def values(self, given: Values) -> Any:  # noqa: ANN401 - a tuple or a dict, by dialect
        """Return what the driver takes for what a caller gives."""
        found = {**self._constants, **given}
        for name in self._in:
            if found[name] is not None:
                found[name] = instant_text(found[name])
        if self._lists:
            return self._with_lists(found)
        if self._order is None:
            return found
        return tuple([found[name] for name in self._order])

    def _with_lists(self, found: dict[str, Any]) -> Any:  # noqa: ANN401 - as above
        if self._order is None:
            for name in self._lists:
                found |= {f"{name}_{n}": value for n, value in enumerate(found.pop(name))}
            return found
        parts = (found[name] if name in self._lists else (found[name],) for name in self._order)
        return tuple(chain.from_iterable(parts))

    def rows(self, cursor: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - the driver's
        """Return all rows that a cursor has."""
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        for name in self._out:
            for row in rows:
                row[name] = _instant(row[name])
        return rows


def _instant(value: str | datetime | None) -> datetime | None:
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    return value if value is None else value.astimezone(UTC)


_Forms = dict[tuple[str, ...], Prepared | None]
_KNOWN: dict[str, WeakKeyDictionary[Executable, _Forms]] = {}
"""By dialect and statement; of inserts also by the columns that they are given."""


def prepared(statement: Executable, dialect: Dialect, given: Values) -> Prepared | None:
    """Return a statement ready for the driver, None if SQLAlchemy is to execute it.

    It does so the first time as well: a statement that never comes again is not worth compiling.
    """
    forms = _KNOWN.setdefault(dialect.name, WeakKeyDictionary()).get(statement)
    if forms is None:
        _KNOWN[dialect.name][statement] = {}
        return None
    names = tuple(given) if isinstance(statement, Insert) else ()
    if names not in forms:
        forms[names] = _prepare(statement, dialect, names)
    return forms[names]


def _prepare(statement: Executable, dialect: Dialect, names: Sequence[str]) -> Prepared | None:
    clause = cast("ClauseElement", statement)
    compiled: Compiled = clause.compile(dialect=dialect, column_keys=list(names) or None)
    if not isinstance(compiled, SQLCompiler):
        return None
    columns = clause.selected_columns if isinstance(clause, Select) else ()
    types = [bind.type for bind in compiled.binds.values()] + [c.type for c in columns]
    if not all(map(_is_plain, types)):
        return None
    return Prepared(clause, compiled, dialect)


def _is_plain(kind: TypeEngine[Any]) -> bool:
    return isinstance(kind, (*_AS_THEY_ARE, Instant))
