"""What somebody expects of a network: a topology file, an inventory, NetBox. Values only."""

from dataclasses import dataclass, field
from enum import StrEnum


class Presence(StrEnum):
    """Whether a device shall be in the network now."""

    MUST = "must"
    MAY = "may"
    """Planned, or staged: neither its absence nor its presence is a finding."""
    MUST_NOT = "must not"


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpectedInterface:
    """An interface as it is written down; None is what the source does not say.

    `ips` are `address/prefixlen`, bare if the source gives no length.
    """

    name: str
    mac: str | None = None
    ips: tuple[str, ...] = ()
    is_enabled: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpectedDevice:
    """A device as it is written down; None or empty is what the source does not say.

    `place` says where: file and line, or a URL. `aliases` are other names that it may go by.
    `macs` are normalised, `addresses` bare. `is_host` may be on record as an endpoint. With
    `is_exact`, `macs` are all that it has: a record that shows others is of another device.
    Without `is_named`, `name` only tells it apart. `tells_addresses` says that `addresses` are all
    that it should have.
    """

    name: str
    place: str = ""
    aliases: tuple[str, ...] = ()
    region: str | None = None
    serial: str | None = None
    vendor: str | None = None
    model: str | None = None
    platform: str | None = None
    management_ip: str | None = None
    macs: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()
    interfaces: tuple[ExpectedInterface, ...] = ()
    presence: Presence = Presence.MUST
    status: str = ""
    is_host: bool = False
    is_exact: bool = False
    is_named: bool = True
    tells_addresses: bool = False


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class LinkEnd:
    """A device and the name of its interface."""

    device: str
    interface: str

    def __str__(self) -> str:
        return f"{self.device}:{self.interface}"


Ends = frozenset[LinkEnd]


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpectedLink:
    """A link between two ends, in no order. Without `is_told`, no end of it tells neighbours.

    Such a link (a host's cable) is no finding if the NIB lacks it.
    """

    ends: Ends
    place: str = ""
    is_told: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectation:
    """All that one source says. `links` None: it says nothing of links.

    `notes` are for people: what of the source was passed over, and why.
    """

    source: str
    devices: tuple[ExpectedDevice, ...]
    links: tuple[ExpectedLink, ...] | None = None
    notes: tuple[str, ...] = field(default=())
