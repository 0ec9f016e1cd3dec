"""What a device seems to be before it is asked. A hint; what it prints decides."""

from dataclasses import dataclass

from pdsno.domain.observations import Facts
from pdsno.southbound.platforms import PLATFORMS, platform_announced

_NAMES = frozenset(platform.name for platform in PLATFORMS)


@dataclass(frozen=True, kw_only=True, slots=True)
class PlatformHint:
    """A platform that a device seems to be; `why` is for people."""

    platform: str
    why: str


def hints_for(
    *,
    snmp_facts: Facts | None = None,
    banner: str = "",
    inventory: str | None = None,
    learned: str | None = None,
    nearby: str | None = None,
) -> tuple[PlatformHint, ...]:
    """Return what a device may be, the likeliest first, each platform once.

    A version line that names the maker is beyond doubt; then what it turned out to be before,
    what SNMP said, what an inventory says, and what others in its subnet are.
    """
    announced = platform_announced(banner) if banner else None
    told = snmp_facts.platform if snmp_facts is not None else None
    found = (
        (announced.name if announced else None, f"SSH version {banner!r}"),
        (learned, "learned at the last log-in"),
        (told, "SNMP"),
        (inventory, "inventory"),
        (nearby, "others in its subnet"),
    )
    hints: dict[str, PlatformHint] = {}
    for platform, why in found:
        if platform in _NAMES and platform not in hints:
            hints[platform] = PlatformHint(platform=platform, why=why)
    return tuple(hints.values())
