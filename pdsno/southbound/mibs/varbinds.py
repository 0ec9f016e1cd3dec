"""Varbinds as they come from an agent, and how their values are read.

An agent is not believed: text may hold any bytes, an index may be cut short, a number may be
text. What cannot be read is None, never an exception.
"""

import ipaddress
from collections.abc import Iterator, Mapping

from pdsno.domain.errors import InputError
from pdsno.domain.identifiers import normalise_mac

Value = None | str | bytes | int | float
"""OIDs and IpAddresses are text, octet strings bytes, all numbers int or float."""

Varbinds = Mapping[str, Value]
"""Numeric OID without a leading dot -> value."""

MAX_TEXT = 255
_MAC_BYTES = 6
_V4_BYTES = 4
_V6_BYTES = 16
_V4_TYPES = (1, 3)  # InetAddressType ipv4, ipv4z (RFC 4001)
_V6_TYPES = (2, 4)


def column(varbinds: Varbinds, oid: str) -> Iterator[tuple[tuple[int, ...], Value]]:
    """Yield (index, value) of the cells beneath `oid`."""
    prefix = f"{oid}."
    for key, value in varbinds.items():
        if key.startswith(prefix):
            yield tuple(int(part) for part in key[len(prefix) :].split(".")), value


def cells(varbinds: Varbinds, oid: str) -> dict[int, Value]:
    """Return the cells of a column whose index is a single number."""
    return {index[0]: value for index, value in column(varbinds, oid) if len(index) == 1}


def text(value: Value) -> str | None:
    """Return printable text, or None if there is none. Control characters are dropped."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    if not isinstance(value, str):
        return None
    clean = "".join(char if char.isprintable() else " " for char in value[:MAX_TEXT])
    return " ".join(clean.split()) or None


def number(value: Value) -> int | None:
    """Return a whole number."""
    return int(value) if isinstance(value, int | float) else None


def mac(value: Value) -> str | None:
    """Return a normalised MAC out of six bytes (or of text, as some agents send it)."""
    if isinstance(value, bytes) and len(value) != _MAC_BYTES:
        value = text(value)
    if isinstance(value, bytes):
        value = value.hex()
    try:
        found = normalise_mac(value) if isinstance(value, str) else None
    except InputError:
        return None
    return None if found == "00:00:00:00:00:00" else found


def address(kind: int, packed: bytes) -> str | None:
    """Return an address by its InetAddressType; a zone index (ipv4z, ipv6z) is cut off."""
    if kind in _V4_TYPES and len(packed) >= _V4_BYTES:
        return str(ipaddress.IPv4Address(packed[:_V4_BYTES]))
    if kind in _V6_TYPES and len(packed) >= _V6_BYTES:
        return str(ipaddress.IPv6Address(packed[:_V6_BYTES]))
    return None


def address_in_index(index: tuple[int, ...]) -> str | None:
    """Return the address of an index `type.length.octets…`, as InetAddress tables have it."""
    kind, packed = counted(index)
    return address(kind, packed)


def counted(index: tuple[int, ...]) -> tuple[int, bytes]:
    """Return (kind, octets) of an index `kind.length.octets…`; (0, b"") if it is cut short."""
    if len(index) < 2 or len(index) < 2 + index[1]:  # noqa: PLR2004 - kind and length
        return 0, b""
    octets = index[2 : 2 + index[1]]
    return (index[0], bytes(octets)) if all(o < 1 << 8 for o in octets) else (0, b"")
