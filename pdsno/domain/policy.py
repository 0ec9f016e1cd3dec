"""Policy documents: who may be admitted, what each local controller probes, how often."""

import ipaddress
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from pdsno.domain.errors import InputError
from pdsno.domain.identifiers import check_controller_id, check_region
from pdsno.domain.scan_windows import ScanWindow, check_window

MIN_INTERVAL_S = 5
LARGEST_TARGET = 16
"""Shortest IPv4 prefix that a target may have; a /16 is 65,536 addresses."""

_NAMESPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Admission(StrEnum):
    """Who decides on a local controller: its regional controller, or always the global one."""

    REGIONAL = "regional"
    GLOBAL = "global"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pause:
    """By whose word nothing is probed, since when (aware UTC) and why."""

    by: str
    since: datetime
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalPolicy:
    """What one local controller does.

    `namespace` is that of its targets, by default the region's. Nothing is ever sent to
    `exclude`; `passive_only` prefixes are known from tables alone. Neighbours that devices name
    are queried inside the targets and inside `crawl`. Without `windows` probes may be sent at any
    time. `rate_pps` paces the sweep of one L2 segment, `login_rate_per_min` all log-ins,
    `snmp_requests_per_s` one device; `deadline_s` ends a cycle. A device inactive for
    `retire_after_days` is forgotten, endpoints after `endpoint_days` (random MACs after
    `random_mac_days`). If more than `brake_percent` of at least `brake_from` devices would become
    inactive in one cycle, none does until an operator agrees.
    """

    controller_id: str
    subnets: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    interval_s: int = 300
    rate_pps: int = 100
    miss_limit: int = 3
    query: bool = True
    namespace: str = ""
    passive_only: tuple[str, ...] = ()
    crawl: tuple[str, ...] = ()
    windows: tuple[ScanWindow, ...] = ()
    is_paused: bool = False
    deadline_s: int = 3600
    login_rate_per_min: int = 120
    snmp_requests_per_s: int = 50
    keep_cycles: int = 10
    retire_after_days: int = 90
    endpoint_days: int = 30
    random_mac_days: int = 7
    brake_percent: int = 30
    brake_from: int = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionPolicy:
    """One region. `local_quota` LCs its RC may admit alone; up to `local_ceiling` the GC may.

    While `is_paused` holds, no local controller of the region sends a probe; `pause` tells by whose
    word. `overlay` counts what the regional controller itself said about that: it only rises
    within one (epoch, version) of the policy, and a newer policy begins anew.
    """

    region: str
    namespace: str = ""
    admission: Admission = Admission.REGIONAL
    regional_quota: int = 1
    local_quota: int = 10
    local_ceiling: int = 20
    prefixes: tuple[str, ...] = ()
    local_controllers: tuple[LocalPolicy, ...] = ()
    is_paused: bool = False
    pause: Pause | None = None
    overlay: int = 0

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
class Withdrawn:
    """A controller that may not act: `status` is revoked, blocked or locked."""

    controller_id: str
    key_id: str
    status: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """The whole policy. `(epoch, version)` only rises.

    `withdrawn` is written by `controller revoke|block|unblock` alone, never by a policy file.
    """

    epoch: int = 1
    version: int = 0
    regions: tuple[RegionPolicy, ...] = ()
    withdrawn: tuple[Withdrawn, ...] = ()

    def region(self, name: str) -> RegionPolicy | None:
        """Return one region's policy, or None."""
        for entry in self.regions:
            if entry.region == name:
                return entry
        return None


def space_of(region: RegionPolicy, local: LocalPolicy) -> str:
    """Return the namespace of a local controller's targets: its own, else the region's."""
    return local.namespace or region.space


def check_policy(policy: Policy) -> Policy:
    """Return `policy` if it is sound, else raise InputError naming the first fault.

    Sound: regions unique casefolded; every subnet a proper prefix of at most a /16; no address
    of one namespace is for two local controllers to probe, by sweep or by crawl.
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
    _check_apart(_probed_by_policy(policy))
    _check_apart(_prefixes_of_regions(policy))
    return policy


_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, kw_only=True, slots=True)
class _Claim:
    """A prefix of a namespace that is somebody's alone."""

    space: str
    network: _Network
    owner: str


def _probed_by_policy(policy: Policy) -> Iterator[_Claim]:
    for region in policy.regions:
        for local in region.local_controllers:
            for prefix in (*local.subnets, *local.crawl):
                yield _Claim(
                    space=space_of(region, local),
                    network=ipaddress.ip_network(prefix),
                    owner=local.controller_id,
                )


def _prefixes_of_regions(policy: Policy) -> Iterator[_Claim]:
    """Yield what regions admit local controllers for that policy does not name."""
    for region in policy.regions:
        for prefix in region.prefixes:
            yield _Claim(
                space=region.space,
                network=ipaddress.ip_network(prefix),
                owner=f"region {region.region}",
            )


def _check_apart(claims: Iterable[_Claim]) -> None:
    """Raise InputError if two owners have an address in common.

    Sorted, a prefix comes right after those that contain it: one look back is enough, for what is
    open has one owner only.
    """
    by_space: dict[tuple[str, int], list[_Claim]] = defaultdict(list)
    for claim in claims:
        by_space[claim.space, claim.network.version].append(claim)
    for found in by_space.values():
        found.sort(key=lambda claim: (int(claim.network.network_address), claim.network.prefixlen))
        widest = found[0]
        for claim in found[1:]:
            if int(claim.network.network_address) > int(widest.network.broadcast_address):
                widest = claim
            elif claim.owner != widest.owner:
                msg = (
                    f"{widest.network} of {widest.owner} and {claim.network} of {claim.owner} "
                    f"overlap in namespace {claim.space!r}: one host is for one controller to probe"
                )
                raise InputError(msg)


def _check_region_policy(region: RegionPolicy) -> None:
    if min(region.regional_quota, region.local_quota, region.local_ceiling) < 0:
        msg = f"region {region.region}: quotas cannot be negative"
        raise InputError(msg)
    _check_namespace(region.namespace, f"region {region.region}")
    for prefix in region.prefixes:
        check_subnet(prefix, force=True)
    names = [local.controller_id for local in region.local_controllers]
    for local in region.local_controllers:
        check_controller_id(local.controller_id)
        if names.count(local.controller_id) > 1:
            msg = f"region {region.region}: {local.controller_id} stands twice"
            raise InputError(msg)
        _check_local(local)


def _check_namespace(name: str, whose: str) -> None:
    """Refuse a name that a VRF's (`namespace/vrf`) could be taken for."""
    if name and not _NAMESPACE.fullmatch(name):
        msg = (
            f"{whose}: {name!r} is no namespace: up to 64 letters, digits, dots, dashes and "
            "underlines, the first a letter or digit"
        )
        raise InputError(msg)


_RANGES = {
    "interval_s": (MIN_INTERVAL_S, 31 * 86400),
    "rate_pps": (1, 1_000_000),
    "miss_limit": (1, 1000),
    "deadline_s": (10, 7 * 86400),
    "login_rate_per_min": (1, 100_000),
    "snmp_requests_per_s": (1, 100_000),
    "keep_cycles": (1, 1000),
    "retire_after_days": (1, 36500),
    "endpoint_days": (1, 36500),
    "random_mac_days": (1, 36500),
    "brake_percent": (1, 100),
    "brake_from": (1, 1_000_000),
}
"""The least and the most of each number of a local controller's policy."""


def _check_local(local: LocalPolicy) -> None:
    _check_namespace(local.namespace, local.controller_id)
    for subnet in local.subnets:
        check_subnet(subnet)
    for prefix in (*local.exclude, *local.passive_only, *local.crawl):
        check_subnet(prefix, force=True)
    for name, (least, most) in _RANGES.items():
        value = getattr(local, name)
        if not least <= value <= most:
            bound = f"at least {least}" if value < least else f"at most {most}"
            msg = f"{local.controller_id}: {name} must be {bound}"
            raise InputError(msg)
    for window in local.windows:
        try:
            check_window(window)
        except InputError as error:
            msg = f"{local.controller_id}: {error}"
            raise InputError(msg) from error


def is_inside(subnet: str, prefixes: Iterable[str]) -> bool:
    """Tell whether every address of `subnet` is in one of the prefixes or in several together.

    Raises InputError if `subnet` is none.
    """
    try:
        wanted = ipaddress.ip_network(subnet)
    except ValueError as error:
        raise InputError(f"{subnet!r} is no subnet: ADDRESS/LENGTH without host bits") from error
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
