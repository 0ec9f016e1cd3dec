"""Files that only their owner may read, written whole or not at all."""

import os
import secrets
import stat
from pathlib import Path

from pdsno.domain.errors import OperationError

_MOST_BYTES = 256 * 1024


def read_private(path: Path, *, what: str) -> bytes:
    """Return the content of a file that nobody else can read, or replace.

    `what` names it in errors. Raises FileNotFoundError if there is none, and OperationError naming
    the remedy if it is not private, no file, or cannot be read.
    """
    try:
        # Not blocking: a FIFO in the file's place must not hang the start.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise OperationError(f"cannot read {what} {path}: {error.strerror}") from error
    try:
        status = os.fstat(descriptor)
        _check_privacy(path, status, what)
        content = os.read(descriptor, min(status.st_size, _MOST_BYTES) + 1)
    except OSError as error:
        raise OperationError(f"cannot read {what} {path}: {error.strerror}") from error
    finally:
        os.close(descriptor)
    return content


def _check_privacy(path: Path, status: os.stat_result, what: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OperationError(f"{what} {path} is not a regular file")
    folder = path.parent.stat()
    # Root, who runs a command on a service's files, takes those of the folder's owner.
    owners = {0, os.geteuid(), folder.st_uid if os.geteuid() == 0 else 0}
    if status.st_uid not in owners:
        raise OperationError(f"{what} {path} belongs to another user (uid {status.st_uid})")
    if stat.S_IMODE(status.st_mode) & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        raise OperationError(f"others can read {what} {path} (mode {mode:04o}): chmod 600 {path}")
    if folder.st_mode & stat.S_IWOTH and not folder.st_mode & stat.S_ISVTX:
        raise OperationError(f"others can replace {what} {path}: chmod o-w {path.parent}")


def create_private(path: Path, content: bytes) -> bool:
    """Put a new file of mode 0600 in place, and its folder (0700) if there is none.

    An existing file wins, also one that another process makes at this moment: returns False then.
    Raises OSError.
    """
    draft = _draft(path, content)
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    _flush_folder(path.parent)
    return True


def replace_private(path: Path, content: bytes) -> None:
    """Put a file of mode 0600 in place of what was there: after a crash it is the old or the new.

    It belongs to the folder's owner, also when root writes it by a command. Raises OSError.
    """
    draft = _draft(path, content)
    try:
        folder = path.parent.stat()
        if os.geteuid() == 0 != folder.st_uid:
            os.chown(draft, folder.st_uid, folder.st_gid)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    _flush_folder(path.parent)


def export_private(path: Path, content: bytes) -> None:
    """Write a new file of mode 0600 straight away, on media that know no links as well.

    The folder must be there, the file not. Raises OSError; a file half written is removed.
    """
    _write_new(path, content)
    _flush_folder(path.parent)


def remove_private(path: Path) -> None:
    """Remove the file, for good also after a crash; one that is not there is fine. OSError."""
    path.unlink(missing_ok=True)
    _flush_folder(path.parent)


def _draft(path: Path, content: bytes) -> Path:
    """Write a file beside `path`, flushed to the disk."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.parent / f".{path.name}.{secrets.token_hex(8)}"
    _write_new(draft, content)
    return draft


def _write_new(path: Path, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
