"""Tokens that were good a moment ago, known without reading the NIB again."""

import threading

from pdsno.domain.entities import ApiTokenRecord
from pdsno.domain.ports import NIB

_MOST = 1000


class KnownTokens:
    """Records of tokens, kept only while nothing whatsoever is committed to the NIB.

    So a token that is revoked, by this process or another, is read anew at its next request. Where
    a NIB cannot tell whether something was committed, nothing is kept. Thread-safe.
    """

    def __init__(self, nib: NIB) -> None:
        self._nib = nib
        self._lock = threading.Lock()
        self._mark: int | None = None
        self._records: dict[str, ApiTokenRecord] = {}

    def recall(self, digest: str) -> ApiTokenRecord | None:
        """Return a record that is current, None if only the NIB can tell. Never waits for it."""
        mark = self._nib.state_mark()
        with self._lock:
            return self._records.get(digest) if mark == self._mark else None

    def read(self, digest: str) -> ApiTokenRecord | None:
        """Return the record that is in the NIB, if there is one."""
        # Before the record is read: what is committed in between must not be missed.
        mark = self._nib.state_mark()
        record = self._nib.api_token(digest)
        if mark is not None and record is not None:
            with self._lock:
                if mark != self._mark or len(self._records) >= _MOST:
                    self._records.clear()
                self._mark = mark
                self._records[digest] = record
        return record
