"""Where a NIB is kept: from a path or URL to the backend."""

import os
import re
from pathlib import Path

from pdsno.domain.errors import InputError
from pdsno.nib.backend import Backend
from pdsno.nib.memory import MemoryNIB

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_FORMS = "give a file path, sqlite:///PATH or memory://"


def open_backend(path_or_url: str | os.PathLike[str]) -> Backend:
    """Open or create the NIB. Errors name only the scheme of a URL: it may hold a password."""
    place = os.fspath(path_or_url)
    if place in ("memory://", ":memory:"):
        return MemoryNIB()
    # SQLAlchemy takes a moment to import, and a NIB in memory does without.
    from pdsno.nib.sql import SQLNIB  # noqa: PLC0415

    return SQLNIB(_path(place))


def _path(place: str) -> Path:
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
