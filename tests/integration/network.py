"""A network of real controllers: one process per namespace, joined by a bridge, with LANs to find.

Everything is isolated from the machine: the test speaks to the controllers from a thread that has
entered the bridge's namespace, and to admin sockets through the file system.
"""

import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import yaml

from tests.integration.namespaces import Namespace
from tests.integration.network_nodes import BACKBONE, GC, PDSNO, Broker, Controller, Node

T = TypeVar("T")

SHARED = "192.168.5.3"
"""An address that a host of every region has."""
_SHARED_NET = "192.168.5.0/29"


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
        self.slow = Node(self, "slow", 50)
        self.broker = Broker(self, 11)
        self.gc = Controller(self, "gc", 10, {"role": "global", "url": GC["url"]})
        self.rcs: dict[str, Controller] = {}
        self.lcs: dict[str, Controller] = {}
        self.hosts: dict[str, set[str]] = {}
        self.lans: dict[str, Namespace] = {}

    def inside(self, call: Callable[[], T]) -> T:
        """Run a call in the bridge's namespace."""
        return self.hub.space.inside(call)

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
                "url": f"https://172.31.0.{20 + index}:8002",
                "parent": GC,
                "join_token_file": "token",
            },
        )
        self.rcs[region] = rc
        # One kind of local controller can be called, the other only calls.
        open_port = {"url": f"https://172.31.0.{30 + index}:8003"} if index % 2 else {}
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
        for controller in self.controllers:
            controller.await_state(controller.is_serving, "to serve", timeout_s=120)
        self.broker.hand_token(self.gc.mint("broker", None))
        self.broker.await_state(self.broker.is_serving, "to be validated")
        self.apply_policy(**policy)
        for region, rc in self.rcs.items():
            rc.hand_token(self.gc.mint("regional", region))
        for rc in self.rcs.values():
            rc.await_state(rc.is_validated, "to be validated")
        for region, lc in self.lcs.items():
            lc.hand_token(self.rcs[region].mint("local", region))
        for lc in self.lcs.values():
            lc.await_state(lc.is_validated, "to be validated")
        for node in self.controllers:
            node.await_state(node.is_on_mqtt, "to be on MQTT")

    def slow_down(self, region: str, delay_ms: int) -> None:
        """Put a slow link between a region's controllers and broker, parent and child.

        For new connections only: start the region's controllers again.
        """
        rc, lc, broker = self.rcs[region], self.lcs[region], (self.broker.address, 8883)
        ways = {broker: 8883, (self.gc.address, 8001): 8001, (rc.address, 8002): 8002}
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
