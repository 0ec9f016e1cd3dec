"""Two hosts with one address, one MAC at two places: what a cycle saw at one time.

Only what answered in this cycle counts. A table may be minutes old, so that an address in it says
who had it, and a MAC under which a router answers for others says nothing of who has it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pdsno.domain.addresses import own_ips
from pdsno.domain.attribution import MAX_ADDRESSES
from pdsno.domain.endpoints import told_macs
from pdsno.domain.entities import Attachment, Device
from pdsno.domain.identifiers import is_identifying_ip, is_identifying_mac
from pdsno.domain.observations import Facts, Method, Sighting

ADDRESS_CONFLICT = "ADDRESS_CONFLICT"
MAC_DUPLICATED = "MAC_DUPLICATED"


@dataclass(frozen=True, kw_only=True, slots=True)
class Conflict:
    """One anomaly. `key` is the same as long as it lasts: the address, or the MAC.

    `macs` are those that hold an address; `addresses` the addresses of a MAC on each segment;
    `places` the ports of a MAC.
    """

    kind: str
    key: str
    namespace: str
    macs: tuple[str, ...] = ()
    addresses: tuple[tuple[str, ...], ...] = ()
    places: tuple[Attachment, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


def address_conflicts(
    namespace: str, sightings: Iterable[Sighting], facts: Iterable[Facts], devices: Iterable[Device]
) -> tuple[Conflict, ...]:
    """Return the addresses at which two answered, ordered; a device with two MACs is one."""
    owners = _owners(devices)
    told = _told(facts, owners)
    held: dict[str, set[str]] = defaultdict(set)
    for mac, addresses in _answers(sightings).items():
        own = told.get(owners.get(mac, ""))
        for ip in addresses:
            if own is None or ip in own:
                held[ip].add(mac)
    found = []
    for ip, macs in sorted(held.items()):
        holders = {owners.get(mac, mac) for mac in macs}
        if len(holders) > 1:
            named = [{"mac": mac, "device_id": owners.get(mac)} for mac in sorted(macs)]
            found.append(
                Conflict(
                    kind=ADDRESS_CONFLICT,
                    key=f"{namespace}/{ip}",
                    namespace=namespace,
                    macs=tuple(sorted(macs)),
                    data={"namespace": namespace, "ip": ip, "holders": named},
                )
            )
    return tuple(found)


def mac_conflicts(
    namespace: str,
    sightings: Iterable[Sighting],
    places: Mapping[str, tuple[Attachment, ...]],
    devices: Iterable[Device],
) -> tuple[Conflict, ...]:
    """Return the MACs of hosts that are at two places at a time, ordered.

    Two places: edge ports of two switches (`places`, by MAC), or two segments with other addresses
    on each. A device may have one MAC on all interfaces that it tells, and so may a host on
    several VLANs of one cable.
    """
    found = [
        *(_on_two_ports(namespace, mac, ports) for mac, ports in places.items()),
        *_on_two_segments(namespace, sightings, told_macs(devices)),
    ]
    return tuple(sorted(found, key=lambda c: (c.key, bool(c.places))))


def _on_two_ports(namespace: str, mac: str, places: tuple[Attachment, ...]) -> Conflict:
    ports = sorted(f"{place.device or place.device_id} {place.interface}" for place in places)
    return Conflict(
        kind=MAC_DUPLICATED,
        key=f"{namespace}/{mac}",
        namespace=namespace,
        macs=(mac,),
        places=places,
        data={"namespace": namespace, "mac": mac, "ports": ports},
    )


def _on_two_segments(
    namespace: str, sightings: Iterable[Sighting], told: set[str]
) -> Iterable[Conflict]:
    segments: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for sighting in _fresh(sightings):
        if sighting.mac and sighting.mac not in told and sighting.segment:
            segments[sighting.mac][sighting.segment].add(sighting.address)
    for mac, by_segment in segments.items():
        if len({name.partition(".")[0] for name in by_segment}) < 2:  # noqa: PLR2004 - two places
            continue
        if set.intersection(*by_segment.values()):
            continue
        named = {name: sorted(addresses) for name, addresses in sorted(by_segment.items())}
        yield Conflict(
            kind=MAC_DUPLICATED,
            key=f"{namespace}/{mac}",
            namespace=namespace,
            macs=(mac,),
            addresses=tuple(map(tuple, named.values())),
            data={"namespace": namespace, "mac": mac, "segments": named},
        )


def _fresh(sightings: Iterable[Sighting]) -> Iterable[Sighting]:
    """Yield what answered just now with a MAC that one host has."""
    for sighting in sightings:
        is_table = sighting.method is Method.NEIGHBOUR_TABLE
        if sighting.mac and not is_table and is_identifying_mac(sighting.mac):
            yield sighting


def _answers(sightings: Iterable[Sighting]) -> Mapping[str, set[str]]:
    """Return the addresses at which each MAC answered, without those that answer for others."""
    found: dict[str, set[str]] = defaultdict(set)
    for sighting in _fresh(sightings):
        if sighting.mac and is_identifying_ip(sighting.address):
            found[sighting.mac].add(sighting.address)
    return {
        mac: addresses
        for mac, addresses in found.items()
        if sum(":" not in ip for ip in addresses) <= MAX_ADDRESSES
    }


def _owners(devices: Iterable[Device]) -> dict[str, str]:
    """Return the device of each MAC that one device alone has."""
    owners: dict[str, set[str]] = defaultdict(set)
    for device in devices:
        for mac in (*device.macs, *(i.mac for i in device.interfaces if i.mac)):
            owners[mac].add(device.device_id)
    return {mac: next(iter(ids)) for mac, ids in owners.items() if len(ids) == 1}


def _told(facts: Iterable[Facts], owners: Mapping[str, str]) -> Mapping[str, set[str]]:
    """Return the addresses that devices told in this cycle; what they hold besides is a proxy's."""
    told: dict[str, set[str]] = defaultdict(set)
    for item in facts:
        for device_id in {owners[i.mac] for i in item.interfaces if i.mac and i.mac in owners}:
            told[device_id] |= own_ips(item)
    return told


# --- when it began ---------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Before:
    """What the NIB knew of a conflict's parties before this cycle.

    `holders` are the MACs that had the address when they were last seen together; `addresses` what
    the MAC had. `times` tells for each port how often it had the MAC: 0, 1, or 2 for more.
    """

    holders: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()
    times: Mapping[Attachment, int] = field(default_factory=dict)


def begins(conflict: Conflict, before: Before) -> bool:
    """Tell whether this is the cycle to say it: once, and not again while it lasts.

    A MAC at two ports is told at the second cycle in a row that shows it: MAC tables are read one
    after the other, and a telephone may have walked from one to the next in between.
    """
    if conflict.places:
        times = sorted(before.times.get(place, 0) for place in conflict.places)
        return times[0] == 1
    if conflict.addresses:
        return not _had_both(conflict.addresses, before.addresses)
    return len(before.holders & set(conflict.macs)) < len(conflict.macs)


def lasts(conflict: Conflict, before: Before) -> bool:
    """Tell whether a conflict is more than a telephone that walks between two readings."""
    if not conflict.places:
        return True
    return all(before.times.get(place, 0) for place in conflict.places)


def _had_both(groups: Sequence[Sequence[str]], had: frozenset[str]) -> bool:
    return sum(bool(had & set(group)) for group in groups) == len(groups)
