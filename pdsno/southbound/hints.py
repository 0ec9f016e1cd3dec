"""What a device seems to be before it is asked. A hint; what it prints decides."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pdsno.domain.observations import Facts
from pdsno.southbound.mibs.makes import make_of
from pdsno.southbound.platforms import PLATFORMS, platform_announced

_NAMES = frozenset(platform.name for platform in PLATFORMS)
_BY_MAKER = {
    "arista": "arista_eos",
    "cisco": "cisco_ios",
    "h3c": "hp_comware",
    "huawei": "huawei_vrp",
    "juniper": "juniper_junos",
    "mikrotik": "mikrotik_routeros",
    "routerboard": "mikrotik_routeros",
}
"""What the makers' gear most often runs; makers of several such systems are left out."""

_SYS_DESCR = 255  # octets at most, by SNMPv2-MIB and LLDP-MIB; more was written to cost time


@dataclass(frozen=True, kw_only=True, slots=True)
class PlatformHint:
    """A platform that a device seems to be; `why` is for people."""

    platform: str
    why: str


def hints_for(
    *,
    snmp_facts: Facts | None = None,
    banner: str = "",
    announced: str = "",
    inventory: str | None = None,
    learned: str | None = None,
    makers: Iterable[str] = (),
    nearby: str | None = None,
) -> tuple[PlatformHint, ...]:
    """Return what a device may be, the likeliest first, each platform once.

    A version line that names the maker is beyond doubt; then what it turned out to be before,
    what SNMP said, what it announces by LLDP or CDP (`announced`, as a neighbour tells), what an
    inventory says, who made its network cards (`makers`, as the IEEE has them), and what others
    in its subnet are.
    """
    shown = platform_announced(banner) if banner else None
    told = snmp_facts.platform if snmp_facts is not None else None
    found = (
        (shown.name if shown else None, f"SSH version {banner!r}"),
        (learned, "learned at the last log-in"),
        (told, "SNMP"),
        (make_of(announced[:_SYS_DESCR], "").platform, "LLDP or CDP at a neighbour"),
        (inventory, "inventory"),
        *((_platform_by(maker), f"made by {maker}") for maker in makers),
        (nearby, "others in its subnet"),
    )
    hints: dict[str, PlatformHint] = {}
    for platform, why in found:
        if platform in _NAMES and platform not in hints:
            hints[platform] = PlatformHint(platform=platform, why=why)
    return tuple(hints.values())


def _platform_by(maker: str) -> str | None:
    words = set(re.findall(r"[a-z0-9]+", maker.lower()))
    return next((name for word, name in _BY_MAKER.items() if word in words), None)
