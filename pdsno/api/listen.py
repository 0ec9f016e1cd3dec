"""Where an API without authentication may listen."""

import ipaddress
from typing import TypeAlias

from pdsno.domain.errors import InputError

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_SHORTEST_PREFIX = {4: 16, 6: 64}
"""A lab's management network is no larger: `0.0.0.0/0` would be a way around the rule."""


def check_listen_address(host: str, *, allow_lab_network: str | None) -> None:
    """Raise InputError unless `host` is loopback or an address inside the allowed lab network.

    `localhost` counts as loopback; other names are refused, since what they mean may change.
    """
    network = _lab_network(allow_lab_network) if allow_lab_network is not None else None
    if host == "localhost":
        return
    address = _address(host)
    if address.is_loopback:
        return
    if address.is_unspecified:
        raise InputError(
            f"the API has no authentication yet and cannot listen on {host} (every address): "
            "use 127.0.0.1, or this machine's address in the lab's management network"
        )
    if network is None:
        raise InputError(
            f"the API has no authentication yet and cannot listen on {host}: use 127.0.0.1; "
            "in a lab name its management network in `lab_network`"
        )
    if address not in network:
        raise InputError(
            f"the API has no authentication yet and cannot listen on {host}: it is outside "
            f"the lab's management network {network}"
        )


def _address(host: str) -> _Address:
    try:
        address = ipaddress.ip_address(host)
    except ValueError as error:
        raise InputError(
            f"the API cannot listen on {host!r}: give an IP address, or localhost"
        ) from error
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _lab_network(text: str) -> _Network:
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise InputError(
            f"the lab network {text!r} is not a subnet: write it as 172.30.30.0/24"
        ) from error
    shortest = _SHORTEST_PREFIX[network.version]
    if network.prefixlen < shortest:
        raise InputError(
            f"the lab network {network} is too large for an API without authentication: "
            f"at most a /{shortest}"
        )
    return network
