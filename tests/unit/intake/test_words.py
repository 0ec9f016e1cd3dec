"""A person merges or splits where reporters tell: only the map changes, and reports keep to it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from pdsno.domain.entities import DeviceStatus
from pdsno.domain.errors import InputError
from pdsno.domain.identifiers import Role
from pdsno.domain.makings import Making, Told
from pdsno.domain.messages import Absorbed
from pdsno.domain.persons_report import Tier
from pdsno.domain.ports import NIB
from pdsno.domain.reports import is_first_of_stream
from pdsno.nib import NIBStore
from tests.unit.domain.builders import later, mac
from tests.unit.domain.persons import merge, split
from tests.unit.intake.test_reports import apply, host, report

REGIONAL = Tier(controller_id="me", role=Role.REGIONAL, region="zone-A")


@pytest.fixture
def nib() -> Iterator[NIB]:
    with NIBStore("memory://") as store:
        yield store


def ids(nib: NIB) -> list[str]:
    return [device.device_id for device in nib.all_devices()]


def test_merged_records_of_two_reporters_stay_one_and_go_up_as_absorbed(nib: NIB) -> None:
    apply(nib, "lc-a", report(host("dev_a", 1)))
    apply(nib, "lc-b", report(host("dev_b", 2)))
    a, b = ids(nib)
    with nib.transaction() as tx:
        is_first_of_stream(tx)  # which is a snapshot, and says nothing of what was absorbed
    merge(nib, a, b, tier=REGIONAL)
    for _ in range(2):
        apply(nib, "lc-b", report(host("dev_b", 2, name="renamed")))
        apply(nib, "lc-a", report(host("dev_a", 1)))
    assert ids(nib) == [a]
    assert nib.device(b) == nib.device(a)
    payload = nib.outbox()[-1].payload
    assert payload["absorbed"] == [{"device_id": b, "into_id": a}]


def test_a_reporter_that_begins_anew_under_other_ids_does_not_undo_a_merge(nib: NIB) -> None:
    apply(nib, "lc-a", report(host("dev_a", 1), host("dev_b", 2)))
    a, b = ids(nib)
    merge(nib, a, b, tier=REGIONAL)
    fresh = report(host("dev_a2", 1), host("dev_b2", 2), is_full=True)
    apply(nib, "lc-a", fresh)
    assert ids(nib) == [a]


def test_a_split_by_the_map_holds_against_reports_that_look_alike(nib: NIB) -> None:
    clone: dict[str, Any] = {"macs": (mac(1), mac(2)), "serial": "CLONED1"}
    apply(nib, "lc-a", report(host("dev_a", 1, **clone)))
    apply(nib, "lc-b", report(host("dev_b", 1, **clone)))
    (a,) = ids(nib)
    kept, new = split(nib, a, "lc-a", tier=REGIONAL).devices
    for _ in range(2):
        apply(nib, "lc-a", report(host("dev_a", 1, **clone)))
        apply(nib, "lc-b", report(host("dev_b", 1, name="b", **clone)))
        assert ids(nib) == sorted([kept.device_id, new.device_id])
    assert nib.own_id("lc-b", "dev_b") == new.device_id


def test_without_a_split_records_that_look_alike_are_one(nib: NIB) -> None:
    clone: dict[str, Any] = {"macs": (mac(1), mac(2)), "serial": "CLONED1"}
    for reporter in ("lc-a", "lc-b", "lc-a"):
        apply(nib, reporter, report(host(f"dev_{reporter}", 1, **clone)))
    assert len(ids(nib)) == 1


def test_the_record_of_one_reporter_is_split_at_that_reporter(nib: NIB) -> None:
    apply(nib, "lc-a", report(host("dev_a", 1)))
    (a,) = ids(nib)
    with pytest.raises(InputError, match="pdsno nib split dev_a --api URL of lc-a"):
        split(nib, a, tier=REGIONAL)


def test_a_merge_of_a_reporter_does_not_join_what_a_person_told_apart_here(nib: NIB) -> None:
    apply(nib, "lc-a", report(host("dev_a", 1), host("dev_b", 2)))
    a, b = ids(nib)
    merge(nib, a, b, tier=REGIONAL)
    kept, new = split(nib, a, "dev_a", tier=REGIONAL, at=later(1)).devices
    both = host("dev_a", 1, macs=(mac(1), mac(2)))
    absorbed = (Absorbed(device_id="dev_b", into_id="dev_a"),)
    apply(nib, "lc-a", replace(report(both), absorbed=absorbed, finished_at=later(2)))
    assert ids(nib) == sorted([kept.device_id, new.device_id])
    orphan = nib.device(new.device_id)
    assert orphan is not None
    assert orphan.status is DeviceStatus.INACTIVE
    assert "MERGE_NOT_FOLLOWED" in {e.event_type for e in nib.events()}


def test_reasons_of_reporters_are_kept_under_our_ids(nib: NIB) -> None:
    told = Told(by="lc-a", device_id="dev_a", lines=("+100 9 shared MACs",), has_facts=True)
    making = Making(device_id="dev_a", told=(told,))
    applied = apply(nib, "lc-a", replace(report(host("dev_a", 1)), makings=(making,)))
    (a,) = ids(nib)
    assert nib.making(a) == Making(device_id=a, told=(told,))
    assert applied.summary(report()).makings == (Making(device_id=a, told=(told,)),)


def test_why_two_reporters_tell_of_one_device_is_kept(nib: NIB) -> None:
    macs: dict[str, Any] = {"macs": (mac(1), mac(2), mac(3))}
    apply(nib, "lc-a", report(host("dev_a", 1, **macs)))
    apply(nib, "lc-b", report(host("dev_b", 1, name="core", **macs)))
    making = nib.making(ids(nib)[0])
    assert making is not None
    assert making.joined[0].other == "dev_b of lc-b"
    assert any("3 shared MACs" in line for line in making.joined[0].because)
