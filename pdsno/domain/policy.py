"""Policy documents: who may be admitted, what each local controller probes, how often."""

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import TypeAlias

from pdsno.domain.errors import InputError
from pdsno.domain.identifiers import check_controller_id, check_region

MIN_INTERVAL_S = 5
LARGEST_TARGET = 16
"""Shortest IPv4 prefix that a target may have; a /16 is 65,536 addresses."""


class Admission(StrEnum):
    """Who decides on a local controller: its regional controller, or always the global one."""

    REGIONAL = "regional"
    GLOBAL = "global"


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalPolicy:
    """What one local controller does. `rate_pps` paces the sweep, packets per second."""

    controller_id: str
    subnets: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    interval_s: int = 300
    rate_pps: int = 100
    miss_limit: int = 3
    query: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionPolicy:
    """One region. `local_quota` LCs its RC may admit alone; up to `local_ceiling` the GC may."""

    region: str
    namespace: str = ""
    admission: Admission = Admission.REGIONAL
    regional_quota: int = 1
    local_quota: int = 10
    local_ceiling: int = 20
    prefixes: tuple[str, ...] = ()
    local_controllers: tuple[LocalPolicy, ...] = ()

    @property
    def space(self) -> str:
        """The namespace of the region's addresses: by default the region's own."""
        return self.namespace or self.region

    def local(self, controller_id: str) -> LocalPolicy | None:
        """Return what policy says of one local controller, or None."""
        for entry in self.local_controllers:
            if entry.controller_id == controller_id:
                return entry
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """The whole policy. `(epoch, version)` only rises."""

    epoch: int = 1
    version: int = 0
    regions: tuple[RegionPolicy, ...] = ()

    def region(self, name: str) -> RegionPolicy | None:
        """Return one region's policy, or None."""
        for entry in self.regions:
            if entry.region == name:
                return entry
        return None


def check_policy(policy: Policy) -> Policy:
    """Return `policy` if it is sound, else raise InputError naming the first fault.

    Sound: regions unique casefolded; every subnet a proper prefix of at most a /16; no address
    of one namespace is the target of two local controllers.
    """
    seen: dict[str, str] = {}
    for region in policy.regions:
        check_region(region.region)
        folded = region.region.casefold()
        if folded in seen:
            msg = f"region {region.region!r} and {seen[folded]!r} are the same name"
            raise InputError(msg)
        seen[folded] = region.region
        _check_region_policy(region)
    targets = list(_targets(policy))
    for (space, net, owner), (other_space, other_net, other) in combinations(targets, 2):
        if owner != other and space == other_space and _overlap(net, other_net):
            msg = f"{net} of {owner} and {other_net} of {other} overlap in namespace {space!r}"
            raise InputError(msg)
    return policy


_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


def _overlap(a: _Network, b: _Network) -> bool:
    return a.version == b.version and a.overlaps(b)


def _targets(policy: Policy) -> Iterator[tuple[str, _Network, str]]:
    for region in policy.regions:
        for local in region.local_controllers:
            for subnet in local.subnets:
                yield region.space, check_subnet(subnet), local.controller_id


def _check_region_policy(region: RegionPolicy) -> None:
    if min(region.regional_quota, region.local_quota, region.local_ceiling) < 0:
        msg = f"region {region.region}: quotas cannot be negative"
        raise InputError(msg)
    for prefix in region.prefixes:
        check_subnet(prefix, force=True)
    for local in region.local_controllers:
        check_controller_id(local.controller_id)
        for subnet in (*local.subnets, *local.exclude):
            check_subnet(subnet)
        if local.interval_s < MIN_INTERVAL_S:
            msg = f"{local.controller_id}: interval_s must be at least {MIN_INTERVAL_S}"
            raise InputError(msg)
        if local.rate_pps < 1 or local.miss_limit < 1:
            msg = f"{local.controller_id}: rate_pps and miss_limit must be at least 1"
            raise InputError(msg)


def is_inside(subnet: str, prefixes: Iterable[str]) -> bool:
    """Tell whether every address of `subnet` is in one of the prefixes or in several together."""
    wanted = ipaddress.ip_network(subnet)
    networks = [ipaddress.ip_network(prefix) for prefix in prefixes]
    if isinstance(wanted, ipaddress.IPv4Network):
        v4 = [net for net in networks if isinstance(net, ipaddress.IPv4Network)]
        return any(wanted.subnet_of(net) for net in ipaddress.collapse_addresses(v4))
    v6 = [net for net in networks if isinstance(net, ipaddress.IPv6Network)]
    return any(wanted.subnet_of(net) for net in ipaddress.collapse_addresses(v6))


def check_subnet(text: str, *, force: bool = False) -> _Network:
    """Return the network of a CIDR, else raise InputError saying what is wrong with it.

    Larger than a /16 (IPv6: more than 65,536 addresses) needs `force`.
    """
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        try:
            proper = ipaddress.ip_network(text, strict=False)
        except ValueError:
            msg = f"{text!r} is not a subnet: write it as 192.0.2.0/24"
        else:
            msg = f"{text!r} has host bits set: did you mean {proper}?"
        raise InputError(msg) from error
    if network.num_addresses > 1 << LARGEST_TARGET and not force:
        msg = f"{network} has {network.num_addresses:,} addresses, more than a /16: use --force"
        raise InputError(msg)
    return network
