"""One file per platform: the commands that may be sent to it, and how its answers are read.

To add one: write the file, list it here, add recorded outputs to its tests
(docs/how-to/add-a-platform.md).
"""

from collections.abc import Mapping

from pdsno.domain.errors import InputError
from pdsno.southbound.platforms import (
    arista_eos,
    aruba_aoscx,
    aruba_os,
    cisco_ios,
    cisco_nxos,
    cisco_xr,
    frr,
    hp_comware,
    hp_procurve,
    huawei_vrp,
    juniper_junos,
    linux,
    mikrotik_routeros,
    vyos,
)
from pdsno.southbound.platforms.base import Platform

PLATFORMS: tuple[Platform, ...] = (
    frr.PLATFORM,
    cisco_xr.PLATFORM,
    cisco_nxos.PLATFORM,
    cisco_ios.PLATFORM,
    arista_eos.PLATFORM,
    juniper_junos.PLATFORM,
    aruba_aoscx.PLATFORM,
    aruba_os.PLATFORM,
    hp_procurve.PLATFORM,
    hp_comware.PLATFORM,
    huawei_vrp.PLATFORM,
    mikrotik_routeros.PLATFORM,
    vyos.PLATFORM,
    linux.PLATFORM,
)
"""In the order in which they are tried on the detection command's output."""

DETECTION_COMMAND = "show version"
"""Sent first to a device whose platform is not known: a network OS names itself, a Unix shell
says that it does not know the command."""

_ALIASES: Mapping[str, str] = {
    "cisco_xe": "cisco_ios",
    "cisco_iosxe": "cisco_ios",
    "ios": "cisco_ios",
    "cisco_iosxr": "cisco_xr",
    "iosxr": "cisco_xr",
    "nxos": "cisco_nxos",
    "eos": "arista_eos",
    "junos": "juniper_junos",
    "juniper": "juniper_junos",
    "aruba_osswitch": "hp_procurve",
    "aruba_procurve": "hp_procurve",
    "h3c_comware": "hp_comware",
    "huawei": "huawei_vrp",
    "huawei_vrpv8": "huawei_vrp",
    "routeros": "mikrotik_routeros",
    "vyatta_vyos": "vyos",
    "vyatta": "vyos",
}
"""Other names of the same, of Netmiko, NAPALM and ntc-templates."""


def platform_of(output: str) -> Platform | None:
    """Return the platform that prints this for the detection command."""
    for platform in PLATFORMS:
        if platform.recognised_by.search(output):
            return platform
    return None


def platform_announced(text: str) -> Platform | None:
    """Return the platform that an SSH version line or a sysDescr gives away, without doubt."""
    for platform in PLATFORMS:
        if platform.announced_by is not None and platform.announced_by.search(text):
            return platform
    return None


def platform_named(name: str) -> Platform:
    """Return a platform by its name or another tool's name for it. Raises InputError."""
    wanted = _ALIASES.get(name.lower(), name.lower())
    found = next((p for p in PLATFORMS if p.name == wanted), None)
    if found is None:
        known = ", ".join(sorted(p.name for p in PLATFORMS))
        raise InputError(f"there is no platform {name!r}; known are {known}")
    return found


def _words(command: str) -> list[str]:
    return command.lower().replace("-", " ").replace("_", " ").replace("/", " ").split()


def command_named(platform: Platform, command: str) -> str:
    """Return the command of a platform that is meant. Raises InputError, naming what is known.

    It may be exact, with `_` or `-` for blanks, or abbreviated as on the device (`sh ver`).
    """
    if command in platform.readable:
        return command
    wanted = _words(command)
    same = [known for known in platform.readable if _words(known) == wanted]
    short = [known for known in platform.readable if wanted and _abbreviates(wanted, _words(known))]
    if same or len(short) == 1:
        return (same or short)[0]
    known = ", ".join(sorted(repr(c) for c in short or platform.readable))
    what = "means several" if short else "is none whose output is understood"
    raise InputError(f"{platform.name}: {command!r} {what}; known are {known}")


def _abbreviates(short: list[str], long: list[str]) -> bool:
    return len(short) == len(long) and all(
        b.startswith(a) for a, b in zip(short, long, strict=True)
    )
