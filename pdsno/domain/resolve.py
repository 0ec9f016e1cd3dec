"""From raw findings to devices: which sightings and facts are one and the same thing.

A false split is a nuisance, a false merge is a lie: only evidence that belongs to one device
joins (its MACs, its LLDP chassis, its serial, the very address it was queried at). Order and
repetition of the findings do not matter.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pdsno.domain.identifiers import is_identifying_ip, is_identifying_mac
from pdsno.domain.observations import Facts, ObservedDevice, Sighting

K = TypeVar("K", bound=Hashable)


class Clusters(Generic[K]):
    """Disjoint sets (union-find) that remember the order in which members came."""

    def __init__(self) -> None:
        self._parent: dict[K, K] = {}

    def add(self, item: K) -> K:
        """Make `item` known and return the representative of its set."""
        root = self._parent.setdefault(item, item)
        while root != self._parent[root]:
            root = self._parent[root]
        self._parent[item] = root
        return root

    def join(self, a: K, b: K) -> None:
        """Put two items into one set."""
        self._parent[self.add(b)] = self.add(a)

    def sets(self) -> list[list[K]]:
        """Return all sets, members in order of arrival."""
        groups: dict[K, list[K]] = defaultdict(list)
        for item in self._parent:
            groups[self.add(item)].append(item)
        return list(groups.values())


def interface_address(text: str) -> str:
    """Return the address of `address/prefixlen` or of a bare address."""
    return text.partition("/")[0]


def facts_macs(facts: Facts) -> set[str]:
    """Return the identifying MACs that one source told of its own interfaces."""
    return {i.mac for i in facts.interfaces if i.mac and is_identifying_mac(i.mac)}


def facts_ips(facts: Facts) -> set[str]:
    """Return the identifying addresses that one source told of its own interfaces."""
    addresses = {interface_address(ip) for i in facts.interfaces for ip in i.ips}
    return {ip for ip in addresses if is_identifying_ip(ip)} | {facts.address}


def _facts_evidence(facts: Facts) -> Iterator[tuple[str, str]]:
    yield "queried", facts.address
    for mac in facts_macs(facts):
        yield "mac", mac
    if facts.chassis_id:
        yield "chassis", facts.chassis_id
    if facts.serial:
        yield "serial", f"{facts.vendor or ''}/{facts.serial}"


@dataclass(slots=True)
class _Group:
    """One device in the making."""

    facts: list[Facts] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)

    @property
    def macs(self) -> set[str]:
        seen = {s.mac for s in self.sightings if s.mac and is_identifying_mac(s.mac)}
        return seen.union(*(facts_macs(f) for f in self.facts))

    @property
    def ips(self) -> set[str]:
        return {s.address for s in self.sightings}.union(*(facts_ips(f) for f in self.facts))


def _group_facts(facts: Sequence[Facts]) -> list[_Group]:
    clusters: Clusters[tuple[str, str]] = Clusters()
    for item in facts:
        first, *rest = _facts_evidence(item)
        clusters.add(first)
        for key in rest:
            clusters.join(first, key)
    groups: dict[tuple[str, str], _Group] = defaultdict(_Group)
    for item in facts:
        groups[clusters.add(("queried", item.address))].facts.append(item)
    return list(groups.values())


def _index(groups: Iterable[_Group]) -> dict[tuple[str, str], _Group]:
    """Return who owns a MAC, a queried address, or (weaker) an address told by one device only."""
    owners: dict[tuple[str, str], _Group] = {}
    told: dict[str, list[_Group]] = defaultdict(list)
    for group in groups:
        for item in group.facts:
            owners["queried", item.address] = group
            for mac in facts_macs(item):
                owners["mac", mac] = group
        for ip in group.ips:
            told[ip].append(group)
    for ip, tellers in told.items():
        if len(tellers) == 1:
            owners["told", ip] = tellers[0]
    return owners


def _owner(sighting: Sighting, owners: dict[tuple[str, str], _Group]) -> _Group | None:
    mac = sighting.mac if sighting.mac and is_identifying_mac(sighting.mac) else None
    if mac and ("mac", mac) in owners:
        return owners["mac", mac]
    if ("queried", sighting.address) in owners:
        return owners["queried", sighting.address]
    told = owners.get(("told", sighting.address))
    # Somebody answering ARP with a MAC that the teller does not have is somebody else.
    return told if told and (mac is None or not told.macs) else None


def _group_strangers(sightings: Sequence[Sighting]) -> list[_Group]:
    """Group sightings that no facts explain: by MAC; without a MAC, by address."""
    groups: dict[str, _Group] = defaultdict(_Group)
    by_address: dict[str, _Group] = {}
    for sighting in sightings:
        if sighting.mac and is_identifying_mac(sighting.mac):
            group = groups[sighting.mac]
            group.sightings.append(sighting)
            by_address.setdefault(sighting.address, group)
    for sighting in sightings:
        if not sighting.mac or not is_identifying_mac(sighting.mac):
            group = by_address.get(sighting.address) or groups[sighting.address]
            group.sightings.append(sighting)
    return list(groups.values())


def resolve(
    namespace: str, sightings: Iterable[Sighting], facts: Iterable[Facts]
) -> tuple[ObservedDevice, ...]:
    """Return the devices behind one cycle's findings in one namespace, ordered by address."""
    ordered_facts = sorted(facts, key=lambda f: (f.address, f.source))
    ordered = sorted(sightings, key=lambda s: (s.address, s.mac or "", s.method, s.at))
    known = _group_facts(ordered_facts)
    owners = _index(known)
    strangers = []
    for sighting in ordered:
        group = _owner(sighting, owners)
        if group is None:
            strangers.append(sighting)
        else:
            group.sightings.append(sighting)
    groups = known + _group_strangers(strangers)
    devices = [_observed(namespace, group) for group in groups]
    return tuple(sorted(devices, key=lambda d: (d.management_ip or "", d.macs)))


def _observed(namespace: str, group: _Group) -> ObservedDevice:
    return ObservedDevice(
        at=max([s.at for s in group.sightings] + [f.at for f in group.facts]),
        namespace=namespace,
        management_ip=management_ip(group.facts, group.sightings),
        macs=tuple(sorted(group.macs)),
        ips=tuple(sorted(group.ips)),
        sightings=tuple(group.sightings),
        facts=tuple(group.facts),
    )


def management_ip(facts: Iterable[Facts], sightings: Iterable[Sighting]) -> str | None:
    """Return the address to reach a device by: one that answered, a loopback's if there is one.

    A loopback survives the loss of any one link. Among equals the smallest as text, so that the
    choice does not wander from cycle to cycle.
    """
    facts = list(facts)
    answered = {f.address for f in facts} | {s.address for s in sightings}
    loopbacks = {
        interface_address(ip)
        for f in facts
        for i in f.interfaces
        if i.name.lower().startswith("lo")
        for ip in i.ips
    }
    queried = {f.address for f in facts}
    for choice in (answered & loopbacks, queried, answered):
        if choice:
            return min(choice)
    return None


def merge_observed(devices: Sequence[ObservedDevice]) -> ObservedDevice:
    """Return one observed device out of several that were recognised as the same (at least one)."""
    if len(devices) == 1:
        return devices[0]
    group = _Group(
        facts=[f for d in devices for f in d.facts],
        sightings=[s for d in devices for s in d.sightings],
    )
    return _observed(devices[0].namespace, group)
