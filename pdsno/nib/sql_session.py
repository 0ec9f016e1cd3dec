"""One connection in one database transaction, and the one place where its errors are translated."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, cast

from sqlalchemy import Connection, Engine, Executable
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from pdsno.domain.errors import InputError, LocalProtocolError, OperationError, PDSNOError
from pdsno.nib.prepared import Values, prepared

Translate = Callable[[SQLAlchemyError], PDSNOError]
"""Turns a library error into one line that names the NIB, the cause and the remedy."""

TABLE = "pdsno_table"
"""Execution option of a change written out as text: the table that it changes."""

MOST_IDS = 500
"""How many IDs one statement names: far below what any database allows."""

Row = Mapping[str, Any]
Params = Values | Sequence[Values]


def chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    """Yield IDs in lists short enough for one statement."""
    rest = iter(ids)
    while chunk := list(islice(rest, MOST_IDS)):
        yield chunk


@contextmanager
def translated(translate: Translate) -> Iterator[None]:
    """Raise what the database raises inside as errors of ours, the cause chained."""
    try:
        yield
    except SQLAlchemyError as error:
        raise translate(error) from error
    except (UnicodeEncodeError, OverflowError) as error:
        raise InputError(f"the NIB cannot store this value: {error}") from error


class Session:
    """Runs statements until it ends; after a failed statement nothing runs any more.

    SQLite rolls a transaction back by itself on some errors (a full disk), and whatever ran
    afterwards would stand alone: half a change.
    """

    def __init__(self, connection: Connection, translate: Translate) -> None:
        self._connection = connection
        self._translate = translate
        self._driver: Any = None
        self.changed: set[str] = set()
        """The tables in which something was written."""
        self._failure: PDSNOError | None = None
        self._has_ended = False

    @property
    def engine(self) -> Engine:
        """What this is a connection of: the same one for each session of a NIB."""
        return self._connection.engine

    def rows(self, statement: Executable, params: Values | None = None) -> Sequence[Row]:
        """Return all rows of a query."""
        given = params or {}
        with self._guarded():
            ready = prepared(statement, self._connection.dialect, given)
            if ready is None:
                found = self._connection.execute(statement, given).mappings()
                return [dict(row) for row in found]
            with self._cursor() as cursor:
                cursor.execute(ready.text(given), ready.values(given))
                return ready.rows(cursor)

    def tuples(self, statement: Executable, params: Values) -> Sequence[tuple[Any, ...]]:
        """Return all rows of a query, which reads no times, by position: for many small rows."""
        with self._guarded():
            ready = prepared(statement, self._connection.dialect, params)
            if ready is None:
                return [tuple(row) for row in self._connection.execute(statement, params)]
            with self._cursor() as cursor:
                cursor.execute(ready.text(params), ready.values(params))
                found: list[tuple[Any, ...]] = cursor.fetchall()
                return found

    def row(self, statement: Executable, params: Values | None = None) -> Row | None:
        """Return the first row of a query, or None."""
        return next(iter(self.rows(statement, params)), None)

    def scalar(self, statement: Executable, params: Values | None = None) -> Any:  # noqa: ANN401
        """Return the first column of the first row, or None."""
        row = self.row(statement, params)
        return next(iter(row.values())) if row else None

    def run(self, statement: Executable, params: Params | None = None) -> int:
        """Run a change, once for each of several `params`; return how many rows it touched."""
        if params is not None and not params:
            return 0
        self.changed.add(_table(statement))
        many = params if isinstance(params, Sequence) else None
        first: Values = many[0] if many is not None else cast("Values", params or {})
        with self._guarded():
            ready = prepared(statement, self._connection.dialect, first)
            if ready is None:
                return self._connection.execute(statement, params).rowcount
            with self._cursor() as cursor:
                if many is None:
                    cursor.execute(ready.text(first), ready.values(first))
                else:
                    ready.run_many(cursor, many)
                return int(cursor.rowcount)

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        """Give a cursor of the driver; what it raises becomes SQLAlchemy's error."""
        dialect = self._connection.dialect
        if self._driver is None:
            if not self._connection.in_transaction():
                self._connection.begin()
            self._driver = self._connection.connection.driver_connection
        cursor = self._driver.cursor()
        try:
            yield cursor
        except dialect.loaded_dbapi.Error as error:
            is_away = dialect.is_disconnect(error, self._driver, cursor)
            if is_away:
                self._connection.invalidate(error)
            raise DBAPIError.instance(
                None, None, error, dialect.loaded_dbapi.Error, connection_invalidated=is_away
            ) from error
        finally:
            cursor.close()

    def commit(self) -> None:
        """Commit. Raises the earlier failure if there was one: then nothing is committed."""
        with self._guarded():
            self._connection.commit()

    def end(self) -> None:
        """Refuse everything from now on; idempotent."""
        self._has_ended = True

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        if self._has_ended:
            raise LocalProtocolError("this NIB transaction has ended")
        if self._failure is not None:
            raise OperationError(f"rolled back after: {self._failure}") from self._failure
        try:
            with translated(self._translate):
                yield
        except PDSNOError as error:
            self._failure = error
            raise


def _table(statement: Executable) -> str:
    table = getattr(statement, "table", None)
    return str(statement.get_execution_options()[TABLE] if table is None else table.name)
