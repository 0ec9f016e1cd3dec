"""Whose are the sightings: of a device that told about itself, or of a stranger.

A device's own interface table is believed: a MAC that is not in it is somebody else's, and an
address that is not in it, answered with the device's MAC, is answered for somebody else (proxy
ARP). Such an address stands alone, without a MAC, until its host tells. Who answers for more
addresses than hosts usually have is taken for such a proxy as well.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pdsno.domain.evidence import Evidence, EvidenceKind
from pdsno.domain.identifiers import is_identifying_mac, lan_of
from pdsno.domain.observations import Facts, Sighting
from pdsno.domain.profiles import Profile

MAX_ADDRESSES = 4
"""IPv4 addresses of one cycle that a MAC without an interface table is believed to have."""


@dataclass(slots=True, eq=False)
class Group:
    """One device in the making."""

    facts: list[Facts] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)
    seen_macs: set[str] = field(default_factory=set)
    told_macs: set[str] = field(default_factory=set)
    told_ips: set[str] = field(default_factory=set)
    own_ips: set[str] = field(default_factory=set)
    """With those that it has in VRFs: where its own MAC answers, the address is its own."""
    shared_ips: frozenset[str] = frozenset()
    """Addresses that several devices call their own."""
    evidence: set[Evidence] = field(default_factory=set)

    @property
    def queried(self) -> set[str]:
        """Addresses at which it told its facts."""
        return {f.address for f in self.facts}

    def has(self, ip: str) -> bool:
        """Tell whether it says that the address is its own, or told its facts there."""
        return ip in self.own_ips or any(f.address == ip for f in self.facts)

    def tell(self, profile: Profile) -> None:
        """Add what an account tells of the interfaces."""
        self.told_macs |= profile.told_macs
        self.told_ips |= profile.told_ips
        self.own_ips |= profile.own_ips


@dataclass(slots=True, eq=False)
class _Port:
    """Everything that one MAC answered on one LAN."""

    mac: str
    sightings: list[Sighting] = field(default_factory=list)

    @property
    def addresses(self) -> set[str]:
        return {s.address for s in self.sightings}

    @property
    def is_proxy(self) -> bool:
        return sum(":" not in ip for ip in self.addresses) > MAX_ADDRESSES


class Attribution:
    """Gives every sighting to one group; what no known group explains becomes a stranger."""

    def __init__(self, known: Sequence[Group]) -> None:
        self.groups = list(known)
        self._by_mac: dict[str, list[Group]] = defaultdict(list)
        self._by_query: dict[str, list[Group]] = defaultdict(list)
        self._by_told: dict[str, list[Group]] = defaultdict(list)
        self._answering: dict[str, list[Group]] = defaultdict(list)
        self._bare: list[Sighting] = []
        self._proxied: dict[str, Evidence] = {}
        self._disputed: set[str] = set()
        for group in known:
            for mac in group.told_macs:
                self._by_mac[mac].append(group)
            for ip in group.queried:
                self._by_query[ip].append(group)
            for ip in group.told_ips:
                self._by_told[ip].append(group)

    def attribute(self, sightings: Sequence[Sighting], disputed: Iterable[str]) -> list[Group]:
        """Return all groups with their sightings, given in canonical order.

        At `disputed` addresses several MACs answer.
        """
        self._disputed = set(disputed)
        ports, self._bare = _ports(sightings)
        for port in ports:
            self._place_port(port)
        strangers: dict[str, Group] = {}
        for sighting in self._bare:
            group = self._holder(sighting.address) or strangers.get(sighting.address)
            if group is None:
                group = strangers[sighting.address] = Group()
                self.groups.append(group)
            group.sightings.append(sighting)
            if sighting.address in self._proxied:
                group.evidence.add(self._proxied[sighting.address])
        return self.groups

    def _place_port(self, port: _Port) -> None:
        owners = self._by_mac.get(port.mac, [])
        if owners:
            self._place_among(owners, port)
            return
        silent = self._without_macs(port)
        if len(silent) == 1:
            group = silent[0]
            own = [s for s in port.sightings if not port.is_proxy or group.has(s.address)]
            self._give(group, port.mac, own)
            self._put_aside(port, [s for s in port.sightings if s not in own])
        elif silent or port.is_proxy:
            self._put_aside(port, port.sightings)
        else:
            self._stranger(port.mac, port.sightings)

    def _place_among(self, owners: Sequence[Group], port: _Port) -> None:
        """Place what a MAC answered that some devices call their own."""
        left: list[Sighting] = []
        by_group: dict[int, list[Sighting]] = defaultdict(list)
        for sighting in port.sightings:
            number = self._owner_of(owners, port, sighting.address)
            if number is None:
                left.append(sighting)
            else:
                by_group[number].append(sighting)
        for number, own in by_group.items():
            self._give(owners[number], port.mac, own)
        if left and not by_group and not port.is_proxy and self._may_be_a_clone(owners, port):
            self._stranger(port.mac, left)
        else:
            self._put_aside(port, left)

    def _may_be_a_clone(self, owners: Sequence[Group], port: _Port) -> bool:
        """Tell whether none of the owners is on this LAN: then the MAC is somebody else's too."""
        here = {lan_of(address) for address in port.addresses}
        return all(here.isdisjoint(lan_of(ip) for ip in group.own_ips) for group in owners)

    def _owner_of(self, owners: Sequence[Group], port: _Port, address: str) -> int | None:
        having = [n for n, group in enumerate(owners) if group.has(address)]
        if having:
            return having[0] if len(having) == 1 else None
        if len(owners) == 1 and not owners[0].own_ips and not port.is_proxy:
            return 0
        return None

    def _without_macs(self, port: _Port) -> list[Group]:
        """Return the devices at this port's addresses that told nothing about their MACs."""
        found: dict[int, Group] = {}
        for address in sorted(port.addresses - self._disputed):
            told = self._by_told.get(address, [])
            for group in self._by_query.get(address) or (told if len(told) == 1 else []):
                if not group.told_macs:
                    found[id(group)] = group
        return list(found.values())

    def _give(self, group: Group, mac: str, sightings: Sequence[Sighting]) -> None:
        if not sightings:
            return
        group.sightings.extend(sightings)
        group.seen_macs.add(mac)
        addresses = sorted({s.address for s in sightings})
        for address in addresses:
            self._answering[address].append(group)
        if group.facts or len(addresses) > 1:
            several = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
            detail = f"{mac} answers at {addresses[0]}{several}"
            group.evidence.add(
                Evidence(kind=EvidenceKind.MACS, weight=100, detail=detail, is_anchor=True)
            )

    def _stranger(self, mac: str, sightings: Sequence[Sighting]) -> None:
        group = Group()
        self.groups.append(group)
        self._give(group, mac, sightings)

    def _put_aside(self, port: _Port, sightings: Iterable[Sighting]) -> None:
        """Treat these as answers without a MAC: it is not the MAC of who has the address."""
        left = list(sightings)
        self._bare.extend(left)
        for address in {s.address for s in left}:
            self._proxied[address] = Evidence(
                kind=EvidenceKind.PROXY,
                weight=0,
                detail=f"{port.mac} answers for {address}, and is somebody else's",
            )

    def _holder(self, address: str) -> Group | None:
        """Return who answers there by its own MAC, else who told facts there, or calls it its own.

        An answer without a MAC joins nothing; where several hosts claim the address, the first.
        """
        for index in (self._answering, self._by_query):
            if index.get(address):
                return index[address][0]
        told = self._by_told.get(address, [])
        return told[0] if len(told) == 1 else None


def _ports(sightings: Iterable[Sighting]) -> tuple[list[_Port], list[Sighting]]:
    """Return sightings by LAN and MAC, and those without an identifying MAC."""
    by_mac: dict[str, list[Sighting]] = defaultdict(list)
    bare = []
    for sighting in sightings:
        if sighting.mac and is_identifying_mac(sighting.mac):
            by_mac[sighting.mac].append(sighting)
        else:
            bare.append(sighting)
    return [port for mac in sorted(by_mac) for port in _ports_of(mac, by_mac[mac])], bare


def _ports_of(mac: str, sightings: Sequence[Sighting]) -> list[_Port]:
    """Return one port, or one for each LAN: equal MACs on two LANs may be two clones.

    Where the observer named no LAN, the addresses tell. An address on two LANs makes them one:
    within one address space that is one host.
    """
    named = sorted({s.segment for s in sightings if s.segment})
    lans = {lan_of(s.address) for s in sightings if not s.segment}
    is_one = len(named) == 1 or (
        not named and sum(":" not in x for x in lans) <= 1 and sum(":" in x for x in lans) <= 1
    )
    by_lan: dict[str, _Port] = {}
    for sighting in sightings:
        lan = "" if is_one else sighting.segment or lan_of(sighting.address)
        by_lan.setdefault(lan, _Port(mac)).sightings.append(sighting)
    merged: list[_Port] = []
    for lan in sorted(by_lan):
        port = by_lan[lan]
        for other in [o for o in merged if not o.addresses.isdisjoint(port.addresses)]:
            port.sightings.extend(other.sightings)
            merged.remove(other)
        merged.append(port)
    return merged
