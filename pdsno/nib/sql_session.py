"""One connection in one database transaction, and the one place where its errors are translated."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Executable, RowMapping
from sqlalchemy.exc import SQLAlchemyError

from pdsno.domain.errors import InputError, LocalProtocolError, OperationError, PDSNOError

Translate = Callable[[SQLAlchemyError], PDSNOError]
"""Turns a library error into one line that names the NIB, the cause and the remedy."""

TABLE = "pdsno_table"
"""Execution option of a change written out as text: the table that it changes."""

Params = Mapping[str, Any] | Sequence[Mapping[str, Any]]


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
        self._failure: PDSNOError | None = None
        self.changed: set[str] = set()
        """The tables in which something was written."""
        self._has_ended = False

    def rows(self, statement: Executable, params: Params | None = None) -> Sequence[RowMapping]:
        """Return all rows of a query."""
        with self._guarded():
            return self._connection.execute(statement, params).mappings().all()

    def row(self, statement: Executable, params: Params | None = None) -> RowMapping | None:
        """Return the first row of a query, or None."""
        with self._guarded():
            return self._connection.execute(statement, params).mappings().first()

    def scalar(self, statement: Executable, params: Params | None = None) -> Any:  # noqa: ANN401
        """Return the first column of the first row, or None."""
        with self._guarded():
            return self._connection.execute(statement, params).scalar()

    def run(self, statement: Executable, params: Params | None = None) -> int:
        """Run a change, once for each of several `params`; return how many rows it touched."""
        if params is not None and not params:
            return 0
        self.changed.add(_table(statement))
        with self._guarded():
            return self._connection.execute(statement, params).rowcount

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
