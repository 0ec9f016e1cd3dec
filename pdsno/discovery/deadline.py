"""When a look has to end: when somebody says so, or when its time is over."""

import threading
import time
from typing import Self

from pdsno.domain.observations import Interruption, StopReason

_POLL_S = 0.05


class Deadline:
    """`stop` is set as soon as the caller's event is, or `deadline_s` after the beginning.

    A context manager; its thread ends with it.
    """

    def __init__(self, told: threading.Event, deadline_s: float | None) -> None:
        self._told = told
        self._deadline_s = deadline_s
        self._done = threading.Event()
        self._is_over = False
        self._thread = threading.Thread(target=self._watch, name="deadline", daemon=True)
        self.stop = threading.Event()

    def __enter__(self) -> Self:
        if self._told.is_set():
            self.stop.set()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        ends_at = None if self._deadline_s is None else time.monotonic() + self._deadline_s
        while not self._done.is_set():
            if self._told.wait(_POLL_S):
                break
            if ends_at is not None and time.monotonic() >= ends_at:
                self._is_over = True
                break
        else:
            return
        self.stop.set()

    def why(self) -> str:
        """Say for the record why what is missing was not asked."""
        if self._is_over:
            return f"the deadline of {self._deadline_s:g} s came first"
        return "stopped before its turn"

    @property
    def interruption(self) -> Interruption | None:
        """The interruption, if time was over; who set the caller's event knows its reason."""
        if not self._is_over:
            return None
        return Interruption(reason=StopReason.DEADLINE, detail=f"{self._deadline_s:g} s")
