"""Up and down: what a lab gives, and that it leaves nothing, however it ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from pdsno.domain.errors import OperationError
from pdsno.lab import machine
from pdsno.lab.runner import Lab
from tests.lab.lab_support import NAME, LabMaker, is_there, pdsno, pdsno_argv, poll, traces

SLOW = "{startup-delay: 600}"
BRIDGE = f"br-{NAME}"
OUR_MAC = "02:70:64:73:6e:01"
STATE = Path("/run/pdsno-lab") / NAME / "state.json"


@contextmanager
def started_up(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run `pdsno lab up` in the background until its first node runs."""
    process = subprocess.Popen(
        pdsno_argv("lab", "up", str(path)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        poll(lambda: is_there(STATE) and Lab(path).status()[1].pid is not None, "node b runs")
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def test_down_leaves_nothing(small_lab: LabMaker, lab_files: Path) -> None:
    path = small_lab()
    lab = Lab(path)
    before = sorted(lab_files.iterdir())
    lab.up()
    assert traces()
    assert sorted(item.name for item in (lab_files / f"clab-{NAME}").iterdir()) == [
        "ansible-inventory.yml",
        "nornir-simple-inventory.yml",
        "topology-data.json",
    ]
    assert lab.down() is True
    assert traces() == []
    assert sorted(lab_files.iterdir()) == before
    assert lab.down() is False


def test_nodes_reach_each_other_by_name_and_the_machine_reaches_them(small_lab: LabMaker) -> None:
    lab = Lab(small_lab())
    lab.up()
    assert lab.exec("a", ["ping", "-c1", "-W2", "b"]).returncode == 0
    assert lab.exec("a", ["ping", "-c1", "-W2", f"clab-{NAME}-b"]).returncode == 0
    address = lab.node("a").mgmt_ipv4
    assert address is not None
    assert (
        subprocess.run(["ping", "-c1", "-W2", address], check=False, capture_output=True).returncode
        == 0
    )
    assert lab.exec("a", ["cat", "/sys/class/net/eth1/mtu"]).stdout.strip() == "9500"


def test_a_lab_that_is_up_is_not_brought_up_again(small_lab: LabMaker) -> None:
    lab = Lab(small_lab())
    lab.up()
    with pytest.raises(OperationError, match="already up"):
        lab.up()
    assert {row.state for row in lab.status()} == {"running"}


def test_a_failed_up_says_why_and_leaves_nothing(small_lab: LabMaker) -> None:
    lab = Lab(small_lab(a="{sysctls: {net.no.such: 1}}"))
    with pytest.raises(OperationError, match=r"node 'a' did not start: .*net/no/such"):
        lab.up()
    assert traces() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_up_leaves_nothing(small_lab: LabMaker, number: signal.Signals) -> None:
    path = small_lab(a=SLOW)
    with started_up(path) as process:
        process.send_signal(number)
        assert process.wait(timeout=30) == 130
    assert traces() == []


def test_down_clears_what_a_killed_up_left(small_lab: LabMaker) -> None:
    path = small_lab(a=SLOW)
    with started_up(path) as process:
        process.kill()
        process.wait()
    assert traces()
    assert Lab(path).down() is True
    assert traces() == []


def test_up_clears_what_a_killed_up_left(small_lab: LabMaker) -> None:
    path = small_lab(a=SLOW)
    with started_up(path) as process:
        process.kill()
        process.wait()
    small_lab()
    Lab(path).up()
    assert {row.state for row in Lab(path).status()} == {"running"}


def test_a_lab_owned_by_a_dead_process_is_cleared_by_the_next_up(small_lab: LabMaker) -> None:
    path = small_lab()
    code = (
        "import os, sys; from pdsno.lab.runner import Lab; "
        "Lab(sys.argv[1]).up(owned=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    before = {row.pid for row in Lab(path).status()}
    Lab(path).up()
    assert before.isdisjoint({row.pid for row in Lab(path).status()})


def test_two_labs_of_one_network_share_its_bridge(small_lab: LabMaker) -> None:
    first, second = Lab(small_lab()), Lab(small_lab(f"{NAME}-2"))
    first.up()
    second.up()
    addresses = {row.mgmt_ipv4 for lab in (first, second) for row in lab.status()}
    assert len(addresses) == 4
    other = second.node("a").mgmt_ipv4
    assert first.exec("a", ["ping", "-c1", "-W2", str(other)]).returncode == 0
    second.down()
    own = first.node("b").mgmt_ipv4
    assert first.exec("a", ["ping", "-c1", "-W2", str(own)]).returncode == 0
    first.down()
    assert traces() == []


def test_an_interrupt_right_after_the_bridge_was_made_leaves_nothing(
    small_lab: LabMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(commands: Sequence[str]) -> None:
        if any(BRIDGE in command for command in commands):
            assert BRIDGE in traces()
            raise KeyboardInterrupt
        batch(commands)

    batch = machine.batch
    monkeypatch.setattr(machine, "batch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Lab(small_lab()).up()
    assert traces() == []


def test_a_bridge_that_was_left_half_made_is_finished(small_lab: LabMaker) -> None:
    lab = Lab(small_lab())
    machine.run(["ip", "link", "add", "name", BRIDGE, "address", OUR_MAC, "type", "bridge"])
    lab.up()
    address = str(lab.node("a").mgmt_ipv4)
    assert machine.run(["ping", "-c1", "-W2", address])
    lab.down()
    assert traces() == []


def test_a_bridge_of_somebody_else_is_neither_used_nor_removed(small_lab: LabMaker) -> None:
    machine.run(["ip", "link", "add", "name", BRIDGE, "type", "bridge"])
    try:
        with pytest.raises(OperationError, match=r"br-pdsno-test exists with address none"):
            Lab(small_lab()).up()
        assert traces() == [BRIDGE]
    finally:
        machine.run(["ip", "link", "del", BRIDGE])


def test_two_labs_with_networks_of_their_own_are_apart(small_lab: LabMaker) -> None:
    first = Lab(small_lab())
    second = Lab(small_lab(f"{NAME}-2", network=f"{NAME}-x", subnet="172.29.73.0/24"))
    first.up()
    second.up()
    other = str(second.node("a").mgmt_ipv4)
    assert (
        subprocess.run(["ping", "-c1", "-W2", other], check=False, capture_output=True).returncode
        == 0
    )
    several = pdsno("lab", "exec", "a", "--", "true")
    assert several.returncode == 2
    assert "say which with --lab NAME" in several.stderr
    assert pdsno("lab", "exec", "--lab", NAME, "a", "--", "true").returncode == 0


def test_a_subnet_of_another_network_is_refused(small_lab: LabMaker) -> None:
    first = Lab(small_lab())
    first.up()
    second = Lab(small_lab(f"{NAME}-2", network=f"{NAME}-x"))
    with pytest.raises(OperationError, match=r"overlaps this machine's route .*ipv4-subnet"):
        second.up()


def test_a_foreign_route_is_refused_with_a_hint(small_lab: LabMaker) -> None:
    path = small_lab()
    route = ["172.29.70.64/26", "dev", "lo"]
    subprocess.run(["ip", "route", "add", *route], check=True)
    try:
        done = pdsno("lab", "up", str(path))
    finally:
        subprocess.run(["ip", "route", "del", *route], check=True)
    assert done.returncode == 1
    assert "172.29.70.0/24 overlaps this machine's route to 172.29.70.64/26" in done.stderr
    assert "choose another 'ipv4-subnet'" in done.stderr
    assert traces() == []


def test_a_namespace_of_somebody_else_is_left_alone(small_lab: LabMaker) -> None:
    path = small_lab()
    name = f"clab-{NAME}-a"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        with pytest.raises(OperationError, match="is not this lab's"):
            Lab(path).up()
        assert Path("/run/netns", name).exists()
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def test_exec_passes_input_and_exit_code_on(small_lab: LabMaker) -> None:
    path = small_lab()
    Lab(path).up()
    done = pdsno("lab", "exec", "--lab", NAME, "a", "--", "sh", stdin="echo hello; exit 7\n")
    assert (done.returncode, done.stdout) == (7, "hello\n")
    unknown = pdsno("lab", "exec", "--lab", NAME, "z", "--", "true")
    assert unknown.returncode == 1
    assert "has no node 'z'; it has: a, b" in unknown.stderr


def test_a_command_that_does_not_end_is_killed_inside_the_node(small_lab: LabMaker) -> None:
    lab = Lab(small_lab())
    lab.up()
    done = lab.exec("a", ["sleep", "4321"], timeout_s=0.5)
    assert done.returncode == 124
    poll(lambda: lab.exec("a", ["pgrep", "-f", "sleep 4321"]).returncode == 1, "sleep is gone")


def test_a_node_cannot_change_what_is_bound(small_lab: LabMaker, lab_files: Path) -> None:
    folder = lab_files / "bound"
    folder.mkdir()
    (folder / "file").write_text("mine")
    lab = Lab(small_lab(a="{binds: ['bound:/etc/x', 'bound/file:/etc/y']}"))
    lab.up()
    script = "cat /etc/x/file /etc/y; echo other | tee /etc/x/file /etc/y; chown 1:1 /etc/x/file"
    assert lab.exec("a", ["sh", "-c", script]).stdout == "minemineother\n"
    assert (folder / "file").read_text() == "mine"
    assert (folder / "file").stat().st_uid == os.getuid()


def test_files_are_written_whole_with_their_mode(small_lab: LabMaker) -> None:
    lab = Lab(small_lab())
    lab.up()
    lab.write_file("a", "/etc/pdsno/join token", "s3cret'\n$HOME", 0o640)
    found = lab.exec("a", ["sh", "-c", "stat -c %a '/etc/pdsno/join token'; cat /etc/pdsno/j*"])
    assert found.stdout == "640\ns3cret'\n$HOME"


def test_what_becomes_of_the_main_command_is_visible(small_lab: LabMaker) -> None:
    path = small_lab(a="{cmd: \"sh -c 'echo gone wrong; exit 3'\"}")
    Lab(path).up()
    poll(lambda: Lab(path).status()[0].command == "exited 3", "the command has ended")
    shown = json.loads(pdsno("lab", "status", NAME, "-o", "json").stdout)
    assert shown[0]["command"] == "exited 3"
    assert shown[1]["command"] == ""
    assert pdsno("lab", "logs", "--lab", NAME, "a").stdout == "gone wrong\n"
    assert pdsno("lab", "logs", "--lab", NAME, "b").returncode == 1


def test_pdsno_itself_runs_inside_a_node(small_lab: LabMaker) -> None:
    lab = Lab(small_lab())
    lab.up()
    done = lab.exec("a", ["pdsno", "--version"])
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("pdsno ")


def test_down_of_a_lab_that_is_not_up_is_no_error(small_lab: LabMaker) -> None:
    for target in (str(small_lab()), NAME):
        done = pdsno("lab", "down", target)
        assert done.returncode == 0
        assert "was not up" in done.stdout
    assert pdsno("lab", "down", "no-such.yml").returncode == 2
