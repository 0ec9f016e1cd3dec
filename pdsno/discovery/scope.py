"""Whom a cycle may ask: the targets and where neighbours lead, minus what nobody may touch."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from pdsno.domain.observations import Outcome

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeScope:
    """What may be asked. Everything in CIDR notation; `exclude` wins over all, then `passive_only`.

    `subnets` are swept; inside `crawl` only those are asked whom a device names as neighbour.
    """

    subnets: tuple[str, ...] = ()
    crawl: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    passive_only: tuple[str, ...] = ()

    def verdict(self, address: str) -> Outcome | None:
        """Return None if the address may be asked, else EXCLUDED, PASSIVE_ONLY or NOT_TRIED.

        NOT_TRIED is for an address outside of everything that policy names.
        """
        ip = ipaddress.ip_address(address)
        if _contains(self.exclude, ip):
            return Outcome.EXCLUDED
        if _contains(self.passive_only, ip):
            return Outcome.PASSIVE_ONLY
        if _contains(self.subnets, ip) or _contains(self.crawl, ip):
            return None
        return Outcome.NOT_TRIED


def _contains(prefixes: Iterable[str], ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return any(ip in network for network in map(ipaddress.ip_network, prefixes))
