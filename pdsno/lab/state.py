"""What a running lab consists of, kept in a file so that anybody can take it down.

The file is written before anything is created: whatever a killed runner left is named in it.
"""

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pdsno.domain.errors import OperationError
from pdsno.lab.topology import Role

RUN_DIR = Path("/run/pdsno-lab")
_VERSION = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabNode:
    """One node. `long_name` is its namespace, `host_interface` the machine's end of eth0."""

    name: str
    long_name: str
    role: Role
    image: str
    labels: dict[str, str]
    host_interface: str | None
    mgmt_mac: str | None
    mgmt_ipv4: str | None
    has_command: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LabEnd:
    """One end of a link."""

    node: str
    interface: str
    mac: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabLink:
    """A cable."""

    a: LabEnd
    b: LabEnd
    mtu: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The process that the lab lives and dies with; the start time tells a reused PID."""

    pid: int
    start_ticks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LabState:
    """A lab that is up, coming up, or was left half-way (`is_ready` false and no runner)."""

    name: str
    topology: str
    lab_dir: str
    network: str
    bridge: str
    subnet: str
    gateway: str
    nodes: tuple[LabNode, ...]
    links: tuple[LabLink, ...]
    is_ready: bool = False
    owner: Owner | None = None

    @property
    def directory(self) -> Path:
        """Where the runner keeps this lab's files."""
        return RUN_DIR / self.name

    def node(self, name: str) -> LabNode:
        """Find a node by its short or its long name."""
        for node in self.nodes:
            if name in {node.name, node.long_name}:
                return node
        known = ", ".join(node.name for node in self.nodes)
        raise OperationError(f"lab '{self.name}' has no node '{name}'; it has: {known}")


def save(state: LabState) -> None:
    """Write the state; a reader sees the old one or the new one."""
    state.directory.mkdir(parents=True, exist_ok=True)
    partial = state.directory / "state.json.partial"
    partial.write_text(json.dumps({"version": _VERSION} | asdict(state), indent=1))
    partial.replace(state.directory / "state.json")


def _decode(data: dict[str, Any]) -> LabState:
    if data.pop("version") != _VERSION:
        raise ValueError("written by another version")
    owner = data.pop("owner")
    nodes = tuple(LabNode(**(node | {"role": Role(node["role"])})) for node in data.pop("nodes"))
    links = tuple(
        LabLink(a=LabEnd(**link["a"]), b=LabEnd(**link["b"]), mtu=link["mtu"])
        for link in data.pop("links")
    )
    return LabState(nodes=nodes, links=links, owner=Owner(**owner) if owner else None, **data)


def is_lab_name(name: str) -> bool:
    """Tell whether a name may be a lab's; one that is not could leave the directory."""
    return _NAME.fullmatch(name) is not None


def load(name: str) -> LabState | None:
    """Read a lab's state; None if it is not up.

    Raises OperationError if the file cannot be understood.
    """
    path = RUN_DIR / name / "state.json"
    try:
        return _decode(json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OperationError(f"{path} cannot be read: {error}") from error


def load_all() -> tuple[LabState, ...]:
    """Read every lab of this machine, by name."""
    names = sorted(path.parent.name for path in RUN_DIR.glob("*/state.json"))
    states = (load(name) for name in names)
    return tuple(state for state in states if state is not None)


def forget(name: str) -> None:
    """Remove a lab's files, and the common directory once it is empty."""
    shutil.rmtree(RUN_DIR / name, ignore_errors=True)


def process_start_ticks(pid: int) -> int | None:
    """Return when a process began, in clock ticks since boot; None if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[19])


def this_process() -> Owner:
    """Describe the calling process as an owner."""
    pid = os.getpid()
    return Owner(pid=pid, start_ticks=process_start_ticks(pid) or 0)


def is_alive(owner: Owner) -> bool:
    """Tell whether the owner still runs (and its PID was not given to another process)."""
    return process_start_ticks(owner.pid) == owner.start_ticks


@contextmanager
def lock(name: str, *, wait: bool, busy: str) -> Iterator[None]:
    """Hold the lock `name` of this machine.

    Raises OperationError with `busy` if another process holds it and `wait` is false. The
    kernel lets go of it when the process dies. The file is removed with the last holder.
    """
    path = RUN_DIR / f".{name}.lock"
    descriptor = _take(path, wait=wait, busy=busy)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)
        with suppress(OSError):  # another lab's files are still there
            RUN_DIR.rmdir()


def _take(path: Path, *, wait: bool, busy: str) -> int:
    while True:
        RUN_DIR.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue  # the last holder removed the directory between the two calls
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            os.close(descriptor)
            raise OperationError(busy) from error
        if _is_current(descriptor, path):
            return descriptor
        os.close(descriptor)  # its holder removed it while we waited


def _is_current(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
