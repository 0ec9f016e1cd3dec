"""`pdsno demo`: what it finds, what it says when something is wrong, and that it leaves nothing."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.acceptance.conftest import MakeCopy, StandingDemo
from tests.acceptance.support import (
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


def reaches(lab: LabCopy, stage: str) -> None:
    """Wait until a stage has begun, and, for the first, until nodes run."""
    file = lab.folder / "stages"
    until(lambda: f"{stage} …" in file.read_text(), f"stage {stage}", 90)
    if stage == STAGES[0]:
        until(lambda: len(lab.traces()) > 40, "many nodes", 30)


def result(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    return found


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
            "global_cntl_1",
            "local_cntl_zone-A_1",
            "local_cntl_zone-B_1",
            "regional_cntl_zone-A_1",
            "regional_cntl_zone-B_1",
        ],
        "warnings": [],
        "api": "http://172.30.30.10:8080",
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
    done = pdsno("demo", str(lab.topology), "--once", "-o", "json")
    found = result(done)
    print(json.dumps(found, indent=1))
    assert done.returncode == 1, done.stderr
    assert lab.traces() == []
