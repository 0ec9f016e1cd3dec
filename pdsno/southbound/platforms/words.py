"""The words that devices use for numbers, times, states and addresses. Pure."""

import ipaddress
import re
from collections.abc import Iterable

from pdsno.southbound.platforms.base import clean

_NOTHING = frozenset(
    {"", "-", "--", "---", "n/a", "na", "none", "not advertised", "not available", "unspecified"}
    | {"unassigned", "unknown", "not present", "null", "not received", "not configured"}
)
_UNIT_S = {"y": 365 * 86400, "w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}
_SPAN = re.compile(
    r"(\d+)\s*(years?|weeks?|days?|hours?|hrs?|minutes?|mins?|seconds?|secs?|[ywdhms])(?![a-z])",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"\b(\d{1,4}):(\d{2})(?::(\d{2}))?\b")
_SPEED = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)", re.IGNORECASE)
_MBPS = {"k": 1e-3, "": 1, "m": 1, "g": 1000, "t": 1_000_000}
_UP = re.compile(
    r"\A\*?(?:up|connected|link-up|protocol-up|admin-up|enabled?|yes|true)\b", re.IGNORECASE
)
_ADMIN_DOWN = re.compile(r"adm|disabled\b(?<!err-disabled)|shut|\A\*down", re.IGNORECASE)
_MAX_VLAN = 4094


def said(value: object) -> str | None:
    """Return a device's text on one line; None for what devices write instead of nothing."""
    text = clean(value)
    return None if text is None or text.lower() in _NOTHING else text


def number(value: object) -> int | None:
    """Return a positive whole number out of a text."""
    text = (said(value) or "").replace(",", "").split(" ")[0]
    return int(text) if text.isascii() and text.isdigit() and int(text) > 0 else None


def vlan_id(value: object) -> int | None:
    """Return a VLAN number (IEEE 802.1Q: 1 to 4094); None for "All" and the like."""
    found = number(value)
    return found if found is not None and found <= _MAX_VLAN else None


def duration_s(value: object) -> int | None:
    """Return seconds out of `1 year, 2 days, 3 hours`, `5w3d20m51s` or `2 days, 12:34`."""
    text = said(value)
    if text is None:
        return None
    found = _SPAN.findall(text)
    total = sum(int(count) * _UNIT_S[unit[0].lower()] for count, unit in found)
    clock = _CLOCK.search(text)
    if clock:
        total += int(clock[1]) * 3600 + int(clock[2]) * 60 + int(clock[3] or 0)
    return total if found or clock else None


def speed_mbps(value: object) -> int | None:
    """Return Mbit/s out of `1000Mb/s`, `10G`, `a-1000`, `10000000 kbit`; None for auto."""
    found = _SPEED.search(said(value) or "")
    if found is None:
        return None
    return int(float(found[1]) * _MBPS[found[2].lower()]) or None


def is_up(text: str | None) -> bool | None:
    """Tell whether a state means that it works; None if nothing was said."""
    return None if text is None else bool(_UP.search(text))


def is_admin_down(text: str | None) -> bool:
    """Tell whether a state says that somebody shut it."""
    return text is not None and bool(_ADMIN_DOWN.search(text))


def state(is_working: bool | None) -> str | None:  # noqa: FBT001 - a conversion
    """Return RFC 8343's word."""
    if is_working is None:
        return None
    return "up" if is_working else "down"


def ip_with_length(address: object, length: object = None) -> str | None:
    """Return `address/prefixlen`; bare if no length or mask is known; None if it is no address."""
    text = (said(address) or "").split(" ")[0].split("%")[0]
    told = said(length)
    if told and "/" not in text:
        text = f"{text}/{told.rpartition('/')[2]}"
    try:
        found = ipaddress.ip_interface(text)
    except ValueError:
        return None
    if found.ip.is_unspecified:
        return None
    return str(found) if "/" in text else str(found.ip)


def ip_bare(values: Iterable[object]) -> str | None:
    """Return the first address of several texts, IPv4 before IPv6."""
    found = [ip.partition("/")[0] for value in values if (ip := ip_with_length(value))]
    return min(found, key=lambda ip: ":" in ip, default=None)
