"""Opens what `ansible-vault` sealed (formats 1.1 and 1.2, AES256), without Ansible."""

import binascii
import hmac
import os
import stat
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from pdsno.domain.errors import InputError

HEADER = "$ANSIBLE_VAULT;"
PASSWORD_VARIABLE = "ANSIBLE_VAULT_PASSWORD_FILE"  # noqa: S105 - the name of a variable
_VERSIONS = ("1.1", "1.2")
_ITERATIONS = 10_000
_KEY, _IV = 32, 16
_BLOCK_BITS = 128

Unseal = Callable[[str], str]


def unsealer(password_file: Path | None) -> Unseal:
    """Return what opens sealed texts by the password in a file.

    Without a file, the one that $ANSIBLE_VAULT_PASSWORD_FILE names. The password is read when
    something sealed is met. The function raises InputError, and never quotes anything.
    """
    named = os.environ.get(PASSWORD_VARIABLE)
    path = password_file or (Path(named).expanduser() if named else None)
    known: list[bytes] = []

    def unseal(text: str) -> str:
        if path is None:
            raise InputError(
                f"sealed by ansible-vault: name 'vault_password_file', or set {PASSWORD_VARIABLE}"
            )
        if not known:
            known.append(_password(path))
        return decrypted(text, known[0])

    return unseal


def _password(path: Path) -> bytes:
    try:
        if path.stat().st_mode & stat.S_IXUSR:
            raise InputError(f"{path}: programs are never run: name a file with the password")
        password = path.read_bytes().strip()
    except OSError as error:
        raise InputError(f"{path}: cannot read the vault password: {error.strerror}") from error
    if not password:
        raise InputError(f"{path}: the vault password file is empty")
    return password


def decrypted(text: str, password: bytes) -> str:
    """Return the sealed text. Raises InputError for a wrong password or a damaged envelope."""
    head, _, body = text.strip().partition("\n")
    words = head.strip().split(";")
    if len(words) < 3 or words[1] not in _VERSIONS or words[2] != "AES256":  # noqa: PLR2004
        raise InputError("sealed in a way that is not known: ansible-vault 1.1 or 1.2 with AES256")
    try:
        parts = binascii.unhexlify("".join(body.split())).split(b"\n", 2)
        salt, mac, sealed = (binascii.unhexlify(part) for part in parts)
    except ValueError as error:
        raise InputError("sealed by ansible-vault, and damaged") from error
    derived = PBKDF2HMAC(hashes.SHA256(), 2 * _KEY + _IV, salt, _ITERATIONS).derive(password)
    cipher_key, mac_key, iv = derived[:_KEY], derived[_KEY : 2 * _KEY], derived[2 * _KEY :]
    signed = HMAC(mac_key, hashes.SHA256())
    signed.update(sealed)
    if not hmac.compare_digest(signed.finalize(), mac):
        raise InputError("sealed by ansible-vault with another password")
    try:
        decryptor = Cipher(algorithms.AES(cipher_key), modes.CTR(iv)).decryptor()
        unpadder = padding.PKCS7(_BLOCK_BITS).unpadder()
        padded = decryptor.update(sealed) + decryptor.finalize()
        return (unpadder.update(padded) + unpadder.finalize()).decode()
    except ValueError as error:
        raise InputError("sealed by ansible-vault, and damaged") from error
