"""What SQLite's errors mean for an operator."""

import sqlite3
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from pdsno.domain.errors import OperationError, TransientError

_PRIMARY = 0xFF
"""Extended result codes carry the primary one in their low byte (sqlite.org/rescode.html)."""

_TRANSIENT = {
    sqlite3.SQLITE_BUSY: "is locked by another process: stop it, or try again",
    sqlite3.SQLITE_LOCKED: "is locked by another connection: try again",
    sqlite3.SQLITE_FULL: "cannot grow, the disk is full: the change was rolled back and nothing "
    "before it is lost; free some space and try again",
}
_PERMANENT = {
    sqlite3.SQLITE_CORRUPT: "is damaged: move it and its -wal and -shm files aside and restore "
    "a backup",
    sqlite3.SQLITE_NOTADB: "is not a SQLite database: give another path, or move the file aside",
    sqlite3.SQLITE_READONLY: "is read-only: check the owner and mode of the file and its folder, "
    "and how the file system is mounted",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: check the owner and mode of the file and its "
    "folder",
    sqlite3.SQLITE_PERM: "may not be opened: check the owner and mode of the file and its folder",
    sqlite3.SQLITE_IOERR: "cannot be read or written, the file system reports an error: check "
    "the disk, its free space and quota; what was committed before is kept",
}


def translate(path: Path, error: SQLAlchemyError | sqlite3.Error) -> OperationError:
    """Return our error for one of SQLAlchemy's or SQLite's about the NIB at `path`."""
    origin = getattr(error, "orig", None) or error
    code = getattr(origin, "sqlite_errorcode", None)
    primary = code & _PRIMARY if isinstance(code, int) else None
    if primary in _TRANSIENT:
        return TransientError(f"the NIB {path} {_TRANSIENT[primary]}")
    if primary in _PERMANENT:
        return OperationError(f"the NIB {path} {_PERMANENT[primary]}")
    cause = " ".join(str(origin).split())
    return OperationError(f"the NIB {path} refused a statement: {cause}")
