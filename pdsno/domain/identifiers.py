"""Names and numbers that identify things: roles, regions, controllers, devices, MACs."""

import ipaddress
import os
import re
import time
import uuid
from enum import StrEnum

from pdsno.domain.errors import InputError

_REGION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?", re.ASCII)
_RESERVED_REGIONS = frozenset({"global", "system"})
_MAC = re.compile(r"[0-9a-f]{12}", re.ASCII)
_CONTROLLER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,94}", re.ASCII)


class Role(StrEnum):
    """What a controller is. Rights come from the role in the NIB, never from parsing an ID."""

    GLOBAL = "global"
    REGIONAL = "regional"
    LOCAL = "local"
    BROKER = "broker"


def check_region(name: str) -> str:
    """Return `name` if it may name a region, else raise InputError.

    Regions are unique casefolded; that is the NIB's and the policy's to check.
    """
    if not _REGION.fullmatch(name) or name.casefold() in _RESERVED_REGIONS:
        msg = (
            f"{name!r} cannot name a region: 1-32 letters, digits or inner hyphens, "
            "and neither 'global' nor 'system'"
        )
        raise InputError(msg)
    return name


def check_controller_id(value: str) -> str:
    """Return `value` if it is safe as a controller ID (in topics, file names, URLs)."""
    if not _CONTROLLER_ID.fullmatch(value):
        msg = f"{value!r} cannot be a controller ID: letters, digits, '_' and '-', at most 95"
        raise InputError(msg)
    return value


def controller_id(role: Role, region: str | None, number: int) -> str:
    """Return the assigned ID: `global_cntl_1`, `regional_cntl_zone-A_1`, `local_cntl_zone-A_1`."""
    if role is Role.GLOBAL:
        return f"global_cntl_{number}"
    return f"{role.value}_cntl_{check_region(region or '')}_{number}"


def uuid7() -> uuid.UUID:
    """Return a time-ordered UUID (RFC 9562 section 5.7): 48 bits of Unix ms, then random."""
    millis = time.time_ns() // 1_000_000
    value = (millis & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value)


def new_device_id() -> str:
    """Return a fresh device ID; every tier mints its own and never rewrites another's."""
    return f"dev_{uuid7()}"


def new_message_id() -> str:
    """Return a fresh message ID."""
    return str(uuid7())


def normalise_mac(value: str) -> str:
    """Return a MAC as `aa:bb:cc:dd:ee:ff` from any usual notation, else raise InputError."""
    digits = re.sub(r"[.:\-\s]", "", value.strip().lower())
    if not _MAC.fullmatch(digits):
        msg = f"{value!r} is not a MAC address"
        raise InputError(msg)
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def is_identifying_mac(mac: str) -> bool:
    """Tell whether a normalised MAC may stand for one device.

    Not so: all-zero, group addresses, and the virtual-router MACs that several routers share
    (VRRP RFC 9568 section 7.3, HSRP v1/v2, GLBP).
    """
    first_octet = int(mac[:2], 16)
    if first_octet & 0x01 or mac == "00:00:00:00:00:00":
        return False
    return not mac.startswith(
        ("00:00:5e:00:01:", "00:00:5e:00:02:", "00:00:0c:07:ac:", "00:00:0c:9f:f", "00:07:b4:00:")
    )


def is_identifying_ip(ip: str) -> bool:
    """Tell whether an address may stand for one device inside a namespace.

    Not so: loopback, link-local, multicast and unspecified addresses, which every host has.
    """
    address = ipaddress.ip_address(ip)
    return not (
        address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
    )
