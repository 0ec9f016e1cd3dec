"""A look at a NIB from outside: nothing is created, locked, migrated or written.

For whoever wants to know how a controller does, while it runs or after it has died.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import func, select

from pdsno.domain.errors import NotFoundError
from pdsno.nib.care import NIBPlace
from pdsno.nib.migrate import HEAD, revision_of
from pdsno.nib.place import file_of, is_postgres, open_database
from pdsno.nib.schema import outbox
from pdsno.nib.sql_session import translated
from pdsno.nib.sqlite_errors import translate

_BUSY_S = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Glance:
    """What a NIB's file says. `revision` None: it is no NIB, or not a whole one (`is_empty`).

    `faults` is what SQLite finds wrong, None if it was not asked; `waiting` are the durable
    messages that nobody has confirmed, `oldest` when the first of them was written.
    """

    revision: str | None
    is_current: bool
    is_older: bool
    is_empty: bool = False
    faults: tuple[str, ...] | None = None
    waiting: int = 0
    oldest: datetime | None = None


def glance(place: NIBPlace, *, checks_pages: bool) -> Glance:
    """Look at a NIB. `checks_pages` reads the whole file; a server looks after its own.

    Raises NotFoundError if there is none, and OperationError with cause and remedy if it cannot
    be read.
    """
    if is_postgres(place.url):
        return _at_server(place)
    path = file_of(place.url)
    if not path.exists():
        raise NotFoundError(f"there is no {path} yet")
    try:
        with _opened(path) as connection:
            return _read(connection, checks_pages=checks_pages)
    except sqlite3.Error as error:
        raise translate(path, error) from error


def _at_server(place: NIBPlace) -> Glance:
    database = open_database(place.url, password_file=place.password_file)
    try:
        with translated(database.translate), closing(database.reader()) as connection:
            revision = revision_of(connection, database.where)
            if revision is None:
                raise NotFoundError(f"there is no NIB at {database.where} yet")
            waiting, oldest = 0, None
            if revision == HEAD:
                asked = select(func.count(), func.min(outbox.c.created_at))
                waiting, oldest = connection.execute(asked).one()
            return _glance(revision, waiting=waiting, oldest=oldest)
    finally:
        database.close()


def _glance(revision: str | None, **values: Any) -> Glance:  # noqa: ANN401 - of a Glance
    return Glance(
        revision=revision,
        is_current=revision == HEAD,
        is_older=revision is not None and revision < HEAD,
        **values,
    )


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open it for reading only.

    Without a log beside it nobody writes it, and SQLite need not make files of its own there,
    which it could not on a file system that is read-only.
    """
    has_log = Path(f"{path}-wal").exists()
    place = f"file:{quote(str(path.absolute()))}?mode=ro" + ("" if has_log else "&immutable=1")
    with closing(sqlite3.connect(place, uri=True, timeout=_BUSY_S)) as connection:
        connection.execute("PRAGMA query_only=ON")
        connection.execute("PRAGMA trusted_schema=OFF")
        yield connection


def _read(connection: sqlite3.Connection, *, checks_pages: bool) -> Glance:
    connection.execute("BEGIN")
    revision = _revision(connection)
    faults: tuple[str, ...] | None = None
    if checks_pages:
        told = connection.execute("PRAGMA quick_check(10)").fetchall()
        faults = tuple(str(line) for (line,) in told if line != "ok")
    waiting, oldest = _outbox(connection) if revision == HEAD else (0, None)
    return _glance(
        revision,
        is_empty=connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None,
        faults=faults,
        waiting=waiting,
        oldest=oldest,
    )


def _revision(connection: sqlite3.Connection) -> str | None:
    asked = "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
    if connection.execute(asked).fetchone() is None:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None


def _outbox(connection: sqlite3.Connection) -> tuple[int, datetime | None]:
    number, oldest = connection.execute("SELECT COUNT(*), MIN(created_at) FROM outbox").fetchone()
    return int(number), datetime.fromisoformat(oldest) if oldest else None
