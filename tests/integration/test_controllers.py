"""How the three tiers behave towards one another: reports up, policy and commands down."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pdsno.controllers.base_controller import BaseController
from pdsno.controllers.local_controller import LocalController
from pdsno.discovery.cycle import ReportState
from pdsno.domain.entities import Device
from pdsno.domain.errors import Refusal, RefusedError
from pdsno.domain.messages import (
    DiscoveryReport,
    DiscoveryRequest,
    MessageType,
    PolicyUpdate,
    SystemEvent,
)
from pdsno.domain.policy import Admission
from pdsno.signing import SigningKey
from tests.integration.tiers import (
    STATUS_S,
    SUBNET,
    Tiers,
    addresses,
    event_types,
    policy,
    three,
)
from tests.integration.waiting import holds_for, wait_until


@pytest.fixture
def tiers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tiers]:
    with ExitStack() as stack:
        made = Tiers(tmp_path, stack)
        monkeypatch.setattr("pdsno.controllers.local_controller.observe", made.observe)
        made.hosts["192.0.2.7"] = "02:00:00:00:00:07"
        yield made


# --- admission ---------------------------------------------------------------------------------


def test_a_regional_controller_asks_above_before_its_loops_run(tiers: Tiers) -> None:
    gc = tiers.gc()
    plan = policy("zone-A")
    deciding = replace(plan.regions[0], admission=Admission.GLOBAL)
    gc.apply_policy(replace(plan, regions=(deciding,)))
    rc = tiers.rc("zone-A", gc)
    lc = tiers.lc("zone-A", rc)
    record = rc.nib_store.controller(lc.controller_id)
    assert record is not None
    assert record.decided_by == gc.controller_id


# --- reports -----------------------------------------------------------------------------------


def test_without_a_parent_a_report_is_queued_and_the_own_nib_complete(tiers: Tiers) -> None:
    lc = LocalController("lonely", "zone-A", SUBNET, tiers.context("lc"), tiers.nib("lc"))
    tiers.keep("lc", lc)
    result = lc.run_discovery_cycle()
    assert (result.report, result.devices_new) == (ReportState.QUEUED, 1)
    assert addresses(lc) == ["192.0.2.7"]
    assert lc.reports_waiting == 1


def test_a_report_goes_through_three_tiers_under_each_ones_own_device_id(tiers: Tiers) -> None:
    gc, (rc,), (lc,) = three(tiers, "zone-A")
    rc.serve()
    assert lc.run_discovery_cycle().report is ReportState.CONFIRMED
    wait_until(lambda: addresses(gc) == ["192.0.2.7"], "the device at the global controller")
    ids = {controller.nib_store.all_devices()[0].device_id for controller in (gc, rc, lc)}
    assert len(ids) == 3
    tiers.hosts.clear()  # policy tolerates no missed cycle
    lc.run_discovery_cycle()
    wait_until(lambda: addresses(gc) == [], "it to be inactive at the global controller")


@pytest.mark.attack(39)
def test_what_a_global_controller_missed_comes_when_it_is_back(tiers: Tiers) -> None:
    gc, (rc,), (lc,) = three(tiers, "zone-A")
    assert gc.rest_server is not None
    port = gc.rest_server.port
    gc.close()
    rc.serve()
    assert lc.run_discovery_cycle().report is ReportState.CONFIRMED
    assert addresses(gc) == []
    back = tiers.gc(port=port)
    wait_until(lambda: addresses(back) == ["192.0.2.7"], "the report at the global controller")
    assert event_types(back).count("DISCOVERY_SUMMARY_APPLIED") == 1


def _report(region: str, local_controller: str) -> DiscoveryReport:
    now = datetime.now(UTC)
    forged = Device(
        device_id="dev_forged",
        region=region,
        namespace=region,
        ips=("198.51.100.1",),
        management_ip="198.51.100.1",
        first_seen=now,
        last_seen=now,
    )
    return DiscoveryReport(
        cycle_id="cycle_1",
        region=region,
        local_controller=local_controller,
        started_at=now,
        finished_at=now,
        coverage=(),
        devices=(forged,),
    )


@pytest.mark.attack(48)
def test_a_local_controller_cannot_report_for_another_region(tiers: Tiers) -> None:
    _, (rc_a, rc_b), (lc_a, _) = three(tiers, "zone-A", "zone-B")

    def send(to: BaseController, region: str) -> None:
        report = _report(region, lc_a.controller_id)
        kind = MessageType.DISCOVERY_REPORT
        tiers.send("lc-zone-A", lc_a.controller_id, to, kind, report, seq=1)

    with pytest.raises(RefusedError) as lied:
        send(rc_a, "zone-B")
    with pytest.raises(RefusedError) as strayed:
        send(rc_b, "zone-B")
    assert (lied.value.reason, strayed.value.reason) == (Refusal.WRONG_REGION, Refusal.UNKNOWN_KEY)
    assert addresses(rc_a) == addresses(rc_b) == []
    send(rc_a, "zone-A")
    assert addresses(rc_a) == ["198.51.100.1"]


# --- who is who --------------------------------------------------------------------------------


def _claim(subject: str) -> SystemEvent:
    data = {"public_key": SigningKey.generate().public_key, "hostname": "h", "decided_by": "me"}
    return SystemEvent(
        event_type="CONTROLLER_VALIDATED", subject=subject, at=datetime.now(UTC), data=data
    )


@pytest.mark.attack(48)
@pytest.mark.parametrize(
    "subject",
    ["local_cntl_zone-B_1", "local_cntl_zone-B_9", "regional_cntl_zone-B_1", "global_cntl_1"],
)
def test_a_regional_controller_cannot_name_a_controller_of_another_region(
    tiers: Tiers, subject: str
) -> None:
    gc, (rc_a, rc_b), _ = three(tiers, "zone-A", "zone-B")
    rc_b.serve()
    wait_until(lambda: gc.nib_store.controller("local_cntl_zone-B_1"), "zone-B's own")
    before = gc.nib_store.controller(subject)
    kind = MessageType.SYSTEM_EVENT
    with pytest.raises(RefusedError) as refused:
        tiers.send("rc-zone-A", rc_a.controller_id, gc, kind, _claim(subject), seq=1)
    assert refused.value.reason is Refusal.IDENTITY_MISMATCH
    after = gc.nib_store.controller(subject)
    assert (after and after.public_key) == (before and before.public_key)
    tiers.send("rc-zone-A", rc_a.controller_id, gc, kind, _claim("local_cntl_zone-A_9"), seq=1)
    assert gc.nib_store.controller("local_cntl_zone-A_9") is not None


def test_the_global_controller_hears_of_each_admission_once(tiers: Tiers) -> None:
    gc, (rc,), (lc,) = three(tiers, "zone-A")
    rc.serve()
    wait_until(lambda: gc.nib_store.controller(lc.controller_id), "the admission")
    told = gc.nib_store.events(limit=1000, subject=lc.controller_id)
    assert [event.event_type for event in told] == ["CONTROLLER_VALIDATED"]


def test_a_restarted_controller_is_who_it_was(tiers: Tiers) -> None:
    gc, (rc,), (lc,) = three(tiers, "zone-A")
    ids = (rc.controller_id, lc.controller_id)
    assert ids == ("regional_cntl_zone-A_1", "local_cntl_zone-A_1")
    admitted = event_types(gc).count("CONTROLLER_VALIDATED")
    rc.close()
    lc.close()
    again = tiers.rc("zone-A", gc)
    assert (again.controller_id, tiers.lc("zone-A", again).controller_id) == ids
    assert event_types(gc).count("CONTROLLER_VALIDATED") == admitted


# --- what comes down ---------------------------------------------------------------------------


@pytest.mark.parametrize("has_url", [True, False])
def test_discovery_on_demand_reaches_local_controllers_with_and_without_a_port(
    tiers: Tiers, *, has_url: bool
) -> None:
    gc, (rc,), (lc,) = three(tiers, "zone-A", has_url=has_url)
    rc.serve()
    lc.serve()
    wait_until(lambda: tiers.looks, "the first scheduled cycle")
    assert holds_for(lambda: len(tiers.looks) == 1, 3 * STATUS_S)
    assert gc.request_discovery(DiscoveryRequest()) == (rc.controller_id,)
    wait_until(lambda: len(tiers.looks) == 2, "the requested cycle")
    assert holds_for(lambda: len(tiers.looks) == 2, 3 * STATUS_S)


def test_a_command_waits_for_a_regional_controller_without_a_port(tiers: Tiers) -> None:
    gc = tiers.gc()
    gc.apply_policy(policy("zone-A"))
    rc = tiers.rc("zone-A", gc, has_url=False)
    lc = tiers.lc("zone-A", rc)
    gc.request_discovery(DiscoveryRequest())
    lc.serve()
    wait_until(lambda: tiers.looks, "the first scheduled cycle")
    assert holds_for(lambda: len(tiers.looks) == 1, 3 * STATUS_S)
    rc.serve()
    wait_until(lambda: len(tiers.looks) == 2, "the requested cycle")


def test_policy_comes_down_in_replies_and_changes_targets_while_running(tiers: Tiers) -> None:
    gc, (rc,), (lc,) = three(tiers, "zone-A")
    rc.serve()
    lc.serve()
    wait_until(lambda: tiers.looks == [(SUBNET,)], "a cycle by the first policy")
    gc.apply_policy(policy("zone-A", subnet="192.0.2.0/25"))
    wait_until(lambda: ("192.0.2.0/25",) in tiers.looks, "a cycle by the new policy")
    held = [c.nib_store.policy() for c in (gc, rc, lc)]
    assert [(p.epoch, p.version) for p in held if p] == [(1, 2)] * 3
    assert event_types(lc).count("POLICY_ACCEPTED") == 2


@pytest.mark.attack(24)
def test_an_old_policy_is_refused_and_recorded(tiers: Tiers) -> None:
    gc, (rc,), (lc,) = three(tiers, "zone-A", has_url=True)
    (old,) = policy("zone-A", subnet="198.51.100.0/24").regions
    new = gc.apply_policy(policy("zone-A", subnet="192.0.2.0/25"))
    newer = PolicyUpdate(epoch=new.epoch, version=new.version, region=new.region("zone-A"))

    def send(update: PolicyUpdate) -> None:
        kind = MessageType.POLICY_UPDATE
        tiers.send("rc-zone-A", rc.controller_id, lc, kind, update)

    send(newer)
    with pytest.raises(RefusedError) as refused:
        send(PolicyUpdate(epoch=1, version=1, region=old))
    assert refused.value.reason is Refusal.OLD_VERSION
    assert event_types(lc)[-1] == "POLICY_REFUSED"
    send(newer)  # the same again is nothing
    lc.run_discovery_cycle()
    assert tiers.looks == [("192.0.2.0/25",)]


def test_policy_and_commands_are_taken_from_the_parent_only(tiers: Tiers) -> None:
    gc, _, (lc,) = three(tiers, "zone-A", has_url=True)
    before = lc.nib_store.policy()
    kinds = {
        MessageType.POLICY_UPDATE: PolicyUpdate(epoch=9, version=9),
        MessageType.DISCOVERY_REQUEST: DiscoveryRequest(),
    }
    for kind, payload in kinds.items():
        with pytest.raises(RefusedError) as refused:
            # The local controller knows the global one's key, and yet it is not its parent.
            tiers.send("gc", gc.controller_id, lc, kind, payload)
        assert refused.value.reason is Refusal.NOT_ALLOWED
    assert lc.nib_store.policy() == before
    assert tiers.looks == []
