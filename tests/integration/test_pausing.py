"""Probing stops when an operator says so, at whatever tier, and when the clock does."""

import os
import pwd
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pdsno.cli.admin_client import AdminClient
from pdsno.communication.broker import Mosquitto, MosquittoSettings
from pdsno.controllers.base_controller import BaseController
from pdsno.controllers.local_controller import LocalController
from pdsno.domain.entities import Event
from pdsno.domain.errors import InputError, OperationError, Refusal, RefusedError
from pdsno.domain.messages import DiscoveryRequest
from pdsno.domain.policy import LocalPolicy, Policy
from pdsno.domain.scan_windows import ScanWindow
from pdsno.node.admin import AdminSocket
from pdsno.node.admin_calls import admin_calls
from tests.integration.tiers import SUBNET, Tiers, policy, three
from tests.integration.waiting import holds_for, wait_until

EFFECTIVE_S = 5.0
"""Within this a pause holds everywhere."""


@pytest.fixture
def tiers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tiers]:
    with ExitStack() as stack:
        made = Tiers(tmp_path, stack)
        monkeypatch.setattr("pdsno.controllers.local_controller.observe", made.observe)
        made.hosts["192.0.2.7"] = "02:00:00:00:00:07"
        yield made


def events(controller: BaseController, event_type: str) -> list[Event]:
    return list(controller.nib_store.events(limit=1000, event_type=event_type))


def is_paused(lc: LocalController) -> bool:
    return bool(lc.probing["paused"])


def with_local(**fields: Any) -> Policy:  # noqa: ANN401
    """Return the policy of zone-A with other fields for its local controller."""
    made = policy("zone-A")
    (region,) = made.regions
    (local,) = region.local_controllers
    return replace(made, regions=(replace(region, local_controllers=(replace(local, **fields),)),))


def alone(tiers: Tiers, made: Policy | None = None) -> LocalController:
    """Return a local controller without a parent, under a policy that names it."""
    nib = tiers.nib("lc")
    if made is not None and nib.policy() is None:
        with nib.transaction() as tx:
            tx.put_policy(replace(made, version=1))
    lc = LocalController("local_cntl_zone-A_1", "zone-A", SUBNET, tiers.context("lc"), nib)
    tiers.keep("lc", lc)
    return lc


# --- who allowed what --------------------------------------------------------------------------


def test_a_cycle_is_on_record_before_its_first_packet_with_who_allowed_what(tiers: Tiers) -> None:
    lc = alone(tiers, with_local(passive_only=("192.0.2.64/26",), rate_pps=50, query=False))
    lc.run_discovery_cycle(DiscoveryRequest(requested_by="alice at gc"))
    (event,) = events(lc, "DISCOVERY_STARTED")
    told = {name: event.data[name] for name in ("source", "requested_by", "rate_pps", "subnets")}
    assert told == {
        "source": "policy 1.1",
        "requested_by": "alice at gc",
        "rate_pps": 50,
        "subnets": [SUBNET],
    }
    assert event.data["passive_only"] == ["192.0.2.64/26"]
    (cycle,) = lc.nib_store.cycles()
    assert (cycle.cycle_id, cycle.authority.source) == (event.subject, "policy 1.1")
    (look,) = tiers.told
    assert (look["limits"].rate_pps, look["query"]) == (50, False)
    assert look["scope"].passive_only == ("192.0.2.64/26",)


def test_who_asked_at_the_admin_socket_is_named_at_the_local_controller(
    tiers: Tiers, tmp_path: Path
) -> None:
    gc, (rc,), (lc,) = three(tiers, "zone-A", has_url=True)
    rc.serve()
    lc.serve()
    wait_until(lambda: tiers.looks, "the first scheduled cycle")
    socket = AdminSocket(tmp_path / "gc.sock", admin_calls(gc))
    socket.start()
    try:
        AdminClient(socket.path).post("/discover", {"subnets": [], "requested_by": "a liar"})
    finally:
        socket.close()
    wait_until(lambda: len(events(lc, "DISCOVERY_STARTED")) == 2, "the requested cycle")
    user = pwd.getpwuid(os.getuid()).pw_name
    asked = [event.data["requested_by"] for event in events(lc, "DISCOVERY_STARTED")]
    assert asked == ["", f"{user} at global_cntl_1"]


# --- the local controller's own pause ----------------------------------------------------------


def test_a_paused_controller_probes_nothing_and_refuses_also_after_a_restart(tiers: Tiers) -> None:
    lc = alone(tiers)
    lc.pause(by="alice", reason="audit")
    lc.close()
    again = alone(tiers)
    again.serve()
    assert holds_for(lambda: not tiers.looks, 1.0)
    for ask in (again.run_discovery_cycle, lambda: again.request_discovery(DiscoveryRequest())):
        with pytest.raises(RefusedError, match=r"by alice since .*: audit") as refused:
            ask()
        assert refused.value.reason is Refusal.PAUSED
    assert again.probing["paused_by"] == "alice"
    again.resume(by="bob")
    wait_until(lambda: tiers.looks, "a cycle after resuming")
    assert [e.data["by"] for e in events(again, "DISCOVERY_PAUSED")] == ["alice"]
    assert [e.data["by"] for e in events(again, "DISCOVERY_RESUMED")] == ["bob"]


def test_a_pause_ends_a_running_cycle_within_five_seconds_and_nobody_is_missed(
    tiers: Tiers,
) -> None:
    lc = alone(tiers)
    assert lc.run_discovery_cycle().devices_new == 1
    tiers.hosts.clear()
    tiers.looking = threading.Event()
    lc.serve()
    assert tiers.looking.wait(10)
    began = time.monotonic()
    lc.pause(by="alice")
    wait_until(lambda: events(lc, "DISCOVERY_INTERRUPTED"), "the end of the cycle")
    assert time.monotonic() - began < 5
    (event,) = events(lc, "DISCOVERY_INTERRUPTED")
    assert [item["reason"] for item in event.data["interruptions"]] == ["paused"]
    (device,) = lc.nib_store.all_devices()
    assert device.status.value == "active"
    assert lc.nib_store.cycles()[0].interruptions[0].reason.value == "paused"


def test_closing_ends_a_running_cycle_and_says_so(tiers: Tiers) -> None:
    lc = alone(tiers)
    tiers.looking = threading.Event()
    lc.serve()
    assert tiers.looking.wait(10)
    lc.close()
    (event,) = events(lc, "DISCOVERY_INTERRUPTED")
    assert [item["reason"] for item in event.data["interruptions"]] == ["controller stopped"]


# --- windows -----------------------------------------------------------------------------------


def window(opens_in: timedelta, lasts: timedelta) -> ScanWindow:
    start = datetime.now(UTC) + opens_in
    return ScanWindow(start=f"{start:%H:%M}", end=f"{start + lasts:%H:%M}")


def test_outside_of_its_window_a_controller_neither_begins_nor_takes_requests(
    tiers: Tiers,
) -> None:
    lc = alone(tiers, with_local(windows=(window(timedelta(hours=2), timedelta(hours=1)),)))
    lc.serve()
    assert holds_for(lambda: not tiers.looks, 1.0)
    with pytest.raises(RefusedError) as refused:
        lc.request_discovery(DiscoveryRequest())
    assert refused.value.reason is Refusal.OUTSIDE_WINDOW
    told = lc.probing
    assert (told["window_is_open"], told["paused"]) == (False, False)
    wait_until(lambda: lc.probing["next_cycle"], "the time of the next cycle")
    assert lc.probing["next_cycle"] == told["window_opens"]


def test_inside_of_its_window_a_controller_runs(tiers: Tiers) -> None:
    lc = alone(tiers, with_local(windows=(window(-timedelta(hours=1), timedelta(hours=2)),)))
    lc.serve()
    wait_until(lambda: tiers.looks, "a cycle")


def test_a_window_that_closes_ends_a_running_cycle(
    tiers: Tiers, monkeypatch: pytest.MonkeyPatch
) -> None:
    lc = alone(tiers, with_local(windows=(window(-timedelta(hours=1), timedelta(hours=2)),)))
    tiers.looking = threading.Event()
    lc.serve()
    assert tiers.looking.wait(10)
    monkeypatch.setattr("pdsno.controllers.probing.is_open", lambda *_: False)
    wait_until(lambda: events(lc, "DISCOVERY_INTERRUPTED"), "the end of the cycle", timeout_s=3)
    (event,) = events(lc, "DISCOVERY_INTERRUPTED")
    assert [i["reason"] for i in event.data["interruptions"]] == ["scan window closed"]


# --- from above --------------------------------------------------------------------------------


def within_5_s(holds: Callable[[], object], what: str) -> None:
    wait_until(holds, what, timeout_s=EFFECTIVE_S)


@pytest.fixture
def broker_port(free_port: int, broker_settings: MosquittoSettings) -> Iterator[int]:
    mosquitto = Mosquitto(broker_settings)
    mosquitto.start()
    yield free_port
    mosquitto.stop()


def check_pause_from_above(tiers: Tiers, *, has_url: bool) -> None:
    """Check a pause at each tier above; nobody calls up before the test is over."""
    tiers.status_s = 3600
    tiers.looking = threading.Event()
    gc, (rc,), (lc,) = three(tiers, "zone-A", has_url=has_url)
    rc.serve()
    lc.serve()
    for upper in (gc, rc):
        within_5_s(lambda: lc.probing["running_cycle"], "a cycle that goes on")
        done = len(events(lc, "DISCOVERY_INTERRUPTED"))
        upper.pause(by=f"alice at {upper.controller_id}", reason="audit")
        within_5_s(lambda: is_paused(lc), "the pause at the local controller")
        within_5_s(
            lambda done=done: len(events(lc, "DISCOVERY_INTERRUPTED")) > done,  # type: ignore[misc]
            "the end of the running cycle",
        )
        assert lc.probing["paused_by"] == f"alice at {upper.controller_id}"
        assert lc.probing["pause_reason"] == "audit"
        looks = len(tiers.looks)
        assert holds_for(lambda looks=looks: len(tiers.looks) == looks, 1.0)  # type: ignore[misc]
        with pytest.raises(OperationError, match="resume that on the controller above"):
            lc.resume(by="bob")
        upper.resume(by="bob")
        within_5_s(lambda: not is_paused(lc), "the end of the pause")
        within_5_s(lambda looks=looks: len(tiers.looks) > looks, "a cycle after it")  # type: ignore[misc]


def test_a_pause_from_above_holds_within_seconds_over_rest(tiers: Tiers) -> None:
    check_pause_from_above(tiers, has_url=True)


def test_a_pause_from_above_holds_within_seconds_over_mqtt(tiers: Tiers, broker_port: int) -> None:
    tiers.broker_port = broker_port
    check_pause_from_above(tiers, has_url=False)


def test_a_region_is_paused_by_its_own_controller_while_the_global_one_is_away(
    tiers: Tiers,
) -> None:
    gc, (rc,), (lc,) = three(tiers, "zone-A", has_url=True)
    assert gc.rest_server is not None
    port = gc.rest_server.port
    rc.serve()
    lc.serve()
    wait_until(lambda: tiers.looks, "a cycle")
    gc.close()
    rc.pause(by="carol", reason="storm")
    within_5_s(lambda: is_paused(lc), "the pause")
    assert rc.rest_server is not None
    rc_port = rc.rest_server.port
    rc.close()
    again = tiers.rc("zone-A", gc, port=rc_port)
    assert again.probing == {"paused": {"zone-A": again.probing["paused"]["zone-A"]}}  # type: ignore[index]
    with pytest.raises(RefusedError, match="by carol"):
        again.request_discovery(DiscoveryRequest())
    back = tiers.gc(port=port)
    again.serve()
    wait_until(lambda: events(back, "DISCOVERY_PAUSED"), "the event at the global controller")
    # A newer policy does not lift it.
    back.apply_policy(with_local(interval_s=1800))
    wait_until(lambda: lc.probing["by_word_of"] == "policy 1.2", "the newer policy")
    assert is_paused(lc)
    again.resume(by="carol")
    within_5_s(lambda: not is_paused(lc), "the end of the pause")


def test_a_regional_controller_does_not_lift_what_policy_pauses(tiers: Tiers) -> None:
    gc, (rc,), _ = three(tiers, "zone-A")
    rc.serve()
    gc.pause(by="alice")
    wait_until(lambda: rc.probing["paused"], "the pause at the regional controller")
    with pytest.raises(OperationError, match="resume region zone-A on the global controller"):
        rc.resume(by="carol")
    with pytest.raises(InputError, match="is of region zone-A, not zone-B"):
        rc.pause(by="carol", region="zone-B")


def test_a_policy_file_does_not_resume_and_the_events_say_who_did(tiers: Tiers) -> None:
    gc, _, _ = three(tiers, "zone-A", "zone-B")
    assert gc.pause(by="alice", reason="audit", region="zone-A") == ("zone-A",)
    gc.apply_policy(policy("zone-A", "zone-B", interval_s=1800), by="bob")
    assert list(gc.probing["paused"]) == ["zone-A"]  # type: ignore[call-overload]
    with pytest.raises(RefusedError, match=r"by alice since .*: audit"):
        gc.request_discovery(DiscoveryRequest(region="zone-A"))
    assert gc.request_discovery(DiscoveryRequest()) == ("regional_cntl_zone-B_1",)
    gc.resume(by="carol")
    told = [
        (event.event_type, event.subject, event.data["by"])
        for event in gc.nib_store.events(limit=1000)
        if event.event_type.startswith("DISCOVERY_")
    ]
    assert told == [
        ("DISCOVERY_PAUSED", "zone-A", "alice"),
        ("DISCOVERY_RESUMED", "zone-A", "carol"),
    ]


def test_a_refusal_below_comes_back_to_who_asked(tiers: Tiers) -> None:
    gc, (rc,), (lc,) = three(tiers, "zone-A", has_url=True)
    rc.serve()
    lc.serve()
    lc.pause(by="dave", reason="cable work")
    with pytest.raises(RefusedError, match=r"by dave since .*: cable work") as refused:
        gc.request_discovery(DiscoveryRequest())
    assert refused.value.reason is Refusal.PAUSED


def test_an_unnamed_controller_leaves_alone_what_policy_gives_to_others(tiers: Tiers) -> None:
    made = policy("zone-A")
    (region,) = made.regions
    other = LocalPolicy(controller_id="local_cntl_zone-A_2", subnets=("192.0.2.0/25",))
    nib = tiers.nib("lc")
    with nib.transaction() as tx:
        tx.put_policy(replace(made, regions=(replace(region, local_controllers=(other,)),)))
    lc = LocalController("local_cntl_zone-A_1", "zone-A", SUBNET, tiers.context("lc"), nib)
    tiers.keep("lc", lc)
    lc.run_discovery_cycle()
    assert tiers.told[0]["scope"].exclude == ("192.0.2.0/25",)
