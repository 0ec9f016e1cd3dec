"""Where a NIB is kept: from a path or URL to the backend."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pdsno.domain.errors import InputError
from pdsno.nib.backend import Backend
from pdsno.nib.memory import MemoryNIB

if TYPE_CHECKING:
    from sqlalchemy import URL

    from pdsno.nib.database import Database

MEMORY = ("memory://", ":memory:")
"""Names of a NIB that is gone with its process."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_FORMS = "give a file path, sqlite:///PATH, postgresql+psycopg://USER@HOST/DATABASE or memory://"
_POSTGRES = {"postgresql", "postgresql+psycopg"}
_PARAMETERS = {
    "host", "port", "options", "passfile", "sslmode", "sslrootcert", "sslcert", "sslkey",
    "target_session_attrs",
}  # fmt: skip
"""What libpq takes in a URL and a NIB has a use for."""


def open_backend(
    path_or_url: str | os.PathLike[str], *, password_file: Path | None = None
) -> Backend:
    """Open or create the NIB. Errors name only the scheme of a URL: it may hold a password."""
    place = os.fspath(path_or_url)
    if place in MEMORY:
        return MemoryNIB()
    # SQLAlchemy takes a moment to import, and a NIB in memory does without.
    from pdsno.nib.sql import SQLNIB  # noqa: PLC0415

    return SQLNIB(open_database(place, password_file=password_file))


def open_database(place: str, *, password_file: Path | None = None) -> "Database":
    """Connect to the database at a path or URL; creates a missing file. Errors as above."""
    from pdsno.nib.postgres_server import PostgresServer  # noqa: PLC0415 - see above
    from pdsno.nib.sqlite_file import SQLiteFile  # noqa: PLC0415 - see above

    if is_postgres(place):
        return PostgresServer(_url(place), password_file=password_file)
    return SQLiteFile(file_of(place))


def is_postgres(place: str) -> bool:
    """Tell whether this is the URL of a database on PostgreSQL."""
    scheme = _SCHEME.match(place)
    return scheme is not None and scheme[1].lower() in _POSTGRES


def check_place(place: str) -> None:
    """Raise InputError unless this is a path or a URL of a NIB; touches nothing."""
    if is_postgres(place):
        _url(place)
    elif place not in MEMORY:
        file_of(place)


def _url(place: str) -> "URL":
    from sqlalchemy import make_url  # noqa: PLC0415 - see above
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    wanted = "write it as postgresql+psycopg://USER@HOST/DATABASE"
    try:
        url = make_url(place)
    except (ArgumentError, ValueError):
        # Without the cause: it tells the URL, perhaps with a password.
        raise InputError(f"the URL of the NIB cannot be read: {wanted}") from None
    if not url.database:
        raise InputError(f"the URL of the NIB names no database: {wanted}")
    unknown = sorted(set(url.query) - _PARAMETERS)
    if unknown:
        raise InputError(
            f"the URL of the NIB has the parameter {unknown[0]!r}: it may have "
            f"{', '.join(sorted(_PARAMETERS))}"
        )
    return url


def has_password(place: str) -> bool:
    """Tell whether the URL of a database holds a password."""
    return is_postgres(place) and _url(place).password is not None


def file_of(place: str) -> Path:
    """Return the path of a NIB in a file. Raises InputError if this is no file's."""
    scheme = _SCHEME.match(place)
    path = place
    if scheme is not None:
        if scheme[1].lower() != "sqlite":
            raise InputError(f"a NIB cannot be kept at a {scheme[1]}:// URL: {_FORMS}")
        rest = place[scheme.end() :]
        if not rest.startswith("/") or rest == "/:memory:" or "?" in rest:
            raise InputError(f"{place!r} does not name a file: {_FORMS}")
        path = rest[1:]
    if not path or "\0" in path:
        raise InputError(f"the path of the NIB is empty or holds a NUL: {_FORMS}")
    return Path(path)
