"""Reports of several reporters become one picture, once and in order."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdsno.domain.chain import first_fault
from pdsno.domain.coverage import coverage_of
from pdsno.domain.entities import Device, DeviceStatus
from pdsno.domain.errors import RemoteProtocolError
from pdsno.domain.messages import Absorbed, DiscoveryReport, Message, MessageType
from pdsno.domain.ownership import edit
from pdsno.domain.ports import NIB, NIBTransaction
from pdsno.domain.reports import in_parts
from pdsno.intake.inbox import Intake, take_in
from pdsno.intake.reports import Applied, ReportIntake
from pdsno.nib import NIBStore
from tests.unit.domain.builders import NOW, device, interface, later, mac, neighbor


@pytest.fixture
def nib() -> Iterator[NIB]:
    store = NIBStore("memory://")
    yield store
    store.close()


def report(*devices: Device, region: str = "zone-A", **values: object) -> DiscoveryReport:
    head = DiscoveryReport(
        cycle_id="cycle_1",
        region=region,
        local_controller="lc",
        started_at=NOW,
        finished_at=later(1),
        coverage=(coverage_of(region, ["10.0.0.0/24"]),),
        devices=devices,
    )
    return replace(head, **values)  # type: ignore[arg-type]


def apply(nib: NIB, reporter: str, what: DiscoveryReport) -> Applied:
    with nib.transaction() as tx:
        return ReportIntake("me").apply(tx, reporter, what)


def host(their_id: str, number: int, *, namespace: str = "zone-A", **values: object) -> Device:
    known: dict[str, object] = {
        "namespace": namespace,
        "region": namespace,
        "macs": (mac(number),),
        "ips": (f"10.0.0.{number}",),
        "management_ip": f"10.0.0.{number}",
    }
    return device(their_id, **{**known, **values})


def test_a_device_gets_an_id_of_our_own_and_keeps_it(nib: NIB) -> None:
    apply(nib, "lc-a", report(host("dev_theirs", 1)))
    apply(nib, "lc-a", report(host("dev_theirs", 1, name="renamed")))
    (found,) = nib.all_devices()
    assert found.device_id != "dev_theirs"
    assert found.name == "renamed"
    assert [e.event_type for e in nib.events()] == ["DEVICE_APPEARED", "DEVICE_CHANGED"]
    assert first_fault(nib.events()) is None


def test_one_router_reported_by_two_regions_is_one_device(nib: NIB) -> None:
    macs = (mac(1), mac(2))
    in_a = host("dev_a", 1, macs=macs, ips=("10.99.0.2",), management_ip="10.99.0.2")
    in_b = host(
        "dev_b",
        1,
        namespace="zone-B",
        macs=macs,
        ips=("10.255.2.1",),
        management_ip="10.255.2.1",
    )
    apply(nib, "rc-a", report(in_a))
    apply(nib, "rc-b", report(in_b, region="zone-B"))
    (found,) = nib.all_devices()
    assert found.ips == ("10.255.2.1", "10.99.0.2")


@pytest.mark.attack(46)
def test_one_address_in_two_regions_is_two_devices(nib: NIB) -> None:
    ip = "192.168.50.10"
    in_a = host("dev_a", 1, ips=(ip,), management_ip=ip)
    in_b = host("dev_b", 2, namespace="zone-B", ips=(ip,), management_ip=ip)
    apply(nib, "rc-a", report(in_a))
    apply(nib, "rc-b", report(in_b, region="zone-B"))
    assert len(nib.all_devices()) == 2


def test_devices_that_turn_out_to_be_one_are_merged_and_the_old_id_still_resolves(nib: NIB) -> None:
    apply(nib, "rc-a", report(host("dev_a", 1)))
    in_b = host("dev_b", 2, namespace="zone-B", macs=(mac(2), mac(3)))
    apply(nib, "rc-b", report(in_b, region="zone-B"))
    first, second = (d.device_id for d in nib.all_devices())
    both = host("dev_a", 1, macs=(mac(1), mac(2), mac(3)))
    applied = apply(nib, "rc-a", report(both))
    (found,) = nib.all_devices()
    assert [nib.device(first), nib.device(second)] == [found, found]
    assert len(applied.absorbed) == 1
    (merged,) = (e for e in nib.events() if e.event_type == "DEVICES_MERGED")
    assert any("2 shared MACs" in reason for reason in merged.data["because"])


def test_devices_that_their_reporter_tells_apart_stay_apart(nib: NIB) -> None:
    macs = (mac(1), mac(2))
    apply(nib, "lc-a", report(host("dev_1", 1, macs=macs), host("dev_2", 2, macs=macs)))
    assert len(nib.all_devices()) == 2


def test_a_reporter_that_lost_its_ids_finds_its_devices_again(nib: NIB) -> None:
    apply(nib, "lc-a", report(host("dev_old", 1)))
    (before,) = nib.all_devices()
    apply(nib, "lc-a", report(host("dev_new", 1), is_full=True))
    (after,) = nib.all_devices()
    assert after.device_id == before.device_id


def test_what_the_reporter_merged_is_merged_here(nib: NIB) -> None:
    apply(nib, "lc-a", report(host("dev_1", 1), host("dev_2", 2)))
    merged = host("dev_1", 1, macs=(mac(1), mac(2)), ips=("10.0.0.1", "10.0.0.2"))
    absorbed = (Absorbed(device_id="dev_2", into_id="dev_1"),)
    apply(nib, "lc-a", report(merged, absorbed=absorbed))
    (found,) = nib.all_devices()
    assert found.macs == (mac(1), mac(2))


def test_a_device_is_inactive_only_when_nobody_sees_it(nib: NIB) -> None:
    apply(nib, "rc-a", report(host("dev_a", 1)))
    apply(nib, "rc-b", report(host("dev_b", 1)))
    gone = DeviceStatus.INACTIVE
    apply(nib, "rc-a", report(host("dev_a", 1, status=gone)))
    assert nib.all_devices()[0].status is DeviceStatus.ACTIVE
    apply(nib, "rc-b", report(host("dev_b", 1, status=gone)))
    assert nib.all_devices()[0].status is DeviceStatus.INACTIVE


def test_devices_seen_unchanged_only_advance(nib: NIB) -> None:
    apply(nib, "lc-a", report(host("dev_a", 1)))
    before = nib.all_devices()[0]
    applied = apply(nib, "lc-a", report(seen=("dev_a",), finished_at=later(30)))
    after = nib.all_devices()[0]
    assert after.last_seen == later(30)
    assert after.version == before.version
    assert applied.changed == {}
    assert applied.seen == [after.device_id]


def test_what_a_snapshot_does_not_name_is_gone(nib: NIB) -> None:
    apply(nib, "lc-a", report(host("dev_1", 1), host("dev_2", 2)))
    apply(nib, "lc-a", report(host("dev_1", 1), is_full=True))
    statuses = {d.macs[0]: d.status for d in nib.all_devices()}
    assert statuses == {mac(1): DeviceStatus.ACTIVE, mac(2): DeviceStatus.INACTIVE}


def test_links_join_devices_of_different_reporters(nib: NIB) -> None:
    def router(their_id: str, number: int, other: int, namespace: str) -> Device:
        heard = neighbor("eth1", None, "eth1", remote_chassis_id=mac(other))
        port = interface("eth1", mac(number))
        return host(their_id, number, namespace=namespace, interfaces=(port,), neighbors=(heard,))

    apply(nib, "rc-a", report(router("dev_1", 1, 2, "zone-A")))
    (ghost,) = nib.links().items
    assert None in {ghost.a.device_id, ghost.b.device_id}
    apply(nib, "rc-b", report(router("dev_2", 2, 1, "zone-B"), region="zone-B"))
    (link,) = nib.links().items
    assert {link.a.device_id, link.b.device_id} == {d.device_id for d in nib.all_devices()}


# --- links -----------------------------------------------------------------------------------


def test_what_becomes_of_a_link_is_an_event_at_every_tier(nib: NIB) -> None:
    def router(their_id: str, number: int, other: int) -> Device:
        heard = neighbor("eth1", None, "eth1", remote_chassis_id=mac(other))
        port = interface("eth1", mac(number))
        return host(their_id, number, interfaces=(port,), neighbors=(heard,))

    apply(nib, "lc-a", report(router("dev_1", 1, 2)))
    apply(nib, "lc-a", report(router("dev_2", 2, 1)))
    apply(nib, "lc-a", report(replace(router("dev_1", 1, 2), neighbors=())))
    apply(nib, "lc-a", report(replace(router("dev_2", 2, 1), neighbors=())))
    kinds = [e.event_type for e in nib.events() if e.event_type.startswith("LINK")]
    assert kinds == ["LINK_APPEARED", "LINK_CHANGED", "LINK_CHANGED", "LINK_GONE"]


# --- forgotten devices -----------------------------------------------------------------------


def test_a_retired_device_goes_when_nobody_else_tells_of_it(nib: NIB) -> None:
    apply(nib, "lc-a", report(host("dev_a", 1)))
    apply(nib, "lc-b", report(host("dev_b", 1)))
    applied = apply(nib, "lc-a", report(retired=("dev_a",)))
    (kept,) = nib.all_devices()
    assert applied.retired == []
    applied = apply(nib, "lc-b", report(retired=("dev_b",)))
    assert nib.all_devices() == ()
    assert applied.summary(report()).retired == (kept.device_id,)
    assert nib.events()[-1].event_type == "DEVICE_RETIRED"


def test_to_retire_what_nobody_knows_does_nothing(nib: NIB) -> None:
    assert apply(nib, "lc-a", report(retired=("dev_x",))).retired == []


# --- snapshots in parts ----------------------------------------------------------------------


def send(nib: NIB, reporter: str, what: DiscoveryReport, most: int) -> None:
    for part in in_parts(what, most):
        apply(nib, reporter, part)


def many(prefix: str, count: int) -> tuple[Device, ...]:
    return tuple(host(f"{prefix}{n}", n) for n in range(1, count + 1))


def test_a_snapshot_in_parts_deactivates_nothing_that_a_later_part_names(nib: NIB) -> None:
    apply(nib, "lc-a", report(*many("dev_", 5)))
    before = nib.events()[-1].seq
    send(nib, "lc-a", report(*many("dev_", 4), is_full=True), most=2)
    (event,) = nib.events(after_seq=before)
    assert event.event_type == "DEVICE_INACTIVE"
    statuses = {d.macs[0]: d.status for d in nib.all_devices()}
    assert [m for m, s in statuses.items() if s is DeviceStatus.INACTIVE] == [mac(5)]


def test_a_reporter_with_a_new_database_is_recognised_over_all_parts(nib: NIB) -> None:
    apply(nib, "lc-a", report(*many("dev_old", 5)))
    known = {d.macs: d.device_id for d in nib.all_devices()}
    before = nib.events()[-1].seq
    send(nib, "lc-a", report(*many("dev_new", 5), is_full=True), most=2)
    assert {d.macs: d.device_id for d in nib.all_devices()} == known
    assert nib.events(after_seq=before) == ()
    assert all(d.status is DeviceStatus.ACTIVE for d in nib.all_devices())
    apply(nib, "lc-a", report(retired=("dev_new1",)))
    assert len(nib.all_devices()) == 4


def test_a_snapshot_does_not_advance_what_it_only_names(nib: NIB) -> None:
    gone = host("dev_2", 2, status=DeviceStatus.INACTIVE)
    apply(nib, "lc-a", report(host("dev_1", 1), gone))
    whole = report(host("dev_1", 1), gone, is_full=True, finished_at=later(60))
    parts = list(in_parts(whole, 1))
    seen = [i for part in parts for i in apply(nib, "lc-a", part).seen]
    lost = next(d for d in nib.all_devices() if d.macs == (mac(2),))
    assert lost.last_seen == NOW
    assert lost.device_id not in seen


# --- the inbox -------------------------------------------------------------------------------


def message(seq: int | None, stream_id: str | None = "stream") -> Message:
    return Message(
        message_id=f"m{seq}",
        message_type=MessageType.DISCOVERY_REPORT,
        sender_id="lc-a",
        recipient_id="me",
        timestamp=NOW,
        payload={},
        stream_id=stream_id,
        seq=seq,
    )


def test_a_message_without_a_place_in_a_stream_is_refused(nib: NIB) -> None:
    with pytest.raises(RemoteProtocolError):
        take_in(nib, message(None, None), lambda _: None, is_snapshot=False)


def test_what_fails_to_apply_is_not_counted_as_applied(nib: NIB) -> None:
    def fail(_: NIBTransaction) -> None:
        raise RemoteProtocolError("broken")

    with pytest.raises(RemoteProtocolError):
        take_in(nib, message(1), fail, is_snapshot=False)
    assert nib.applied_seq("lc-a", "stream") == 0


def test_a_snapshot_jumps_a_gap_and_an_ordinary_message_does_not(nib: NIB) -> None:
    assert take_in(nib, message(5), lambda _: None, is_snapshot=False)[0] is Intake.GAP
    assert take_in(nib, message(5), lambda _: None, is_snapshot=True)[0] is Intake.APPLIED
    assert take_in(nib, message(6), lambda _: None, is_snapshot=False)[0] is Intake.APPLIED


@given(st.lists(st.integers(min_value=1, max_value=6), max_size=30))
def test_whatever_the_transport_does_each_message_applies_once_and_in_order(
    arrivals: list[int],
) -> None:
    nib = NIBStore("memory://")
    applied: list[int] = []
    for seq in [*arrivals, 1, 2, 3, 4, 5, 6]:
        take_in(nib, message(seq), lambda _, seq=seq: applied.append(seq), is_snapshot=False)  # type: ignore[misc]
    assert applied == [1, 2, 3, 4, 5, 6]


def test_a_reporter_that_lost_its_database_is_recognised_by_its_first_snapshot(nib: NIB) -> None:
    apply(nib, "lc-a", report(host("dev_old1", 1), host("dev_old2", 2)))
    before = {d.macs: d.device_id for d in nib.all_devices()}
    apply(nib, "lc-a", report(host("dev_new1", 1), host("dev_new2", 2), is_full=True))
    assert {d.macs: d.device_id for d in nib.all_devices()} == before
    gone = host("dev_new2", 2, status=DeviceStatus.INACTIVE)
    apply(nib, "lc-a", report(gone))
    statuses = {d.macs: d.status for d in nib.all_devices()}
    assert statuses == {(mac(1),): DeviceStatus.ACTIVE, (mac(2),): DeviceStatus.INACTIVE}


def test_what_an_operator_set_here_holds_whatever_is_reported(nib: NIB) -> None:
    apply(nib, "lc-a", report(host("d", 1, name="r1")))
    (ours,) = nib.devices().items
    with nib.transaction() as tx:
        pinned = edit(ours, {"name": "core", "notes": "x"}, by="alice", at=NOW)
        tx.put_device(pinned, expected_version=ours.version)
    apply(nib, "lc-a", report(host("d", 1, name="r2"), finished_at=later(2)))
    (held,) = nib.devices().items
    assert (held.name, held.notes) == ("core", "x")
    assert edit(held, {"name": None}, by="alice", at=NOW).name == "r2"


def test_what_an_operator_set_on_a_device_follows_it_into_the_one_that_absorbs_it(
    nib: NIB,
) -> None:
    apply(nib, "lc-a", report(host("d1", 1)))
    apply(nib, "lc-a", report(host("d2", 2)))
    first, second = nib.devices().items
    with nib.transaction() as tx:
        noted = edit(second, {"notes": "x"}, by="alice", at=NOW)
        tx.put_device(noted, expected_version=second.version)
    merged = Absorbed(device_id="d2", into_id="d1")
    applied = apply(nib, "lc-a", report(absorbed=(merged,), finished_at=later(2)))
    (left,) = nib.devices().items
    assert (left.device_id, left.notes) == (first.device_id, "x")
    assert applied.changed[first.device_id].notes == "x"
