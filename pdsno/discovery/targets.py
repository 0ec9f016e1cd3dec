"""What to probe: subnets minus exclusions."""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pdsno.domain.errors import InputError
from pdsno.domain.policy import check_subnet

_POINT_TO_POINT = 31
"""From this prefix length on, every address may be a host's (RFC 3021)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A subnet to sweep.

    `exclude` are prefixes inside it that are never probed. Nothing is sent to `passive_only`
    prefixes either, but what this machine knows of them anyway is taken.
    """

    subnet: str
    exclude: tuple[str, ...] = ()
    passive_only: tuple[str, ...] = ()

    @property
    def network(self) -> ipaddress.IPv4Network:
        """The subnet as a value."""
        return ipaddress.IPv4Network(self.subnet)


def plan_targets(
    subnets: Iterable[str],
    *,
    exclude: Iterable[str] = (),
    passive_only: Iterable[str] = (),
    force: bool = False,
) -> tuple[Target, ...]:
    """Return what to sweep, in the order given; a subnet inside another one is asked once.

    Raises InputError for what is no subnet, larger than a /16 (unless `force`), or IPv6: an IPv6
    subnet cannot be swept, its hosts are found by what routers and switches tell.
    """
    networks = [_v4(text, force=force) for text in subnets]
    holes, quiet = _v4_only(exclude), _v4_only(passive_only)
    targets = []
    for position, network in enumerate(networks):
        others = (*networks[:position], *(n for n in networks[position + 1 :] if n != network))
        if any(network.subnet_of(other) for other in others):
            continue
        targets.append(
            Target(
                subnet=str(network),
                exclude=_touching(network, holes),
                passive_only=_touching(network, quiet),
            )
        )
    return tuple(targets)


def _v4_only(prefixes: Iterable[str]) -> list[ipaddress.IPv4Network]:
    """Return the IPv4 ones: a sweep sends nothing to the others anyway. Raises InputError."""
    networks = [check_subnet(text, force=True) for text in prefixes]
    return [item for item in networks if isinstance(item, ipaddress.IPv4Network)]


def _touching(
    network: ipaddress.IPv4Network, holes: Iterable[ipaddress.IPv4Network]
) -> tuple[str, ...]:
    return tuple(sorted({str(hole) for hole in holes if hole.overlaps(network)}))


def _v4(text: str, *, force: bool) -> ipaddress.IPv4Network:
    # Of an IPv6 subnet the size is not what is wrong: `--force` would not help.
    network = check_subnet(text, force=force or ":" in text)
    if not isinstance(network, ipaddress.IPv4Network):
        raise InputError(
            f"{text}: an IPv6 subnet is too large to sweep; name IPv4 subnets, and the routers' "
            "tables show IPv6 neighbours"
        )
    return network


def prefixes_without(
    network: ipaddress.IPv4Network, holes: Iterable[str]
) -> tuple[ipaddress.IPv4Network, ...]:
    """Return `network` minus addresses and prefixes, as few prefixes as possible, in order."""
    left = [network]
    for hole in ipaddress.collapse_addresses(ipaddress.IPv4Network(item) for item in holes):
        left = [part for net in left for part in _minus(net, hole)]
    return tuple(sorted(left))


def _minus(
    network: ipaddress.IPv4Network, hole: ipaddress.IPv4Network
) -> Sequence[ipaddress.IPv4Network]:
    if network.subnet_of(hole):
        return []
    if hole.subnet_of(network):
        return list(network.address_exclude(hole))
    return [network]


def hosts_of(prefixes: Iterable[ipaddress.IPv4Network], subnet: ipaddress.IPv4Network) -> list[str]:
    """Return every address that a host of `subnet` may have: not its network and broadcast."""
    ends = {int(subnet.network_address), int(subnet.broadcast_address)}
    if subnet.prefixlen >= _POINT_TO_POINT:
        ends = set()
    return [
        str(ipaddress.IPv4Address(number))
        for prefix in prefixes
        for number in range(int(prefix.network_address), int(prefix.broadcast_address) + 1)
        if number not in ends
    ]


def inside(network: ipaddress.IPv4Network, prefixes: Iterable[str]) -> list[str]:
    """Return the addresses that hosts of `network` may have and that are in one of the prefixes."""
    left = prefixes_without(network, prefixes)
    wanted = prefixes_without(network, map(str, left))
    return hosts_of(wanted, network)
