"""Host keys that were met before, in OpenSSH's known_hosts format.

A key that is new is kept; a key that changed stops the log-in before anything is told.

The name of an entry is the address (`[address]:port` if the port is not 22). In a namespace it
is `namespace|address`, so that equal addresses of two namespaces stay two; OpenSSH's own tools
read such an entry with `-o HostKeyAlias=namespace|address`.
"""

import base64
import binascii
import fcntl
import hashlib
import hmac
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pdsno.domain.errors import OperationError
from pdsno.southbound.access_memory import write_private
from pdsno.southbound.credential_entries import SSH_PORT

_HASHED = "|1|"
_REVOKED = "@revoked"
_MARKER = "@"
_FIELDS = 3


class HostKeyChangedError(OperationError):
    """A host shows another key than before; the text names both and the remedy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HostKey:
    """A server's public key: its type (`ssh-ed25519`) and the blob in base64."""

    kind: str
    blob: str

    @property
    def fingerprint(self) -> str:
        """`SHA256:…` as OpenSSH prints it."""
        digest = hashlib.sha256(_bytes(self.blob)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    def __str__(self) -> str:
        return f"{self.kind} {self.fingerprint}"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Entry:
    names: tuple[str, ...]
    key: HostKey
    is_revoked: bool = False

    def is_for(self, name: str) -> bool:
        return any(_matches(pattern, name) for pattern in self.names)


def host_name(address: str, port: int = SSH_PORT, namespace: str = "") -> str:
    """Return the name under which a host's key is kept."""
    place = address if port == SSH_PORT else f"[{address}]:{port}"
    return f"{quote(namespace)}|{place}" if namespace else place


class KnownHosts:
    """Keys by name; without `path` as long as the process lives.

    Any thread and any number of processes may use the file: it is read again before each change,
    and replaced in one step, with mode 0600. Lines that we do not understand stay as they are.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._entries: list[_Entry] = []
        self._read_at: tuple[int, int] | None = None

    def kinds(self, name: str) -> tuple[str, ...]:
        """Return the types of the keys known of a host: it should be asked for one of these.

        Raises OperationError if the file cannot be read.
        """
        with self._lock:
            self._refresh()
            return tuple(dict.fromkeys(e.key.kind for e in self._of(name)))

    def check(self, name: str, key: HostKey) -> None:
        """Keep the key of a new host. Raises HostKeyChangedError; OperationError for the file."""
        with self._lock:
            self._refresh()
            if self._is_known(name, key):
                return
            with self._held():
                # Another process may have met the host in the meantime.
                self._refresh()
                if not self._is_known(name, key):
                    self._add(name, key)

    def _is_known(self, name: str, key: HostKey) -> bool:
        known = self._of(name)
        revoked = any(e.is_revoked and e.key == key and e.is_for(name) for e in self._entries)
        if not revoked and any(entry.key == key for entry in known):
            return True
        if known or revoked:
            before = ", ".join(str(e.key) for e in known) or "none"
            raise HostKeyChangedError(
                f"host key {'is revoked' if revoked else 'changed'}: now {key}, before {before}; "
                f"if the device was replaced: {self._remedy(name)}"
            )
        return False

    def _of(self, name: str) -> list[_Entry]:
        return [e for e in self._entries if not e.is_revoked and e.is_for(name)]

    def _remedy(self, name: str) -> str:
        if self._path is None:
            return "run the command again"
        return f"ssh-keygen -R '{name}' -f {self._path}"

    # --- the file ------------------------------------------------------------------------

    def _refresh(self) -> None:
        if self._path is None:
            return
        try:
            state = self._path.stat()
            stamp = (state.st_mtime_ns, state.st_size)
            if stamp != self._read_at:
                self._entries = list(_entries(self._path.read_text(errors="replace")))
                self._read_at = stamp
        except FileNotFoundError:
            self._entries, self._read_at = [], None
        except OSError as error:
            raise OperationError(f"{self._path}: cannot be read: {error.strerror}") from error

    def _add(self, name: str, key: HostKey) -> None:
        self._entries.append(_Entry(names=(name,), key=key))
        if self._path is None:
            return
        try:
            text = self._path.read_text(errors="surrogateescape") if self._path.exists() else ""
            if text and not text.endswith("\n"):
                text += "\n"
            write_private(self._path, f"{text}{name} {key.kind} {key.blob}\n")
        except OSError as error:
            raise OperationError(f"{self._path}: cannot be written: {error.strerror}") from error

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Keep other processes from writing meanwhile."""
        if self._path is None:
            yield
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(f"{self._path}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise OperationError(f"{self._path}: cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _entries(text: str) -> Iterator[_Entry]:
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        marker = words.pop(0) if words[0].startswith(_MARKER) else ""
        # Certificate authorities are not checked: who signs is no concern of a pin.
        if len(words) < _FIELDS or marker not in ("", _REVOKED) or not _bytes(words[2]):
            continue
        yield _Entry(
            names=tuple(words[0].split(",")),
            key=HostKey(kind=words[1], blob=words[2]),
            is_revoked=marker == _REVOKED,
        )


def _matches(pattern: str, name: str) -> bool:
    """Tell whether an entry's name, plain or hashed, is meant; wildcards name nobody."""
    if not pattern.startswith(_HASHED):
        return pattern.lower() == name.lower()
    salt, _, digest = pattern.removeprefix(_HASHED).partition("|")
    # OpenSSH hashes names with SHA-1; that is its format, not our choice.
    found = hmac.new(_bytes(salt), name.lower().encode(), hashlib.sha1).digest()
    return hmac.compare_digest(found, _bytes(digest))


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
