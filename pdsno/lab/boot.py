"""Starts nodes and waits until everything inside each of them is up."""

import os
import sys
import time
from collections import deque
from collections.abc import Mapping
from importlib import resources
from ipaddress import IPv4Network
from pathlib import Path

import pdsno
from pdsno.domain.errors import OperationError
from pdsno.lab import machine, processes
from pdsno.lab.progress import Progress, Stage
from pdsno.lab.state import LabNode, LabState
from pdsno.lab.topology import NodeSpec, Role, Topology

MAX_BOOTING = 16
"""Nodes that boot at one time; more only wait for each other's CPU."""

_POLL_S = 0.05


def _exposed_paths() -> list[Path]:
    """Return where this program and its Python live, without what lies inside another."""
    package = Path(pdsno.__file__).resolve().parent.parent
    prefixes = {Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve(), package}
    root_device = Path("/").stat().st_dev
    wanted = [
        path
        for path in prefixes
        if not (path.is_relative_to("/usr") and path.stat().st_dev == root_device)
    ]
    return [
        path
        for path in sorted(wanted)
        if not any(path != other and path.is_relative_to(other) for other in wanted)
    ]


def _pdsno_command(directory: Path) -> Path:
    """Return the `pdsno` command beside this Python; made if it is not installed as one."""
    installed = Path(sys.executable).parent / "pdsno"
    if installed.exists():
        return installed
    script = directory / "pdsno"
    script.write_text(
        f"#!{sys.executable}\nimport sys\nfrom pdsno.cli.main import main\nsys.exit(main())\n"
    )
    script.chmod(0o755)
    return script


def hosts_file(state: LabState) -> str:
    """Return /etc/hosts of every node: nobody answers DNS here."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost"]
    for node in state.nodes:
        if node.mgmt_ipv4:
            names = dict.fromkeys([node.name, node.long_name])
            lines.append(f"{node.mgmt_ipv4} {' '.join(names)}")
    return "\n".join(lines) + "\n"


def _ip_commands(topology: Topology, state: LabState, node: LabNode) -> list[str]:
    commands = ["link set dev lo up"]
    for link in topology.links:
        for end in (link.a, link.b):
            if end.node != node.name:
                continue
            commands.append(f"link set dev {end.interface} up")
            commands += [f"addr add {address} dev {end.interface}" for address in end.addresses]
    if node.mgmt_ipv4:
        length = IPv4Network(state.subnet).prefixlen
        commands += [
            f"addr add {node.mgmt_ipv4}/{length} dev eth0",
            "link set dev eth0 up",
            f"route add default via {state.gateway} dev eth0",
        ]
    return commands


def _sysctls(spec: NodeSpec) -> dict[str, str]:
    # A new namespace takes the machine's value, which may forward.
    forwarding = "1" if spec.role is Role.ROUTER else "0"
    return {"net.ipv4.ip_forward": forwarding} | spec.sysctls


def _environment(spec: NodeSpec, node: LabNode) -> dict[str, str]:
    environment = dict(spec.env)
    if spec.role is Role.HOST and "LAB_SNMP_LISTEN" not in environment and node.mgmt_ipv4:
        # A stand-in host's agent tells its name on the management network only.
        environment["LAB_SNMP_LISTEN"] = f"udp:{node.mgmt_ipv4}:161"
    return environment


def prepare(topology: Topology, state: LabState) -> None:
    """Write the files that each node's first process reads."""
    state.directory.joinpath("hosts").write_text(hosts_file(state))
    exposed = "".join(f"{path}\n" for path in _exposed_paths())
    for spec in topology.nodes:
        node = state.node(spec.name)
        directory = node_directory(state, node)
        directory.joinpath("fs").mkdir(parents=True, exist_ok=True)
        directory.joinpath("exposed").write_text(exposed)
        directory.joinpath("binds").write_text(
            "".join(
                f"{'ro' if bind.is_read_only else 'rw'}\t{bind.source}\t{bind.target}\n"
                for bind in spec.binds
                if str(bind.source) != bind.target or not bind.source.is_dir()
            )
        )
        directory.joinpath("sysctls").write_text(
            "".join(f"{key}={value}\n" for key, value in _sysctls(spec).items())
        )
        directory.joinpath("ip.batch").write_text(
            "\n".join(_ip_commands(topology, state, node)) + "\n"
        )


def node_directory(state: LabState, node: LabNode) -> Path:
    """Return where the runner keeps one node's files."""
    return state.directory / "nodes" / node.name


def start_node(state: LabState, spec: NodeSpec) -> None:
    """Start one node; its own files must have been prepared."""
    node = state.node(spec.name)
    directory = node_directory(state, node)
    scripts = resources.files("pdsno.lab") / "node"
    with resources.as_file(scripts) as path:
        processes.start(
            netns=node.long_name,
            argv=["/bin/sh", str(path / "init.sh"), *spec.entrypoint, *spec.cmd],
            environment=_environment(spec, node)
            | {
                "LAB_NODE_DIR": str(directory),
                "LAB_NODE_NAME": node.name,
                "LAB_HOSTS": str(state.directory / "hosts"),
                "LAB_ENTRYPOINT": str(path / "entrypoint.sh"),
                "LAB_PDSNO": str(_pdsno_command(state.directory)),
            },
            log=directory / "init.log",
        )


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""


def _is_bound(init: int, protocol: str, port: int) -> bool:
    """Tell whether a TCP port listens or a UDP port is bound in the node."""
    wanted_state = "0A" if protocol == "tcp" else "07"
    for table in (protocol, f"{protocol}6"):
        try:
            lines = Path(f"/proc/{init}/net/{table}").read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if int(fields[1].rpartition(":")[2], 16) == port and fields[3] == wanted_state:
                return True
    return False


def _agentx_sessions(init: int) -> int:
    """Count the accepted connections to snmpd's AgentX socket."""
    connected = "03"
    try:
        lines = Path(f"/proc/{init}/net/unix").read_text().splitlines()[1:]
    except OSError:
        return 0
    return sum(
        line.endswith(" /var/agentx/master") and line.split()[5] == connected for line in lines
    )


def _daemon_is_up(init: int, daemon: str, daemons: list[str]) -> bool:
    root = Path(f"/proc/{init}/root")
    if daemon == "sshd":
        return _is_bound(init, "tcp", 22)
    if daemon == "snmpd":
        return _is_bound(init, "udp", 161)
    if daemon == "lldpd":
        reports = "snmpd" not in daemons or _agentx_sessions(init) > 0
        return reports and (root / "run/lldpd.socket").exists()
    return (root / "run/frr" / f"{daemon}.vty").exists()


def running_daemons(init: int) -> list[str]:
    """Return the daemons that the node is meant to run; empty until it knows."""
    try:
        return Path(f"/proc/{init}/root/run/lab/daemons").read_text().split()
    except OSError:
        return []


def lacks(state: LabState, node: LabNode, init: int | None) -> str | None:
    """Say what a node still lacks inside; None if it is up."""
    if init is None:
        last = _last_line(node_directory(state, node) / "init.log")
        return f"its first process is not running: {last or 'no message'}"
    root = Path(f"/proc/{init}/root")
    if not (root / "run/lab").is_dir():
        return "its file system is being built"
    daemons = running_daemons(init)
    for daemon in daemons:
        if not _daemon_is_up(init, daemon, daemons):
            logs = [root / f"var/log/lab/{prefix}{daemon}.log" for prefix in ("", "frr-")]
            last = next(filter(None, map(_last_line, logs)), "nothing in its log")
            return f"{daemon} is not up: {last}"
    if not (root / "run/lab/ready").exists():
        return "its daemons are starting"
    return None


class Boot:
    """Starts the nodes of a lab, a bounded number at a time, and waits for each."""

    def __init__(self, topology: Topology, state: LabState, progress: Progress) -> None:
        self._state = state
        self._progress = progress
        self._pending = deque(sorted(topology.nodes, key=lambda spec: spec.startup_delay_s))
        self._booting: dict[str, float] = {}
        self._started_at = time.monotonic()

    def run(self, timeout_s: float) -> None:
        """Return when every node is up.

        Raises OperationError naming each node and what it lacks: at once for a node whose
        first process ended, at the deadline for the others.
        """
        total = len(self._pending)
        missing: dict[str, str] = {}
        while self._pending or self._booting:
            self._start_some()
            missing = self._check()
            elapsed_s = time.monotonic() - self._started_at
            latest_s = max((spec.startup_delay_s for spec in self._pending), default=0)
            if missing and elapsed_s > timeout_s + latest_s:
                listed = "; ".join(f"{name}: {lack}" for name, lack in missing.items())
                raise OperationError(f"not up after {timeout_s:.0f} s: {listed}")
            time.sleep(_POLL_S)
        self._progress(Stage.BOOT, "", f"{total} of {total} nodes up")

    def _start_some(self) -> None:
        elapsed_s = time.monotonic() - self._started_at
        while self._pending and len(self._booting) < MAX_BOOTING:
            if self._pending[0].startup_delay_s > elapsed_s:
                return
            spec = self._pending.popleft()
            start_node(self._state, spec)
            self._booting[spec.name] = time.monotonic()
            self._progress(Stage.BOOT, spec.name, "starting")

    def _check(self) -> dict[str, str]:
        nodes = [self._state.node(name) for name in self._booting]
        found = processes.find(node.long_name for node in nodes)
        missing = {}
        for node in nodes:
            own = found.get(node.long_name)
            lack = lacks(self._state, node, own.init if own else None)
            if lack is None:
                took_s = time.monotonic() - self._booting.pop(node.name)
                self._progress(Stage.BOOT, node.name, f"up after {took_s:.1f} s")
                continue
            missing[node.name] = lack
            if own is None or not own.all:
                self._give_up(node, lack)
        return missing

    def _give_up(self, node: LabNode, lack: str) -> None:
        """Fail for a node without any process, unless it was started this very moment."""
        if time.monotonic() - self._booting[node.name] > 1.0:
            raise OperationError(f"node '{node.name}' did not start: {lack}")


def frr_complaints(inits: Mapping[str, int]) -> list[str]:
    """Return what each node's FRR refused in its configuration, as warnings."""
    found = []
    for name, init in inits.items():
        log = Path(f"/proc/{init}/root/var/log/lab/vtysh-b.log")
        if not os.path.lexists(log):
            continue
        found += [
            f"{name}: FRR refused: {line.strip()}"
            for line in log.read_text(errors="replace").splitlines()
            if line.lstrip().startswith("%") or "Unknown command" in line
        ]
    return found


def check_tools() -> None:
    """Refuse to begin without root or without the commands that every lab needs."""
    if os.geteuid() != 0:
        raise OperationError("a lab needs root (network namespaces and mounts): use sudo")
    for tool in ("ip", "nsenter", "unshare", "setsid"):
        machine.run([tool, "--version" if tool != "ip" else "-V"])
