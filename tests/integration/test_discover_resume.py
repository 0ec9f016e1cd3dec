"""`pdsno discover` as a process: it is stopped in every way, and goes on."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.devices import wait_for

pytestmark = pytest.mark.integration

# Loopback answers for each of these; 1,022 of them at 60 a second take some 17 seconds.
SUBNET = ["127.70.0.0/22", "--no-names"]
SLOWLY = ["--rate", "60"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "state"


def command(home: Path, args: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    program = [str(Path(sys.executable).with_name("pdsno")), "discover", *args]
    return program, {**os.environ, "XDG_STATE_HOME": str(home)}


def run(home: Path, *args: str) -> "subprocess.CompletedProcess[str]":
    program, environment = command(home, args)
    return subprocess.run(
        program, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@contextmanager
def running(home: Path, *args: str) -> "Iterator[subprocess.Popen[str]]":
    program, environment = command(home, args)
    with subprocess.Popen(
        program,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def kept_file(home: Path) -> Path | None:
    return next((home / "pdsno" / "discover").glob("*.json"), None)


def kept_hosts(home: Path) -> int:
    path = kept_file(home)
    return len(json.loads(path.read_text())["findings"]["sightings"]) if path else 0


def answered(stdout: str) -> int:
    (row,) = json.loads(stdout)
    assert row["probed"] == row["answered"] == len(row["hosts"])
    return int(row["answered"])


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"]
)
def test_what_was_stopped_says_how_far_it_came_and_goes_on(
    home: Path, number: signal.Signals, code: int
) -> None:
    with running(home, *SUBNET, *SLOWLY, "-o", "json", "--snmp-community=s3cret") as process:
        wait_for(lambda: kept_hosts(home) > 60, "a second's findings are kept")
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == code
    (row,) = json.loads(out)
    first = {host["ip"] for host in row["hosts"]}
    assert first
    assert not row["complete"]
    found = re.search(r"stopped: (\S+) of 1,022 addresses asked; go on with: (.*) \(", err)
    assert found is not None, err
    assert int(found[1].replace(",", "")) >= len(first)
    assert found[2].startswith("pdsno discover 127.70.0.0/22 --no-names --rate 60")
    assert found[2].endswith("--resume")
    assert "s3cret" not in err
    rest = run(home, *SUBNET, "--rate", "max", "-o", "json", "--resume")
    assert rest.returncode == 0, rest.stderr
    assert "note" not in rest.stderr
    assert answered(rest.stdout) == 1022
    # Done is done: there is nothing to go on with.
    assert kept_file(home) is None


def test_what_was_killed_lost_a_second_and_goes_on(home: Path) -> None:
    with running(home, *SUBNET, *SLOWLY, "-o", "json") as process:
        wait_for(lambda: kept_hosts(home) > 60, "a second's findings are kept")
        process.kill()
    before = kept_hosts(home)
    rest = run(home, *SUBNET, "--rate", "max", "-o", "json", "--resume")
    assert rest.returncode == 0, rest.stderr
    assert before > 60
    assert answered(rest.stdout) == 1022


def test_a_damaged_state_is_said_and_passed_over(home: Path) -> None:
    args = ["127.70.0.0/30", "--no-names", "-o", "json"]
    with running(home, *SUBNET, *SLOWLY) as process:
        wait_for(lambda: kept_file(home), "a state is kept")
        process.kill()
    path = kept_file(home)
    assert path is not None
    path.write_text("{")
    rest = run(home, *SUBNET, "--rate", "max", "-o", "json", "--resume")
    assert rest.returncode == 0
    assert "cannot resume" in rest.stderr
    assert "beginning anew" in rest.stderr
    assert answered(rest.stdout) == 1022
    # And where nothing was kept, that is said.
    rest = run(home, *args, "--resume")
    assert rest.returncode == 0
    assert "nothing was kept for this command; beginning anew" in rest.stderr


def test_live_lines_come_while_it_runs_and_the_table_at_the_end(home: Path) -> None:
    with running(home, "127.70.0.0/25", "--no-names", "--rate", "40", "--live") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "127.70.0.1  answered ICMP\n"
        assert process.poll() is None
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "127.70.0.126  answered ICMP\n" in out
    table = out[out.index("IP ") :]
    assert len(table.splitlines()) == 1 + 126


def test_json_stays_one_document_with_live_lines_asked_for(home: Path) -> None:
    done = run(home, "127.70.0.0/30", "--no-names", "--live", "-o", "json")
    assert answered(done.stdout) == 2
