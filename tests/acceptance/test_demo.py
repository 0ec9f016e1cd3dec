"""`pdsno demo`: what it finds, what it says when something is wrong, and that it leaves nothing."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.acceptance.conftest import MakeCopy, StandingDemo
from tests.acceptance.support import (
    AS_A_USER,
    LabCopy,
    environment,
    error_line,
    on_terminal,
    pdsno,
    pdsno_argv,
    traces,
    until,
)

pytestmark = pytest.mark.lab

STAGES = ["lab", "controllers", "escalation", "discovery", "verify"]
MOST_S = 60
MOST_MIB = 2048


@contextmanager
def in_background(lab: LabCopy) -> Iterator["subprocess.Popen[str]"]:
    """Run a demo of a lab; its stages stand in the file `stages`."""
    with (lab.folder / "stages").open("w") as stages:
        process = subprocess.Popen(
            pdsno_argv("demo", str(lab.topology), "--once"),
            stdout=subprocess.DEVNULL,
            stderr=stages,
            env=environment(),
            start_new_session=True,
            text=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def reaches(lab: LabCopy, process: "subprocess.Popen[str]", stage: str) -> None:
    """Wait until a stage has begun, and, for the first, until nodes run."""
    file = lab.folder / "stages"

    def has_begun() -> bool:
        assert process.poll() is None, file.read_text()
        return f"{stage} …" in file.read_text()

    until(has_begun, f"stage {stage}", 90)
    if stage == STAGES[0]:
        until(lambda: len(lab.traces()) > 40, "many nodes", 30)


def result(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def ca_of(api: str) -> str:
    """Return the file with the root that a standing demo keeps for whoever asks its API."""
    entries = yaml.safe_load((Path(os.environ["XDG_CONFIG_HOME"]) / "pdsno/api.yml").read_text())
    return str(entries[api]["ca"])


def test_a_demo_finds_everything_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAB_LABDIR_BASE", str(tmp_path))
    done = pdsno("demo", "--once", "-o", "json")
    assert done.returncode == 0, done.stderr
    found = result(done)
    stages = found.pop("stages")
    assert list(stages) == STAGES
    assert 0 < sum(stages.values()) < MOST_S
    assert 0 < found.pop("memory_mib") < MOST_MIB
    escalations = {(one["decision"], one["cause"]) for one in found.pop("escalations")}
    assert escalations == {("approved", "ADMISSION_GLOBAL"), ("refused", "QUOTA_EXCEEDED")}
    assert found == {
        "devices_expected": 18,
        "devices_found": 18,
        "devices_missing": [],
        "devices_extra": [],
        "devices_duplicated": [],
        "links_expected": 8,
        "links_found": 8,
        "links_missing": [],
        "links_extra": [],
        "controllers": [
            "broker_cntl_global_1",
            "global_cntl_1",
            "local_cntl_zone-A_1",
            "local_cntl_zone-B_1",
            "regional_cntl_zone-A_1",
            "regional_cntl_zone-B_1",
        ],
        "warnings": [],
        "api": "https://172.30.30.10:8080",
    }
    assert traces("two-regions", "172.30.30", tmp_path) == []


def test_a_router_that_opens_to_nobody_is_named_and_the_rest_is_complete(
    lab_copy: MakeCopy,
) -> None:
    lab = lab_copy()
    # Another SNMP user and another password than the local controller's credentials have.
    lab.replace(
        '        LAB_SNMP_COMMUNITY: "" # this one answers SNMPv3 only',
        '        {LAB_SNMP_COMMUNITY: "", LAB_SNMP_V3: "x:otherpass1:otherpass2", '
        "LAB_PASSWORD: other}",
    )
    lab.replace(
        "        - ip addr add 10.20.20.13/24 dev eth1",
        "        - ip addr add 10.20.20.13/24 dev eth1\n"
        "        - sysctl -w net.ipv4.conf.all.arp_ignore=8",
    )
    # It sends nothing either: else its switch knows its MAC, and that is enough to be found.
    address = f"      mgmt-ipv4: {lab.network}.133\n"
    off = "{net.ipv6.conf.all.disable_ipv6: 1, net.ipv6.conf.default.disable_ipv6: 1}"
    lab.replace(address, f"{address}      sysctls: {off}\n")
    done = pdsno("demo", str(lab.topology), "--once", "-o", "json")
    assert done.returncode == 1, done.stderr
    found = result(done)
    assert found["devices_missing"] == ["h-b3"], (found, done.stderr[-3000:])
    assert found["devices_duplicated"] == ["leaf2"]
    assert found["devices_extra"] == []
    assert (found["devices_found"], found["devices_expected"]) == (17, 18)
    assert (found["links_found"], found["links_missing"], found["links_extra"]) == (8, [], [])
    assert len(found["controllers"]) == 6
    assert lab.traces() == []


@pytest.mark.parametrize(
    ("number", "stage"),
    [(signal.SIGINT, "lab"), (signal.SIGTERM, "controllers"), (signal.SIGINT, "discovery")],
)
def test_an_interrupted_demo_leaves_nothing(
    lab_copy: MakeCopy, number: signal.Signals, stage: str
) -> None:
    lab = lab_copy()
    with in_background(lab) as process:
        reaches(lab, process, stage)
        os.killpg(process.pid, number)
        if number is signal.SIGTERM:  # somebody in a hurry presses Ctrl-C as well
            until(lambda: "taking the lab down" in (lab.folder / "stages").read_text(), "the end")
            os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=40) == 130
    assert lab.traces() == []
    assert (lab.folder / "stages").read_text().endswith("pdsno: interrupted\n")


def test_a_demo_whose_terminal_goes_away_leaves_nothing(lab_copy: MakeCopy) -> None:
    lab = lab_copy()
    with on_terminal("demo", str(lab.topology), cwd=lab.folder) as terminal:
        terminal.shows("converge")
        terminal.hang_up()
        terminal.process.wait(timeout=40)
    assert lab.traces() == []


def test_what_a_killed_demo_left_is_cleared_by_lab_down(lab_copy: MakeCopy) -> None:
    lab = lab_copy()
    with in_background(lab) as process:
        reaches(lab, process, "controllers")
        process.kill()
        process.wait()
    assert lab.traces()
    done = pdsno("lab", "down", lab.name)
    assert (done.returncode, done.stdout) == (0, f"lab {lab.name} is down\n"), done.stderr
    assert lab.traces() == []


def test_a_controller_that_does_not_start_ends_the_demo_with_its_last_words(
    lab_copy: MakeCopy,
) -> None:
    lab = lab_copy()
    settings = lab.folder / "two-regions" / "rc-b" / "settings.yml"
    settings.write_text(settings.read_text().replace("region: zone-B", "regionx: zone-B"))
    done = pdsno("demo", str(lab.topology), "--once")
    assert done.returncode == 1
    line = error_line(done)
    assert "rc-b" in line
    assert "regionx" in line
    assert lab.traces() == []
    logs = Path(line.rpartition(" ")[2])
    try:
        assert "regionx" in (logs / "rc-b.log").read_text()
        assert "rest_serving" in (logs / "gc.log").read_text()
    finally:
        shutil.rmtree(logs)


def test_a_second_demo_of_a_lab_that_is_up_is_refused_and_harms_nothing(
    standing_demo: StandingDemo,
) -> None:
    lab = standing_demo.lab
    done = pdsno("demo", str(lab.topology), "--once")
    assert done.returncode == 1
    line = error_line(done)
    assert f"lab '{lab.name}' is already up" in line
    assert f"pdsno lab down {lab.name}" in line
    health = requests.get(f"{lab.api}/api/v1/health", verify=ca_of(lab.api), timeout=5)
    assert health.status_code == 200
    assert len(lab.traces()) > 40


def test_the_summary_says_what_was_found_and_where_to_look(standing_demo: StandingDemo) -> None:
    shown = standing_demo.terminal.text
    for wanted in (
        "18 of 18 devices and 8 of 8 links of the topology found: complete",
        "zone-A: 11 devices",
        "zone-B: 7 devices",
        "Raspberry Pi",
        "6 controllers validated",
        "global_cntl_1 refused",
        "in all",
        "MiB of memory",
        "pdsno nib devices",
        f"pdsno lab exec --lab {standing_demo.lab.name} lc-a -- pdsno nib probes",
    ):
        assert wanted in shown, wanted


def test_the_lab_of_a_demo_verifies(standing_demo: StandingDemo) -> None:
    done = pdsno("lab", "verify", standing_demo.lab.name, "-o", "json")
    assert done.returncode == 0, done.stderr
    assert result(done)["devices_found"] == 18


def test_a_topology_without_controllers_is_refused_before_anything_starts(tmp_path: Path) -> None:
    path = tmp_path / "x.clab.yml"
    path.write_text("name: pdsno-none\ntopology: {nodes: {a: {kind: linux, image: alpine}}}\n")
    done = pdsno("demo", str(path))
    assert done.returncode == 2
    assert "no node has the label 'pdsno.tier: global'" in error_line(done)


def test_without_root_a_demo_says_what_works_instead(tmp_path: Path) -> None:
    done = pdsno("demo", prefix=AS_A_USER, cwd=tmp_path)
    assert done.returncode == 1
    assert "needs root: sudo pdsno demo; without root: pdsno up" in error_line(done)
