"""Writes the files that commands make: whole or not at all, and never over somebody's own."""

import os
import tempfile
from pathlib import Path

from pdsno.domain.errors import InputError, OperationError


def write_text(path: Path, text: str, *, is_forced: bool, mark: str = "") -> None:
    """Write a file. One that exists is replaced if it holds `mark`, or if `is_forced`.

    Raises InputError for a file that is kept, OperationError if it cannot be written.
    """
    try:
        is_there = path.exists()
        if is_there and not is_forced and not (mark and mark in _head(path)):
            raise InputError(f"{path} exists: name another file, or replace it with --force")
        mode = path.stat().st_mode & 0o777 if is_there else 0o666 & ~_umask()
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise OperationError(f"cannot write {path}: {error.strerror}") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), mode)
        Path(name).replace(path)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise OperationError(f"cannot write {path}: {error.strerror}") from error


def make_folder(path: Path) -> None:
    """Make a folder unless it is there. Raises OperationError if it cannot be made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise InputError(f"{path} is a file: name a folder") from error
    except OSError as error:
        raise OperationError(f"cannot make the folder {path}: {error.strerror}") from error


def _head(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(4096)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
