"""IP-MIB (RFC 4293): own addresses with prefix lengths, and the ARP and ND tables."""

import ipaddress
from collections import defaultdict
from collections.abc import Iterator

from pdsno.southbound.mibs.varbinds import (
    Varbinds,
    address,
    address_in_index,
    column,
    mac,
    number,
)

_OLD_IFINDEX = "1.3.6.1.2.1.4.20.1.2"  # ipAdEntIfIndex
_OLD_MASK = "1.3.6.1.2.1.4.20.1.3"  # ipAdEntNetMask
_IFINDEX = "1.3.6.1.2.1.4.34.1.3"  # ipAddressIfIndex
_TYPE = "1.3.6.1.2.1.4.34.1.4"  # ipAddressType
_PREFIX = "1.3.6.1.2.1.4.34.1.5"  # ipAddressPrefix, a RowPointer ending in the length
_IPV6_LENGTH = "1.3.6.1.2.1.55.1.8.1.2"  # ipv6AddrPfxLength (RFC 2465, before RFC 4293)
_OLD_ARP = "1.3.6.1.2.1.4.22.1.2"  # ipNetToMediaPhysAddress
_OLD_ARP_TYPE = "1.3.6.1.2.1.4.22.1.4"
_ARP = "1.3.6.1.2.1.4.35.1.4"  # ipNetToPhysicalPhysAddress
_ARP_TYPE = "1.3.6.1.2.1.4.35.1.6"

ADDRESS_COLUMNS = (_OLD_IFINDEX, _OLD_MASK, _IFINDEX, _TYPE, _PREFIX, _IPV6_LENGTH)
ARP_COLUMNS = (_ARP, _ARP_TYPE)
OLD_ARP_COLUMNS = (_OLD_ARP, _OLD_ARP_TYPE)

_UNICAST = 1
_LOCAL, _INVALID = 5, 2
_V4_INDEX, _V6_INDEX = 4, 16
_V6 = 2


def parse_addresses(varbinds: Varbinds) -> dict[int, tuple[str, ...]]:
    """Return `address/prefixlen` by ifIndex, sorted; the bare address if no length was told."""
    lengths: dict[tuple[int, str], int | None] = {}
    for index, ip, length in (
        *_new_table(varbinds),
        *_old_table(varbinds),
        *_ipv6_table(varbinds),
    ):
        known = lengths.get((index, ip))
        lengths[index, ip] = length if known is None else known
    found: dict[int, set[str]] = defaultdict(set)
    for (index, ip), length in lengths.items():
        found[index].add(ip if length is None else f"{ip}/{length}")
    return {index: tuple(sorted(ips)) for index, ips in found.items()}


def _new_table(varbinds: Varbinds) -> Iterator[tuple[int, str, int | None]]:
    types = dict(column(varbinds, _TYPE))
    prefixes = dict(column(varbinds, _PREFIX))
    for index, value in column(varbinds, _IFINDEX):
        ip, if_index = address_in_index(index), number(value)
        if ip is None or if_index is None or types.get(index, _UNICAST) != _UNICAST:
            continue
        yield if_index, ip, _pointed_length(prefixes.get(index), ip)


def _pointed_length(pointer: object, ip: str) -> int | None:
    """Return the last arc of an ipAddressPrefix pointer; 0.0 points nowhere."""
    if not isinstance(pointer, str) or pointer in ("0.0", ""):
        return None
    last = pointer.rpartition(".")[2]
    length = int(last) if last.isdigit() else -1
    return length if 0 < length <= ipaddress.ip_address(ip).max_prefixlen else None


def _old_table(varbinds: Varbinds) -> Iterator[tuple[int, str, int | None]]:
    masks = dict(column(varbinds, _OLD_MASK))
    for index, value in column(varbinds, _OLD_IFINDEX):
        ip, if_index = _v4(index), number(value)
        if ip is not None and if_index is not None:
            yield if_index, ip, _mask_length(masks.get(index))


def _ipv6_table(varbinds: Varbinds) -> Iterator[tuple[int, str, int | None]]:
    """Read ipv6AddrTable: ifIndex, then sixteen octets, which some agents count first."""
    for index, value in column(varbinds, _IPV6_LENGTH):
        octets = index[-_V6_INDEX:]
        if len(index) > _V6_INDEX and all(octet < 1 << 8 for octet in octets):
            length = number(value)
            ip = address(_V6, bytes(octets))
            if ip:
                yield index[0], ip, length if length and 0 < length <= 128 else None  # noqa: PLR2004


def _v4(octets: tuple[int, ...]) -> str | None:
    if len(octets) != _V4_INDEX or any(octet > 255 for octet in octets):  # noqa: PLR2004 - a byte
        return None
    return ".".join(map(str, octets))


def _mask_length(mask: object) -> int | None:
    try:
        return ipaddress.ip_network(f"0.0.0.0/{mask}").prefixlen if isinstance(mask, str) else None
    except ValueError:
        return None


def parse_arp(varbinds: Varbinds) -> tuple[tuple[int, str, str], ...]:
    """Return (ifIndex, address, MAC) of the ARP and ND entries; our own and invalid ones go."""
    found = set()
    types = dict(column(varbinds, _ARP_TYPE))
    for index, value in column(varbinds, _ARP):
        ip = address_in_index(index[1:])
        if ip and types.get(index) not in (_LOCAL, _INVALID):
            found.add((index[0], ip, mac(value)))
    types = dict(column(varbinds, _OLD_ARP_TYPE))
    for index, value in column(varbinds, _OLD_ARP):
        ip = _v4(index[1:])
        if ip and types.get(index) != _INVALID:
            found.add((index[0], ip, mac(value)))
    return tuple(sorted((index, ip, m) for index, ip, m in found if m))
