"""`pdsno up` in the background, in a network namespace with hosts around it."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.acceptance.support import environment, pdsno, pdsno_argv, until

API = "http://127.0.0.1:8080"
LOCAL_API = "http://127.0.0.1:8081"


class Up:
    """A running `pdsno up`."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path, prefix: list[str]) -> None:
        self.process = process
        self._log = log
        self._prefix = prefix

    @property
    def log(self) -> str:
        return self._log.read_text()

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log lines of one event."""
        lines = [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    def says(self, text: str, timeout_s: float = 30.0) -> None:
        """Wait until a text was written; fails at once if it has ended without it."""

        def is_there() -> bool:
            if text in self.log:
                return True
            assert self.process.poll() is None, self.log
            return False

        until(is_there, f"{text!r} in\n{self.log}", timeout_s)

    def has_cycled(self, count: int = 1) -> None:
        """Wait until discovery cycles are over and their reports are in the global NIB."""
        self._await(lambda: len(self.events("discovery_completed")) >= count, "a cycle")
        self._await(
            lambda: len(self.events("summary_taken_in")) >= len(self.events("discovery_completed")),
            "its report at the top",
        )

    def _await(self, holds: Callable[[], bool], what: str) -> None:
        try:
            until(holds, what, 40)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log}") from error

    def nib(self, *words: str, api: str = API) -> list[dict[str, Any]]:
        """Return a list of the NIB, read as a user does."""
        done = pdsno("nib", *words, "--api", api, "-o", "json", prefix=self._prefix)
        assert done.returncode == 0, done.stderr
        items: list[dict[str, Any]] = json.loads(done.stdout)
        return items

    def stop(self) -> int:
        """Press Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=30)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=10)


@contextmanager
def up(
    *words: str, state_dir: Path, prefix: Sequence[str] = (), as_user: Sequence[str] = ()
) -> Iterator[Up]:
    """Run `pdsno up`, until it says that it is up; killed at the end if it still runs."""
    log = state_dir.parent / f"{state_dir.name}.log"
    argv = [*prefix, *as_user, *pdsno_argv("up", "--state-dir", str(state_dir), *words)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment()
        )
    running = Up(process, log, list(prefix))
    try:
        running.says("Ctrl-C ends it")
        yield running
    finally:
        if process.poll() is None:
            running.kill()
