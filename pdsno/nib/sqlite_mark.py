"""Whether anything was committed to a SQLite file, for two microseconds.

SQLite counts, for each connection, the commits of all others: also those of other processes. So
one connection that itself never writes tells whether what was read a while ago still holds.
"""

import sqlite3
import threading
from pathlib import Path

_COUNT_BITS = 32


class StateMark:
    """A connection to a file that exists, for nothing else. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._opened = 0
        self._is_closed = False

    def read(self) -> int | None:
        """Return the number of the state that is committed now; None if that cannot be told.

        Numbers of one `StateMark` compare, and no others. Waits for no lock of the file.
        """
        with self._lock:
            if self._is_closed:
                return None
            try:
                if self._connection is None:
                    self._connection = _open(self._path)
                    self._opened += 1
                found = self._connection.execute("PRAGMA data_version").fetchone()
            except sqlite3.Error:
                # Whoever needs to know then reads the file itself, and hears what is wrong.
                self._drop()
                return None
            # Each connection counts for itself: that of another one must not look the same.
            return (self._opened << _COUNT_BITS) + int(found[0])

    def close(self) -> None:
        """Close the connection; idempotent."""
        with self._lock:
            self._is_closed = True
            self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.as_uri()}?mode=rw",
        uri=True,
        timeout=0,
        isolation_level=None,
        check_same_thread=False,
    )
