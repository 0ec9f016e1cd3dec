"""What identifies a device, out of facts, of an observed device, or of a known one.

One form for all, so that one set of rules judges within a cycle, between cycles and between
reporters.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TypeVar

from pdsno.domain.addresses import (
    Place,
    default_ips,
    facts_ips,
    interface_address,
    is_bearing,
    loopback_addresses,
    vrf_ips,
    vrfs_told,
)
from pdsno.domain.clusters import MAX_HOLDERS
from pdsno.domain.entities import Device, Interface
from pdsno.domain.identifiers import (
    identifying_engine,
    identifying_name,
    identifying_serial,
    is_identifying_ip,
    is_identifying_mac,
    is_software_interface,
)
from pdsno.domain.observations import Facts, Method, ObservedDevice

__all__ = [
    "Disputed",
    "Profile",
    "Serial",
    "facts_ips",
    "facts_macs",
    "interface_address",
    "is_mac_text",
    "loopback_addresses",
    "of_device",
    "of_facts",
    "of_observed",
    "shared_addresses",
    "shared_macs",
    "shared_serials",
]

_Item = TypeVar("_Item", bound=Hashable)
_NOBODY: frozenset[str] = frozenset()
_NOWHERE: frozenset[Place] = frozenset()
_SWEPT = frozenset({Method.ARP, Method.ICMP, Method.TCP, Method.NEIGHBOUR_TABLE})
"""Sources that show who is there, and do not ask who it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Serial:
    """A serial as one source told it; chassis and board may have different ones."""

    source: str
    vendor: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """All that one account tells of who it is; empty means "not told".

    `told_*` come from the device's own interface table, `seen_macs` from who answered for it;
    `answering` are MACs that answered where it was asked, perhaps in its place: they tell accounts
    apart and join none. `reached` are addresses at which it answered. Both `reached` and
    `told_ips` are addresses of `namespace`; what it has inside of VRFs is `vrf_ips`, with the
    namespace of each. `is_past` tells an account of an earlier time. `has_facts` is False where
    nobody asked it, or it did not say.
    """

    label: str
    namespace: str
    reached: frozenset[str] = _NOBODY
    told_ips: frozenset[str] = _NOBODY
    vrf_ips: frozenset[Place] = _NOWHERE
    loopbacks: frozenset[str] = _NOBODY
    told_macs: frozenset[str] = _NOBODY
    seen_macs: frozenset[str] = _NOBODY
    answering: frozenset[str] = _NOBODY
    serials: frozenset[Serial] = frozenset()
    chassis: frozenset[str] = _NOBODY
    engines: frozenset[str] = _NOBODY
    host_keys: frozenset[str] = _NOBODY
    names: frozenset[str] = _NOBODY
    has_facts: bool = False
    is_past: bool = False
    own_ips: frozenset[str] = field(init=False, default=_NOBODY)
    """Every address that it calls its own, in whatever namespace."""

    def __post_init__(self) -> None:
        own = self.told_ips
        if self.vrf_ips:
            own |= {ip for _, ip in self.vrf_ips}
        object.__setattr__(self, "own_ips", own)

    @property
    def macs(self) -> frozenset[str]:
        """Every MAC that this account gives the device."""
        return self.told_macs | self.seen_macs if self.seen_macs else self.told_macs

    @property
    def ips(self) -> frozenset[str]:
        """Every address that this account gives the device, in whatever namespace."""
        return self.reached | self.own_ips

    @property
    def serial_texts(self) -> frozenset[str]:
        """Its serials, whoever told them."""
        return frozenset(serial.text for serial in self.serials)

    @property
    def look(self) -> Hashable:
        """What it shows on the wire: MACs, addresses, and whether it tells more."""
        return (self.namespace, self.macs, self.ips, self.has_facts)

    def is_still(self, known: "Profile") -> bool:
        """Tell whether it looks as `known` did, and still tells who it said it was.

        Of several names and serials a NIB keeps one.
        """
        kept = [
            (known.names, self.names),
            (known.engines, self.engines),
            (known.serial_texts, self.serial_texts),
        ]
        return self.look == known.look and all(
            old <= new and bool(old) == bool(new) for old, new in kept
        )

    def keys(self) -> Iterator[Hashable]:
        """Yield what another account must share, some of it, to be judged at all."""
        for mac in self.macs:
            yield "mac", mac
        for ip in self.reached | self.told_ips:
            yield "ip", self.namespace, ip
        for namespace, ip in self.vrf_ips:
            yield "ip", namespace, ip
        for serial in self.serials:
            yield "serial", serial.text
        for chassis in self.chassis:
            yield "chassis", chassis


def facts_macs(facts: Facts) -> set[str]:
    """Return the identifying MACs that one source told of its own interfaces."""
    return {i.mac for i in facts.interfaces if i.mac and is_identifying_mac(i.mac)}


def _told_macs(interfaces: Iterable[Interface]) -> frozenset[str]:
    return frozenset(
        i.mac
        for i in interfaces
        if i.mac and is_identifying_mac(i.mac) and not is_software_interface(i.name)
    )


def _loopbacks(interfaces: Iterable[Interface]) -> frozenset[str]:
    return frozenset(ip for ip in loopback_addresses(interfaces) if is_identifying_ip(ip))


def _serials(source: str, vendor: str | None, text: str | None) -> frozenset[Serial]:
    serial = identifying_serial(text)
    if serial is None:
        return frozenset()
    return frozenset({Serial(source=source, vendor=(vendor or "").casefold(), text=serial)})


def _chassis(text: str | None) -> frozenset[str]:
    """Return a chassis ID unless it is one that many devices have."""
    if not text or not text.strip():
        return frozenset()
    if _is_mac(text):
        return frozenset({text}) if is_identifying_mac(text) else frozenset()
    told = identifying_name(text)
    return frozenset({told}) if told else frozenset()


def _is_mac(text: str) -> bool:
    return len(text) == 17 and text.count(":") == 5  # noqa: PLR2004 - a normalised MAC


def is_mac_text(text: str) -> bool:
    """Tell whether a chassis ID is a normalised MAC."""
    return _is_mac(text)


def _one(text: str | None) -> frozenset[str]:
    return frozenset({text}) if text else frozenset()


def of_facts(
    namespace: str,
    facts: Facts,
    *,
    reached: frozenset[str] = _NOBODY,
    vrfs: Mapping[str, frozenset[str]] | None = None,
) -> Profile:
    """Return what one source's facts say of who the device is.

    `reached` are further addresses at which it answered; `vrfs` is what `vrfs_told` says of it.
    """
    reached |= {facts.address}
    vrfs = vrfs_told([facts]) if vrfs is None else vrfs
    bearing = [i for i in facts.interfaces if is_bearing(i)]
    return Profile(
        label=f"{facts.source} at {facts.address}",
        namespace=namespace,
        reached=frozenset({facts.address}),
        told_ips=default_ips(bearing, vrfs, reached),
        vrf_ips=vrf_ips(namespace, bearing, vrfs, reached),
        loopbacks=_loopbacks(bearing),
        told_macs=_told_macs(facts.interfaces),
        serials=_serials(facts.source, facts.vendor, facts.serial),
        chassis=_chassis(facts.chassis_id),
        engines=_one(identifying_engine(facts.engine_id)),
        host_keys=_one(facts.ssh_host_key),
        names=_one(identifying_name(facts.name)),
        has_facts=True,
    )


def of_observed(observed: ObservedDevice) -> Profile:
    """Return what one cycle knows of who a device is."""
    reached = frozenset(
        {s.address for s in observed.sightings} | {f.address for f in observed.facts}
    )
    vrfs = vrfs_told(observed.facts)
    accounts = [
        of_facts(observed.namespace, facts, reached=reached, vrfs=vrfs) for facts in observed.facts
    ]
    told_macs = _NOBODY.union(*(p.told_macs for p in accounts))
    software = _NOBODY.union(*(facts_macs(f) for f in observed.facts)) - told_macs
    return Profile(
        label=observed.management_ip or "an observed device",
        namespace=observed.namespace,
        reached=reached,
        told_ips=_NOBODY.union(*(p.told_ips for p in accounts)),
        vrf_ips=_NOWHERE.union(*(p.vrf_ips for p in accounts)),
        loopbacks=_NOBODY.union(*(p.loopbacks for p in accounts)),
        told_macs=told_macs,
        seen_macs=frozenset(observed.macs) - told_macs - software,
        serials=frozenset[Serial]().union(*(p.serials for p in accounts)),
        chassis=_NOBODY.union(*(p.chassis for p in accounts)),
        engines=_NOBODY.union(*(p.engines for p in accounts)),
        host_keys=_NOBODY.union(*(p.host_keys for p in accounts)),
        names=_NOBODY.union(*(p.names for p in accounts)),
        has_facts=bool(accounts),
    )


def of_device(device: Device, *, is_past: bool) -> Profile:
    """Return what a NIB, or a reporter, knows of who a device is.

    `is_past` for devices known from before, that may have changed since. Of the addresses in
    VRFs a NIB knows one as reached: the one at which the device is managed.
    """
    told_macs = _told_macs(device.interfaces)
    software = {i.mac for i in device.interfaces if i.mac} - told_macs
    managed = _one(device.management_ip)
    vrfs = vrfs_told([device])
    bearing = [i for i in device.interfaces if is_bearing(i)]
    told = default_ips(bearing, vrfs, managed)
    inside = vrf_ips(device.namespace, bearing, vrfs, managed)
    plumbing = [i for i in device.interfaces if not is_bearing(i)]
    explained = told | default_ips(plumbing, {}, managed) | {ip for _, ip in inside}
    source = device.provenance.get("serial")
    return Profile(
        label=device.name or device.management_ip or device.device_id,
        namespace=device.namespace,
        reached=(frozenset(device.ips) - explained) | managed,
        told_ips=told,
        vrf_ips=inside,
        loopbacks=_loopbacks(bearing),
        told_macs=told_macs,
        seen_macs=frozenset(m for m in device.macs if is_identifying_mac(m)) - told_macs - software,
        serials=_serials(source.source if source else "", device.vendor, device.serial),
        chassis=_chassis(device.chassis_id),
        engines=_one(identifying_engine(device.engine_id)),
        host_keys=_one(device.ssh_host_key),
        names=_one(identifying_name(device.name)),
        has_facts=not _SWEPT.issuperset(device.sources) or bool(device.interfaces or device.name),
        is_past=is_past,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Disputed:
    """What several devices have at a time, so that it does not tell them apart.

    `present` are the MACs that anybody shows now: who had one of them before did not lose it.
    """

    macs: frozenset[str] = _NOBODY
    ips: frozenset[Place] = _NOWHERE
    """With their namespace."""
    serials: frozenset[str] = _NOBODY
    host_keys: frozenset[str] = _NOBODY
    present: frozenset[str] = _NOBODY


Apart = Callable[[Profile, Profile], bool]
"""Tells whether two accounts are of two devices."""


def shared_addresses(profiles: Sequence[Profile], are_apart: Apart) -> frozenset[Place]:
    """Return addresses, with namespace, that several devices call their own: anycast, VRRP."""
    tellers: dict[Place, list[Profile]] = defaultdict(list)
    for profile in profiles:
        for ip in profile.told_ips:
            tellers[profile.namespace, ip].append(profile)
        for place in profile.vrf_ips:
            tellers[place].append(profile)
    return _shared(tellers, are_apart)


def shared_macs(profiles: Sequence[Profile], are_apart: Apart) -> frozenset[str]:
    """Return MACs that several devices call their own: distributed gateways, clusters, clones."""
    tellers: dict[str, list[Profile]] = defaultdict(list)
    for profile in profiles:
        for mac in profile.told_macs:
            tellers[mac].append(profile)
    return _shared(tellers, are_apart)


def shared_serials(profiles: Sequence[Profile], are_apart: Apart) -> frozenset[str]:
    """Return serials that several devices tell: clones, contexts of one chassis, a server's BMC."""
    tellers: dict[str, list[Profile]] = defaultdict(list)
    for profile in profiles:
        for text in profile.serial_texts:
            tellers[text].append(profile)
    return frozenset(
        text
        for text, told in tellers.items()
        if len(told) > MAX_HOLDERS or any(are_apart(a, b) for a, b in combinations(told, 2))
    )


def _shared(tellers: Mapping[_Item, Sequence[Profile]], are_apart: Apart) -> frozenset[_Item]:
    return frozenset(
        key for key, (first, *rest) in tellers.items() if any(are_apart(first, p) for p in rest)
    )
