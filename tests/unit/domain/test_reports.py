"""Splitting large reports."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pdsno.domain.endpoints import endpoint_id
from pdsno.domain.entities import Endpoint
from pdsno.domain.messages import Absorbed, DiscoveryReport
from pdsno.domain.reports import (
    as_snapshot,
    in_parts,
    is_closing,
    is_first_of_stream,
    is_opening,
    may_jump,
)
from pdsno.nib import NIBStore
from tests.unit.domain.builders import NOW, device, interface


def report(count: int, *, is_full: bool = False) -> DiscoveryReport:
    return DiscoveryReport(
        cycle_id="cycle",
        region="zone-A",
        local_controller="lc",
        started_at=NOW,
        finished_at=NOW,
        coverage=(),
        devices=tuple(device(f"dev_{n}") for n in range(count)),
        seen=("dev_x",),
        absorbed=(Absorbed(device_id="dev_y", into_id="dev_0"),),
        is_full=is_full,
    )


def endpoint(number: int) -> Endpoint:
    ip = f"10.1.{number >> 8}.{number & 255}"
    return Endpoint(
        endpoint_id=endpoint_id("zone-A", None, ip),
        namespace="zone-A",
        mac=None,
        ips=(ip,),
        first_seen=NOW,
        last_seen=NOW,
    )


@given(st.integers(0, 40), st.integers(1, 12))
def test_the_parts_together_are_the_report(count: int, most: int) -> None:
    whole = report(count)
    parts = list(in_parts(whole, most))
    assert sum((p.devices for p in parts), ()) == whole.devices
    assert all(len(p.devices) <= most for p in parts) or len(parts) == 1
    assert parts[0].absorbed == whole.absorbed
    assert parts[-1].seen == whole.seen
    assert sum(bool(p.absorbed) + bool(p.seen) for p in parts) == 2


@given(st.integers(0, 40), st.integers(1, 12))
def test_a_snapshot_names_everything_first_and_again_at_its_end(count: int, most: int) -> None:
    whole = report(count, is_full=True)
    parts = list(in_parts(whole, most))
    everything = {d.device_id for d in whole.devices}
    assert sum((p.devices for p in parts), ()) == whole.devices
    assert {d.device_id for d in parts[0].devices} | set(parts[0].seen) == everything
    assert may_jump(parts[0])
    assert not any(may_jump(part) for part in parts[1:])
    if count > most:
        assert is_opening(parts[0])
        assert [is_closing(part) for part in parts] == [False] * (len(parts) - 1) + [True]
        assert set(parts[-1].seen) == everything
    else:
        assert (len(parts), parts[0].seen) == (1, ())


def test_devices_with_many_interfaces_travel_in_smaller_parts() -> None:
    ports = tuple(interface(f"eth{n}") for n in range(4000))
    large = tuple(device(f"dev_{n}", interfaces=ports) for n in range(5))
    parts = list(in_parts(replace(report(0), devices=large)))
    assert [len(part.devices) for part in parts] == [2, 2, 1]


def test_endpoints_follow_the_devices_they_are_plugged_into() -> None:
    hosts = tuple(endpoint(n) for n in range(4500))
    unchanged = tuple(f"ep_{n}" for n in range(50_000))
    whole = replace(report(3), endpoints=hosts, endpoints_seen=unchanged, retired=("dev_old",))
    parts = list(in_parts(whole, 2))
    assert sum((p.endpoints for p in parts), ()) == hosts
    assert sum((p.endpoints_seen for p in parts), ()) == unchanged
    assert [len(p.devices) for p in parts] == [2, 1, 0, 0, 0]
    assert [len(p.endpoints) for p in parts] == [0, 2000, 2000, 500, 0]
    assert [p.retired for p in parts] == [()] * 4 + [("dev_old",)]
    assert sum((p.seen for p in parts), ()) == whole.seen


def test_a_snapshot_with_more_endpoints_than_fit_needs_no_closing() -> None:
    hosts = tuple(endpoint(n) for n in range(4500))
    parts = list(in_parts(replace(report(3, is_full=True), endpoints=hosts)))
    assert [p.is_full for p in parts] == [True, False, False]
    assert sum((p.endpoints for p in parts), ()) == hosts


def test_the_first_report_of_a_stream_is_a_snapshot_and_only_the_first() -> None:
    nib = NIBStore("memory://")
    with nib.transaction() as tx:
        tx.put_device(device("dev_known"), expected_version=None)
        tx.put_endpoints([endpoint(7)])
        assert is_first_of_stream(tx)
        snapshot = as_snapshot(tx, report(0))
    with nib.transaction() as tx:
        assert not is_first_of_stream(tx)
    assert [d.device_id for d in snapshot.devices] == ["dev_known"]
    assert snapshot.endpoints == (endpoint(7),)
    assert snapshot.is_full
    nib.close()
