"""Anomalies at the tiers above: those of reporters in our terms, and those between reporters."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pdsno.controllers.context_manager import ContextManager
from pdsno.controllers.overdue_watch import OverdueWatch
from pdsno.controllers.pausing import OwnPause
from pdsno.domain.anomalies.entities import Anomaly, Kind, Severity, Status, anomaly_id_of
from pdsno.domain.coverage import coverage_of
from pdsno.domain.entities import ControllerRecord, Device, Endpoint
from pdsno.domain.identifiers import Role
from pdsno.domain.messages import DiscoveryReport
from pdsno.domain.persons_report import Tier
from pdsno.domain.policy import LocalPolicy, Policy, RegionPolicy
from pdsno.domain.ports import NIB
from pdsno.intake.reports import Applied, ReportIntake
from pdsno.nib import NIBStore
from tests.unit.domain.builders import NOW, later, mac
from tests.unit.intake.test_reports import host

ROLE_REGION = {Role.GLOBAL: None, Role.REGIONAL: "zone-A"}


@pytest.fixture
def nib() -> Iterator[NIB]:
    with NIBStore("memory://") as store:
        yield store


def apply(
    nib: NIB,
    reporter: str,
    *devices: Device,
    role: Role = Role.REGIONAL,
    at: int = 1,
    region: str = "zone-A",
    **values: object,
) -> Applied:
    report = DiscoveryReport(
        cycle_id=f"cycle_{at}",
        region=region,
        local_controller=reporter,
        started_at=later(at - 1),
        finished_at=later(at),
        coverage=(coverage_of(region, ["10.0.0.0/24"]),),
        devices=devices,
    )
    with nib.transaction() as tx:
        return ReportIntake("me", role).apply(tx, reporter, replace(report, **values))  # type: ignore[arg-type]


def found_below(kind: Kind, subject: str, *, at: int = 1, **values: object) -> Anomaly:
    row = Anomaly(
        anomaly_id=anomaly_id_of("lc", kind, subject),
        kind=kind,
        severity=Severity.WARNING,
        subject=subject,
        region="zone-A",
        found_by="lc",
        key=subject,
        first_seen=later(at),
        opened_at=later(at),
        last_seen=later(at),
    )
    return replace(row, **values)  # type: ignore[arg-type]


def rows(nib: NIB, kind: Kind) -> list[Anomaly]:
    return [row for row in nib.anomalies(limit=100).items if row.kind is kind]


def test_a_row_from_below_has_our_id_of_the_device_and_goes_further_up(nib: NIB) -> None:
    told = found_below(Kind.NEW_DEVICE, "dev_a")
    new = host("dev_a", 1, first_seen=later(1), last_seen=later(1))
    applied = apply(nib, "lc", new, anomalies=(told,))
    (row,) = rows(nib, Kind.NEW_DEVICE)
    assert row.subject == nib.own_id("lc", "dev_a")
    assert row.found_by == "lc"
    assert [a.subject for a in applied.anomalies.values()] == [row.subject]
    ended = replace(told, status=Status.CLOSED, closed_at=later(5), last_seen=later(5))
    apply(nib, "lc", at=5, anomalies=(ended,))
    assert rows(nib, Kind.NEW_DEVICE)[0].status is Status.CLOSED
    kinds = [e.event_type for e in nib.events() if e.event_type.startswith("ANOMALY")]
    assert kinds == ["ANOMALY_OPENED", "ANOMALY_CLOSED"]


def test_a_device_that_is_new_to_one_reporter_only_is_none_here(nib: NIB) -> None:
    apply(nib, "lc-old", host("dev_x", 1, macs=(mac(1), mac(2))))
    told = found_below(Kind.NEW_DEVICE, "dev_a", at=50)
    same = host("dev_a", 1, macs=(mac(1), mac(2)), first_seen=later(50), last_seen=later(50))
    apply(nib, "lc", same, at=50, anomalies=(told,))
    assert len(nib.all_devices()) == 1
    assert rows(nib, Kind.NEW_DEVICE) == []


def test_a_serial_that_two_reporters_have_on_different_hardware_is_told_until_it_ends(
    nib: NIB,
) -> None:
    apply(nib, "lc-a", host("dev_a", 1, serial="CLONE7", local_controller="lc-a"))
    assert rows(nib, Kind.CLONED_SERIAL) == []
    apply(nib, "lc-b", host("dev_b", 2, serial="CLONE7", local_controller="lc-b"), at=2)
    (row,) = rows(nib, Kind.CLONED_SERIAL)
    assert (row.found_by, row.subject) == ("me", "clone7")
    assert len(nib.all_devices()) == 2
    apply(nib, "lc-b", host("dev_b", 2, serial="OWN8", local_controller="lc-b"), at=3)
    assert rows(nib, Kind.CLONED_SERIAL)[0].status is Status.CLOSED


def test_one_address_managed_by_two_reporters_is_a_conflict(nib: NIB) -> None:
    ip: dict[str, Any] = {"ips": ("10.0.0.7",), "management_ip": "10.0.0.7"}
    apply(nib, "lc-a", host("dev_a", 1, local_controller="lc-a", **ip))
    apply(nib, "lc-b", host("dev_b", 2, local_controller="lc-b", **ip), at=2)
    (row,) = rows(nib, Kind.ADDRESS_CONFLICT)
    assert row.subject == "10.0.0.7"


def test_a_device_that_comes_to_another_local_controller_or_region_has_moved(nib: NIB) -> None:
    apply(nib, "rc-a", host("dev_a", 1, local_controller="lc-a"))
    there = host("dev_a", 1, local_controller="lc-b")
    apply(nib, "rc-a", there, at=2)
    (row,) = rows(nib, Kind.DEVICE_MOVED)
    assert row.evidence["to"] == {"local_controller": "lc-b"}


def test_the_global_tier_sees_moves_between_regions_only(nib: NIB) -> None:
    apply(nib, "rc", host("dev_a", 1, local_controller="lc-a"), role=Role.GLOBAL)
    apply(nib, "rc", host("dev_a", 1, local_controller="lc-b"), role=Role.GLOBAL, at=2)
    assert rows(nib, Kind.DEVICE_MOVED) == []
    moved = host("dev_a", 1, region="zone-B", local_controller="lc-b")
    apply(nib, "rc", moved, role=Role.GLOBAL, at=3)
    (row,) = rows(nib, Kind.DEVICE_MOVED)
    assert row.evidence["from"] == {"region": "zone-A"}


def endpoint(region: str, at: datetime) -> Endpoint:
    return Endpoint(
        endpoint_id=f"ep_{region}",
        namespace=region,
        mac=mac(5),
        ips=("10.0.0.5",),
        region=region,
        first_seen=at,
        last_seen=at,
    )


def test_a_mac_in_two_regions_is_told_by_the_global_tier(nib: NIB) -> None:
    apply(nib, "rc-a", role=Role.GLOBAL, endpoints=(endpoint("zone-A", later(1)),))
    there = (endpoint("zone-B", later(2)),)
    apply(nib, "rc-b", role=Role.GLOBAL, at=2, region="zone-B", endpoints=there)
    (row,) = rows(nib, Kind.MAC_IN_TWO_REGIONS)
    assert (row.subject, row.evidence["regions"]) == (mac(5), ["zone-A", "zone-B"])
    assert row.region is None
    much_later = (endpoint("zone-B", later(200)),)
    apply(nib, "rc-b", role=Role.GLOBAL, at=200, region="zone-B", endpoints=much_later)
    assert rows(nib, Kind.MAC_IN_TWO_REGIONS)[0].status is Status.CLOSED


# --- overdue ---------------------------------------------------------------------------------


def watch(nib: NIB, folder: Path, role: Role = Role.REGIONAL) -> OverdueWatch:
    tier = Tier(controller_id="me", role=role, region=ROLE_REGION[role])
    return OverdueWatch(nib, tier, ContextManager(folder / "context.yaml"), NOW)


def admit(nib: NIB, *, is_paused: bool = False) -> None:
    local = ControllerRecord(
        controller_id="local_cntl_zone-A_1",
        role=Role.LOCAL,
        region="zone-A",
        public_key="",
        key_id="k",
        validated_at=NOW,
    )
    entry = LocalPolicy(controller_id=local.controller_id, subnets=("10.0.0.0/24",))
    region = RegionPolicy(region="zone-A", local_controllers=(entry,), is_paused=is_paused)
    with nib.transaction() as tx:
        tx.put_controller(local, expected_version=None)
        tx.put_policy(Policy(version=1, regions=(region,)))


def completed(nib: NIB, at: int) -> None:
    apply(
        nib, "local_cntl_zone-A_1", at=at, completed=("10.0.0.0/24",),
    )  # fmt: skip


def test_a_silent_local_controller_is_overdue_until_it_completes_a_cycle(
    nib: NIB, tmp_path: Path
) -> None:
    admit(nib)
    completed(nib, 10)
    looking = watch(nib, tmp_path)
    looking.look(later(30))
    assert rows(nib, Kind.DISCOVERY_OVERDUE) == []
    looking.look(later(36))
    looking.look(later(37))
    (row,) = rows(nib, Kind.DISCOVERY_OVERDUE)
    assert (row.subject, row.status, row.count) == ("10.0.0.0/24", Status.OPEN, 2)
    told = [r.payload["anomalies"] for r in nib.outbox()]
    assert [a["kind"] for page in told for a in page] == ["discovery_overdue"]
    completed(nib, 38)
    looking.look(later(39))
    assert rows(nib, Kind.DISCOVERY_OVERDUE)[0].status is Status.CLOSED


def test_a_pause_is_no_delay(nib: NIB, tmp_path: Path) -> None:
    admit(nib, is_paused=True)
    looking = watch(nib, tmp_path)
    looking.look(later(500))
    assert rows(nib, Kind.DISCOVERY_OVERDUE) == []


def test_an_own_pause_is_no_delay_and_its_end_is(nib: NIB, tmp_path: Path) -> None:
    admit(nib)
    pause = OwnPause(ContextManager(tmp_path / "context.yaml"))
    pause.begin("alice", "work")
    watch(nib, tmp_path).look(later(500))
    assert rows(nib, Kind.DISCOVERY_OVERDUE) == []
    pause.end()
    watch(nib, tmp_path).look(later(501))
    assert len(rows(nib, Kind.DISCOVERY_OVERDUE)) == 1


def test_the_global_tier_watches_where_no_regional_one_is_heard_of(
    nib: NIB, tmp_path: Path
) -> None:
    admit(nib)
    above = ControllerRecord(
        controller_id="regional_cntl_zone-A_1",
        role=Role.REGIONAL,
        region="zone-A",
        public_key="",
        key_id="r",
        validated_at=NOW,
        last_seen=later(100),
    )
    with nib.transaction() as tx:
        tx.put_controller(above, expected_version=None)
    looking = watch(nib, tmp_path, Role.GLOBAL)
    looking.look(later(102))
    assert rows(nib, Kind.DISCOVERY_OVERDUE) == []
    looking.look(later(110))
    assert len(rows(nib, Kind.DISCOVERY_OVERDUE)) == 1
