"""What the demo does with the nodes of its lab: commands, REST, waiting, logs."""

import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pdsno.cli.admin_client import DEFAULT_SOCKET, AdminClient
from pdsno.cli.api_access import ApiTarget
from pdsno.cli.nib_client import NIBClient
from pdsno.cli.nib_picture import read_picture
from pdsno.domain.compare import Picture
from pdsno.domain.errors import InputError, LocalProtocolError, OperationError, TransientError
from pdsno.lab.reader import load_topology
from pdsno.lab.runner import Lab

CONTROLLER_LOG = "/var/log/node-cmd.log"
TIERS = ("global", "regional", "local")

_POLL_S = 0.2
_LOOK_S = 2.0
_SOCKET = DEFAULT_SOCKET


def check_topology(path: Path) -> None:
    """Refuse a topology without a complete set of tiers, before anything is started."""
    regions: dict[str, set[str]] = {tier: set() for tier in TIERS}
    for node in load_topology(path).nodes:
        tier = node.labels.get("pdsno.tier", "")
        if tier in regions:
            regions[tier].add(node.labels.get("pdsno.region", ""))
    for tier, found in regions.items():
        if not found:
            raise InputError(
                f"{path}: no node has the label 'pdsno.tier: {tier}': a demo needs controllers "
                "of all three tiers ('pdsno lab up' runs any topology)"
            )
    if "" in regions["regional"] | regions["local"]:
        raise InputError(f"{path}: a regional or local controller lacks the label 'pdsno.region'")
    alone = regions["regional"] ^ regions["local"]
    if alone:
        raise InputError(
            f"{path}: region {min(alone)} needs both a regional and a local controller"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """How to get into a controller's API: by a token, over TLS that this CA vouches for."""

    url: str
    token: str
    ca_pem: str


class DemoNodes:
    """The controllers among a lab's nodes. Usable by several threads."""

    def __init__(self, lab: Lab, stop: threading.Event) -> None:
        self.access: Access | None = None
        self._lab = lab
        self._stop = stop
        self._ca_file: Path | None = None

    def of_tier(self, tier: str) -> list[str]:
        """Return the nodes that run a controller of this tier."""
        return [n.name for n in self._lab.state().nodes if n.labels.get("pdsno.tier") == tier]

    def region(self, node: str) -> str:
        """Return the region that a node's label names."""
        return str(self._lab.node(node).labels["pdsno.region"])

    def brokers(self) -> list[str]:
        """Return the nodes that run a broker's agent, which is admitted like a controller."""
        return [n.name for n in self._lab.state().nodes if n.labels.get("pdsno.role") == "broker"]

    def run(self, node: str, *argv: str) -> str:
        """Return what a command in a node wrote. Raises OperationError if it failed."""
        done = self._lab.exec(node, argv, timeout_s=60)
        if done.returncode != 0:
            raise OperationError(f"{node}: {' '.join(argv[:3])}: {done.stderr.strip()[-300:]}")
        return done.stdout

    def admin(self, node: str) -> AdminClient:
        """Return the admin socket of a node's controller, reached as the machine's root."""
        return AdminClient(Path(f"/proc/{self._lab.init_pid(node)}/root{_SOCKET}"))

    def open_api(self, node: str) -> str:
        """Make an API token at a node's controller, for `get`; returns the API's URL."""
        made = self.admin(node).post("/api-token", {"name": "demo", "role": "admin"})
        url = f"https://{self._lab.node(node).mgmt_ipv4}:8080"
        self.access = Access(url=url, token=made["token"], ca_pem=made["ca"])
        self._ca_file = Path(tempfile.mkdtemp(prefix="pdsno-demo-")) / "ca.pem"
        self._ca_file.write_text(made["ca"])
        return url

    def close(self) -> None:
        """Remove what `open_api` wrote; idempotent."""
        if self._ca_file is not None:
            shutil.rmtree(self._ca_file.parent, ignore_errors=True)

    def get(self, path: str) -> dict[str, Any]:
        """Read from the API that was opened. Raises as `NIBClient`."""
        with self._client() as client:
            return client.get(path)

    def nib(self) -> Picture:
        """Return what the API that was opened shows of the network."""
        with self._client() as client:
            return read_picture(client)

    def _client(self) -> NIBClient:
        if self.access is None or self._ca_file is None:
            raise LocalProtocolError("the API was not opened yet")
        return NIBClient(ApiTarget(url=self.access.url, token=self.access.token, ca=self._ca_file))

    def await_up(self, node: str, timeout_s: float) -> None:
        """Wait until a controller answers on its admin socket."""
        self.wait_for(
            f"{node} to start", lambda: bool(self.admin(node).get("/status")), timeout_s, node=node
        )

    def await_validated(self, node: str, timeout_s: float) -> str:
        """Wait until a controller is validated; returns its ID."""

        def is_validated() -> bool:
            return bool(self.admin(node).get("/status")["is_validated"])

        self.wait_for(f"{node} to be validated", is_validated, timeout_s, node=node)
        return str(self.admin(node).get("/status")["controller_id"])

    def await_broker(self, node: str, timeout_s: float) -> None:
        """Wait until a broker's agent is admitted."""

        def is_admitted() -> bool:
            found = self.get("controllers?limit=1000")["items"]
            return any(item["role"] == "broker" for item in found)

        self.wait_for(f"{node} to be validated", is_admitted, timeout_s, node=node)

    def wait_for(
        self, what: str, is_there: Callable[[], bool], timeout_s: float, *, node: str
    ) -> None:
        """Poll until a state is reached. Raises OperationError: in vain, or the node has ended."""
        deadline = time.monotonic() + timeout_s
        look = time.monotonic() + _LOOK_S
        while not self._stop.is_set():
            cause = "not yet"
            try:
                if is_there():
                    return
            except TransientError as error:
                cause = type(error).__name__
            now = time.monotonic()
            if now > look:
                self._check_runs(node)
                look = now + _LOOK_S
            if now > deadline:
                raise OperationError(f"waited {timeout_s:.0f} s in vain for {what} ({cause})")
            self._stop.wait(_POLL_S)
        raise OperationError("stopped, because something else failed")

    def _check_runs(self, node: str) -> None:
        row = next(row for row in self._lab.status() if row.node == node)
        if row.command.startswith("exited") or row.state == "stopped":
            lines = self._log(node, CONTROLLER_LOG).strip().splitlines() or ["it wrote nothing"]
            raise OperationError(f"the controller of {node} has {row.command}: {lines[-1][-300:]}")

    def _log(self, node: str, path: str) -> str:
        return self._lab.exec(node, ["cat", path]).stdout

    def save_logs(self, directory: str, path: str) -> list[str]:
        """Copy a log of every node that runs PDSNO to the machine; what cannot be read is left."""
        files = []
        for node in self._lab.state().nodes:
            if not node.has_command:
                continue
            try:
                text = self._log(node.name, path)
            except OperationError as error:
                text = f"cannot be read: {error}\n"
            file = Path(directory) / f"{node.name}.log"
            file.write_text(text)
            files.append(str(file))
        return files
