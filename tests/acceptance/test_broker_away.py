"""A broker that cannot be reached: three controllers of their own go on over REST."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.acceptance.support import environment, pdsno, pdsno_argv, until

pytestmark = pytest.mark.integration

POLICY = """
regions:
  - region: zone-A
    prefixes: [127.0.0.0/24]
    local_controllers:
      - {controller_id: local_cntl_zone-A_1, subnets: [127.0.0.0/30], interval_s: 5, query: false}
"""


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [probe.getsockname()[1] for probe in probes]


class Tiers:
    """Settings files of a global, a regional and a local controller on loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        nobody, gc, gc_joins, rc, rc_joins, *apis = free_ports(8)
        self.apis = dict(zip(("global", "regional", "local"), apis, strict=True))
        self._tokens: dict[str, str] = {}
        ports = f"rest_port: {gc}\njoin_port: {gc_joins}\n"
        self._write("global", f"controller_id: global_cntl_1\n{ports}", nobody)
        ports = f"rest_port: {rc}\njoin_port: {rc_joins}\n"
        self._write("regional", ports + self._parent("global_cntl_1", gc, gc_joins), nobody)
        self._write("local", self._parent("regional_cntl_zone-A_1", rc, rc_joins), nobody)
        (folder / "policy.yml").write_text(POLICY)

    @staticmethod
    def _parent(name: str, port: int, joins: int) -> str:
        url, join_url = (f"https://127.0.0.1:{number}" for number in (port, joins))
        return f"region: zone-A\nparent: {{id: {name}, url: '{url}', join_url: '{join_url}'}}\n"

    def _write(self, role: str, more: str, broker: int) -> None:
        (self.folder / f"{role}.yml").write_text(
            f"role: {role}\nstate_dir: {role}\nadmin_socket: {role}.sock\n"
            f"join_token_file: {role}.token\nbroker: {{host: 127.0.0.1, port: {broker}}}\n"
            f"api: {{port: {self.apis[role]}}}\n{more}"
        )

    def log(self, role: str) -> str:
        return (self.folder / f"{role}.log").read_text()

    @contextmanager
    def running(self, role: str) -> Iterator[None]:
        """Run a controller until the end of the block."""
        argv = pdsno_argv(
            "controller", "run", "--role", role, "--settings", str(self.folder / f"{role}.yml")
        )
        with (self.folder / f"{role}.log").open("wb") as out:
            process = subprocess.Popen(argv, stdout=out, stderr=out, env=environment())
        try:
            until(lambda: "api_serves" in self.log(role), f"{role} to serve")
            yield
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0, self.log(role)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def ask(self, role: str, *words: str) -> str:
        """Run an operator's command against a controller's admin socket."""
        done = pdsno(*words, "--socket", str(self.folder / f"{role}.sock"))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def admit(self, validator: str, role: str) -> None:
        """Hand a token over in a file, and wait until the controller is validated."""
        token = self.ask(validator, "token", "create", "--role", role, "--region", "zone-A")
        descriptor = os.open(self.folder / f"{role}.token", os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(token)
        until(lambda: self.get(role, "health")["health"]["validated"], f"{role} validated")

    def get(self, role: str, path: str) -> dict[str, Any]:
        if role not in self._tokens:
            words = ("api-token", "create", "--name", "tests", "--role", "viewer")
            self._tokens[role] = self.ask(role, *words).strip()
        answer = requests.get(
            f"http://127.0.0.1:{self.apis[role]}/api/v1/{path}",
            headers={"Authorization": f"Bearer {self._tokens[role]}"},
            timeout=5,
        )
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


def test_reports_reach_the_top_over_rest(tmp_path: Path) -> None:
    tiers = Tiers(tmp_path)
    with tiers.running("global"), tiers.running("regional"), tiers.running("local"):
        tiers.ask("global", "policy", "apply", str(tmp_path / "policy.yml"))
        tiers.admit("global", "regional")
        tiers.admit("regional", "local")
        until(lambda: tiers.get("global", "devices")["items"], "a device at the top", 40)
        assert not tiers.get("local", "health")["health"]["mqtt_connected"]
        assert {item["region"] for item in tiers.get("global", "devices")["items"]} == {"zone-A"}
        until(lambda: tiers.get("local", "health")["health"]["outbox_waiting"] == 0, "no backlog")
    assert '"over": "rest"' in tiers.log("regional")
    assert "Traceback" not in "".join(tiers.log(role) for role in tiers.apis)
