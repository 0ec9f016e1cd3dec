"""What a topology file says, as values. Nothing here touches the machine."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

DEFAULT_PREFIX = "clab"
DEFAULT_NETWORK = "clab"
DEFAULT_SUBNET = IPv4Network("172.20.20.0/24")
DEFAULT_MGMT_MTU = 1500
DEFAULT_LINK_MTU = 9500


class Role(StrEnum):
    """What a node is for; decides which daemons its stand-in image starts."""

    ROUTER = "router"
    SWITCH = "switch"
    HOST = "host"
    CONTROLLER = "controller"
    BROKER = "broker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """A file or directory of the machine that the node sees at `target`."""

    source: Path
    target: str
    is_read_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One node, with everything it inherits from defaults, kind and group."""

    name: str
    role: Role
    image: str
    binds: tuple[Bind, ...]
    exec: tuple[str, ...]
    env: dict[str, str]
    labels: dict[str, str]
    sysctls: dict[str, str]
    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]
    mgmt_ipv4: IPv4Address | None
    startup_delay_s: int
    is_on_mgmt: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSpec:
    """One end of a link. `mac` and `addresses` only where the file gives them."""

    node: str
    interface: str
    mac: str | None = None
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSpec:
    """A cable between two interfaces."""

    a: EndpointSpec
    b: EndpointSpec
    mtu: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MgmtSpec:
    """The management network; labs that name the same one share its bridge."""

    network: str
    bridge: str | None
    subnet: IPv4Network
    gateway: IPv4Address
    pool: IPv4Network
    mtu: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """A whole file. `warnings` name what the file asks for and this runner does not do."""

    path: Path
    name: str
    prefix: str
    mgmt: MgmtSpec
    nodes: tuple[NodeSpec, ...]
    links: tuple[LinkSpec, ...]
    warnings: tuple[str, ...]

    def long_name(self, node: str) -> str:
        """Return the name that containerlab gives the node's container."""
        if not self.prefix:
            return node
        if self.prefix == "__lab-name":
            return f"{self.name}-{node}"
        return f"{self.prefix}-{self.name}-{node}"
