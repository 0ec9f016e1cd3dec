"""Many may pass at a time, or one alone: so that a connection is exchanged while nobody uses it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Handover:
    """Lets users pass side by side, and one who asks to be alone wait for them. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._users = 0
        self._is_closed = False

    @contextmanager
    def using(self, timeout_s: float) -> Iterator[float]:
        """Pass as one of many, after whoever is alone; gives the seconds that are left."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            self._changed.wait_for(lambda: not self._is_closed, timeout_s)
            self._users += 1
        try:
            yield max(deadline - time.monotonic(), 0.0)
        finally:
            with self._changed:
                self._users -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self, timeout_s: float) -> Iterator[None]:
        """Keep others out, and wait for those inside for `timeout_s` at most."""
        with self._changed:
            self._is_closed = True
            self._changed.wait_for(lambda: self._users == 0, timeout_s)
        try:
            yield
        finally:
            with self._changed:
                self._is_closed = False
                self._changed.notify_all()
