"""Which address is whose, and in which namespace: an address is unique only inside of one.

The base namespace is that of the cycle (by policy, by default the region's). What a device has
inside of a VRF is in a namespace beneath: the VRF's name after a slash. One VRF name within one
base namespace is one namespace, whichever router tells it. Where a device answered is in the base
namespace, whatever it calls the VRF: an out-of-band network that we reach is ours.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Protocol, TypeAlias

from pdsno.domain.entities import Device, Interface
from pdsno.domain.identifiers import is_identifying_ip, is_software_interface
from pdsno.domain.observations import Facts

Place: TypeAlias = tuple[str, str]
"""A namespace, and an address in it."""

_LOOPBACK = re.compile(r"(lo|loopback)[ _:./-]*\d*([.:]\d+)*|system", re.ASCII)
_DEFAULT = ""
_ONLY_DEFAULT = frozenset({_DEFAULT})


class TellsInterfaces(Protocol):
    """Facts or a device: whatever has a table of interfaces."""

    @property
    def interfaces(self) -> tuple[Interface, ...]:
        """Its interfaces, as far as told."""


def interface_address(text: str) -> str:
    """Return the address of `address/prefixlen` or of a bare address."""
    return text.partition("/")[0]


def vrf_namespace(base: str, vrf: str | None) -> str:
    """Return the namespace of a VRF that a device of the base namespace names; None is the base."""
    return f"{base}/{vrf}" if vrf else base


def loopback_addresses(interfaces: Iterable[Interface]) -> frozenset[str]:
    """Return the bare addresses of loopback interfaces: `lo0.0`, `Loopback0`, Nokia's `system`.

    Such an address survives the loss of any one link, so that a router is best managed there.
    """
    return frozenset(
        interface_address(ip)
        for i in interfaces
        if _LOOPBACK.fullmatch(i.name.strip().lower())
        for ip in i.ips
    )


def is_bearing(interface: Interface) -> bool:
    """Tell whether its addresses are its host's: 172.17.0.1 is on every docker host."""
    return not is_software_interface(interface.name)


def identifying_ips(interface: Interface) -> list[str]:
    """Return its bare addresses that may stand for one device inside of a namespace."""
    return [ip for ip in map(interface_address, interface.ips) if is_identifying_ip(ip)]


def facts_ips(facts: Facts) -> frozenset[str]:
    """Return the addresses that one source told, of the base namespace: none in a VRF.

    The address at which it was asked is one of them, whatever VRF it is in.
    """
    reached = frozenset({facts.address})
    return default_ips(facts.interfaces, vrfs_told([facts]), reached) | reached


def own_ips(facts: Facts) -> set[str]:
    """Return every address that one source told, in whatever namespace."""
    return {facts.address}.union(*(identifying_ips(i) for i in facts.interfaces))


def base_ips(device: Device) -> frozenset[str]:
    """Return the addresses that a device has in its own namespace: those that a sweep asks."""
    vrfs = vrfs_told([device])
    managed = frozenset({device.management_ip} if device.management_ip else ())
    inside = {ip for _, ip in vrf_ips(device.namespace, device.interfaces, vrfs, managed)}
    return frozenset(device.ips) - (inside - default_ips(device.interfaces, vrfs, managed))


def device_places(device: Device) -> frozenset[Place]:
    """Return every address of a device, with its namespace."""
    vrfs = vrfs_told([device])
    managed = frozenset({device.management_ip} if device.management_ip else ())
    here = frozenset((device.namespace, ip) for ip in base_ips(device))
    return here | vrf_ips(device.namespace, device.interfaces, vrfs, managed)


# --- which source knows of VRFs --------------------------------------------------------------


def vrfs_told(tellers: Iterable[TellsInterfaces]) -> Mapping[str, frozenset[str]]:
    """Return the VRFs in which one device has each of its addresses; "" is the default instance.

    Only by those accounts that tell of any VRF: SNMP often shows all addresses as if they were in
    one instance, where SSH tells them apart.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for teller in tellers:
        if not any(i.vrf for i in teller.interfaces):
            continue
        for interface in teller.interfaces:
            for ip in identifying_ips(interface):
                found[ip].add(interface.vrf or _DEFAULT)
    return {ip: frozenset(vrfs) for ip, vrfs in found.items()}


def fill_vrfs(facts: Iterable[Facts], known: Iterable[Device]) -> list[Facts]:
    """Return facts with the VRFs that their source did not tell, as far as anybody did.

    Others asked at the same address in the same cycle did, or the device did before: one whose
    log-in failed today has its VRFs still. Where several devices had the address, none counts.
    """
    items = list(facts)
    asked = {item.address for item in items}
    holders: dict[str, list[Device]] = defaultdict(list)
    for device in known:
        for ip in asked.intersection(device.ips):
            holders[ip].append(device)
    before = {
        ip: devices[0]
        for ip, devices in holders.items()
        if len(devices) == 1 and ip in base_ips(devices[0])
    }
    at_address: dict[str, list[Facts]] = defaultdict(list)
    for item in items:
        at_address[item.address].append(item)
    vrfs = {ip: _vrfs_at(before.get(ip), tellers) for ip, tellers in at_address.items()}
    return [_filled(item, vrfs[item.address]) for item in items]


def _vrfs_at(before: Device | None, now: Iterable[Facts]) -> Mapping[str, frozenset[str]]:
    """Return the VRFs that a device told, now or before; what answered was in its own space."""
    told = dict(vrfs_told(now))
    if before is not None:
        answered = base_ips(before)
        for ip, vrfs in vrfs_told([before]).items():
            told[ip] = told.get(ip, frozenset()) | (_ONLY_DEFAULT if ip in answered else vrfs)
    return told


def _filled(facts: Facts, vrfs: Mapping[str, frozenset[str]]) -> Facts:
    if not vrfs or any(i.vrf for i in facts.interfaces):
        return facts
    return replace(facts, interfaces=tuple(_placed(i, vrfs) for i in facts.interfaces))


def _placed(interface: Interface, vrfs: Mapping[str, frozenset[str]]) -> Interface:
    """Put an interface into the one VRF that all its addresses are in."""
    told = {vrf for ip in identifying_ips(interface) for vrf in vrfs.get(ip, _ONLY_DEFAULT)}
    return replace(interface, vrf=next(iter(told)) or None) if len(told) == 1 else interface


def default_ips(
    interfaces: Iterable[Interface],
    vrfs: Mapping[str, frozenset[str]],
    reached: AbstractSet[str],
) -> frozenset[str]:
    """Return the addresses of these interfaces that are in the base namespace."""
    return frozenset(
        ip
        for interface in interfaces
        for ip in identifying_ips(interface)
        if ip in reached or _DEFAULT in _vrfs_of(interface, ip, vrfs)
    )


def vrf_ips(
    base: str,
    interfaces: Iterable[Interface],
    vrfs: Mapping[str, frozenset[str]],
    reached: AbstractSet[str],
) -> frozenset[Place]:
    """Return the addresses of these interfaces that are in VRFs, with their namespace."""
    if not vrfs:
        return frozenset()
    return frozenset(
        (vrf_namespace(base, vrf), ip)
        for interface in interfaces
        for ip in identifying_ips(interface)
        if ip not in reached
        for vrf in _vrfs_of(interface, ip, vrfs)
        if vrf
    )


def _vrfs_of(interface: Interface, ip: str, vrfs: Mapping[str, frozenset[str]]) -> frozenset[str]:
    if interface.vrf:
        return frozenset({interface.vrf})
    return vrfs.get(ip) or _ONLY_DEFAULT
