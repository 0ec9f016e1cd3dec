"""Three regions on a network that fails: cut, one-way, lossy, slow, without a broker.

Each test breaks one thing while reports are on their way, and mends it. Then the global NIB must
be complete, each report applied once, each log intact.
"""

from collections.abc import Iterator

import pytest

from tests.integration.namespaces import until
from tests.integration.network import SHARED, Network, network
from tests.integration.network_checks import (
    await_all_applied_once,
    await_complete,
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


def test_lossy_links_between_all_controllers_only_cost_time(net: Network) -> None:
    for node in (net.broker, *net.controllers):
        node.lose(25)
    for region in REGIONS:
        net.new_host(region)
        net.lcs[region].discover()
    await_complete(net, timeout_s=120)
    await_all_applied_once(net, timeout_s=120)


def test_a_broker_that_is_killed_during_a_cycle_costs_no_report(net: Network) -> None:
    before = {region: lc.log_end() for region, lc in net.lcs.items()}
    for region, lc in net.lcs.items():
        net.new_host(region)
        lc.discover()
    for region, lc in net.lcs.items():
        until(
            lambda region=region, lc=lc: lc.logged("discovery_started", before[region]),
            "a cycle to start",
        )
    killed = net.broker.mosquitto()
    net.broker.kill_mosquitto()
    until(lambda: net.broker.mosquitto() not in (None, killed), "the broker to be started again")
    await_complete(net)
    await_all_applied_once(net)


def test_reports_go_over_rest_while_there_is_no_broker_and_over_mqtt_again_after(
    net: Network,
) -> None:
    rc, lc = net.rcs["zone-A"], net.lcs["zone-A"]
    net.broker.kill_mosquitto()
    net.broker.kill()
    before = rc.log_end()
    net.new_host("zone-A")
    assert cycle(lc)["report"] == "confirmed"
    assert [e["over"] for e in rc.logged("report_taken_in", before)] == ["rest"]
    net.broker.start()
    for node in net.controllers:
        until(node.is_on_mqtt, f"{node.name} to be back on MQTT", timeout_s=40)
    before = rc.log_end()
    net.new_host("zone-A")
    assert cycle(lc)["report"] == "confirmed"
    assert [e["over"] for e in rc.logged("report_taken_in", before)] == ["mqtt"]
    await_complete(net)
    await_all_applied_once(net)
