"""Reads outputs of devices in worker processes, under limits of time and size.

A device, or whoever speaks in its place, may print what makes a regular expression run for hours.
A thread cannot be stopped; a process can.
"""

import queue
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Self

import structlog

from pdsno.domain.errors import OperationError
from pdsno.domain.observations import Facts
from pdsno.southbound.platforms import command_named, platform_named
from pdsno.southbound.platforms.readings import Reading, facts_of
from pdsno.southbound.platforms.templates import ParserError

log = structlog.get_logger()

MAX_BYTES = 4 << 20
TIMEOUT_S = 5.0
START_TIMEOUT_S = 30.0
"""A worker imports its libraries first; on a loaded machine that takes a while."""


class _Worker:
    """One process; asked by one thread at a time."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [
                sys.executable,
                "-m",
                "pdsno.southbound.parsing_worker",
                str(theirs.fileno()),
            ]
            self._process = subprocess.Popen(
                command,
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        self._connection = Connection(ours.detach())
        self._is_started = False

    def ask(self, platform: str, command: str, text: str, timeout_s: float) -> Reading | str:
        """Return the reading, or why there is none. Raises TimeoutError, EOFError, OSError."""
        if not self._is_started:
            self._wait(START_TIMEOUT_S)
            self._is_started = True
        self._connection.send((platform, command, text))
        answer = self._wait(timeout_s)
        if not isinstance(answer, Reading | str):
            raise EOFError("no reading")  # noqa: TRY004 - the worker is at fault
        return answer

    def _wait(self, timeout_s: float) -> object:
        if not self._connection.poll(timeout_s):
            raise TimeoutError
        return self._connection.recv()

    def close(self) -> None:
        """End the process, whatever it does."""
        with suppress(OSError):
            self._connection.close()
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


class ParserPool:
    """A bounded number of workers, started when needed; one that runs too long is killed.

    Any thread may ask; it waits for a free worker. After `close` nothing can be read.
    """

    def __init__(
        self, *, workers: int = 2, timeout_s: float = TIMEOUT_S, max_bytes: int = MAX_BYTES
    ) -> None:
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._free: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(workers):
            self._free.put(None)
        self._workers = workers
        self._is_closed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, platform: str, command: str, text: str) -> Reading:
        """Return what a command's output tells. Raises ParserError, saying why not."""
        if len(text) > self._max_bytes:
            raise ParserError(f"longer than {self._max_bytes >> 20} MiB")
        with self._worker() as worker:
            answer = worker.ask(platform, command, text, self._timeout_s)
        if isinstance(answer, str):
            raise ParserError(answer)
        return answer

    @contextmanager
    def _worker(self) -> Iterator[_Worker]:
        worker = self._free.get()
        try:
            if self._is_closed.is_set():
                raise ParserError("the parsers are stopped")
            worker = worker or _Worker()
            yield worker
        except TimeoutError as error:
            worker = self._dropped(worker)
            raise ParserError(f"not read within {self._timeout_s:g} s") from error
        except (EOFError, OSError) as error:
            worker = self._dropped(worker)
            raise ParserError("the parser died over it") from error
        finally:
            self._free.put(worker)

    @staticmethod
    def _dropped(worker: _Worker | None) -> None:
        log.warning("parser_killed")
        if worker is not None:
            worker.close()

    def close(self) -> None:
        """End the workers; waits for readings under way. Idempotent."""
        if self._is_closed.is_set():
            return
        self._is_closed.set()
        for _ in range(self._workers):
            worker = self._free.get()
            if worker is not None:
                worker.close()
        for _ in range(self._workers):
            self._free.put(None)


_ECHO = re.compile(
    r"\A\s*[^\s#>$%]{1,64}(?:\([\w-]+\))?[#>$%]\s?(?:sh|show|disp|display|admin|/|ip|cat)\b.*\r?\n",
    re.IGNORECASE,
)
_PROMPT = re.compile(r"(?:\A|(?<=\n))[^\s#>$%|]{1,64}[#>$%]\s*\Z")


def without_prompts(text: str) -> str:
    """Return a recording less the prompt with the command before it, and the prompt behind it.

    Sessions that somebody recorded have them; those that we read ourselves do not.
    """
    return _PROMPT.sub("", _ECHO.sub("", text))


def facts_of_recording(
    platform_name: str, command: str, text: str, *, pool: ParserPool
) -> tuple[Facts, str | None]:
    """Return the facts in one recorded output, and what in it was not understood.

    Raises InputError for a platform or command that is not known, OperationError if the output
    is too long, or nothing in it can be read.
    """
    platform = platform_named(platform_name)
    known = command_named(platform, command)
    if len(text) > MAX_BYTES:
        raise OperationError(f"the output is longer than {MAX_BYTES >> 20} MiB")
    at = datetime.now(UTC)
    outputs = platform.outputs({known: without_prompts(text)})
    printed = outputs.printed(known)
    if printed is None:
        raise OperationError(f"the output says that the device refused {known!r}")
    if known not in platform.readers:
        facts = platform.parse(outputs, "", at)
        return facts, outputs.problems.get(known)
    try:
        reading = pool.read(platform.name, known, printed)
    except ParserError as error:
        raise OperationError(f"{platform.name}: {known!r} cannot be read: {error}") from error
    empty = platform.parse(platform.outputs({}), "", at)
    facts = facts_of(
        [reading],
        address="",
        at=at,
        platform=platform.name,
        vendor=empty.vendor,
        device_type=empty.device_type,
    )
    return facts, reading.problem
