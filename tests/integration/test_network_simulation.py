"""Three regions on a network that fails: cut, one-way, lossy, slow, without a broker.

Each test breaks one thing while reports are on their way, and mends it. Then the global NIB must
be complete, each report applied once, each log intact.
"""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.integration.namespaces import until
from tests.integration.network import SHARED, Network, network
from tests.integration.network_checks import (
    await_all_applied_once,
    await_complete,
    check_nobody_crashed,
    cycle,
    expected,
    seen_by,
)

REGIONS = ("zone-A", "zone-B", "zone-C")

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def running() -> Iterator[Network]:
    with network(*REGIONS) as net:
        yield net


@pytest.fixture
def net(running: Network) -> Iterator[Network]:
    """The network, whole and complete before each test."""
    await_complete(running)
    yield running
    running.heal()
    check_nobody_crashed(running)
    for node in running.controllers:
        until(node.is_on_mqtt, f"{node.name} to be back on MQTT", timeout_s=40)


def test_three_regions_end_complete_and_an_address_of_each_is_a_device_of_each(
    net: Network,
) -> None:
    for region in REGIONS:
        net.new_host(region)
    net.gc.discover()
    await_complete(net)
    await_all_applied_once(net)
    devices = net.gc.items(f"devices?ip={SHARED}")
    assert sorted(d["namespace"] for d in devices) == list(REGIONS)
    assert sorted(d["local_controller"] for d in devices) == [
        f"local_cntl_{region}_1" for region in REGIONS
    ]
    for region, rc in net.rcs.items():
        own = [place for place in expected(net) if place[0] == region]
        assert seen_by(rc) == seen_by(net.lcs[region]) == own


@pytest.mark.attack(39)
def test_a_local_controller_that_is_cut_off_goes_on_and_nothing_is_lost(net: Network) -> None:
    lc = net.lcs["zone-A"]
    lc.cut(net.rcs["zone-A"], net.broker)
    first = net.new_host("zone-A")
    assert cycle(lc)["report"] == "queued"
    second = net.new_host("zone-A")
    assert cycle(lc)["report"] == "queued"
    assert {("zone-A", first), ("zone-A", second)} <= set(seen_by(lc))
    assert ("zone-A", first) not in seen_by(net.gc)
    net.new_host("zone-B")
    assert cycle(net.lcs["zone-B"])["report"] == "confirmed"
    lc.heal()
    await_complete(net)
    await_all_applied_once(net)


@pytest.mark.attack(43)
def test_a_region_that_is_cut_off_from_the_global_controller_catches_up(net: Network) -> None:
    rc, lc = net.rcs["zone-B"], net.lcs["zone-B"]
    rc.cut(net.gc)
    first = net.new_host("zone-B")
    assert cycle(lc)["report"] == "confirmed"
    net.new_host("zone-B")
    assert cycle(lc)["report"] == "confirmed"
    assert ("zone-B", first) in seen_by(rc)
    assert ("zone-B", first) not in seen_by(net.gc)
    rc.heal()
    await_complete(net)
    await_all_applied_once(net)


def test_a_one_way_cut_delays_confirmations_but_applies_nothing_twice(net: Network) -> None:
    rc, lc = net.rcs["zone-C"], net.lcs["zone-C"]
    lc.cut(rc, way="out")
    net.new_host("zone-C")
    assert cycle(lc)["report"] == "delivered"
    await_complete(net)
    assert lc.admin.get("/status")["outbox_waiting"] > 0
    net.new_host("zone-C")
    cycle(lc)
    lc.heal()
    await_complete(net)
    await_all_applied_once(net)


@pytest.mark.attack(45)
def test_lossy_links_between_all_controllers_only_cost_time(net: Network) -> None:
    nodes = (net.broker, *net.controllers)
    for node in nodes:
        node.lose(25)
    for _ in range(3):
        for region in REGIONS:
            net.new_host(region)
            net.lcs[region].discover()
        await_complete(net, timeout_s=120)
    await_all_applied_once(net, timeout_s=120)
    assert all(node.hits() > 0 for node in nodes)


@pytest.mark.attack(45)
def test_slow_links_to_broker_and_parents_only_cost_time(net: Network) -> None:
    rc, lc = net.rcs["zone-A"], net.lcs["zone-A"]
    net.slow_down("zone-A", delay_ms=300)
    for node in (rc, lc):
        node.restart()
        until(node.is_on_mqtt, f"{node.name} to be on MQTT", timeout_s=40)
    for _ in range(2):
        net.new_host("zone-A")
        assert cycle(lc)["report"] == "confirmed"
    await_complete(net)
    await_all_applied_once(net)
    assert rc.hits() >= 2  # broker and global controller
    assert lc.hits() >= 2  # broker and regional controller


@pytest.mark.attack(26)
def test_a_broker_that_is_killed_during_a_cycle_costs_no_report(net: Network) -> None:
    for _ in range(3):
        for region, lc in net.lcs.items():
            net.new_host(region)
            lc.discover()
        time.sleep(random.uniform(0.5, 3))  # noqa: S311 - any moment of the cycle
        killed = net.broker.kill_mosquitto()
        until(lambda: net.broker.mosquitto() not in (None, killed), "the broker to be back")  # noqa: B023
        await_complete(net)
    await_all_applied_once(net)


def _way_of_a_report(net: Network, region: str) -> set[object]:
    """Run a cycle and return over what its report came to the regional controller."""
    net.new_host(region)
    done = cycle(net.lcs[region])
    assert done["report"] == "confirmed"
    taken = net.rcs[region].logged("report_taken_in")
    return {entry["over"] for entry in taken if entry["correlation_id"] == done["cycle_id"]}


def test_reports_go_over_rest_while_there_is_no_broker_and_over_mqtt_again_after(
    net: Network,
) -> None:
    net.broker.kill()
    assert _way_of_a_report(net, "zone-A") == {"rest"}
    net.broker.start()
    for node in net.controllers:
        until(node.is_on_mqtt, f"{node.name} to be back on MQTT", timeout_s=40)
    assert _way_of_a_report(net, "zone-A") == {"mqtt"}
    await_complete(net)
    await_all_applied_once(net)


@contextmanager
def _without_broker(net: Network) -> Iterator[None]:
    net.broker.kill()
    try:
        yield
    finally:
        net.heal()
        net.apply_policy()


def test_policy_reaches_a_local_controller_without_mqtt_in_the_reply_to_its_status(
    net: Network,
) -> None:
    lc = net.lcs["zone-A"]
    with _without_broker(net):
        before = lc.log_end()
        net.apply_policy(zone_A={"subnets": ["192.168.5.0/29"], "interval_s": 5})
        until(lambda: lc.logged("policy_applied", before), "the policy at zone-A", timeout_s=50)

        def own_cycles() -> list[object]:
            return [e["subnets"] for e in lc.logged("discovery_started", before)]

        until(lambda: len(own_cycles()) >= 3, "cycles every few seconds", timeout_s=40)
        assert own_cycles()[-1] == ["192.168.5.0/29"]
    until(lambda: lc.logged("policy_applied", before)[1:], "the old policy at zone-A")


def test_policy_is_pushed_to_a_local_controller_with_an_open_port(net: Network) -> None:
    rc, lc = net.rcs["zone-B"], net.lcs["zone-B"]
    with _without_broker(net):
        lc.refuse_calls_to(rc, 8002)
        before = lc.log_end()
        net.apply_policy(zone_B={"interval_s": 1800})
        until(lambda: lc.logged("policy_applied", before), "the policy at zone-B", timeout_s=50)
    until(lambda: lc.logged("policy_applied", before)[1:], "the old policy at zone-B")
