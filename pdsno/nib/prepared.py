"""Statements compiled once and handed to the driver as they are.

SQLAlchemy builds each statement, once, for every dialect. Executing one through it costs fifty to
a hundred microseconds each time, and reading a value of a row one more; a NIB asks thousands of
small questions for one report. So the compiled text goes to the driver directly, and rows come
back as dicts. Statements with values of other types than ours SQLAlchemy executes itself.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from operator import itemgetter
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

    __slots__ = ("_constants", "_in", "_lists", "_order", "_out", "_sets", "_text")

    def __init__(self, statement: ClauseElement, compiled: SQLCompiler, dialect: Dialect) -> None:
        is_text = dialect.name == "sqlite"
        self._text = str(compiled)
        self._sets = None if is_text else _from_arrays(self._text, compiled)
        self._lists = [name for name, bind in compiled.binds.items() if bind.expanding]
        self._order = tuple(compiled.positiontup or ()) if compiled.positional else None
        constants = [name for bind, name in compiled.bind_names.items() if not bind.required]
        self._constants = {name: compiled.params[name] for name in constants}
        times = {name for name, bind in compiled.binds.items() if isinstance(bind.type, Instant)}
        self._in: Sequence[str] = sorted(times) if is_text else ()
        columns = statement.selected_columns if isinstance(statement, Select) else ()
        self._out = [str(c.name) for c in columns if isinstance(c.type, Instant)]

    def text(self, given: Values) -> str:
        """Return the statement; where there are no arrays, with as many places as values."""
        text = self._text
        for name in self._lists:
            places = f"__[POSTCOMPILE_{name}]"
            if self._order is None:
                text = text.replace(f"IN ({places})", f"= ANY(%({name})s)")
            else:
                text = text.replace(places, ", ".join("?" * len(given[name])))
        return text

    def values(self, given: Values) -> Any:  # noqa: ANN401 - a tuple or a dict, by dialect
        """Return what the driver takes for what a caller gives."""
        found = {**self._constants, **given}
        for name in self._in:
            if found[name] is not None:
                found[name] = instant_text(found[name])
        if self._order is None:
            return found
        if self._lists:
            lists = (found[n] if n in self._lists else (found[n],) for n in self._order)
            return tuple(chain.from_iterable(lists))
        return tuple([found[name] for name in self._order])

    def run_many(self, cursor: Any, many: Sequence[Values]) -> None:  # noqa: ANN401 - the driver's
        """Run a change for each of several rows; an insertion into PostgreSQL as one statement."""
        if self._sets is None or len(many) == 1:
            cursor.executemany(self.text(many[0]), self._rows_of(many))
        else:
            text, names = self._sets
            cursor.execute(text, {name: [given[name] for given in many] for name in names})

    def _rows_of(self, many: Sequence[Values]) -> Iterable[Any]:
        order = self._order
        if order is None or len(order) == 1 or self._lists or self._constants:
            return map(self.values, many)
        rows = map(itemgetter(*order), many)
        times = [number for number, name in enumerate(order) if name in self._in]
        return map(partial(_with_texts, times=times), rows) if times else rows

    def rows(self, cursor: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - the driver's
        """Return all rows that a cursor has."""
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        for name in self._out:
            for row in rows:
                row[name] = _instant(row[name])
        return rows


_VALUES = re.compile(r"VALUES \((?P<places>[^()]*(?:\(\w+\)s[^()]*)*)\)(?= ON CONFLICT|$)")
_PLACE = re.compile(r"%\((\w+)\)s")


def _from_arrays(text: str, compiled: SQLCompiler) -> tuple[str, Sequence[str]] | None:
    """Return an insertion of one row as one of many, given an array a column; and their names."""
    found = _VALUES.search(text) if text.startswith("INSERT INTO ") else None
    if found is None:
        return None
    names = _PLACE.findall(found["places"])
    kinds = [compiled.binds[name].type for name in names]
    if any(isinstance(kind, NullType) for kind in kinds):
        return None
    # In binary: as text each quote of a document would be escaped.
    arrays = (f"%({name})b::{_array_of(k)}" for name, k in zip(names, kinds, strict=True))
    start, end = found.span()
    rows = f"SELECT * FROM unnest({', '.join(arrays)})"  # noqa: S608 - names of our schema
    return text[:start] + rows + text[end:], names


def _array_of(kind: TypeEngine[Any]) -> str:
    if isinstance(kind, Instant):
        return "timestamptz[]"
    return "bigint[]" if isinstance(kind, Integer) else "text[]"


def _with_texts(row: tuple[Any, ...], *, times: Sequence[int]) -> list[Any]:
    values = list(row)
    for number in times:
        if values[number] is not None:
            values[number] = instant_text(values[number])
    return values


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
