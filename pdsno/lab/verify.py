"""Compares what a NIB says with what really is there. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pdsno.domain.errors import OperationError

ACTIVE = "active"
_IGNORED_MACS = frozenset({"", "00:00:00:00:00:00"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthDevice:
    """A node as it really is. `region` (label `pdsno.region`) may be unknown: None."""

    name: str
    region: str | None
    macs: frozenset[str]
    addresses: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class LinkEnd:
    """A device and the name of its interface."""

    device: str
    interface: str

    def __str__(self) -> str:
        return f"{self.device}:{self.interface}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The network as it really is: links are pairs of ends, in no order."""

    devices: tuple[TruthDevice, ...]
    links: frozenset[frozenset[LinkEnd]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenDevice:
    """A device of the NIB, or an endpoint: a host that merely is there."""

    device_id: str
    name: str
    status: str
    region: str | None
    macs: frozenset[str]
    addresses: frozenset[str]
    is_endpoint: bool = False

    @classmethod
    def from_json(cls, item: Mapping[str, Any]) -> "SeenDevice":
        """Read an item of `GET /api/v1/devices`. Raises OperationError for a malformed one."""
        try:
            interfaces = item.get("interfaces") or []
            macs = [*(item.get("macs") or []), *(one.get("mac") for one in interfaces)]
            addresses = [
                *(item.get("ips") or []),
                *(address for one in interfaces for address in one.get("ips") or []),
                item.get("management_ip"),
            ]
            return cls(
                device_id=item["device_id"],
                name=item.get("name") or "",
                status=item["status"],
                region=item.get("region"),
                macs=frozenset(mac.lower() for mac in macs if mac) - _IGNORED_MACS,
                addresses=frozenset(text.partition("/")[0] for text in addresses if text),
            )
        except (KeyError, AttributeError, TypeError) as error:
            raise OperationError(f"the API returned a malformed device: {error!r}") from error

    @classmethod
    def from_endpoint(cls, item: Mapping[str, Any]) -> "SeenDevice":
        """Read an item of `GET /api/v1/endpoints`. Raises OperationError for a malformed one."""
        try:
            return cls(
                device_id=item["endpoint_id"],
                name="",
                status=ACTIVE,
                region=item.get("region"),
                macs=frozenset({item["mac"].lower()} if item.get("mac") else ()),
                addresses=frozenset(item.get("ips") or ()),
                is_endpoint=True,
            )
        except (KeyError, AttributeError, TypeError) as error:
            raise OperationError(f"the API returned a malformed endpoint: {error!r}") from error

    def __str__(self) -> str:
        address = min(self.addresses, default="no address")
        return f"{self.name or self.device_id} ({address}, {self.device_id})"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenLink:
    """A link of the NIB, between device IDs."""

    link_id: str
    status: str
    a: LinkEnd
    b: LinkEnd
    names: tuple[str, str]

    @classmethod
    def from_json(cls, item: Mapping[str, Any]) -> "SeenLink":
        """Read an item of `GET /api/v1/links`. Raises OperationError for a malformed one."""
        try:
            a, b = item["a"], item["b"]
            return cls(
                link_id=item["link_id"],
                status=item.get("status") or "",
                a=LinkEnd(device=a["device_id"], interface=a.get("interface") or ""),
                b=LinkEnd(device=b["device_id"], interface=b.get("interface") or ""),
                names=(a.get("device") or a["device_id"], b.get("device") or b["device_id"]),
            )
        except (KeyError, AttributeError, TypeError) as error:
            raise OperationError(f"the API returned a malformed link: {error!r}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The outcome; the names are those of the JSON."""

    devices_expected: int
    devices_found: int
    devices_missing: tuple[str, ...]
    devices_extra: tuple[str, ...]
    devices_duplicated: tuple[str, ...]
    links_expected: int
    links_found: int
    links_missing: tuple[str, ...]
    links_extra: tuple[str, ...]

    @property
    def is_equal(self) -> bool:
        """Tell whether NIB and network agree."""
        return not (
            self.devices_missing
            or self.devices_extra
            or self.devices_duplicated
            or self.links_missing
            or self.links_extra
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of `pdsno lab verify -o json`."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }


class _Index:
    """Finds the node that a NIB's device is."""

    def __init__(self, truth: Truth) -> None:
        self._devices = truth.devices

    def match(self, seen: SeenDevice) -> str | None:
        """Return the node's name: by MAC, else by address, told apart by region and name."""
        by_mac = Counter(
            {device.name: len(device.macs & seen.macs) for device in self._devices}
        ).most_common(1)
        if by_mac and by_mac[0][1] > 0:
            return by_mac[0][0]
        if seen.macs and not self._may_lack_macs(seen):
            return None
        return self._by_address(seen)

    def _may_lack_macs(self, seen: SeenDevice) -> bool:
        """A MAC that no node has is invented, unless the name says which node is meant."""
        return any(device.name == seen.name for device in self._devices)

    def _by_address(self, seen: SeenDevice) -> str | None:
        found = [device for device in self._devices if device.addresses & seen.addresses]
        if len(found) > 1 and seen.region:
            found = [one for one in found if one.region in {None, seen.region}]
        if len(found) > 1:
            found = [one for one in found if one.name == seen.name]
        return found[0].name if len(found) == 1 else None


def _link_text(ends: frozenset[LinkEnd]) -> str:
    return " - ".join(str(end) for end in sorted(ends))


def compare(truth: Truth, devices: Sequence[SeenDevice], links: Sequence[SeenLink]) -> Comparison:
    """Compare a NIB with the network.

    Only active devices count as found, and nodes that are hosts on record as endpoints: tables
    tell of each of a host's ports, so that these are neither extra nor duplicated. A link counts
    if both ends are devices of the network at the interfaces of the file, and the NIB does not
    call it a conflict; any other link, and the second record of one link, is extra.
    """
    index = _Index(truth)
    node_of: dict[str, str] = {}
    hosts: set[str] = set()
    extra: list[str] = []
    for seen in devices:
        if seen.status != ACTIVE:
            continue
        name = index.match(seen)
        if seen.is_endpoint:
            hosts |= {name} if name else set()
        elif name is None:
            extra.append(str(seen))
        else:
            node_of[seen.device_id] = name
    counted = Counter(node_of.values())
    found_links, extra_links = _sort_links(truth, links, node_of)
    expected = [device.name for device in truth.devices]
    found = counted.keys() | hosts
    return Comparison(
        devices_expected=len(expected),
        devices_found=len(found),
        devices_missing=tuple(sorted(name for name in expected if name not in found)),
        devices_extra=tuple(sorted(extra)),
        devices_duplicated=tuple(sorted(name for name, count in counted.items() if count > 1)),
        links_expected=len(truth.links),
        links_found=len(found_links),
        links_missing=tuple(sorted(map(_link_text, truth.links - found_links))),
        links_extra=tuple(sorted(extra_links)),
    )


def _sort_links(
    truth: Truth, links: Sequence[SeenLink], node_of: Mapping[str, str]
) -> tuple[set[frozenset[LinkEnd]], list[str]]:
    found: set[frozenset[LinkEnd]] = set()
    extra: list[str] = []
    for link in links:
        ends = frozenset(
            LinkEnd(device=node_of.get(end.device, shown), interface=end.interface)
            for end, shown in zip((link.a, link.b), link.names, strict=True)
        )
        known = link.a.device in node_of and link.b.device in node_of
        if not known or ends not in truth.links or link.status == "conflict":
            extra.append(_link_text(ends))
        elif ends in found:
            extra.append(f"{_link_text(ends)} (recorded twice)")
        else:
            found.add(ends)
    return found, extra
