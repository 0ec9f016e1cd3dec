"""The made-up network of the identity tests: what it is made of."""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

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
    """Findings of one cycle in one namespace; `size` is the number of real devices.

    Worlds of different `maker`s have equal addresses, and no MAC, serial or key in common.
    """

    seed: int
    maker: int = 0
    findings: list[Sighting | Facts] = field(default_factory=list)
    truth: dict[datetime, str] = field(default_factory=dict)
    kinds: Counter[str] = field(default_factory=Counter)
    has_segments: bool = False

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)  # noqa: S311 - no secret
        self._mac = 0
        self._net = 0
        self._text = 0

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
        return f"00:11:{self.maker:02x}:" + ":".join(
            f"{self._mac >> shift & 255:02x}" for shift in (16, 8, 0)
        )

    def virtual(self) -> str:
        return "52:54:00" + self.burnt()[8:]

    def text(self, prefix: str) -> str:
        """Return a text that no other device has: a serial, a key."""
        self._text += 1
        return f"{prefix}{self.maker}{self._text:07d}"

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
        key = world.text("ssh-ed25519 SHA256:")
        world.told(who, addresses[0], own, *DOCKER, serial=serial, name=name, ssh_host_key=key)


def phone(world: World) -> None:
    who, mac, lan = world.new("phone"), world.virtual(), world.lan()
    world.saw(who, f"{lan}.77", "da" + mac[2:], 3)
