"""Writers of one NIB take turns; a thread that asks twice is told so instead of waiting forever."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pdsno.domain.errors import LocalProtocolError


class WriterTurns:
    """One writer at a time within this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner: int | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for one's turn. Raises LocalProtocolError if this thread already has it."""
        me = threading.get_ident()
        if self._owner == me:
            raise LocalProtocolError(
                "this thread is inside a NIB transaction already: transactions never nest"
            )
        with self._lock:
            self._owner = me
            try:
                yield
            finally:
                self._owner = None
