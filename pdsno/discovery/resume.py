"""Keeps what a look found so far in a file, so that a later one goes on where it ended.

The file holds what devices told (names, addresses, tables), never a credential.
"""

import contextlib
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import structlog
from pydantic import TypeAdapter, ValidationError

from pdsno.discovery.ledger import Findings, Ledger
from pdsno.domain.errors import OperationError

log = structlog.get_logger()

KEEP_FOR = timedelta(hours=24)
_FORMAT = 1
_EVERY_S = 1.0
_SHARE = 0.1
"""Of the time goes into keeping, at most: a large look is kept less often."""

_OWNER_ONLY = 0o600
_DIRECTORY_MODE = 0o700


@dataclass(frozen=True, kw_only=True, slots=True)
class _File:
    format: int
    key: str
    at: datetime
    findings: Findings


_CODEC = TypeAdapter(_File)


class StateError(OperationError):
    """A kept state cannot be used; the text says why."""


class ResumeFile:
    """The state of one look, in `directory`; `about` is what makes it that look (its targets…)."""

    def __init__(self, directory: Path, about: Sequence[object]) -> None:
        self._key = hashlib.sha256(json.dumps(about, default=str).encode()).hexdigest()
        self.path = directory / f"{self._key[:32]}.json"

    def load(self, now: datetime | None = None) -> Findings | None:
        """Return what was kept, None if nothing was within a day. Raises StateError."""
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateError(f"{self.path}: {error.strerror}") from error
        try:
            kept = _CODEC.validate_json(text)
        except ValidationError as error:
            raise StateError(f"{self.path}: damaged") from error
        if kept.format != _FORMAT or kept.key != self._key:
            raise StateError(f"{self.path}: of another version")
        is_old = (now or datetime.now(UTC)) - kept.at > KEEP_FOR
        return None if is_old else kept.findings

    def save(self, findings: Findings) -> None:
        """Replace what was kept, whole or not at all. Raises StateError."""
        kept = _File(format=_FORMAT, key=self._key, at=datetime.now(UTC), findings=findings)
        beside = self.path.with_suffix(f".{os.getpid()}.new")
        try:
            self.path.parent.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
            with os.fdopen(
                os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY), "wb"
            ) as file:
                file.write(_CODEC.dump_json(kept))
            beside.replace(self.path)
        except OSError as error:
            raise StateError(f"{self.path}: {error.strerror}") from error

    def forget(self) -> None:
        """Remove what was kept, and whatever else in the directory is too old to go on with.

        What cannot be removed stays, and is no failure: the look itself is done.
        """
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
            oldest = time.time() - KEEP_FOR.total_seconds()
            for path in self.path.parent.glob("*.json*") if self.path.parent.is_dir() else ():
                if path.stat().st_mtime < oldest:
                    path.unlink(missing_ok=True)


class Keeper:
    """Hands a ledger's findings to `keep` about once a second, when there is news.

    A context manager: on leaving, the last findings are handed over and its thread has ended.
    """

    def __init__(self, ledger: Ledger, keep: Callable[[Findings], None] | None) -> None:
        self._ledger = ledger
        self._keep = keep
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def __enter__(self) -> Self:
        if self._keep is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._keep is not None:
            self._done.set()
            self._thread.join()

    def _run(self) -> None:
        kept_at = -1
        wait_s = _EVERY_S
        is_last = False
        while not is_last:
            is_last = self._done.wait(wait_s)
            changes = self._ledger.changes
            if changes == kept_at:
                continue
            started = time.monotonic()
            self._hand_over()
            kept_at = changes
            wait_s = max(_EVERY_S, (time.monotonic() - started) / _SHARE)

    def _hand_over(self) -> None:
        if self._keep is None:
            return
        try:
            self._keep(self._ledger.findings())
        except OperationError as error:
            # A full disk must not end the look; it only cannot be gone on with.
            log.warning("look_not_kept", error=str(error))
