"""Devices that do not open, or close half-way: the cycle goes on, each address has its outcome."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.acceptance.site import API, LOCAL_API, Up, up
from tests.acceptance.support import passable_folder, pdsno

pytestmark = pytest.mark.lab

NAME = "pdsno-devices"
NET = "172.30.45"
GOOD, LOCKED, LEAVING, HALFWAY, SILENT = (f"{NET}.{n}" for n in (3, 4, 5, 6, 7))
# `leaving` ends each session after the login; `halfway` while the first command is answered.
TOPOLOGY = f"""
name: {NAME}
mgmt: {{network: {NAME}, ipv4-subnet: {NET}.0/24}}
topology:
  defaults: {{kind: linux, image: pdsno-node}}
  groups:
    devices:
      env:
        LAB_DAEMONS: snmpd sshd
        LAB_SNMP_COMMUNITY: right-community
        LAB_PASSWORD: right-password
  nodes:
    site: {{mgmt-ipv4: {NET}.2}}
    good: {{group: devices, mgmt-ipv4: {GOOD}}}
    locked:
      group: devices
      mgmt-ipv4: {LOCKED}
      env: {{LAB_SNMP_COMMUNITY: other-community, LAB_PASSWORD: other-password}}
    leaving:
      group: devices
      mgmt-ipv4: {LEAVING}
      exec: [usermod -s /bin/false ops]
    halfway:
      group: devices
      mgmt-ipv4: {HALFWAY}
      binds: [halfway.sh:/bin/halfway]
      exec: [usermod -s /bin/halfway ops]
    silent: {{mgmt-ipv4: {SILENT}}}
"""
HALFWAY_SHELL = "#!/bin/sh\nprintf 'halfway$ '; read line; exit 1\n"
CREDENTIALS = """
snmp:
  - {name: read-only, version: 2c, community: right-community}
ssh:
  - {name: ops, username: ops, password: right-password}
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Discover the devices once, from a node beside them."""
    folder = tmp_path_factory.mktemp("devices")
    shell = folder / "halfway.sh"
    shell.write_text(HALFWAY_SHELL)
    shell.chmod(0o755)
    topology = folder / "devices.clab.yml"
    topology.write_text(TOPOLOGY)
    credentials = folder / "credentials.yml"
    credentials.write_text(CREDENTIALS)
    credentials.chmod(0o600)
    try:
        done = pdsno("lab", "up", str(topology), env={"CLAB_LABDIR_BASE": str(folder)})
        assert done.returncode == 0, done.stderr
        with passable_folder() as place, _up_in_the_lab(credentials, place) as started:
            started.has_cycled()
            yield started
            assert started.stop() == 0
    finally:
        pdsno("lab", "down", str(topology), env={"CLAB_LABDIR_BASE": str(folder)})


def _up_in_the_lab(credentials: Path, place: Path) -> "AbstractContextManager[Up]":
    words = ("--subnet", f"{NET}.0/28", "--rate", "500", "--credentials", str(credentials))
    prefix = ["ip", "netns", "exec", f"clab-{NAME}-site"]
    return up(*words, state_dir=place / "state", prefix=prefix)


@pytest.mark.parametrize(
    ("address", "outcome"),
    [
        (GOOD, "answered ARP, ICMP, SNMP, SSH"),
        (LOCKED, r"answered ARP, ICMP; SNMP timeout; SSH authentication failed \(credential ops\)"),
        # A shell that is gone at once may look like one that never says anything.
        (LEAVING, r"answered ARP, ICMP, SNMP; SSH (session closed by device|timeout)( \(.*\))?"),
        (HALFWAY, r"answered ARP, ICMP, SNMP; SSH session closed by device( \(.*\))?"),
        (SILENT, "answered ARP, ICMP; SNMP timeout; SSH refused"),
        (f"{NET}.9", "ARP silent"),
    ],
)
def test_the_outcome_is_kept_for_each_address(running: Up, address: str, outcome: str) -> None:
    summaries = {one["address"]: one["summary"] for one in running.nib("probes", api=LOCAL_API)}
    assert re.fullmatch(outcome, summaries[address]), summaries[address]


def test_whoever_has_a_service_is_a_device_and_what_told_its_name_has_one(running: Up) -> None:
    names = {one["management_ip"]: one["name"] for one in running.nib("devices", api=API)}
    assert {GOOD, LOCKED, LEAVING, HALFWAY} <= set(names)
    assert (names[GOOD], names[LEAVING], names[HALFWAY]) == ("good", "leaving", "halfway")
    assert names[LOCKED] is None
    assert SILENT not in names


def test_who_has_a_made_up_mac_and_no_service_is_an_endpoint(running: Up) -> None:
    endpoints = running.nib("endpoints", api=API)
    assert SILENT in {ip for one in endpoints for ip in one["ips"]}


@pytest.mark.attack(63)
def test_no_secret_is_logged(running: Up) -> None:
    assert "right-password" not in running.log
    assert "right-community" not in running.log
