"""What a controller's process loads, and what it leaves to other tiers."""

import subprocess
import sys

import pytest

DEVICE_LIBRARIES = ("netmiko", "nornir", "paramiko", "scapy")


def loaded(tier: str) -> list[str]:
    """Return which device libraries a process has that may run a controller of a tier."""
    code = (
        f"import sys, pdsno.node.run, pdsno.node.compose, pdsno.controllers.{tier}_controller; "
        f"print(*(name for name in {DEVICE_LIBRARIES!r} if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.split()


@pytest.mark.parametrize("tier", ["global", "regional"])
def test_above_the_local_tier_no_library_for_devices_is_loaded(tier: str) -> None:
    assert loaded(tier) == []


def test_a_local_controller_has_them() -> None:
    assert "netmiko" in loaded("local")
