"""One file per platform: the commands that may be sent to it, and how its answers are read.

To add one: write the file, list it here, add recorded outputs to its tests.
"""

from pdsno.southbound.platforms import frr, linux
from pdsno.southbound.platforms.base import Platform

PLATFORMS: tuple[Platform, ...] = (frr.PLATFORM, linux.PLATFORM)
"""In the order in which they are tried on the detection command's output."""

DETECTION_COMMAND = "show version"
"""Sent first to a device whose platform is not known: a network OS names itself, a Unix shell
says that it does not know the command."""


def platform_of(output: str) -> Platform | None:
    """Return the platform that prints this for the detection command."""
    for platform in PLATFORMS:
        if platform.recognised_by.search(output):
            return platform
    return None
