"""A network of real controllers: one process per namespace, joined by a bridge, with LANs to find.

Everything is isolated from the machine: the test speaks to the controllers from a thread that has
entered the bridge's namespace, and to admin sockets through the file system.
"""

import ctypes
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import requests
import yaml

from pdsno.cli.admin_client import AdminClient
from pdsno.nib import NIBStore
from tests.integration.namespaces import Namespace, until

T = TypeVar("T")

BACKBONE = "172.31.0.{}/24"
SHARED = "192.168.5.3"
"""An address that a host of every region has."""
PDSNO = (sys.executable, "-c", "import sys; from pdsno.cli.main import main; sys.exit(main())")
_CLONE_NEWNET = 0x40000000
_SHARED_NET = "192.168.5.0/29"


def enter(namespace: str) -> None:
    """Move the calling thread, and threads that it starts, into a network namespace."""
    descriptor = os.open(f"/run/netns/{namespace}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(descriptor, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
    finally:
        os.close(descriptor)


class Node:
    """A namespace on the backbone, and at most one process of PDSNO in it."""

    def __init__(self, net: "Network", name: str, number: int) -> None:
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
        until(self.is_serving, f"{self.name} to serve", timeout_s=40)

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
    """`pdsno broker run`."""

    def __init__(self, net: "Network", number: int) -> None:
        super().__init__(net, "broker", number)
        settings = {
            "listen": self.address,
            "plain_transport": True,
            "state_dir": str(self.folder / "state"),
        }
        path = self.folder / "settings.yml"
        path.write_text(yaml.safe_dump(settings))
        self.argv = (*PDSNO, "broker", "run", "--settings", str(path))

    def is_serving(self) -> bool:
        super().is_serving()
        return f"{self.address}:1883" in self.space.run("ss", "-Hltn").stdout

    def mosquitto(self) -> int | None:
        """Return the process ID of the mosquitto that the supervisor runs."""
        for pid in self.space.pids():
            if Path(f"/proc/{pid}/comm").read_text().strip() == "mosquitto":
                return pid
        return None

    def kill_mosquitto(self) -> None:
        pid = self.mosquitto()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)


class Controller(Node):
    """`pdsno controller run`, read over its API and steered through its admin socket."""

    def __init__(self, net: "Network", name: str, number: int, settings: Mapping[str, Any]) -> None:
        super().__init__(net, name, number)
        self.role = str(settings["role"])
        self.region = settings.get("region")
        self.token_file = self.folder / "token"
        self.settings: dict[str, Any] = {
            "listen": self.address,
            "plain_transport": True,
            "state_dir": str(self.folder / "state"),
            "admin_socket": str(self.folder / "admin.sock"),
            "broker": {"host": net.broker.address},
            "api": {"listen": self.address, "lab_network": BACKBONE.format(0)},
            **settings,
        }
        self.settings_file = self.folder / "settings.yml"
        self.write_settings()
        arguments = ("controller", "run", "--role", self.role, "--settings")
        self.argv = (*PDSNO, *arguments, str(self.settings_file))
        self.admin = AdminClient(self.folder / "admin.sock")

    def write_settings(self, **changes: object) -> None:
        self.settings.update(changes)
        kept = {name: value for name, value in self.settings.items() if value is not None}
        self.settings_file.write_text(yaml.safe_dump(kept))

    def is_serving(self) -> bool:
        super().is_serving()
        try:
            return bool(self.get("health"))
        except requests.RequestException:
            return False

    def get(self, path: str) -> dict[str, Any]:
        """Return what the API answers."""
        return self.net.inside(lambda: _get(f"http://{self.address}:8080/api/v1/{path}"))

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

    def hand_token(self, token: str) -> None:
        """Put a join token where the controller waits for it."""
        descriptor = os.open(self.token_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(token)

    def mint(self, role: str, region: str) -> str:
        answer = self.admin.post("/token", {"role": role, "region": region})
        return str(answer["token"])

    def discover(self, region: str | None = None) -> None:
        self.admin.post("/discover", {"region": region})

    @contextmanager
    def nib(self) -> Iterator[NIBStore]:
        """Open the controller's own NIB file, also while it runs."""
        with NIBStore(self.folder / "state" / "nib.sqlite") as store:
            yield store


def _get(url: str) -> dict[str, Any]:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(url, timeout=10)
    answer.raise_for_status()
    body: dict[str, Any] = answer.json()
    return body


class Network:
    """A global controller, a broker, and in each region a regional and a local controller."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        self.tag = f"n{secrets.token_hex(3)}"
        self.folder = Path(tempfile.mkdtemp(prefix="pdsno-net-"))
        self.folder.chmod(0o755)
        stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.hub = Node(self, "hub", 1)
        self.hub.space.ip("link", "add", "br0", "type", "bridge")
        self.hub.space.ip("addr", "add", BACKBONE.format(1), "dev", "br0")
        self.hub.space.ip("link", "set", "br0", "up")
        pool = ThreadPoolExecutor(1, initializer=enter, initargs=(self.hub.space.name,))
        stack.callback(pool.shutdown)
        self._pool = pool
        self.slow = Node(self, "slow", 50)
        self.broker = Broker(self, 11)
        self.gc = Controller(self, "gc", 10, {"role": "global", "url": "http://172.31.0.10:8001"})
        self.rcs: dict[str, Controller] = {}
        self.lcs: dict[str, Controller] = {}
        self.hosts: dict[str, set[str]] = {}
        self.lans: dict[str, Namespace] = {}

    def inside(self, call: Callable[[], T]) -> T:
        """Run a call in the bridge's namespace."""
        return self._pool.submit(call).result()

    @property
    def controllers(self) -> list[Controller]:
        return [self.gc, *self.rcs.values(), *self.lcs.values()]

    # --- building ----------------------------------------------------------------------------

    def add_region(self, region: str, *, hosts: int = 3) -> None:
        index = len(self.rcs)
        rc = Controller(
            self,
            f"rc{index}",
            20 + index,
            {
                "role": "regional",
                "region": region,
                "url": f"http://172.31.0.{20 + index}:8002",
                "parent": {"id": "global_cntl_1", "url": "http://172.31.0.10:8001"},
                "join_token_file": "token",
            },
        )
        self.rcs[region] = rc
        # One kind of local controller can be called, the other only calls.
        open_port = {"url": f"http://172.31.0.{30 + index}:8003"} if index % 2 else {}
        self.lcs[region] = self.add_local(region, f"lc{index}", 30 + index, **open_port)
        lan = Namespace(f"{self.tag}-lan{index}")
        self.stack.callback(lan.close)
        self.lans[region] = lan
        _plug_in(self.lcs[region].space, lan, f"10.1.{index}.2/26")
        add_host(lan, f"{SHARED}/29")
        self.hosts[region] = {SHARED}
        for _ in range(hosts):
            self.new_host(region)

    def new_host(self, region: str) -> str:
        """Plug one more host into a region's LAN; returns its address."""
        address = f"10.1.{list(self.rcs).index(region)}.{4 + len(self.hosts[region])}"
        add_host(self.lans[region], f"{address}/26")
        self.hosts[region].add(address)
        return address

    def add_local(self, region: str, name: str, number: int, **settings: object) -> Controller:
        """Make the namespace and settings of a local controller, not started."""
        parent = self.rcs[region]
        return Controller(
            self,
            name,
            number,
            {
                "role": "local",
                "region": region,
                "parent": {"id": f"regional_cntl_{region}_1", "url": parent.settings["url"]},
                "join_token_file": "token",
                **settings,
            },
        )

    def subnets(self, region: str) -> list[str]:
        index = list(self.rcs).index(region)
        return [f"10.1.{index}.0/26", _SHARED_NET]

    def policy(self, **changes: Mapping[str, object]) -> dict[str, Any]:
        """Return the policy document; `changes` are fields of regions or of their LC's entry."""
        regions = []
        for region in self.rcs:
            wanted = dict(changes.get(region.replace("-", "_"), {}))
            local = {
                "controller_id": f"local_cntl_{region}_1",
                "subnets": self.subnets(region),
                "interval_s": 3600,
                "rate_pps": 2000,
                "miss_limit": 3,
            }
            local |= {name: wanted.pop(name) for name in list(wanted) if name in local}
            entry = {
                "region": region,
                "local_quota": 1,
                "local_ceiling": 2,
                "prefixes": self.subnets(region),
                "local_controllers": [local],
            }
            regions.append(entry | wanted)
        return {"regions": regions}

    def apply_policy(self, **changes: Mapping[str, object]) -> None:
        """Apply a policy as an operator does."""
        file = self.folder / "policy.yml"
        file.write_text(yaml.safe_dump(self.policy(**changes)))
        command = (
            *PDSNO,
            "policy",
            "apply",
            str(file),
            "--socket",
            self.gc.settings["admin_socket"],
        )
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr

    def start(self, **policy: Mapping[str, object]) -> None:
        """Start everything; returns once all controllers are validated and on MQTT."""
        for node in (self.broker, *self.controllers):
            node.launch()
        for node in (self.broker, *self.controllers):
            until(node.is_serving, f"{node.name} to serve", timeout_s=60)
        self.apply_policy(**policy)
        for region, rc in self.rcs.items():
            rc.hand_token(self.gc.mint("regional", region))
        for rc in self.rcs.values():
            until(rc.is_validated, f"{rc.name} to be validated")
        for region, lc in self.lcs.items():
            lc.hand_token(self.rcs[region].mint("local", region))
        for lc in self.lcs.values():
            until(lc.is_validated, f"{lc.name} to be validated")
        for node in self.controllers:
            until(node.is_on_mqtt, f"{node.name} to be on MQTT")

    def slow_down(self, region: str, delay_ms: int) -> None:
        """Put a slow link between a region's controllers and broker, parent and child.

        For new connections only: start the region's controllers again.
        """
        rc, lc, broker = self.rcs[region], self.lcs[region], (self.broker.address, 1883)
        ways = {broker: 1883, (self.gc.address, 8001): 8001, (rc.address, 8002): 8002}
        targets = [f"{at}={address}:{port}" for (address, port), at in ways.items()]
        script = str(Path(__file__).with_name("slow_link.py"))
        self.slow.argv = (sys.executable, script, self.slow.address, str(delay_ms), *targets)
        self.slow.launch()
        for node in (rc, lc):
            node.detour(ways)

    def heal(self) -> None:
        """Mend every cable, and start again whatever a test left down."""
        self.slow.kill()
        for node in (self.broker, *self.controllers):
            node.heal()
            if node.process is None:
                node.start()


def _plug_in(here: Namespace, there: Namespace, own: str) -> None:
    """Cable a local controller to a LAN."""
    here.ip("link", "add", "eth1", "type", "veth", "peer", "wire", "netns", there.name)
    for address in (own, "192.168.5.2/29"):
        here.ip("addr", "add", address, "dev", "eth1")
    here.ip("link", "set", "eth1", "up")
    there.ip("link", "set", "wire", "up")
    # Each host answers for its own address only, though all live in one namespace.
    knobs = ("arp_ignore=1", "arp_announce=2", "rp_filter=0")
    names = [f"net.ipv4.conf.{scope}.{knob}" for scope in ("all", "default") for knob in knobs]
    done = there.run("sysctl", "-qw", *names)
    assert done.returncode == 0, done.stderr


def add_host(lan: Namespace, address: str) -> None:
    """Add a host with a MAC of its own to a LAN."""
    name = f"h{address.split('/', maxsplit=1)[0].replace('.', '-')}"
    lan.ip("link", "add", "link", "wire", name, "type", "macvlan", "mode", "bridge")
    lan.ip("addr", "add", address, "dev", name)
    lan.ip("link", "set", name, "up")


@contextmanager
def network(
    *regions: str, without_local: tuple[str, ...] = (), **policy: Mapping[str, object]
) -> Iterator[Network]:
    """Build and start a network; takes everything down, whatever happens.

    `policy` are changes as `Network.policy` takes them; `without_local` are regions whose local
    controller is not wanted.
    """
    with ExitStack() as stack:
        net = Network(stack)
        for region in regions:
            net.add_region(region)
        for region in without_local:
            del net.lcs[region]
        net.start(**policy)
        yield net
