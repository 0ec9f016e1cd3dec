"""Hosts that merely are there: out of sweeps, and of the tables of routers and switches.

An endpoint is keyed by its MAC inside a namespace, by its address where nobody showed its MAC.
What it is called by whom, where it is plugged in, and what it has left: rules without I/O, and
the order of the findings does not matter.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pdsno.domain.addresses import Place, device_places, interface_address, vrf_namespace
from pdsno.domain.attribution import MAX_ADDRESSES
from pdsno.domain.entities import Attachment, Device, Endpoint
from pdsno.domain.identifiers import is_identifying_ip, is_identifying_mac, lan_of
from pdsno.domain.locate import Located, locate
from pdsno.domain.observations import AddressOutcome, Facts, Method, ObservedDevice, Outcome
from pdsno.domain.switches import switches_of

ARP_TABLE = "arp-table"
MAC_TABLE = "mac-table"
MOST_ADDRESSES = 32
"""Addresses of one endpoint that are kept; temporary IPv6 addresses make many."""

_LOCALLY_ADMINISTERED = 0x02
_NOWHERE = Located(attachment=None, switches=frozenset())
_QUERIES = frozenset({Method.SNMP, Method.SSH})
_SILENT = frozenset({Outcome.SILENT, Outcome.TIMEOUT, Outcome.REFUSED, Outcome.UNREACHABLE})
_FORBIDDEN = frozenset({Outcome.EXCLUDED, Outcome.PASSIVE_ONLY})


def endpoint_id(namespace: str, mac: str | None, ip: str | None) -> str:
    """Return the ID that follows from an endpoint's key; the same at every tier."""
    text = f"{namespace}\0{mac or ip}"
    return f"ep_{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def is_random_mac(mac: str) -> bool:
    """Tell whether a normalised MAC is locally administered (IEEE 802, second bit)."""
    return bool(int(mac[:2], 16) & _LOCALLY_ADMINISTERED)


def is_stranger(
    observed: ObservedDevice,
    outcomes: Mapping[str, AddressOutcome],
    *,
    told_by_others: frozenset[str] = frozenset(),
    is_known_endpoint: bool = False,
    is_cut_short: bool = False,
    can_ask: bool = False,
) -> bool:
    """Tell whether it answered, was asked where policy allows it, and told nothing.

    `outcomes` are the cycle's records by address; at `told_by_others` it was a device that spoke,
    so that whoever else answers there could not be asked. A management service that was reached
    and not read makes a device, and so does a host that keeps its MAC (a printer, a camera: it is
    missed when it is gone), or that nobody was able to ask. Where others can be asked
    (`can_ask`), a random MAC for which there are no credentials is an endpoint as well. It stays
    one if it is known as one, or if the cycle ended before its turn: to be asked later is no news
    about it.
    """
    if observed.facts:
        return False
    addresses = {s.address for s in observed.sightings} - told_by_others
    if not addresses:
        return True
    probes = [p for a in addresses if a in outcomes for p in outcomes[a].probes]
    if any(probe.outcome in _FORBIDDEN for probe in probes):
        return True
    if any(is_identifying_mac(mac) and not is_random_mac(mac) for mac in observed.macs):
        return False
    asked = {probe.outcome for probe in probes if probe.method in _QUERIES}
    if asked - _SILENT - {Outcome.NOT_TRIED}:
        return False
    if is_known_endpoint:
        return True
    if Outcome.NOT_TRIED in asked:
        return is_cut_short and not asked & _SILENT
    return bool(asked) or (can_ask and bool(observed.macs))


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """One cycle, after it is known who the devices are.

    `devices` are all of the NIB; `tellers` the devices that told facts in this cycle, by the
    address at which they did. `answered` are addresses at which a device answered. `own_macs`
    are this machine's.
    """

    namespace: str
    region: str
    local_controller: str
    now: datetime
    strangers: Sequence[ObservedDevice]
    facts: Sequence[Facts]
    devices: Sequence[Device]
    tellers: Mapping[str, Device]
    answered: frozenset[str]
    vendor_of: Callable[[str], str | None]
    own_macs: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenEndpoint:
    """An endpoint as one cycle saw it.

    `switches` are the IDs of those that have its MAC in their tables; `places` more than one edge
    port that has it at the same time.
    """

    endpoint: Endpoint
    switches: frozenset[str] = frozenset()
    places: tuple[Attachment, ...] = ()


@dataclass(slots=True)
class _Draft:
    ips: set[str] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)


_Key = tuple[str, str]
"""A namespace, and a MAC or an address in it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenEndpoints:
    """All endpoints of one cycle, ordered by ID; each MAC once in a namespace.

    `lans` are the LANs, with namespace, of which a router's table was read: whoever has an address
    there would have been in it. `places` are those of MACs that are at several edge ports, whether
    an endpoint has them or a device that told no interfaces: a device may well have one MAC on all.
    """

    items: tuple[SeenEndpoint, ...]
    lans: frozenset[_Key]
    places: Mapping[str, tuple[Attachment, ...]]


def endpoints_of(look: Look) -> SeenEndpoints:
    """Return the endpoints of one cycle.

    What belongs to a device is none: its MACs, its addresses, the MACs of virtual routers.
    """
    places = locate(switches_of(look.facts, look.tellers, look.devices))
    entries = _arp_entries(look.facts, look.namespace)
    drafts = _Drafts(look, frozenset(places))
    drafts.add_strangers()
    drafts.add_tables(entries)
    drafts.add_switched()
    told = told_macs(look.devices) | look.own_macs
    seen = [_seen(look, key, draft, places) for key, draft in drafts.by_mac.items()]
    seen += [_seen_bare(look, key, draft) for key, draft in drafts.by_ip.items()]
    return SeenEndpoints(
        items=tuple(sorted(seen, key=lambda s: s.endpoint.endpoint_id)),
        lans=frozenset((space, lan_of(ip)) for space, ip, _ in entries),
        places={
            mac: found.places for mac, found in places.items() if found.places and mac not in told
        },
    )


def device_macs(devices: Iterable[Device]) -> set[str]:
    """Return every MAC that belongs to these devices, those of their software interfaces too."""
    found: set[str] = set()
    for device in devices:
        found.update(device.macs)
        found.update(i.mac for i in device.interfaces if i.mac)
    return found


def told_macs(devices: Iterable[Device]) -> set[str]:
    """Return the MACs that devices have by their own word, on however many interfaces."""
    return {i.mac for device in devices for i in device.interfaces if i.mac}


def endpoint_ids_of(device: Device) -> frozenset[str]:
    """Return the IDs under which a device may have been taken for an endpoint before."""
    places = device_places(device)
    spaces = {device.namespace, *(space for space, _ in places)}
    macs = {endpoint_id(space, mac, None) for space in spaces for mac in device_macs([device])}
    return frozenset(macs | {endpoint_id(space, None, ip) for space, ip in places})


class _Drafts:
    """Collects what a cycle tells of each endpoint."""

    def __init__(self, look: Look, switched: frozenset[str]) -> None:
        self.by_mac: dict[_Key, _Draft] = defaultdict(_Draft)
        self.by_ip: dict[_Key, _Draft] = defaultdict(_Draft)
        self._look = look
        self._switched = switched
        self._devices = device_macs(look.devices) | look.own_macs
        self._own_ips = _addresses_of_devices(look)
        self._fresh: dict[_Key, set[str]] = defaultdict(set)

    def add_strangers(self) -> None:
        """Take in what answered a sweep and told nothing."""
        for observed in self._look.strangers:
            macs = {mac for mac in observed.macs if self._is_host(mac)}
            for sighting in observed.sightings:
                key = (observed.namespace, sighting.address)
                if not is_identifying_ip(sighting.address):
                    continue
                if sighting.mac in macs and sighting.mac is not None:
                    self._fresh[key].add(sighting.mac)
                    draft = self.by_mac[observed.namespace, sighting.mac]
                    draft.ips.add(sighting.address)
                else:
                    draft = self.by_ip[key]
                draft.sources.add(sighting.method.value)
        for key in self._fresh.keys() & self.by_ip.keys():
            del self.by_ip[key]

    def add_tables(self, entries: Iterable[tuple[str, str, str]]) -> None:
        """Take in ARP and ND tables: a fresh sighting of an address outweighs what they say."""
        told: dict[_Key, set[str]] = defaultdict(set)
        for space, ip, mac in entries:
            if self._is_host(mac) and (space, ip) not in self._own_ips:
                told[space, ip].add(mac)
        for key, macs in _without_proxies(told).items():
            fresh = self._fresh.get(key)
            holders = macs & fresh if fresh else self._likely(macs)
            for mac in holders:
                draft = self.by_mac[key[0], mac]
                draft.ips.add(key[1])
                draft.sources.add(ARP_TABLE)
            if len(holders) == 1 and key in self.by_ip:
                self.by_mac[key[0], next(iter(holders))].sources |= self.by_ip.pop(key).sources

    def _likely(self, macs: set[str]) -> set[str]:
        """Return who has an address: of several, whoever a switch has heard of late."""
        heard = macs & self._switched
        return heard if len(macs) > 1 and heard else macs

    def add_switched(self) -> None:
        """Take in MAC tables; a MAC that nobody gave an address is in our own namespace."""
        spaces: dict[str, set[str]] = defaultdict(set)
        for space, mac in self.by_mac:
            spaces[mac].add(space)
        for mac in self._switched:
            if self._is_host(mac):
                for space in spaces.get(mac, {self._look.namespace}):
                    self.by_mac[space, mac].sources.add(MAC_TABLE)

    def _is_host(self, mac: str) -> bool:
        return mac not in self._devices and is_identifying_mac(mac)


def _without_proxies(told: Mapping[_Key, set[str]]) -> dict[_Key, set[str]]:
    """Return what tables say without MACs that answer for others: they have too many addresses."""
    held: dict[_Key, int] = defaultdict(int)
    for (space, ip), macs in told.items():
        for mac in macs:
            held[space, mac] += ":" not in ip
    return {
        (space, ip): {m for m in macs if ":" in ip or held[space, m] <= MAX_ADDRESSES}
        for (space, ip), macs in sorted(told.items())
    }


def _arp_entries(facts: Iterable[Facts], namespace: str) -> set[tuple[str, str, str]]:
    """Return (namespace, address, MAC) of all tables.

    The VRF in which a device answered us is ours, whatever it is called there.
    """
    found: set[tuple[str, str, str]] = set()
    for item in facts:
        if not item.arp:
            continue
        here = {i.vrf for i in item.interfaces if item.address in map(interface_address, i.ips)} | {
            None
        }
        for entry in item.arp:
            if is_identifying_ip(entry.ip):
                space = vrf_namespace(namespace, None if entry.vrf in here else entry.vrf)
                found.add((space, entry.ip, entry.mac))
    return found


def _addresses_of_devices(look: Look) -> set[Place]:
    """Return addresses, with namespace, that are a device's for certain.

    So are those at which it answered in this cycle, those that it told, and all of a device that
    nobody has seen a MAC of. What a silent one had may be somebody else's by now.
    """
    found = {(look.namespace, ip) for ip in look.answered}
    for device in look.devices:
        told = {interface_address(ip) for i in device.interfaces for ip in i.ips}
        for space, ip in device_places(device):
            if ip in told or not device.macs:
                found.add((space, ip))
    return found


def _seen(look: Look, key: _Key, draft: _Draft, places: Mapping[str, Located]) -> SeenEndpoint:
    space, mac = key
    is_random = is_random_mac(mac)
    located = places.get(mac, _NOWHERE)
    endpoint = Endpoint(
        endpoint_id=endpoint_id(space, mac, None),
        namespace=space,
        mac=mac,
        ips=tuple(sorted(draft.ips)[:MOST_ADDRESSES]),
        vendor=None if is_random else look.vendor_of(mac),
        is_random_mac=is_random,
        region=look.region,
        local_controller=look.local_controller,
        attachment=located.attachment,
        sources=tuple(sorted(draft.sources)),
        first_seen=look.now,
        last_seen=look.now,
    )
    return SeenEndpoint(endpoint=endpoint, switches=located.switches, places=located.places)


def _seen_bare(look: Look, key: _Key, draft: _Draft) -> SeenEndpoint:
    space, ip = key
    return SeenEndpoint(
        endpoint=Endpoint(
            endpoint_id=endpoint_id(space, None, ip),
            namespace=space,
            mac=None,
            ips=(ip,),
            region=look.region,
            local_controller=look.local_controller,
            sources=tuple(sorted(draft.sources)),
            first_seen=look.now,
            last_seen=look.now,
        )
    )
