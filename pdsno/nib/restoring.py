"""A NIB from its backup: checked first, put in place as a whole, on a stream of its own."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, select

from pdsno.domain.entities import NewEvent
from pdsno.domain.errors import InputError, OperationError, PDSNOError
from pdsno.nib import migrate
from pdsno.nib.care import NIBPlace, existing_database
from pdsno.nib.check import faults
from pdsno.nib.copying import copy_rows, remove_rows
from pdsno.nib.place import file_of, is_postgres, open_database
from pdsno.nib.postgres_server import PostgresServer
from pdsno.nib.schema import sequences
from pdsno.nib.sql_session import translated
from pdsno.nib.sqlite_file import SQLiteFile
from pdsno.nib.store import NIBStore

_STOP = "stop its controller first"
_SIDE_FILES = ("-wal", "-shm")


def restore(place: NIBPlace, backup: Path, *, now: datetime, actor: str) -> Path | None:
    """Put a backup in the place of a NIB; returns where the NIB of before was moved, if it was.

    The backup may be of an older release, and of another kind of database. Nothing is changed
    unless the backup is sound and nobody uses the NIB. The restored one begins a new stream, so
    the controller above gets a snapshot; numbers that were given out since stay given out.
    Raises InputError, OperationError.
    """
    if not backup.is_file():
        raise InputError(f"there is no backup {backup}")
    if is_postgres(place.url):
        with tempfile.TemporaryDirectory(prefix="pdsno-restore-") as folder:
            prepared = _prepare(place, backup, Path(folder) / "nib", now=now, actor=actor)
            _into_server(place, prepared)
        return None
    target = file_of(place.url).absolute()
    if not target.parent.is_dir():
        raise InputError(f"there is no folder {target.parent}")
    if target.exists() and _is_held(target):
        raise OperationError(f"the NIB {target} is in use: {_STOP}")
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=target.parent) as folder:
        prepared = _prepare(place, backup, Path(folder) / "nib", now=now, actor=actor)
        return _into_file(prepared, target, now)


def _prepare(place: NIBPlace, backup: Path, copy: Path, *, now: datetime, actor: str) -> Path:
    """Make a sound NIB of this release, on a new stream, of a copy of the backup."""
    try:
        shutil.copyfile(backup, copy)
    except OSError as error:
        raise OperationError(f"cannot copy the backup {backup}: {error.strerror}") from error
    given_out = _numbers_given_out(place)
    with _named(backup), NIBStore(copy) as nib:
        wrong = faults(nib)
        if wrong:
            raise OperationError(f"{wrong[0]}: nothing was changed, take another backup")
        with nib.transaction() as tx:
            old = tx.outbox_tail()
            new = tx.new_stream()
            data = {"stream": new.stream_id, "instead_of": old.stream_id, "last": old.seq}
            tx.append_event(
                NewEvent(event_type="NIB_RESTORED", subject="nib", actor=actor, at=now, data=data)
            )
    with closing(sqlite3.connect(copy)) as raw, raw:
        # Straight to the file: what it has is never lowered, and one file with one writer is ours.
        raw.executemany(
            "INSERT INTO sequences VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
            list(given_out.items()),
        )
    return copy


@contextmanager
def _named(backup: Path) -> Iterator[None]:
    """Say of which backup an error tells: it names the copy."""
    try:
        yield
    except PDSNOError as error:
        raise OperationError(f"the backup {backup} is not fit to be restored: {error}") from error


def _numbers_given_out(place: NIBPlace) -> Mapping[str, int]:
    """Return the sequences of the NIB that is to be replaced, if it can still tell."""
    try:
        with existing_database(place) as database, closing(database.reader()) as connection:
            with translated(database.translate):
                rows = connection.execute(select(sequences)).all()
            return {str(name): int(value) for name, value in rows}
    except PDSNOError:
        # Damaged or not there: that is what backups are for.
        return {}


def _is_held(path: Path) -> bool:
    """Tell whether anybody has the file open; leaves it without a log file if nobody has.

    Leaving write-ahead logging needs the file to oneself, and a controller never closes it.
    """
    try:
        with closing(sqlite3.connect(path, timeout=0)) as connection:
            (mode,) = connection.execute("PRAGMA journal_mode=DELETE").fetchone()
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
    except sqlite3.Error:
        # It is damaged, or no database at all: no controller gets anywhere with it.
        return False
    return str(mode) == "wal"


def _into_file(prepared: Path, target: Path, now: datetime) -> Path | None:
    """Move the prepared file into its place in one step; the one of before keeps a name."""
    aside = None
    try:
        if target.exists():
            if _is_held(target):
                raise OperationError(f"the NIB {target} is in use: {_STOP}")
            aside = target.with_name(f"{target.name}.before-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}")
            os.link(target, aside)
        for side in _SIDE_FILES:
            # Of a damaged file: another file's log must not be read into the new one.
            target.with_name(target.name + side).unlink(missing_ok=True)
        prepared.chmod(0o600)
        prepared.replace(target)
    except OSError as error:
        raise OperationError(f"cannot put {target} in place: {error.strerror}") from error
    return aside


def _into_server(place: NIBPlace, prepared: Path) -> None:
    """Replace all rows in one transaction."""
    server = open_database(place.url, password_file=place.password_file)
    source = SQLiteFile(prepared)
    try:
        if isinstance(server, PostgresServer) and server.other_users():
            raise OperationError(f"the NIB {server.where} is in use: {_STOP}")
        with translated(server.translate), closing(server.writer()) as into:
            migrate.to_head(into, server)
        with (
            translated(server.translate),
            closing(server.writer()) as into,
            into.begin(),
            _unguarded(into),
            closing(source.reader()) as out,
        ):
            remove_rows(into)
            copy_rows(out, into)
    finally:
        source.close()
        server.close()


@contextmanager
def _unguarded(connection: Connection) -> Iterator[None]:
    """Switch the triggers of the event log off, for this transaction's work alone."""
    tables = ("events", "event_checkpoints")
    for table in tables:
        connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    yield
    for table in tables:
        connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE TRIGGER USER")
