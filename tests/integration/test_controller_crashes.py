"""Controllers that die as in a power cut, at any moment, and come back.

Who they are, what they know and what they still have to tell must survive; nothing is told twice.
"""

import random
import time
from collections.abc import Iterator

import pytest

from tests.integration.namespaces import until
from tests.integration.network import Network, network
from tests.integration.network_checks import (
    await_all_applied_once,
    await_complete,
    check_nobody_crashed,
    check_own_log,
    cycle,
    events,
    seen_by,
)
from tests.integration.network_nodes import Controller

REGIONS = ("zone-A", "zone-B")
FORGETFUL = "zone-C"
"""A snapshot stands for the reports before it, so here not every report is applied."""
ROUNDS = 2

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def running() -> Iterator[Network]:
    with network(*REGIONS, FORGETFUL) as net:
        yield net


@pytest.fixture
def net(running: Network) -> Iterator[Network]:
    """The network, whole and complete before each test."""
    await_complete(running)
    yield running
    running.heal()
    check_nobody_crashed(running)


def _victims(net: Network, tier: str) -> list[Controller]:
    tiers = {
        "local": [net.lcs["zone-A"]],
        "regional": [net.rcs["zone-A"]],
        "global": [net.gc],
        "every": net.controllers,
    }
    return tiers[tier]


def _admissions(controller: Controller) -> list[str]:
    with controller.nib() as nib:
        return [e.subject for e in events(nib, "CONTROLLER_VALIDATED")]


@pytest.mark.attack(31, 32)
@pytest.mark.parametrize("tier", ["local", "regional", "global", "every"])
def test_controllers_killed_at_any_moment_come_back_as_themselves_and_lose_nothing(
    net: Network, tier: str
) -> None:
    victims = _victims(net, tier)
    names = {node.name: node.known_id for node in net.controllers}
    admitted = {node.name: _admissions(node) for node in net.controllers}
    for _ in range(1 if tier == "every" else ROUNDS):
        for region, lc in net.lcs.items():
            net.new_host(region)
            lc.discover()
        time.sleep(random.uniform(0.2, 4))  # noqa: S311 - any moment of the cycle
        for node in victims:
            node.kill()
        for node in victims:
            node.launch()
        for node in victims:
            until(node.is_serving, f"{node.name} to serve again", timeout_s=60)
        for lc in net.lcs.values():
            until(lc.is_on_mqtt, f"{lc.name} to be on MQTT", timeout_s=40)
            cycle(lc)
        await_complete(net)
    await_all_applied_once(net, *REGIONS)
    assert {node.name: node.known_id for node in net.controllers} == names
    assert {node.name: _admissions(node) for node in net.controllers} == admitted


def test_a_killed_controller_is_told_offline_by_the_broker_and_online_when_it_is_back(
    net: Network,
) -> None:
    lc = net.lcs["zone-B"]

    def state() -> str:
        everybody = net.gc.items("controllers")
        return next(str(c["state"]) for c in everybody if c["controller_id"] == lc.known_id)

    until(lambda: state() == "online", "zone-B's local controller online")
    lc.kill()
    until(lambda: state() == "offline", "its last will", timeout_s=30)
    lc.start()
    until(lambda: state() == "online", "zone-B's local controller online again", timeout_s=30)


def test_a_regional_controller_that_lost_its_database_gets_a_snapshot_of_each_local_one(
    net: Network,
) -> None:
    region = FORGETFUL
    rc, lc = net.rcs[region], net.lcs[region]
    ids = (rc.known_id, lc.known_id)
    known = {d["device_id"]: d["ips"] for d in net.gc.items(f"devices?region={region}")}
    # Its key survived (an operator's backup); both join again, for it forgot whom it admitted.
    for node, lost in ((rc, ("nib.sqlite*", "context.yaml")), (lc, ("context.yaml",))):
        node.kill()
        for pattern in lost:
            for file in (node.folder / "state").glob(pattern):
                file.unlink()
    rc.api_token = ""  # was known to the database only
    rc.start()
    rc.hand_token(net.gc.mint("regional", region))
    until(rc.is_validated, "the regional controller to join again")
    lc.start()
    lc.hand_token(rc.mint("local", region))
    until(lc.is_validated, "the local controller to join again")
    assert (rc.known_id, lc.known_id) == ids
    until(lambda: seen_by(rc) == seen_by(lc), "the snapshot at the regional controller")
    net.new_host(region)
    cycle(lc)
    await_complete(net)
    for node in net.controllers:
        check_own_log(node)
    now = {d["device_id"]: d["ips"] for d in net.gc.items(f"devices?region={region}")}
    assert known.items() <= now.items()
