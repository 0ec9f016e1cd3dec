"""A controller's private key on disk: PKCS#8 PEM, readable by its owner alone."""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm

from pdsno.domain.errors import OperationError
from pdsno.identity.private_files import create_private, read_private
from pdsno.signing import SigningKey


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
        create_private(path, SigningKey.generate().to_pem())
        return _load(path)
    except OSError as error:
        raise OperationError(f"cannot keep a key in {path}: {error.strerror}") from error


def _load(path: Path) -> SigningKey:
    """Read the key. Raises FileNotFoundError if there is none."""
    pem = read_private(path, what="the key")
    try:
        return SigningKey.from_pem(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        msg = (
            f"{path} holds no whole Ed25519 key: restore it from a backup, or remove it and "
            "join again with a new token"
        )
        raise OperationError(msg) from error
