"""What was really probed. An address outside the coverage is unknown, never absent."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """The addresses of one namespace that a sweep really probed, as few prefixes as possible."""

    namespace: str
    prefixes: tuple[str, ...]

    def covers(self, namespace: str, ip: str) -> bool:
        """Tell whether `ip` of `namespace` was probed."""
        if namespace != self.namespace:
            return False
        address = ipaddress.ip_address(ip)
        return any(address in ipaddress.ip_network(prefix) for prefix in self.prefixes)


def coverage_of(namespace: str, probed: Iterable[str]) -> Coverage:
    """Return the coverage of addresses and prefixes given as text, collapsed and sorted."""
    networks = [ipaddress.ip_network(item) for item in probed]
    v4 = [n for n in networks if isinstance(n, ipaddress.IPv4Network)]
    v6 = [n for n in networks if isinstance(n, ipaddress.IPv6Network)]
    prefixes = [str(n) for n in ipaddress.collapse_addresses(v4)]
    prefixes += [str(n) for n in ipaddress.collapse_addresses(v6)]
    return Coverage(namespace=namespace, prefixes=tuple(prefixes))
