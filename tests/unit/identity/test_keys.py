"""The private key on disk: private, whole, and the same for all who start at once."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from pdsno.domain.errors import OperationError
from pdsno.identity.keys import load_or_create_key


def test_a_new_key_is_private_and_stays_the_same(tmp_path: Path) -> None:
    path = tmp_path / "identity" / "key.pem"
    key = load_or_create_key(path)
    assert load_or_create_key(path).key_id == key.key_id
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    assert [entry.name for entry in path.parent.iterdir()] == ["key.pem"]


@pytest.mark.attack(63)
def test_a_loose_umask_does_not_open_the_key(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        load_or_create_key(tmp_path / "new" / "key.pem")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new" / "key.pem").stat().st_mode) == 0o600


@pytest.mark.attack(63)
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key.pem"
    load_or_create_key(path)
    path.chmod(mode)
    with pytest.raises(OperationError, match=r"chmod 600"):
        load_or_create_key(path)
    path.chmod(0o600)
    load_or_create_key(path)


def test_a_key_that_others_may_replace_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "open" / "key.pem"
    load_or_create_key(path)
    path.parent.chmod(0o777)
    with pytest.raises(OperationError, match="can replace"):
        load_or_create_key(path)


def test_a_damaged_key_is_an_error_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    load_or_create_key(path)
    whole = path.read_bytes()
    private = load_pem_private_key(whole, None)
    encrypted = private.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
    )
    other = generate_private_key(SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    for content in (b"", whole[:60], whole[:-30], b"\0" * 100, encrypted, other):
        path.write_bytes(content)
        with pytest.raises(OperationError, match="restore it from a backup"):
            load_or_create_key(path)
        assert path.read_bytes() == content


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    for name in ("fifo", "."):
        with pytest.raises(OperationError):
            load_or_create_key(tmp_path / name)
    (tmp_path / "file").write_text("")
    with pytest.raises(OperationError, match="Not a directory"):
        load_or_create_key(tmp_path / "file" / "key.pem")


def test_many_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    path = tmp_path / "identity" / "key.pem"
    with ThreadPoolExecutor(16) as pool:
        keys = list(pool.map(lambda _: load_or_create_key(path).key_id, range(16)))
    assert len(set(keys)) == 1
    assert [entry.name for entry in path.parent.iterdir()] == ["key.pem"]
