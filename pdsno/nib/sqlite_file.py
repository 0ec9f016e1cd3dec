"""One SQLite file as a SQLAlchemy engine: creation, pragmas, transactions, errors."""

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from pdsno.domain.errors import InputError, OperationError
from pdsno.nib.sql_session import translated
from pdsno.nib.sqlite_errors import translate
from pdsno.nib.sqlite_mark import StateMark

_BUSY_TIMEOUT_S = 5.0
_WAL_RETRY_S = 0.02
_POOL_SIZE = 8
_WRITER = "pdsno_writer"

_PRAGMAS = (
    "PRAGMA foreign_keys=ON",
    # A commit that was answered survives a power cut.
    "PRAGMA synchronous=FULL",
    # REPLACE must run the triggers that keep events.
    "PRAGMA recursive_triggers=ON",
    # A file from elsewhere shall not run functions from its schema.
    "PRAGMA trusted_schema=OFF",
    # After one huge transaction the log file shrinks again.
    "PRAGMA journal_size_limit=67108864",
)


class SQLiteFile:
    """A pool of connections to one file. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        """Open or create the file (0600, a missing folder 0700).

        Raises InputError if the path is no file's, OperationError if it cannot be used.
        """
        self.path = path.absolute()
        self.where = str(self.path)
        _create(self.path)
        _use_wal(self.path)
        self.engine = _engine(self.path)
        self._mark = StateMark(self.path)

    def translate(self, error: SQLAlchemyError) -> OperationError:
        """Return our error for a library's."""
        return translate(self.path, error)

    def writer(self) -> Connection:
        """Return a connection whose transaction begins by taking the write lock."""
        with translated(self.translate):
            return self.engine.connect().execution_options(**{_WRITER: True})

    def reader(self) -> Connection:
        """Return a connection that sees one committed state from its first statement on."""
        with translated(self.translate):
            return self.engine.connect()

    def state_mark(self) -> int | None:
        """Return what SQLite counts up with each commit; None if it cannot be read just now."""
        return self._mark.read()

    def integrity_faults(self) -> tuple[str, ...]:
        """Return what SQLite finds wrong with the file, an empty tuple if nothing."""
        with translated(self.translate), self.engine.connect() as connection:
            found = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
            return tuple(str(line) for line in found if line != "ok")

    def before_upgrade(self, revision: str) -> str | None:
        """Copy the NIB beside its file; a copy of before of the same schema is replaced."""
        copy = self.path.with_name(f"{self.path.name}.schema-{revision}")
        self.copy_to(copy)
        return str(copy)

    def copy_to(self, target: Path) -> None:
        """Write one committed state to a file of its own (0600), whoever writes meanwhile.

        The file has its name only once it is whole. Raises OperationError.
        """
        part = target.with_name(f"{target.name}.part")
        try:
            part.unlink(missing_ok=True)
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            try:
                with closing(sqlite3.connect(self.path, timeout=_BUSY_TIMEOUT_S)) as connection:
                    connection.execute("VACUUM INTO ?", (str(part),))
                _to_disk(part)
                part.replace(target)
                _to_disk(target.parent)
            finally:
                part.unlink(missing_ok=True)
        except sqlite3.Error as error:
            raise translate(self.path, error) from error
        except OSError as error:
            raise OperationError(f"cannot write the copy {target}: {error.strerror}") from error

    def close(self) -> None:
        """Close the idle connections; the last one to close folds the log into the file."""
        self._mark.close()
        self.engine.dispose()


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _use_wal(path: Path) -> None:
    """Switch to write-ahead logging; the file remembers.

    SQLite does not always wait here, whatever the busy timeout says: two processes that create
    one file would trip over each other.
    """
    deadline = time.monotonic() + _BUSY_TIMEOUT_S
    while True:
        try:
            with closing(sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise translate(path, error) from error
            time.sleep(_WAL_RETRY_S)
        except sqlite3.Error as error:
            raise translate(path, error) from error
        else:
            return


def _engine(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={
            "isolation_level": None,
            "check_same_thread": False,
            "timeout": _BUSY_TIMEOUT_S,
        },
        pool_size=_POOL_SIZE,
        max_overflow=-1,
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin(connection: Connection) -> None:
    # The driver begins nothing by itself (isolation_level None): this is the only BEGIN.
    # Past SQLAlchemy, which would take longer to hand it on than SQLite takes for a small question.
    is_writer = connection.get_execution_options().get(_WRITER, False)
    driver: Any = connection.connection.driver_connection
    try:
        driver.execute("BEGIN IMMEDIATE" if is_writer else "BEGIN")
    except sqlite3.Error as error:
        raise DBAPIError.instance("BEGIN", None, error, sqlite3.Error) from error


def _create(path: Path) -> None:
    if path.is_dir():
        raise InputError(f"{path} is a folder: give the path of a file for the NIB")
    try:
        for folder in reversed(path.parents):
            if not folder.exists():
                folder.mkdir(mode=0o700, exist_ok=True)
        # SQLite would create it with our umask; its -wal and -shm files take after it.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise OperationError(f"cannot open the NIB {path}: {error.strerror}") from error
