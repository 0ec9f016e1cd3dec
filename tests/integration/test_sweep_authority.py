"""What a sweep may not touch, how fast it is, and how it ends when its way is cut."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.lan import Lan, lan

pytestmark = pytest.mark.lab

HERE = Path(__file__)
PYTHON = sys.executable
GATEWAY = "192.0.2.13"


@pytest.fixture
def net() -> Iterator[Lan]:
    with lan() as made:
        made.address("192.0.2.1/26")
        made.host("first", "02:00:00:00:00:11", "192.0.2.11/26")
        made.host("last", "02:00:00:00:00:12", "192.0.2.60/26")
        router = made.host(
            "router", "02:00:00:00:00:13", f"{GATEWAY}/26", sysctls=["net.ipv4.ip_forward=1"]
        )
        made.run(router, "ip", "addr", "add", "203.0.113.1/32", "dev", "lo")
        made.in_sweeper("ip", "route", "add", "203.0.113.0/25", "via", GATEWAY)
        yield made


class Sweep:
    """A sweep that goes on in the sweeper's namespace."""

    def __init__(self, net: Lan, **order: object) -> None:
        command = [PYTHON, "-m", "tests.integration.sweep_here", json.dumps(order)]
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", net.sweeper, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=HERE.parents[2],
        )

    def await_answer(self, address: str) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if line.split()[-1:] == [address]:
                return
        raise AssertionError(f"{address} was not heard")

    def result(self, timeout_s: float = 60) -> list[dict[str, Any]]:
        out, err = self.process.communicate(timeout=timeout_s)
        assert self.process.returncode == 0, err
        found: list[dict[str, Any]] = json.loads(out.splitlines()[-1])
        return found

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def sweep(net: Lan, **order: object) -> Iterator[Sweep]:
    made = Sweep(net, **order)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def frames_at(net: Lan, host: str, interface: str = "eth0") -> Iterator[list[dict[str, Any]]]:
    """Yield a list that holds, after the block, every frame that arrived at a host."""
    found: list[dict[str, Any]] = []
    (space,) = [name for name in net.namespaces if name.endswith(f"-{host}")]
    process = subprocess.Popen(
        ["ip", "netns", "exec", space, PYTHON, str(HERE.with_name("frames_here.py")), interface],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"
        yield found
        out, _ = process.communicate(timeout=20)
        found += map(json.loads, out.splitlines())
    finally:
        process.kill()
        process.communicate()


def outcomes(swept: dict[str, Any], address: str) -> list[str]:
    return [probe["outcome"] for probe in swept["probes"].get(address, ())]


def interruptions(swept: dict[str, Any]) -> list[tuple[str, str]]:
    return [(item["reason"], item["where"]) for item in swept["result"]["interruptions"]]


# --- what is not touched -----------------------------------------------------------------------


def _asked(frames: Sequence[dict[str, Any]]) -> set[int]:
    """Return the last numbers of the addresses of our LAN that a frame was for."""
    prefix = "192.0.2."
    return {int(f["to"].removeprefix(prefix)) for f in frames if f["to"].startswith(prefix)}


def test_not_one_frame_goes_to_excluded_and_passive_addresses(net: Lan) -> None:
    quiet = {"exclude": ["192.0.2.8/29"], "passive_only": ["192.0.2.48/28", "192.0.2.9/32"]}
    # Broadcast ARP reaches every host: this one sees each address that is asked for.
    with frames_at(net, "last") as frames, sweep(net, subnets=["192.0.2.0/26"], **quiet) as run:
        (swept,) = run.result()
    assert _asked(frames) == {*range(2, 8), *range(16, 48)}
    assert outcomes(swept, "192.0.2.9") == ["excluded"], "an exclusion is above all"
    assert outcomes(swept, "192.0.2.11") == ["excluded"]
    assert outcomes(swept, "192.0.2.60") == ["passive only"]
    assert outcomes(swept, "192.0.2.1") == ["not tried"], "an address of our own"
    assert set(swept["probes"]) == {f"192.0.2.{n}" for n in range(1, 63)}
    # The control: allowed, the same addresses are asked, and answer.
    with frames_at(net, "last") as frames, sweep(net, subnets=["192.0.2.0/26"]) as run:
        (swept,) = run.result()
    assert _asked(frames) >= set(range(2, 63))
    assert outcomes(swept, "192.0.2.60") == ["answered", "answered"]


def test_whom_the_kernel_knows_is_taken_from_passive_subnets_without_a_frame(net: Lan) -> None:
    net.in_sweeper("ping", "-c1", "-W2", "192.0.2.60")
    order = {"subnets": ["192.0.2.0/26"], "passive_only": ["192.0.2.56/29"]}
    with frames_at(net, "first") as frames, sweep(net, **order) as run:
        (swept,) = run.result()
    assert not _asked(frames) & set(range(56, 64))
    assert outcomes(swept, "192.0.2.60") == ["passive only", "answered"]
    (known,) = [s for s in swept["result"]["sightings"] if s["address"] == "192.0.2.60"]
    assert (known["mac"], known["method"]) == ("02:00:00:00:00:12", "neighbour-table")


def test_two_targets_on_one_segment_keep_its_pace_together(net: Lan) -> None:
    order = {"subnets": ["192.0.2.16/29", "192.0.2.32/29"], "rate_pps": 40}
    with frames_at(net, "first") as frames, sweep(net, **order) as run:
        first, second = run.result()
    assert [s["result"]["is_complete"] for s in (first, second)] == [True, True]
    at = [frame["at"] for frame in frames if frame["kind"] == "arp"]
    assert len(at) == 2 * 8 * 3, "eight addresses each, three passes"
    # In no second more than the pace allows, and the little that may be caught up with.
    busiest = max(sum(start <= other < start + 1 for other in at) for start in at)
    assert busiest <= 40 + 2


def test_a_sighting_names_the_segment_on_which_it_was_made(net: Lan) -> None:
    with sweep(net, subnets=["192.0.2.8/29", "203.0.113.0/30"]) as run:
        near, far = run.result()
    assert {s["segment"] for s in near["result"]["sightings"]} == {"br0"}
    assert {s["segment"] for s in far["result"]["sightings"]} == {None}


# --- how it ends -------------------------------------------------------------------------------


def test_a_link_that_goes_down_ends_its_sweep_and_nobody_is_missed(net: Lan) -> None:
    net.second_lan("br1", "198.51.100.1/28", "peer", "198.51.100.14/28")
    order = {"subnets": ["192.0.2.0/26", "198.51.100.0/28"], "rate_pps": 20}
    with sweep(net, **order) as run:
        run.await_answer("192.0.2.11")
        net.in_sweeper("ip", "link", "set", "br0", "down")
        cut, whole = run.result()
    assert interruptions(cut) == [("link lost", "br0")]
    assert (cut["result"]["is_complete"], cut["result"]["probed"]) == (False, ["192.0.2.11/32"])
    assert cut["result"]["duration_s"] < 5, "sixty addresses in three passes would be nine seconds"
    assert outcomes(cut, "192.0.2.40") in (["unreachable"], ["not tried"])
    assert "link lost" in cut["probes"]["192.0.2.40"][0]["detail"]
    # The other LAN goes on.
    assert (interruptions(whole), whole["result"]["is_complete"]) == ([], True)
    assert outcomes(whole, "198.51.100.14")[0] == "answered"


def test_an_address_of_ours_that_is_taken_away_ends_the_sweep(net: Lan) -> None:
    with sweep(net, subnets=["192.0.2.0/26"], rate_pps=20) as run:
        run.await_answer("192.0.2.11")
        net.in_sweeper("ip", "addr", "del", "192.0.2.1/26", "dev", "br0")
        (cut,) = run.result()
    assert interruptions(cut) == [("link lost", "br0")]
    assert "lost our address 192.0.2.1" in cut["result"]["notes"][-1]


def test_a_gateway_that_dies_ends_the_sweeps_behind_it_only(net: Lan) -> None:
    order = {"subnets": ["203.0.113.0/25", "192.0.2.16/28"], "rate_pps": 30}
    with sweep(net, **order) as run:
        run.await_answer("203.0.113.1")
        killed = time.monotonic()
        net.in_sweeper("ip", "link", "set", "router", "down")
        cut, near = run.result()
        took_s = time.monotonic() - killed
    assert interruptions(cut) == [("gateway lost", GATEWAY)]
    assert cut["result"]["probed"] == ["203.0.113.1/32"]
    assert cut["result"]["duration_s"] < took_s + 4
    assert took_s < 8, "381 pings would be thirteen seconds"
    assert (interruptions(near), near["result"]["is_complete"]) == ([], True)


def test_a_route_that_goes_away_ends_the_sweep(net: Lan) -> None:
    with sweep(net, subnets=["203.0.113.0/25"], rate_pps=30) as run:
        run.await_answer("203.0.113.1")
        net.in_sweeper("ip", "route", "del", "203.0.113.0/25")
        (cut,) = run.result()
    assert cut["result"]["interruptions"][0]["reason"] == "gateway lost"
    assert cut["result"]["probed"] == ["203.0.113.1/32"]


def test_a_gateway_that_stays_is_not_lost(net: Lan) -> None:
    with sweep(net, subnets=["203.0.113.0/26"], rate_pps=40) as run:
        (swept,) = run.result()
    assert (interruptions(swept), swept["result"]["is_complete"]) == ([], True)
