"""Which part of a subnet is on our own LAN, and by which methods each part is asked."""

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from pdsno.discovery.sweep import arp, icmp
from pdsno.discovery.sweep.interfaces import LocalAddress, on_interface
from pdsno.discovery.targets import Target, hosts_of, prefixes_without
from pdsno.domain.observations import Method

NO_RAW = "could not ARP: needs CAP_NET_RAW (run as root, or setcap cap_net_raw+ep on the python)"
NO_PING = (
    "could not ping: needs CAP_NET_RAW, or a group inside the sysctl net.ipv4.ping_group_range; "
    "asked by TCP instead, which silent firewalls hide from"
)

_ANY_PORT = 9


@dataclass(frozen=True, kw_only=True, slots=True)
class Abilities:
    """What this process may do."""

    can_arp: bool
    can_ping: bool


def abilities() -> Abilities:
    """Find out by trying; sends nothing."""
    try:
        icmp.open_socket()[0].close()
    except icmp.NotPermittedError:
        return Abilities(can_arp=arp.is_possible(), can_ping=False)
    return Abilities(can_arp=arp.is_possible(), can_ping=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A part of a target that is asked in one way.

    `source` is our address on the same LAN, None where routers are between. `prefixes` is what
    the part consists of, `addresses` who in it is asked.
    """

    target: Target
    prefixes: tuple[ipaddress.IPv4Network, ...]
    addresses: tuple[str, ...]
    source: LocalAddress | None
    leaves_by: str
    notes: tuple[str, ...] = ()

    @property
    def is_local(self) -> bool:
        """Whether ARP reaches it."""
        return self.source is not None


def segments_of(
    target: Target, own: Sequence[LocalAddress], interface: str | None = None
) -> tuple[Segment, ...]:
    """Split a target: what is on one of our LANs, and the rest. Our own addresses are left out.

    With `interface`, all of it is asked there, whatever addresses that interface has. Raises
    InputError for an interface that does not exist.
    """
    holes = [*target.exclude, *target.passive_only, *(item.address for item in own)]
    if interface is not None:
        return (_forced(target, holes, on_interface(own, interface)),)
    found = []
    left = [target.network]
    for item in sorted((i for i in own if i.can_arp), key=lambda i: -i.network.prefixlen):
        inside = [n for n in left if n.overlaps(item.network)]
        parts = [n if n.subnet_of(item.network) else item.network for n in inside]
        if not parts:
            continue
        left = [n for n in left if n not in inside]
        left += [
            rest
            for n in inside
            if not n.subnet_of(item.network)
            for rest in n.address_exclude(item.network)
        ]
        found.append(_segment(target, parts, holes, item))
    if left:
        found.append(_segment(target, left, holes, None, own))
    return tuple(item for item in found if item.addresses)


def _segment(
    target: Target,
    parts: Sequence[ipaddress.IPv4Network],
    holes: Sequence[str],
    source: LocalAddress | None,
    own: Sequence[LocalAddress] = (),
) -> Segment:
    prefixes = tuple(p for part in parts for p in prefixes_without(part, holes))
    frame = target.network if source is None else _frame(target, source)
    addresses = tuple(hosts_of(prefixes, frame))
    way = source.interface if source else _way_out(addresses, own)
    return Segment(
        target=target, prefixes=prefixes, addresses=addresses, source=source, leaves_by=way
    )


def _frame(target: Target, source: LocalAddress) -> ipaddress.IPv4Network:
    """Return the subnet whose network and broadcast addresses are no hosts: the real one."""
    network = target.network
    return network if source.network == network else source.network


def _forced(target: Target, holes: Sequence[str], addresses: Sequence[LocalAddress]) -> Segment:
    inside = [a for a in addresses if a.network.overlaps(target.network)]
    source = (inside or list(addresses))[0]
    notes: tuple[str, ...] = ()
    if not inside:
        note = (
            f"{source.interface} has no address in {target.subnet}: asked from {source.address}, "
            "and some hosts do not answer strangers"
        )
        notes = (note,)
    prefixes = prefixes_without(target.network, holes)
    return Segment(
        target=target,
        prefixes=prefixes,
        addresses=tuple(hosts_of(prefixes, target.network)),
        source=source,
        leaves_by=source.interface,
        notes=notes,
    )


def _way_out(addresses: Sequence[str], own: Sequence[LocalAddress]) -> str:
    """Return the interface towards a routed subnet, or "" if there is no route; sends nothing."""
    if not addresses:
        return ""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((addresses[0], _ANY_PORT))
            chosen = sock.getsockname()[0]
        except OSError:
            return ""
    return next((item.interface for item in own if item.address == chosen), "")


def methods_for(
    segment: Segment, can: Abilities, wanted: frozenset[Method] = frozenset()
) -> tuple[tuple[Method, ...], tuple[str, ...]]:
    """Return the methods for a segment, in order, and notes about what is not possible.

    By default: on our LAN ARP, and a ping of who answered (for the round-trip time); behind
    routers ICMP. Without CAP_NET_RAW: ICMP and TCP, and on our LAN the kernel's neighbour table.
    `wanted` limits the methods to those named, and adds TCP where it is named.
    """
    methods: list[Method] = []
    notes: list[str] = []
    if segment.is_local and _is_wanted(Method.ARP, wanted):
        if can.can_arp:
            methods.append(Method.ARP)
        else:
            notes.append(NO_RAW)
    if _is_wanted(Method.ICMP, wanted):
        if can.can_ping:
            methods.append(Method.ICMP)
        else:
            notes.append(NO_PING)
    if Method.TCP in wanted or (Method.ARP not in methods and notes):
        methods.append(Method.TCP)
    if wanted == {Method.ARP} and not segment.is_local:
        notes.append("could not ARP: not on a LAN of this machine; use ICMP or TCP")
    if segment.is_local and Method.ARP not in methods and methods:
        methods.append(Method.NEIGHBOUR_TABLE)
    return tuple(methods), tuple(notes)


def _is_wanted(method: Method, wanted: frozenset[Method]) -> bool:
    return not wanted or method in wanted
