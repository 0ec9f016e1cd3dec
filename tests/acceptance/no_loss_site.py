"""A global, a regional and a local controller and a broker: real processes, killed at will.

All on loopback, over mutual TLS. The local controller reaches the others by a link of its own, so
that its site can be cut off; without `url` it listens nowhere, as behind NAT.
"""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from pdsno.cli.admin_client import AdminClient
from pdsno.domain.errors import PDSNOError
from pdsno.nib import NIBStore
from tests.acceptance.support import REPOSITORY, environment, passable_folder, pdsno_argv, until

REGION = "zone-A"
GC, RC, LC = "global_cntl_1", f"regional_cntl_{REGION}_1", f"local_cntl_{REGION}_1"
BROKER = "broker_cntl_global_1"
_POLICY = {"regions": [{"region": REGION, "prefixes": ["10.99.0.0/24"]}]}
_START_S = 90


class Part:
    """One process, its folder and its log."""

    def __init__(self, folder: Path, name: str, argv: list[str]) -> None:
        self.name = name
        self.folder = folder / name
        self.folder.mkdir()
        self.argv = argv
        self.env: dict[str, str] = {}
        self.log = self.folder / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start the process; it need not serve yet."""
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=environment(self.env),
                cwd=REPOSITORY,
            )

    def start(self) -> None:
        """Start the process and wait until it serves."""
        self.launch()
        until(self.is_serving, f"{self.name} to serve", _START_S)

    def is_serving(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"{self.name} ended: {self.last_words()}"
        return self.answers()

    def answers(self) -> bool:
        return True

    def kill(self) -> None:
        """End the process as a power cut does; idempotent."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def hand_token(self, token: str) -> None:
        descriptor = os.open(self.folder / "token", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(token)

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""


class Controller(Part):
    """A controller with a NIB that can be read while it runs."""

    def __init__(self, folder: Path, role: str, settings: Mapping[str, Any]) -> None:
        script = str(Path(__file__).with_name("no_loss_node.py"))
        super().__init__(folder, role, [])
        self.settings_file = self.folder / "settings.yml"
        self.settings = {
            "role": role,
            "state_dir": "state",
            "admin_socket": "admin.sock",
            "join_token_file": "token",
            "api": None,
            **settings,
        }
        self.settings_file.write_text(yaml.safe_dump(self.settings))
        self.argv = [sys.executable, script, role, str(self.settings_file)]
        self.admin = AdminClient(self.folder / "admin.sock")
        self._nib: NIBStore | None = None

    @property
    def database(self) -> Path:
        return self.folder / "state" / "nib.sqlite"

    @property
    def nib(self) -> NIBStore:
        """The NIB, opened beside the process that writes it."""
        if self._nib is None:
            self._nib = NIBStore(self.database)
        return self._nib

    def close_nib(self) -> None:
        if self._nib is not None:
            self._nib.close()
            self._nib = None

    def status(self) -> dict[str, Any]:
        told: dict[str, Any] = self.admin.get("/status")
        return told

    def answers(self) -> bool:
        with suppress(PDSNOError):
            return bool(self.status())
        return False

    def is_on_mqtt(self) -> bool:
        with suppress(PDSNOError):
            return bool(self.status()["mqtt_connected"])
        return False

    def is_validated(self) -> bool:
        with suppress(PDSNOError):
            return bool(self.status()["is_validated"])
        return False

    def back_up(self, to: Path) -> None:
        """Copy the database as an operator does: with SQLite's own means, while it is in use."""
        to.unlink(missing_ok=True)
        source, copy = sqlite3.connect(self.database), sqlite3.connect(to)
        with source, copy:
            source.backup(copy)
        source.close()
        copy.close()

    def restore(self, backup: Path) -> None:
        """Kill the controller and start it on an older copy of its database."""
        self.kill()
        self.close_nib()
        for file in self.database.parent.glob("nib.sqlite*"):
            file.unlink()
        self.database.write_bytes(backup.read_bytes())
        self.start()

    def counts(self) -> dict[str, Counter[str]]:
        """Return what all its processes counted together: what was sent, and what came in."""
        total = {"out": Counter[str](), "in": Counter[str]()}
        for file in self.folder.glob("counts-*.json"):
            told = json.loads(file.read_text())
            for stream in told["out"].values():
                total["out"].update(stream)
            for sender in told["in"].values():
                for stream in sender.values():
                    total["in"].update(stream)
        return total


class Broker(Part):
    """`pdsno broker run`, which joins, keeps rights, and starts mosquitto again when it dies."""

    def __init__(self, folder: Path, port: int, parent: Mapping[str, str]) -> None:
        super().__init__(folder, "broker", [])
        settings = {
            "port": port,
            "state_dir": "state",
            "parent": dict(parent),
            "join_token_file": "token",
        }
        path = self.folder / "settings.yml"
        path.write_text(yaml.safe_dump(settings))
        self._port = port
        self.argv = pdsno_argv("broker", "run", "--settings", str(path))

    def answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=1):
            return True
        return False

    def mosquitto(self) -> int | None:
        """Return the process ID of the mosquitto that the agent runs now."""
        assert self.process is not None
        for children in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            for pid in children.read_text().split():
                with suppress(OSError):  # it has just ended
                    if Path(f"/proc/{pid}/comm").read_text().strip() == "mosquitto":
                        return int(pid)
        return None

    def kill(self) -> None:
        """Kill mosquitto with its agent, lest anything be saved."""
        pid = self.mosquitto() if self.process is not None else None
        super().kill()
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            until(lambda: not self.answers(), "mosquitto to be gone")


class Site:
    """The four of them."""

    def __init__(self, folder: Path, *, has_url: bool, env: Mapping[str, str] | None) -> None:
        ports = iter(free_ports(9))
        gc, gc_join, rc, rc_join, lc, mqtt, link_rc, link_join, link_mqtt = ports
        self.listens = {"local": lc}
        above = {"id": GC, "url": url(gc), "join_url": url(gc_join)}
        self.broker = Broker(folder, mqtt, above)
        here = {"broker": {"host": "127.0.0.1", "port": mqtt, "id": BROKER}}
        self.gc = Controller(
            folder,
            "global",
            {"controller_id": GC, "rest_port": gc, "join_port": gc_join, "url": url(gc), **here},
        )
        self.rc = Controller(
            folder,
            "regional",
            {
                "region": REGION,
                "rest_port": rc,
                "join_port": rc_join,
                "url": url(rc),
                "parent": above,
                **here,
            },
        )
        self.lc = Controller(
            folder,
            "local",
            {
                "region": REGION,
                "rest_port": lc,
                "url": url(lc) if has_url else None,
                "parent": {"id": RC, "url": url(link_rc), "join_url": url(link_join)},
                "broker": {"host": "127.0.0.1", "port": link_mqtt, "id": BROKER},
            },
        )
        ways = {link_rc: rc, link_join: rc_join, link_mqtt: mqtt}
        script = str(REPOSITORY / "tests" / "integration" / "slow_link.py")
        forwards = [f"{at}=127.0.0.1:{port}" for at, port in ways.items()]
        self.link = Part(folder, "link", [sys.executable, script, "127.0.0.1", "0", *forwards])
        for part in self.parts:
            part.env = dict(env or {})

    @property
    def controllers(self) -> tuple[Controller, Controller, Controller]:
        return self.gc, self.rc, self.lc

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.broker, self.link, *self.controllers

    def start(self) -> None:
        """Start all; returns once the controllers are validated."""
        for part in self.parts:
            part.launch()
        for part in (self.link, *self.controllers):
            until(part.is_serving, f"{part.name} to serve", _START_S)
        self.gc.admin.post("/policy", _POLICY)
        self.broker.hand_token(self._token(self.gc, "broker", None))
        self.rc.hand_token(self._token(self.gc, "regional", REGION))
        until(self.rc.is_validated, "the regional controller to be validated", _START_S)
        self.lc.hand_token(self._token(self.rc, "local", REGION))
        until(self.lc.is_validated, "the local controller to be validated", _START_S)
        until(self.broker.is_serving, "the broker to serve", _START_S)
        for controller in self.controllers:
            until(controller.is_on_mqtt, f"{controller.name} to be on MQTT", _START_S)

    @staticmethod
    def _token(validator: Controller, role: str, region: str | None) -> str:
        return str(validator.admin.post("/token", {"role": role, "region": region})["token"])

    def want(self, reports: int) -> None:
        """Have the local controller make reports until it has made so many."""
        draft = self.lc.folder / "wanted.draft"
        draft.write_text(str(reports))
        draft.replace(self.lc.folder / "wanted")

    def applied(self, sender: Controller, receiver: Controller) -> int:
        """Return how far the receiver has applied the sender's stream."""
        name = LC if sender is self.lc else RC
        return receiver.nib.applied_seq(name, sender.nib.outbox_tail().stream_id)

    def has_arrived(self, sender: Controller, receiver: Controller) -> bool:
        """Tell whether all of a stream is applied, and the sender knows it."""
        tail = sender.nib.outbox_tail()
        return self.applied(sender, receiver) == tail.seq and sender.nib.outbox() == ()

    def stop(self) -> None:
        for controller in self.controllers:
            controller.close_nib()
        for part in reversed(self.parts):
            part.kill()


@contextmanager
def running_site(*, has_url: bool = True, env: Mapping[str, str] | None = None) -> Iterator[Site]:
    """Start a site; whatever happens, nothing of it is left."""
    with passable_folder() as folder:
        site = Site(folder, has_url=has_url, env=env)
        try:
            site.start()
            yield site
        finally:
            site.stop()


def url(port: int) -> str:
    return f"https://127.0.0.1:{port}"


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [probe.getsockname()[1] for probe in probes]
