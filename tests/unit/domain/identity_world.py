"""A network full of identity traps, with the truth about every finding in it.

Every finding has a time of its own, by which `World.truth` tells whose it is. Everything follows
from the seed.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from pdsno.domain.entities import Interface
from pdsno.domain.observations import Facts, Method, ObservedDevice, Sighting
from tests.unit.domain.builders import NOW

JUNK_SERIALS = ("0123456789", "To be filled by O.E.M.", "00000000", "Default string", "N/A")
DULL_NAMES = ("switch", "localhost", "router", "ubuntu", "localhost.localdomain")
DOCKER = (
    Interface(name="docker0", mac="02:42:ac:11:00:01", ips=("172.17.0.1/16",)),
    Interface(name="virbr0", mac="52:54:00:0a:0b:0c", ips=("192.168.122.1/24",)),
    Interface(name="veth3f2a1b0", mac="02:42:ac:11:00:02"),
    Interface(name="lo", ips=("127.0.0.1/8",)),
)


@dataclass
class World:
    """Findings of one cycle in one namespace; `size` is the number of real devices."""

    seed: int
    findings: list[Sighting | Facts] = field(default_factory=list)
    truth: dict[datetime, str] = field(default_factory=dict)
    kinds: Counter[str] = field(default_factory=Counter)
    has_segments: bool = False

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)  # noqa: S311 - no secret
        self._mac = 0
        self._net = 0

    @property
    def size(self) -> int:
        return sum(self.kinds.values())

    def at(self, owner: str) -> datetime:
        moment = NOW + timedelta(microseconds=len(self.truth))
        self.truth[moment] = owner
        return moment

    def owners(self, device: ObservedDevice) -> set[str]:
        """Return whose findings were made one device."""
        told = {self.truth[f.at] for f in device.facts}
        return told | {self.truth[s.at] for s in device.sightings}

    def burnt(self) -> str:
        self._mac += 1
        return f"00:11:{self._mac >> 24 & 255:02x}:" + ":".join(
            f"{self._mac >> shift & 255:02x}" for shift in (16, 8, 0)
        )

    def virtual(self) -> str:
        return "52:54:00" + self.burnt()[8:]

    def lan(self) -> str:
        """Return the first three octets of a fresh /24."""
        self._net += 1
        return f"10.{self._net >> 8}.{self._net & 255}"

    def saw(self, owner: str, address: str, mac: str | None, times: int = 1) -> None:
        segment = f"lan-{address.rpartition('.')[0]}" if self.has_segments else None
        for _ in range(times):
            self.findings.append(
                Sighting(
                    address=address,
                    mac=mac,
                    method=Method.ARP if mac else Method.ICMP,
                    at=self.at(owner),
                    segment=segment if mac else None,
                )
            )

    def told(self, owner: str, address: str, *ports: Interface, **values: object) -> None:
        source = str(values.pop("source", "snmp"))
        self.findings.append(
            Facts(source=source, address=address, at=self.at(owner), interfaces=ports, **values)  # type: ignore[arg-type]
        )

    def new(self, kind: str) -> str:
        self.kinds[kind] += 1
        return f"{kind}-{self.kinds[kind]}"


def port(number: int, mac: str | None, *ips: str) -> Interface:
    return Interface(name=f"eth{number}", mac=mac, ips=ips)


# --- one builder for each kind of trap -------------------------------------------------------


def host(world: World) -> None:
    """A host with one or two addresses, now and then asked."""
    who, mac, lan = world.new("host"), world.burnt(), world.lan()
    addresses = [f"{lan}.5", f"{lan}.105"][: world.random.choice((1, 1, 2))]
    for address in addresses:
        world.saw(who, address, mac, 2)
        world.saw(who, address, None)
    if world.random.random() < 0.3:
        own = port(0, mac, *(f"{a}/24" for a in addresses))
        serial = world.random.choice(JUNK_SERIALS)
        name = world.random.choice(DULL_NAMES)
        world.told(who, addresses[0], own, *DOCKER, serial=serial, name=name)


def phone(world: World) -> None:
    who, mac, lan = world.new("phone"), world.virtual(), world.lan()
    world.saw(who, f"{lan}.77", "da" + mac[2:], 3)


def router(world: World) -> None:
    """Asked by two protocols at two addresses; its other addresses answer as well."""
    who = world.new("router")
    count = world.random.randint(3, 7)
    lans = [world.lan() for _ in range(count)]
    ports = [port(n, world.burnt(), f"{lan}.1/24") for n, lan in enumerate(lans)]
    serial = f"FOC{world.random.randrange(10**8):08d}"
    told = partial(world.told, vendor="cisco", serial=serial, name=who, chassis_id=ports[0].mac)
    told(who, f"{lans[0]}.1", *ports)
    told(who, f"{lans[1]}.1", *ports[: count - 1], source="ssh")
    for lan, own in zip(lans, ports, strict=True):
        world.saw(who, f"{lan}.1", own.mac, 2)
        world.saw(who, f"{lan}.1", None)


def svi_switch(world: World) -> None:
    """One base MAC on all its VLAN interfaces, and a dull name."""
    who, mac = world.new("switch"), world.burnt()
    lans = [world.lan() for _ in range(3)]
    ports = [port(n, mac, f"{lan}.2/24") for n, lan in enumerate(lans)]
    world.told(who, f"{lans[0]}.2", *ports, name="switch", serial="0000000000")
    for lan in lans:
        world.saw(who, f"{lan}.2", mac, 2)


def silent_router(world: World) -> None:
    """One MAC in two LANs, as a clone would show; nobody can tell, so that it is split."""
    who, mac = world.new("silent router"), world.burnt()
    for _ in range(2):
        world.saw(who, f"{world.lan()}.1", mac, 2)


def cloned_serials(world: World) -> None:
    serial = f"9FX{world.random.randrange(10**7):07d}"
    for _ in range(2):
        who, mac, lan = world.new("cloned serial"), world.burnt(), world.lan()
        own = port(1, mac, f"{lan}.3/24")
        world.told(who, f"{lan}.3", own, vendor="arista", serial=serial, name=who)
        world.told(who, f"{lan}.3", own, vendor="arista", serial=serial, name=who, source="ssh")
        world.saw(who, f"{lan}.3", mac, 2)


def virtual_routers(world: World) -> None:
    """VRRP, HSRP or GLBP: a MAC and an address that two routers share."""
    lan = world.lan()
    shared = world.random.choice(
        ("00:00:5e:00:01:0a", "00:00:0c:07:ac:01", "00:00:0c:9f:f0:01", "00:07:b4:00:01:01")
    )
    for number in (2, 3):
        who, mac = world.new("fhrp"), world.burnt()
        ports = (port(1, mac, f"{lan}.{number}/24"), port(2, shared, f"{lan}.1/32"))
        world.told(who, f"{lan}.{number}", *ports, name=who)
        world.saw(who, f"{lan}.{number}", mac, 2)
    world.saw(f"service {lan}", f"{lan}.1", shared, 2)


def anycast_leaves(world: World) -> None:
    """Gateways with one MAC and address on every leaf, and a loopback that all announce."""
    gateway, lan, service = world.burnt(), world.lan(), f"{world.lan()}.9"
    for _ in range(4):
        who, mac, own_lan = world.new("leaf"), world.burnt(), world.lan()
        ports = (
            port(1, mac, f"{own_lan}.4/24"),
            port(2, gateway, f"{lan}.1/24"),
            Interface(name="lo0", ips=(f"{service}/32",)),
        )
        world.told(who, f"{own_lan}.4", *ports, name=who, engine_id="80001f8880aa")
        world.saw(who, f"{own_lan}.4", mac, 2)
    world.saw(f"service {service}", service, None, 2)


def cloned_guests(world: World) -> None:
    """One image, started twice in two LANs: the same MAC, keys, engine ID and name."""
    mac, image = world.virtual(), f"image-{world.size}"
    for _ in range(2):
        who, lan = world.new("cloned guest"), world.lan()
        own = port(0, mac, f"{lan}.50/24")
        world.told(
            who,
            f"{lan}.50",
            own,
            *DOCKER,
            name=image,
            engine_id=f"8000{image}",
            ssh_host_key=f"ssh-ed25519 SHA256:{image}",
            chassis_id=mac,
        )
        world.saw(who, f"{lan}.50", mac, 2)


def cloned_strangers(world: World) -> None:
    """The same MAC in two LANs, and nobody to ask."""
    mac = world.virtual()
    for _ in range(2):
        who, lan = world.new("cloned stranger"), world.lan()
        world.saw(who, f"{lan}.60", mac, 3)


def cloned_engines(world: World) -> None:
    """One disk image on different hardware: engine ID, host key and name are copies."""
    image = f"disk-{world.size}"
    lan = world.lan()
    for number in (31, 32, 33):
        who, mac = world.new("cloned disk"), world.burnt()
        own = port(0, mac, f"{lan}.{number}/24")
        values = {"engine_id": image, "ssh_host_key": f"ssh-rsa {image}", "name": image}
        world.told(who, f"{lan}.{number}", own, **values)
        world.saw(who, f"{lan}.{number}", mac, 2)


def duplicate_address(world: World) -> None:
    lan = world.lan()
    for _ in range(2):
        who, mac = world.new("duplicate address"), world.burnt()
        world.saw(who, f"{lan}.66", mac, 2)
        if world.random.random() < 0.5:
            world.told(who, f"{lan}.66", port(0, mac, f"{lan}.66/24"), name=who)


def proxy_arp(world: World) -> None:
    """A router that answers ARP for hosts behind it; some of them can be asked."""
    who, lan = world.new("proxy"), world.lan()
    mac, inner = world.burnt(), world.burnt()
    ports = (port(1, mac, f"{lan}.1/24"), port(2, inner, f"{world.lan()}.1/24"))
    if world.random.random() < 0.5:
        world.told(who, f"{lan}.1", *ports, name=who)
    world.saw(who, f"{lan}.1", mac)
    for number in range(10, 22):
        behind = world.new("behind proxy")
        world.saw(behind, f"{lan}.{number}", mac, 2)
        if number % 4 == 0:
            own = port(0, world.burnt(), f"{lan}.{number}/24")
            world.told(behind, f"{lan}.{number}", own, name=behind)


def docker_host(world: World) -> None:
    who, mac, lan = world.new("docker host"), world.burnt(), world.lan()
    world.told(who, f"{lan}.80", port(0, mac, f"{lan}.80/24"), *DOCKER, name="docker")
    world.saw(who, f"{lan}.80", mac, 2)


def bare_host(world: World) -> None:
    """Behind a router: no MAC, just an answer, perhaps a name."""
    who, lan = world.new("far host"), world.lan()
    world.saw(who, f"{lan}.90", None, 3)
    if world.random.random() < 0.5:
        world.told(who, f"{lan}.90", name=world.random.choice(DULL_NAMES), serial="123456789")


TRAPS: tuple[tuple[Callable[[World], None], int], ...] = (
    (host, 14),
    (phone, 6),
    (router, 14),
    (svi_switch, 6),
    (silent_router, 1),
    (cloned_serials, 3),
    (virtual_routers, 3),
    (anycast_leaves, 1),
    (cloned_guests, 3),
    (cloned_strangers, 3),
    (cloned_engines, 2),
    (duplicate_address, 3),
    (proxy_arp, 1),
    (docker_host, 5),
    (bare_host, 6),
)


_LARGEST_TRAP = 13


def make_world(
    *, seed: int = 1, devices: int = 1000, findings: int = 10_000, has_segments: bool = False
) -> World:
    """Return a world of so many devices, with findings repeated up to so many."""
    world = World(seed=seed, has_segments=has_segments)
    while world.size < devices:
        for build, times in TRAPS:
            for _ in range(times):
                (build if devices - world.size > _LARGEST_TRAP else host)(world)
                if world.size == devices:
                    return _repeated(world, findings)
    return world


def _repeated(world: World, findings: int) -> World:
    while len(world.findings) < findings:
        again = world.random.choice(world.findings)
        world.findings.append(replace(again, at=world.at(world.truth[again.at])))
    world.random.shuffle(world.findings)
    return world


@dataclass(frozen=True, slots=True)
class Score:
    """How a partition compares with the truth.

    `merges` names what was made one and is not; `splits` counts devices found in several pieces,
    by kind.
    """

    merges: tuple[tuple[str, ...], ...]
    splits: Counter[str]
    found: int


def score(world: World, devices: Iterable[ObservedDevice]) -> Score:
    merges = []
    pieces: dict[str, int] = defaultdict(int)
    found = 0
    for device in devices:
        found += 1
        owners = world.owners(device)
        for owner in owners:
            pieces[owner] += 1
        if len(owners) > 1:
            merges.append(tuple(sorted(owners)))
    splits = Counter(owner.rpartition("-")[0] or owner for owner, n in pieces.items() if n > 1)
    return Score(merges=tuple(merges), splits=splits, found=found)
