"""Secrets that can be recognized, and where to look for them."""

import base64
import os
import secrets
import stat
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    load_pem_private_key,
    load_ssh_private_key,
)

_POLL_S = 0.02
_LEAST_PIECE = 16


@dataclass
class Canaries:
    """Secrets by name."""

    texts: dict[str, bytes] = field(default_factory=dict)

    def plant(self, name: str, text: str | None = None) -> str:
        """Return a new secret; or keep one that somebody else made."""
        text = text or f"canary-{name}-{secrets.token_hex(8)}"
        self.texts[name] = text.encode()
        return text

    def plant_key(self, name: str, file: Path) -> None:
        """Keep a piece of a PEM file that only its private key has, from within one line."""
        key, lines = _private_key(file.read_bytes())
        body = b"".join(lines)
        at = base64.b64decode(body).index(key)
        first, last = -(-at * 4 // 3), (at + len(key)) * 4 // 3
        pieces, begin = [], 0
        for line in lines:
            pieces.append(line[max(0, first - begin) : max(0, last - begin)])
            begin += len(line)
        self.texts[name] = max(pieces, key=len)
        assert len(self.texts[name]) >= _LEAST_PIECE

    def found_in(self, data: bytes) -> set[str]:
        return {name for name, text in self.texts.items() if text in data}

    def found_in_files(self, folder: Path) -> dict[Path, set[str]]:
        """Return the files below a folder that hold secrets."""
        found = {file: self.found_in(file.read_bytes()) for file in files_below(folder)}
        return {file: names for file, names in found.items() if names}


def _private_key(pem: bytes) -> tuple[bytes, list[bytes]]:
    """Return the secret number of the private key in a PEM file, and the lines that hold it."""
    before, _, rest = pem.partition(b"PRIVATE KEY-----\n")
    kind = before.rpartition(b"-----BEGIN ")[2]
    lines = rest.partition(b"-----END")[0].splitlines()
    block = b"-----BEGIN %bPRIVATE KEY-----\n%b\n-----END %bPRIVATE KEY-----\n"
    block %= (kind, b"\n".join(lines), kind)
    load = load_ssh_private_key if kind.startswith(b"OPENSSH") else load_pem_private_key
    key = load(block, None)
    if isinstance(key, EllipticCurvePrivateKey):
        return key.private_numbers().private_value.to_bytes(32), lines
    assert isinstance(key, Ed25519PrivateKey)
    return key.private_bytes_raw(), lines


def files_below(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and not file.is_symlink()]


def is_readable_by_others(file: Path, top: Path) -> bool:
    """Tell whether somebody else's process may read a file, by its mode and those on the way."""
    if not stat.S_IMODE(file.stat().st_mode) & 0o044:
        return False
    between = [parent for parent in file.parents if parent.is_relative_to(top)]
    return all(stat.S_IMODE(parent.stat().st_mode) & 0o011 for parent in between)


class ProcessWatch:
    """Keeps the command lines and environments of all processes below this one."""

    def __init__(self) -> None:
        self.seen: dict[str, bytes] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_POLL_S):
            for pid in _below(os.getpid()):
                for name in ("cmdline", "environ"):
                    with suppress(OSError):
                        place = Path(f"/proc/{pid}/{name}")
                        content = place.read_bytes()
                        if content:
                            self.seen[f"{place} {content[:40]!r}"] = content


def _below(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, task.read_text().split()):
                found += [child, *_below(child)]
    return found
