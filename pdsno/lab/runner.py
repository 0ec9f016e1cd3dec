"""A lab: up, down, and what one does with it in between."""

import os
import shlex
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import CompletedProcess

from pdsno.domain.errors import OperationError
from pdsno.domain.expectation import Expectation
from pdsno.lab import inventories, processes, state
from pdsno.lab.boot import Boot, check_tools, frr_complaints, prepare
from pdsno.lab.convergence import Convergence
from pdsno.lab.progress import Progress, Stage, silent
from pdsno.lab.reader import load_topology
from pdsno.lab.state import LabNode, LabState
from pdsno.lab.topology import NodeSpec, Role, Topology
from pdsno.lab.truth import read_truth
from pdsno.lab.wiring import plan_and_wire, tear_down

DEFAULT_TIMEOUT_S = 120.0
_EXEC_WORKERS = 8
_EXEC_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """One row of `pdsno lab status`. `command` is what became of the node's main command."""

    lab: str
    node: str
    role: Role
    state: str
    mgmt_ipv4: str | None
    pid: int | None
    memory_mib: float
    command: str


class Lab:
    """A lab on this machine, by its topology file. Methods may be called by any process."""

    def __init__(self, topology_path: Path | str) -> None:
        self.path = Path(topology_path).absolute()
        self.warnings: tuple[str, ...] = ()
        self._name: str | None = None

    @classmethod
    def running(cls, name: str) -> "Lab":
        """Return the lab of this name that is up (or was left half-way).

        Raises OperationError if there is none.
        """
        found = state.load(name)
        if found is None:
            raise OperationError(f"lab '{name}' is not up")
        lab = cls(found.topology)
        lab._name = name
        return lab

    @property
    def name(self) -> str:
        """The lab's name: of the lab that is up from this file, else as the file says."""
        if self._name is None:
            running = (lab for lab in state.load_all() if lab.topology == str(self.path))
            found = next(running, None)
            self._name = found.name if found else load_topology(self.path).name
        return self._name

    # --- up and down ---------------------------------------------------------------------

    def up(
        self,
        progress: Progress = silent,
        *,
        owned: bool = False,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> LabState:
        """Bring the lab up and return when its network is ready.

        An `owned` lab belongs to the calling process: once that is dead, the next `up` or
        `down` clears it away. What is missing in the network at the deadline is a warning
        (`self.warnings`); a node that does not come up is an OperationError, and then, as
        after any other failure and Ctrl-C, nothing of the lab is left.
        """
        check_tools()
        topology = load_topology(self.path)
        self._name = topology.name
        self.warnings = topology.warnings
        for warning in topology.warnings:
            progress(Stage.WARNING, "", warning)
        busy = f"lab '{topology.name}' is being brought up or down by another process"
        with state.lock(topology.name, wait=False, busy=busy):
            self._clear_leftover(progress)
            planned = plan_and_wire(topology, owned=owned, progress=progress)
            try:
                return self._start(topology, planned, progress, timeout_s)
            except BaseException:
                progress(Stage.DOWN, "", "failed: taking down what was started")
                tear_down(planned)
                raise

    def down(self, progress: Progress = silent) -> bool:
        """Take the lab down. Returns False if it was not up; repeating does no harm."""
        check_tools()
        busy = f"lab '{self.name}' is being brought up or down by another process"
        with state.lock(self.name, wait=False, busy=busy):
            found = state.load(self.name)
            if found is None:
                return False
            tear_down(found)
        progress(Stage.DOWN, "", f"{len(found.nodes)} nodes gone")
        return True

    def _clear_leftover(self, progress: Progress) -> None:
        """Take away what a killed runner left; refuse if the lab is really up."""
        found = state.load(self.name)
        if found is None:
            return
        is_orphan = found.owner is not None and not state.is_alive(found.owner)
        if found.is_ready and not is_orphan and _inits(found):
            raise OperationError(
                f"lab '{found.name}' is already up (from {found.topology}); "
                f"'pdsno lab down {found.name}' takes it down"
            )
        progress(Stage.PLAN, "", "clearing away what an earlier run left")
        tear_down(found)

    def _start(
        self, topology: Topology, planned: LabState, progress: Progress, timeout_s: float
    ) -> LabState:
        prepare(topology, planned)
        Boot(topology, planned, progress).run(timeout_s)
        inits = _inits(planned)
        warnings = frr_complaints(inits)
        warnings += _run_execs(topology.nodes, inits, progress)
        progress(Stage.CONVERGE, "", "waiting for links, LLDP, OSPF and BGP")
        missing = Convergence(planned, inits).wait(timeout_s)
        warnings += [f"not ready after {timeout_s:.0f} s: {lack}" for lack in missing]
        for warning in warnings:
            progress(Stage.WARNING, "", warning)
        self.warnings += tuple(warnings)
        inventories.write(planned)
        ready = replace(planned, is_ready=True)
        state.save(ready)
        progress(Stage.READY, "", f"{len(ready.nodes)} nodes, {len(ready.links)} links")
        return ready

    # --- while it is up ------------------------------------------------------------------

    def state(self) -> LabState:
        """Return what the lab consists of. Raises OperationError if it is not up."""
        found = state.load(self.name)
        if found is None:
            raise OperationError(f"lab '{self.name}' is not up; 'pdsno lab up' brings it up")
        return found

    def node(self, name: str) -> LabNode:
        """Find a node by its short or long name."""
        return self.state().node(name)

    def status(self) -> tuple[NodeStatus, ...]:
        """Describe every node as it is now; empty if the lab is not up."""
        found = state.load(self.name)
        if found is None:
            return ()
        running = processes.find(node.long_name for node in found.nodes)
        return tuple(_status(found, node, running.get(node.long_name)) for node in found.nodes)

    def init_pid(self, node: str) -> int:
        """Return the PID, on the machine, of a node's first process."""
        found = self.node(node)
        running = processes.find([found.long_name]).get(found.long_name)
        if running is None or running.init is None:
            raise OperationError(f"node '{found.name}' of lab '{self.name}' is not running")
        return running.init

    def exec(
        self,
        node: str,
        argv: Sequence[str],
        *,
        input: str | None = None,  # noqa: A002 - as subprocess.run names it
        timeout_s: float = _EXEC_TIMEOUT_S,
    ) -> "CompletedProcess[str]":
        """Run a command in all namespaces of a node; status 124 if it did not end in time."""
        return processes.execute(self.init_pid(node), argv, stdin=input, timeout_s=timeout_s)

    def write_file(self, node: str, path: str, content: str, mode: int = 0o600) -> None:
        """Write a file in a node; a reader there sees it whole or not at all."""
        script = (
            'umask 077; mkdir -p "${1%/*}" && cat > "$1.partial" && '
            'chmod "$2" "$1.partial" && mv "$1.partial" "$1"'
        )
        argv = ["sh", "-c", script, "sh", path, f"{mode:o}"]
        done = self.exec(node, argv, input=content)
        if done.returncode != 0:
            raise OperationError(f"cannot write {path} in node '{node}': {done.stderr.strip()}")

    def truth(self) -> Expectation:
        """Read from the live nodes what a NIB should say."""
        found = self.state()
        inits = _inits(found)
        dead = [node.name for node in found.nodes if node.name not in inits]
        if dead:
            raise OperationError(f"nodes of lab '{self.name}' not running: {', '.join(dead)}")
        return read_truth(found, inits)


def _inits(found: LabState) -> dict[str, int]:
    """Return the first process of every node that runs."""
    running = processes.find(node.long_name for node in found.nodes)
    return {
        node.name: own.init
        for node in found.nodes
        if (own := running.get(node.long_name)) is not None and own.init is not None
    }


def _status(found: LabState, node: LabNode, running: processes.NodeProcesses | None) -> NodeStatus:
    init = running.init if running else None
    alive = "running" if found.is_ready else "starting"
    return NodeStatus(
        lab=found.name,
        node=node.name,
        role=node.role,
        state="stopped" if init is None else alive,
        mgmt_ipv4=node.mgmt_ipv4,
        pid=init,
        memory_mib=round(processes.memory_kib(running.all if running else ()) / 1024, 1),
        command=_command_state(node, init),
    )


def _command_state(node: LabNode, init: int | None) -> str:
    if not node.has_command or init is None:
        return ""
    try:
        exit_status = Path(f"/proc/{init}/root/run/lab/cmd.rc").read_text().strip()
    except OSError:
        return "running"
    return f"exited {exit_status}"


def _run_execs(nodes: Sequence[NodeSpec], inits: dict[str, int], progress: Progress) -> list[str]:
    """Run each node's `exec` commands in order, nodes side by side; failures are warnings."""
    wanted = [node for node in nodes if node.exec]
    warnings: list[str] = []
    pool = ThreadPoolExecutor(max_workers=_EXEC_WORKERS, thread_name_prefix="lab-exec")
    try:
        futures = {pool.submit(_run_exec, node, inits[node.name]): node for node in wanted}
        for future in as_completed(futures):
            failures = future.result()
            detail = f"{len(futures[future].exec)} commands"
            progress(Stage.EXEC, futures[future].name, detail)
            warnings += failures
    finally:
        # After Ctrl-C the nodes are killed next, and the commands with them.
        pool.shutdown(wait=False, cancel_futures=True)
    return warnings


def _run_exec(node: NodeSpec, init: int) -> list[str]:
    failures = []
    for command in node.exec:
        done = processes.execute(init, shlex.split(command), stdin=None, timeout_s=_EXEC_TIMEOUT_S)
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            failures.append(f"{node.name}: '{command}' ended with {done.returncode}: {last}")
    return failures


def enter_command(init: int, argv: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return command line and environment for an attached command in a node."""
    environment = processes.environment_of(init)
    if "TERM" in os.environ:
        environment["TERM"] = os.environ["TERM"]
    return processes.enter(init, argv), environment
