"""A thread that does one thing again and again until it is stopped."""

import contextlib
import threading
from collections.abc import Callable

import structlog

from pdsno.domain.errors import PDSNOError

log = structlog.get_logger()


class Loop:
    """Calls `step` every `interval_s()` seconds, and at once when woken.

    A step that fails is logged and comes again with the next round: a loop never dies of an error.
    """

    def __init__(
        self, name: str, step: Callable[[], None], *, interval_s: Callable[[], float]
    ) -> None:
        self._name = name
        self._step = step
        self._interval_s = interval_s
        self._wake = threading.Event()
        self._is_stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; the first step runs at once. Idempotent."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """Run a step now, or right after the one that is running."""
        self._wake.set()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Stop after the running step; waits at most `timeout_s`. Idempotent."""
        self._is_stopping.set()
        self._wake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            self._wake.clear()
            try:
                self._step()
            except PDSNOError as error:
                log.warning("loop_step_failed", loop=self._name, error=str(error))
            except Exception:
                log.exception("loop_step_crashed", loop=self._name)
            with contextlib.suppress(OverflowError):
                self._wake.wait(self._interval_s())
