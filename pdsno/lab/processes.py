"""Processes of nodes: found by the network namespace they are in, started, ended.

No PID is stored: a process belongs to a node if it is in the node's namespace now.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pdsno.domain.errors import OperationError
from pdsno.lab.machine import NETNS_DIR

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_KILL_TIMEOUT_S = 20.0
_EXEC_TIMEOUT_STATUS = 124


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeProcesses:
    """The processes in one node's namespace. `init` is PID 1 of the node, if it runs."""

    init: int | None
    all: tuple[int, ...]


def namespace_id(name: str) -> int | None:
    """Return the identity of a named network namespace; None if there is none."""
    try:
        return (NETNS_DIR / name).stat().st_ino
    except FileNotFoundError:
        return None


def _namespace_of(pid: int) -> int | None:
    try:
        return Path(f"/proc/{pid}/ns/net").stat().st_ino
    except OSError:  # it ended
        return None


def _is_init(pid: int) -> bool:
    """Tell whether a process is the first of a PID namespace below ours."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    line = next((line for line in status.splitlines() if line.startswith("NSpid:")), "NSpid:")
    return pid != 1 and line.split()[-1] == "1"


def find(names: Iterable[str]) -> dict[str, NodeProcesses]:
    """Find the processes of each named namespace, in one pass over /proc."""
    by_id = {namespace_id(name): name for name in names}
    by_id.pop(None, None)
    pids: dict[str, list[int]] = {name: [] for name in by_id.values()}
    for entry in os.listdir("/proc"):  # noqa: PTH208 - one call instead of a Path per process
        if not entry.isdigit():
            continue
        name = by_id.get(_namespace_of(int(entry)))
        if name is not None:
            pids[name].append(int(entry))
    return {
        name: NodeProcesses(init=next(filter(_is_init, found), None), all=tuple(found))
        for name, found in pids.items()
    }


def start(*, netns: str, argv: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
    """Start a node's first process in its namespaces, detached from us.

    `unshare --kill-child` ties the node to its wrapper, so that no half-killed node stays.
    """
    with log.open("wb") as output:
        subprocess.run(
            [
                "setsid", "--fork",
                "nsenter", f"--net={NETNS_DIR / netns}",
                "unshare", "--mount", "--uts", "--ipc", "--pid", "--fork",
                "--propagation", "private", "--kill-child",
                *argv,
            ],
            env={"PATH": _PATH, "HOME": "/root", "LANG": "C.UTF-8"} | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            check=True,
        )  # fmt: skip


def kill_all(names: Iterable[str]) -> None:
    """End every process of the namespaces, and wait until they are gone.

    SIGKILL: PID 1 of a namespace ignores anything milder. Raises OperationError if some
    will not die.
    """
    names = tuple(names)
    deadline = time.monotonic() + _KILL_TIMEOUT_S
    while True:
        ids = {namespace_id(name) for name in names}
        left = [pid for found in find(names).values() for pid in found.all if pid != os.getpid()]
        if not left:
            return
        if time.monotonic() > deadline:
            raise OperationError(f"processes that do not end: {', '.join(map(str, left))}")
        for pid in left:
            _kill(pid, ids)
        time.sleep(0.02)


def _kill(pid: int, namespace_ids: set[int | None]) -> None:
    """Kill a process if it still is in one of the namespaces; never one with a reused PID."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return
    try:
        if _namespace_of(pid) in namespace_ids:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except ProcessLookupError:
        pass
    finally:
        os.close(descriptor)


def enter(init: int, argv: Sequence[str]) -> list[str]:
    """Return the command that runs `argv` in all namespaces of a node."""
    return ["nsenter", f"--target={init}", "--mount", "--uts", "--ipc", "--net", "--pid",
            "--", *argv]  # fmt: skip


def environment_of(init: int) -> dict[str, str]:
    """Return the environment that the node's own processes have."""
    raw = Path(f"/proc/{init}/environ").read_bytes().decode(errors="replace")
    found = dict(item.split("=", 1) for item in raw.split("\0") if "=" in item)
    return {"PATH": _PATH, "HOME": "/root"} | found


def execute(
    init: int, argv: Sequence[str], *, stdin: str | None, timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Run a command in a node and wait for it.

    One that does not end in time is killed with its children; its status is then 124.
    """
    process = subprocess.Popen(
        enter(init, argv),
        env=environment_of(init),
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(stdin, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        output, errors = _kill_group(process)
        errors += f"killed: did not end in {timeout_s:g} s\n"
        return subprocess.CompletedProcess(list(argv), _EXEC_TIMEOUT_STATUS, output, errors)
    except BaseException:
        _kill_group(process)
        raise
    return subprocess.CompletedProcess(list(argv), process.returncode, output, errors)


def _kill_group(process: subprocess.Popen[str]) -> tuple[str, str]:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.communicate()


def memory_kib(pids: Iterable[int]) -> int:
    """Sum the proportional memory of processes, in KiB."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += sum(
                int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")
            )
    return total
