"""Who made the hardware behind a MAC: the IEEE's registry, as netaddr carries it."""

from functools import lru_cache

_LOCALLY_ADMINISTERED = 0x02
_CACHE = 65_536


@lru_cache(maxsize=_CACHE)
def vendor_of(mac: str) -> str | None:
    """Return who registered the prefix of a normalised MAC, or None.

    A locally administered address (virtual machines, randomised MACs of phones) names nobody.
    """
    import netaddr  # noqa: PLC0415 - costs 0.1 s, and a registry of 5 MB

    if int(mac[:2], 16) & _LOCALLY_ADMINISTERED:
        return None
    try:
        return str(netaddr.EUI(mac).oui.registration().org) or None
    except netaddr.NotRegisteredError:
        return None
