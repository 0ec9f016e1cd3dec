"""What stands on the backbone of a test network: a namespace, and a process of PDSNO in it."""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import requests
import yaml

from pdsno.cli.admin_client import AdminClient
from pdsno.domain.errors import TransientError
from pdsno.nib import NIBStore
from tests.integration.namespaces import Namespace, until

T = TypeVar("T")

BACKBONE = "172.31.0.{}/24"
BROKER_ID = "broker_cntl_global_1"
GC = {"id": "global_cntl_1", "url": "https://172.31.0.10:8001"}
"""The global controller, as those below it are told of it."""
PDSNO = (sys.executable, "-c", "import sys; from pdsno.cli.main import main; sys.exit(main())")


class Backbone(Protocol):
    """What a node must know of its network."""

    tag: str
    folder: Path
    stack: ExitStack

    @property
    def hub(self) -> "Node":
        """The node with the bridge."""

    @property
    def slow(self) -> "Node":
        """The node with the slow link."""

    @property
    def broker(self) -> "Node":
        """The node with the broker."""

    def inside(self, call: Callable[[], T]) -> T:
        """Run a call in the bridge's namespace."""


class Node:
    """A namespace on the backbone, and at most one process of PDSNO in it."""

    def __init__(self, net: "Backbone", name: str, number: int) -> None:
        self.net = net
        self.name = name
        self.address = f"172.31.0.{number}"
        self.space = Namespace(f"{net.tag}-{name}")
        net.stack.callback(self.space.close)
        self.folder = net.folder / name
        self.folder.mkdir(mode=0o755)
        self.log = self.folder / "log"
        self.argv: tuple[str, ...] = ()
        self.process: subprocess.Popen[bytes] | None = None
        hub = net.hub.space if name != "hub" else self.space
        if hub is not self.space:
            port = f"p{number}"
            hub.ip("link", "add", port, "type", "veth", "peer", "eth0", "netns", self.space.name)
            hub.ip("link", "set", port, "master", "br0", "up")
            self.space.ip("addr", "add", BACKBONE.format(number), "dev", "eth0")
            self.space.ip("link", "set", "eth0", "up")

    # --- the process -------------------------------------------------------------------------

    def launch(self) -> None:
        """Start the process; it need not serve yet."""
        self.process = self.space.start(*self.argv, log=self.log)

    def start(self) -> None:
        """Start the process and wait until it serves."""
        self.launch()
        self.await_state(self.is_serving, "to serve", timeout_s=40)

    def await_state(
        self, is_so: Callable[[], object], what: str, *, timeout_s: float = 60.0
    ) -> None:
        """Wait for a state of this node; a failure shows the end of its log."""
        until(is_so, f"{self.name} {what}", timeout_s=timeout_s, tell=self.last_words)

    def is_serving(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"{self.name} ended: {self.last_words()}"
        return True

    def kill(self) -> None:
        """End the process as a power cut does; idempotent."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self) -> None:
        self.kill()
        self.start()

    def hand_token(self, token: str) -> None:
        """Put a join token where the process waits for it."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(self.folder / "token", flags, 0o600), "w") as file:
            file.write(token)

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-1500:] if self.log.exists() else ""

    def logged(self, event: str, after: int = 0) -> list[dict[str, Any]]:
        """Return what was logged under an event's name since a position of the log."""
        found = []
        for line in self.log.read_bytes()[after:].splitlines():
            if line.startswith(b"{"):
                entry: dict[str, Any] = json.loads(line)
                if entry.get("event") == event:
                    found.append(entry)
        return found

    def log_end(self) -> int:
        return self.log.stat().st_size

    # --- its cable ---------------------------------------------------------------------------

    def nft(self, rules: str) -> None:
        done = self.space.run("nft", "-f", "-", stdin=rules)
        assert done.returncode == 0, done.stderr

    def cut(self, *others: "Node", way: str = "both") -> None:
        """Drop what goes to others (`out`), comes from them (`in`), or both."""
        addresses = ", ".join(other.address for other in others)
        goes = f"ip daddr {{ {addresses} }} counter drop" if way in ("both", "out") else ""
        comes = f"ip saddr {{ {addresses} }} counter drop" if way in ("both", "in") else ""
        self.nft(
            f"""table ip fault {{
                chain out {{ type filter hook output priority 0; {goes}; }}
                chain in {{ type filter hook input priority 0; {comes}; }}
            }}"""
        )

    def lose(self, percent: int) -> None:
        """Lose so many of the packets that arrive from the backbone."""
        self.nft(
            f"""table ip fault {{
                chain in {{ type filter hook input priority 0;
                    iifname "eth0" numgen random mod 100 < {percent} counter drop; }}
            }}"""
        )

    def refuse_calls_to(self, other: "Node", port: int) -> None:
        """Drop what we send to a port of another node; it can still call us."""
        self.nft(
            f"""table ip fault {{
                chain out {{ type filter hook output priority 0;
                    ip daddr {other.address} tcp dport {port} counter drop; }}
            }}"""
        )

    def detour(self, ways: Mapping[tuple[str, int], int]) -> None:
        """Let new connections to (address, port) go to a port of the slow link instead."""
        slow = self.net.slow.address
        rules = "; ".join(
            f"ip daddr {address} tcp dport {port} counter dnat to {slow}:{at}"
            for (address, port), at in ways.items()
        )
        self.nft(
            f"table ip fault {{ chain out {{ type nat hook output priority -100; {rules}; }}; }}"
        )

    def hits(self) -> int:
        """Return how many packets the faults have met (for `detour`: connections)."""
        listed = self.space.run("nft", "-j", "list", "table", "ip", "fault").stdout
        counters = [
            part["counter"]["packets"]
            for entry in json.loads(listed or '{"nftables": []}')["nftables"]
            for part in entry.get("rule", {}).get("expr", ())
            if "counter" in part
        ]
        return sum(counters)

    def heal(self) -> None:
        """Undo every fault of this node's cable."""
        self.nft("table ip fault\ndelete table ip fault")


class Broker(Node):
    """`pdsno broker run`: it waits for a join token, then mosquitto serves over TLS."""

    def __init__(self, net: "Backbone", number: int) -> None:
        super().__init__(net, "broker", number)
        settings = {
            "listen": self.address,
            "parent": GC,
            "join_token_file": "token",
            "state_dir": str(self.folder / "state"),
        }
        path = self.folder / "settings.yml"
        path.write_text(yaml.safe_dump(settings))
        self.argv = (*PDSNO, "broker", "run", "--settings", str(path))

    def is_serving(self) -> bool:
        super().is_serving()
        return f"{self.address}:8883" in self.space.run("ss", "-Hltn").stdout

    def mosquitto(self) -> int | None:
        """Return the process ID of the mosquitto that the supervisor runs."""
        for pid in self.space.pids():
            with suppress(OSError):  # it has just ended
                if Path(f"/proc/{pid}/comm").read_text().strip() == "mosquitto":
                    return pid
        return None

    def kill_mosquitto(self) -> int:
        """Kill the mosquitto that runs; returns its process ID."""
        until(self.mosquitto, "a mosquitto to kill")
        pid = self.mosquitto()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        return pid

    def kill(self) -> None:
        """Kill the supervisor and its mosquitto."""
        super().kill()
        for pid in self.space.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not self.space.pids(), "the broker's namespace to be empty")


class Controller(Node):
    """`pdsno controller run`, read over its API and steered through its admin socket."""

    def __init__(
        self, net: "Backbone", name: str, number: int, settings: Mapping[str, Any]
    ) -> None:
        super().__init__(net, name, number)
        self.role = str(settings["role"])
        self.region = settings.get("region")
        # The certificate of a local controller names no address, so it serves its API to itself.
        api = {"listen": "127.0.0.1" if self.role == "local" else self.address}
        self.settings: dict[str, Any] = {
            "listen": self.address,
            "state_dir": str(self.folder / "state"),
            "admin_socket": str(self.folder / "admin.sock"),
            "broker": {"host": net.broker.address, "id": BROKER_ID},
            "api": api,
            **settings,
        }
        self.settings_file = self.folder / "settings.yml"
        self.write_settings()
        arguments = ("controller", "run", "--role", self.role, "--settings")
        self.argv = (*PDSNO, *arguments, str(self.settings_file))
        self.admin = AdminClient(self.folder / "admin.sock")
        self.api_token = ""
        self._ca = self.folder / "ca.pem"

    def write_settings(self, **changes: object) -> None:
        self.settings.update(changes)
        kept = {name: value for name, value in self.settings.items() if value is not None}
        self.settings_file.write_text(yaml.safe_dump(kept))

    def is_serving(self) -> bool:
        """Whether it answers its administrators and, once it has joined, operators."""
        super().is_serving()
        try:
            status = self.admin.get("/status")
        except TransientError:
            return False
        return bool(status["api"]) if status["is_validated"] and self.settings["api"] else True

    def get(self, path: str) -> dict[str, Any]:
        """Return what the API answers, to an administrator's token."""
        if not self.api_token:
            body = {"name": f"tests-{secrets.token_hex(4)}", "role": "admin"}
            made = self.admin.post("/api-token", body)
            self.api_token = made["token"]
            self._ca.write_text(made["ca"])
        url = self.admin.get("/status")["api"]
        call = partial(_get, f"{url}/api/v1/{path}", self.api_token, self._ca)
        if self.role == "local":
            return self.space.inside(call)
        return self.net.inside(call)

    def items(self, path: str) -> list[dict[str, Any]]:
        """Return all items of a list of the API."""
        joint = "&" if "?" in path else "?"
        page = self.get(f"{path}{joint}limit=1000")
        found: list[dict[str, Any]] = page["items"]
        while page.get("next_cursor"):
            page = self.get(f"{path}{joint}limit=1000&cursor={page['next_cursor']}")
            found += page["items"]
        return found

    @property
    def known_id(self) -> str:
        """The ID that it was assigned, or calls itself; also while it does not run."""
        state = yaml.safe_load((self.folder / "state" / "context.yaml").read_text())
        return str(state["controller_id"])

    def is_validated(self) -> bool:
        return bool(self.admin.get("/status")["is_validated"])

    def is_on_mqtt(self) -> bool:
        return bool(self.admin.get("/status")["mqtt_connected"])

    def mint(self, role: str, region: str | None) -> str:
        answer = self.admin.post("/token", {"role": role, "region": region})
        return str(answer["token"])

    def discover(self, region: str | None = None) -> None:
        self.admin.post("/discover", {"region": region})

    @contextmanager
    def nib(self) -> Iterator[NIBStore]:
        """Open the controller's own NIB file, also while it runs."""
        with NIBStore(self.folder / "state" / "nib.sqlite") as store:
            yield store


def _get(url: str, token: str, ca: Path) -> dict[str, Any]:
    with requests.Session() as session:
        session.trust_env = False
        headers = {"Authorization": f"Bearer {token}"}
        answer = session.get(url, headers=headers, verify=str(ca), timeout=10)
    answer.raise_for_status()
    body: dict[str, Any] = answer.json()
    return body
