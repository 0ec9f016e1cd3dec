"""What the demo does with the nodes of its lab: commands, REST, waiting, logs."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from pdsno.domain.errors import InputError, OperationError
from pdsno.lab.reader import load_topology
from pdsno.lab.runner import Lab

CONTROLLER_LOG = "/var/log/node-cmd.log"
TIERS = ("global", "regional", "local")

_POLL_S = 0.2
_LOOK_S = 2.0
_HTTP_S = 5.0


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


class DemoNodes:
    """The controllers among a lab's nodes. Usable by several threads."""

    def __init__(self, lab: Lab, stop: threading.Event) -> None:
        self._lab = lab
        self._stop = stop

    def of_tier(self, tier: str) -> list[str]:
        """Return the nodes that run a controller of this tier."""
        return [n.name for n in self._lab.state().nodes if n.labels.get("pdsno.tier") == tier]

    def region(self, node: str) -> str:
        """Return the region that a node's label names."""
        return str(self._lab.node(node).labels["pdsno.region"])

    def api(self, node: str) -> str:
        """Return the URL of a node's API."""
        return f"http://{self._lab.node(node).mgmt_ipv4}:8080"

    def run(self, node: str, *argv: str) -> str:
        """Return what a command in a node wrote. Raises OperationError if it failed."""
        done = self._lab.exec(node, argv, timeout_s=60)
        if done.returncode != 0:
            raise OperationError(f"{node}: {' '.join(argv[:3])}: {done.stderr.strip()[-300:]}")
        return done.stdout

    def get(self, node: str, path: str) -> dict[str, Any]:
        """Read from a node's API. Raises requests.RequestException."""
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(f"{self.api(node)}/api/v1/{path}", timeout=_HTTP_S)
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body

    def await_health(self, node: str, timeout_s: float) -> None:
        """Wait until a controller serves."""
        self.wait_for(
            f"{node} to serve its API", lambda: bool(self.get(node, "health")), timeout_s, node=node
        )

    def await_validated(self, node: str, timeout_s: float) -> str:
        """Wait until a controller is validated; returns its ID."""

        def is_validated() -> bool:
            return bool(self.get(node, "health").get("health", {}).get("validated"))

        self.wait_for(f"{node} to be validated", is_validated, timeout_s, node=node)
        return str(self.get(node, "health")["controller_id"])

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
            except requests.RequestException as error:
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
