"""Splitting large reports."""

from hypothesis import given
from hypothesis import strategies as st

from pdsno.domain.messages import Absorbed, DiscoveryReport
from pdsno.domain.reports import as_snapshot, in_parts, is_first_of_stream
from pdsno.nib import NIBStore
from tests.unit.domain.builders import NOW, device


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


@given(st.integers(0, 40), st.integers(1, 12))
def test_the_parts_together_are_the_report(count: int, most: int) -> None:
    whole = report(count)
    parts = list(in_parts(whole, most))
    assert sum((p.devices for p in parts), ()) == whole.devices
    assert all(len(p.devices) <= most for p in parts) or len(parts) == 1
    assert parts[0].absorbed == whole.absorbed
    assert parts[-1].seen == whole.seen
    assert sum(bool(p.absorbed) + bool(p.seen) for p in parts) == 2


def test_a_snapshot_is_never_split_for_it_names_all_there_is() -> None:
    assert list(in_parts(report(9, is_full=True), 2)) == [report(9, is_full=True)]


def test_the_first_report_of_a_stream_is_a_snapshot_and_only_the_first() -> None:
    nib = NIBStore("memory://")
    with nib.transaction() as tx:
        tx.put_device(device("dev_known"), expected_version=None)
        assert is_first_of_stream(tx)
        snapshot = as_snapshot(tx, report(0))
    with nib.transaction() as tx:
        assert not is_first_of_stream(tx)
    assert [d.device_id for d in snapshot.devices] == ["dev_known"]
    assert snapshot.is_full
    nib.close()
