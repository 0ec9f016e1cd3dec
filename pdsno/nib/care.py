"""Looking after a NIB that is there: open it without changing it, copy it, forget old events."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from pathlib import Path

from pdsno.domain.entities import NewEvent
from pdsno.domain.errors import InputError
from pdsno.nib import migrate
from pdsno.nib.copying import copy_rows
from pdsno.nib.database import Database
from pdsno.nib.place import file_of, is_postgres, open_database
from pdsno.nib.sql_session import translated
from pdsno.nib.sqlite_file import SQLiteFile
from pdsno.nib.store import NIBStore

_AT_ONCE = 1000
_BATCH = 10_000
"""Events that go in one transaction: others may write in between."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NIBPlace:
    """Where a NIB is kept, and what holds its password."""

    url: str
    password_file: Path | None = None


@contextmanager
def existing_database(place: NIBPlace) -> Iterator[Database]:
    """Open a database that holds a NIB of this release; creates and upgrades nothing.

    Raises InputError if there is none, OperationError if its schema is another.
    """
    if not is_postgres(place.url) and not file_of(place.url).is_file():
        raise InputError(f"there is no NIB at {place.url}")
    database = open_database(place.url, password_file=place.password_file)
    try:
        with translated(database.translate), closing(database.reader()) as connection:
            migrate.check_head(connection, database.where)
        yield database
    finally:
        database.close()


def open_existing(place: NIBPlace) -> NIBStore:
    """Open a NIB that is there; creates and upgrades nothing. Errors as above."""
    with existing_database(place):
        return NIBStore(place.url, password_file=place.password_file)


def back_up(place: NIBPlace, target: Path) -> None:
    """Write one committed state to a file, whoever writes meanwhile: a NIB in SQLite, mode 0600.

    Raises InputError if the file exists already, OperationError if it cannot be written.
    """
    if target.exists():
        raise InputError(f"{target} exists already: give another name")
    if not target.parent.is_dir():
        raise InputError(f"there is no folder {target.parent}")
    with existing_database(place) as database:
        if isinstance(database, SQLiteFile):
            database.copy_to(target)
            return
        part = target.with_name(f"{target.name}.part")
        part.unlink(missing_ok=True)
        try:
            with new_file(part) as copy:
                _copy(database, copy)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def new_file(path: Path) -> Iterator[SQLiteFile]:
    """Create a NIB in a file, with tables and without a row."""
    database = SQLiteFile(path)
    try:
        with translated(database.translate), closing(database.writer()) as connection:
            migrate.to_head(connection, database)
        yield database
    finally:
        database.close()


def _copy(source: Database, target: Database) -> None:
    with (
        translated(target.translate),
        closing(target.writer()) as into,
        into.begin(),
        translated(source.translate),
        closing(source.reader()) as out,
    ):
        copy_rows(out, into)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pruned:
    """What retention removed, or would: `through_seq` 0 if no event is old enough.

    `history` counts changes of fields.
    """

    events: int
    through_seq: int
    history: int = 0


def prune(nib: NIBStore, *, before: datetime, now: datetime, actor: str) -> Pruned:
    """Remove the history, and the events at the beginning of the log, that are older than `before`.

    What stays can still be verified: a checkpoint keeps the hash of the last one that went. Each
    batch is a transaction with an event that tells of it, so controllers may run meanwhile.
    """
    due = prunable(nib, before=before)
    gone = 0
    start = nib.checkpoint()
    seq = start.seq if start else 0
    while seq < due.through_seq:
        seq = min(seq + _BATCH, due.through_seq)
        with nib.transaction() as tx:
            count = tx.prune_events(seq, now=now)
            kept = tx.checkpoint()
            if count == 0 or kept is None:
                break
            told = {"through_seq": kept.seq, "hash": kept.hash, "events": count, "before": before}
            event = NewEvent(
                event_type="EVENTS_PRUNED", subject="events", actor=actor, at=now, data=told
            )
            tx.append_event(event)
            gone += count
    return Pruned(
        events=gone, through_seq=due.through_seq, history=_prune_history(nib, before, now, actor)
    )


def _prune_history(nib: NIBStore, before: datetime, now: datetime, actor: str) -> int:
    with nib.transaction() as tx:
        if not tx.history_count(before):
            return 0
        gone = tx.prune_history(before)
        told = {"entries": gone, "before": before}
        event = NewEvent(
            event_type="HISTORY_PRUNED", subject="history", actor=actor, at=now, data=told
        )
        tx.append_event(event)
    return gone


def prunable(nib: NIBStore, *, before: datetime) -> Pruned:
    """Return what `prune` would remove; changes nothing.

    Only a beginning of the log goes, and never its newest event: what is younger keeps what comes
    after it, also where a clock went back.
    """
    count = 0
    last = 0
    with nib.reading() as reader:
        newest = reader.events(limit=1, newest_first=True)
        while found := reader.events(after_seq=last, limit=_AT_ONCE):
            prefix = list(takewhile(lambda e: e.at < before and e.seq != newest[0].seq, found))
            count += len(prefix)
            last = prefix[-1].seq if prefix else last
            if len(prefix) < len(found):
                break
        history = reader.history_count(before)
    return Pruned(events=count, through_seq=last if count else 0, history=history)
