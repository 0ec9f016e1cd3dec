"""The password of a database, in a file of its own: never in a URL, a setting or an argument."""

import os
import stat
from pathlib import Path

from pdsno.domain.errors import InputError


def read_password(path: Path) -> str:
    """Return the first line of a file that only its owner may read."""
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            password = file.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"cannot read the NIB's password file {path}: {cause}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InputError(f"others may read the NIB's password file {path}: chmod 600 {path}")
    if not password:
        raise InputError(f"the NIB's password file {path} is empty: its first line is the password")
    return password
