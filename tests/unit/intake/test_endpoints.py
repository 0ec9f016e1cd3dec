"""Endpoints of several reporters become one list, under one ID at every tier."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from pdsno.domain.coverage import coverage_of
from pdsno.domain.endpoints import endpoint_id
from pdsno.domain.entities import Attachment, Device, Endpoint
from pdsno.domain.messages import DiscoveryReport
from pdsno.domain.ports import NIB
from pdsno.intake.reports import Applied, ReportIntake
from pdsno.nib import NIBStore
from tests.unit.domain.builders import NOW, device, later, mac


@pytest.fixture
def nib() -> Iterator[NIB]:
    store = NIBStore("memory://")
    yield store
    store.close()


def endpoint(
    number: int, *ips: str, port: str | None = None, lc: str = "lc-a", minute: int = 1
) -> Endpoint:
    at = (
        Attachment(device_id=f"sw_of_{lc}", device="sw1", interface=port, vlan=20) if port else None
    )
    return Endpoint(
        endpoint_id=endpoint_id("zone-A", mac(number), None),
        namespace="zone-A",
        mac=mac(number),
        ips=ips,
        region="zone-A",
        local_controller=lc,
        attachment=at,
        sources=("arp",),
        first_seen=NOW,
        last_seen=later(minute),
    )


def switch(lc: str = "lc-a") -> Device:
    return device(
        f"sw_of_{lc}", name="sw1", namespace="zone-A", macs=(mac(100),), ips=("10.0.0.100",)
    )


def apply(nib: NIB, reporter: str, minute: int = 1, **what: object) -> Applied:
    report = DiscoveryReport(
        cycle_id="cycle_1",
        region="zone-A",
        local_controller=reporter,
        started_at=NOW,
        finished_at=later(minute),
        coverage=(coverage_of("zone-A", ["10.0.0.0/24"]),),
    )
    with nib.transaction() as tx:
        return ReportIntake("me").apply(tx, reporter, replace(report, **what))  # type: ignore[arg-type]


def test_a_port_is_told_under_our_own_id_of_the_switch(nib: NIB) -> None:
    applied = apply(
        nib, "lc-a", devices=(switch(),), endpoints=(endpoint(1, "10.0.0.1", port="p1"),)
    )
    (ours,) = nib.all_devices()
    (found,) = nib.endpoints().items
    assert found.attachment is not None
    assert found.attachment.device_id == ours.device_id != "sw_of_lc-a"
    assert (found.region, found.local_controller) == ("zone-A", "lc-a")
    assert tuple(applied.endpoints.values()) == (found,)
    assert [e.event_type for e in nib.events()] == ["DEVICE_APPEARED"]


def test_the_port_of_a_switch_that_is_not_here_keeps_its_name(nib: NIB) -> None:
    apply(nib, "lc-a", endpoints=(endpoint(1, port="p1"),))
    (found,) = nib.endpoints().items
    assert found.attachment == Attachment(device_id=None, device="sw1", interface="p1", vlan=20)


def test_unchanged_endpoints_only_advance_and_are_told_upwards_by_id(nib: NIB) -> None:
    one = endpoint(1, "10.0.0.1")
    apply(nib, "lc-a", endpoints=(one,))
    applied = apply(nib, "lc-a", 30, endpoints_seen=(one.endpoint_id,))
    (found,) = nib.endpoints().items
    assert found.last_seen == later(30)
    assert applied.endpoints == {}
    assert applied.endpoints_seen == [one.endpoint_id]


@pytest.mark.parametrize("port_first", [True, False])
def test_of_two_views_the_later_counts_and_a_known_port_stays(
    nib: NIB, *, port_first: bool
) -> None:
    views = [
        endpoint(1, "10.0.0.1", port="p1", lc="lc-a", minute=1),
        endpoint(1, "10.0.0.2", lc="lc-b", minute=2),
    ]
    for view in views if port_first else views[::-1]:
        apply(nib, view.local_controller, endpoints=(view,))
    (found,) = nib.endpoints().items
    assert (found.ips, found.local_controller) == (("10.0.0.2",), "lc-b")
    assert found.attachment is not None
    assert found.attachment.interface == "p1"


def test_one_local_controller_may_take_back_a_port(nib: NIB) -> None:
    apply(nib, "lc-a", endpoints=(endpoint(1, port="p1"),))
    apply(nib, "lc-a", endpoints=(endpoint(1, minute=2),))
    assert nib.endpoints().items[0].attachment is None


def test_what_another_reporter_knows_as_a_device_is_no_endpoint(nib: NIB) -> None:
    apply(nib, "lc-a", devices=(switch(),))
    applied = apply(nib, "lc-b", endpoints=(endpoint(100), endpoint(1)))
    assert [e.mac for e in nib.endpoints().items] == [mac(1)]
    assert len(applied.endpoints) == 1


def test_many_endpoints_are_compared_with_devices_as_well(nib: NIB) -> None:
    apply(nib, "lc-a", devices=(switch(),))
    apply(nib, "lc-b", endpoints=tuple(endpoint(n) for n in range(1, 201)))
    assert len(nib.endpoints(limit=1000).items) == 199


def test_an_endpoint_that_became_a_device_goes(nib: NIB) -> None:
    apply(nib, "lc-b", endpoints=(endpoint(100),))
    apply(nib, "lc-a", devices=(switch(),))
    assert nib.endpoints().items == ()


def test_endpoints_go_when_nobody_has_seen_them_for_long(nib: NIB) -> None:
    random = replace(endpoint(1), is_random_mac=True)
    apply(nib, "lc-a", endpoints=(random, endpoint(2)))
    last = endpoint(3, minute=8 * 24 * 60)
    apply(nib, "lc-a", 8 * 24 * 60, endpoints=(last,))
    assert {e.mac for e in nib.endpoints().items} == {mac(2), mac(3)}


def test_sightings_are_kept_here_too(nib: NIB) -> None:
    apply(nib, "lc-a", endpoints=(endpoint(1, "10.0.0.1"),))
    apply(nib, "lc-a", 2, endpoints=(endpoint(1, "10.0.0.2", minute=2),))
    key = endpoint_id("zone-A", mac(1), None)
    assert [s.ip for s in nib.endpoint_sightings(key)] == ["10.0.0.2", "10.0.0.1"]
    assert nib.endpoints().items[0].first_seen == NOW
    assert nib.endpoints().items[0].last_seen == NOW + timedelta(minutes=2)
