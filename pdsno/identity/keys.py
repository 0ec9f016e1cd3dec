"""A controller's private key on disk: PKCS#8 PEM, readable by its owner alone."""

import os
import secrets
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm

from pdsno.domain.errors import OperationError
from pdsno.signing import SigningKey

_MOST_BYTES = 4096


def load_or_create_key(path: Path) -> SigningKey:
    """Return the key in `path`; makes it, and its folder, if there is none.

    Of several processes that create at once, all get the one that was first. Raises
    OperationError naming the remedy if the file is damaged, readable by others, or unusable.
    """
    try:
        return _load(path)
    except FileNotFoundError:
        pass
    try:
        _create(path)
        return _load(path)
    except OSError as error:
        raise OperationError(f"cannot keep a key in {path}: {error.strerror}") from error


def _load(path: Path) -> SigningKey:
    """Read the key. Raises FileNotFoundError if there is none."""
    try:
        # Not blocking: a FIFO in the key's place must not hang the start.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise OperationError(f"cannot read the key {path}: {error.strerror}") from error
    try:
        _check_privacy(path, os.fstat(descriptor))
        pem = os.read(descriptor, _MOST_BYTES)
    finally:
        os.close(descriptor)
    try:
        return SigningKey.from_pem(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        msg = (
            f"{path} holds no whole Ed25519 key: restore it from a backup, or remove it and "
            "join again with a new token"
        )
        raise OperationError(msg) from error


def _check_privacy(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OperationError(f"the key {path} is not a regular file")
    if status.st_uid not in (0, os.geteuid()):
        raise OperationError(f"the key {path} belongs to another user (uid {status.st_uid})")
    if stat.S_IMODE(status.st_mode) & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        raise OperationError(f"others can read the key {path} (mode {mode:04o}): chmod 600 {path}")
    folder = path.parent.stat()
    if folder.st_mode & stat.S_IWOTH:
        msg = f"others can replace the key {path}: chmod o-w {path.parent}"
        raise OperationError(msg)


def _create(path: Path) -> None:
    """Put a new key in place whole or not at all; an existing file wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.parent / f".{path.name}.{secrets.token_hex(8)}"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
            file.write(SigningKey.generate().to_pem())
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
