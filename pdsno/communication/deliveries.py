"""What arrives by MQTT, handed from the network thread to one worker, in order."""

import queue
import threading
from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

import structlog

log = structlog.get_logger()

Job: TypeAlias = Callable[[], None]


class OrderedWorker:
    """Runs jobs one after the other in a thread of its own. `offer` never blocks.

    Of `capacity` places `reserved` are kept for jobs that are not optional. A job that raises is
    logged and counted; the next one runs.
    """

    def __init__(self, name: str, *, capacity: int, reserved: int) -> None:
        self._jobs: queue.Queue[Job | None] = queue.Queue(maxsize=capacity)
        self._optional_limit = capacity - reserved
        self._is_overflowing = False
        self._is_stopping = threading.Event()
        self.counts: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def offer(self, job: Job, *, is_optional: bool = False) -> bool:
        """Queue a job; False if there is no room, which is counted and logged once per episode."""
        if is_optional and self._jobs.qsize() >= self._optional_limit:
            self._overflowed()
            return False
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            self._overflowed()
            return False
        self._is_overflowing = False
        return True

    def _overflowed(self) -> None:
        self.counts["overflow"] += 1
        if not self._is_overflowing:
            self._is_overflowing = True
            log.warning("mqtt_queue_overflow", capacity=self._jobs.maxsize)

    def stop(self, timeout_s: float = 10.0) -> None:
        """Finish the running job, drop the others, and join; idempotent."""
        self._is_stopping.set()
        try:
            self._jobs.put_nowait(None)
        except queue.Full:
            log.debug("mqtt_worker_stops_with_full_queue")
        if self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None or self._is_stopping.is_set():
                return
            try:
                job()
            except Exception:
                self.counts["crashed"] += 1
                log.exception("mqtt_job_crashed")
