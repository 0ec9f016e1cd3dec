"""One row for each anomaly: opened once, counted, closed where somebody looked, acknowledged."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pdsno.domain.anomalies.entities import Anomaly, Finding, Kind, Status
from pdsno.domain.anomalies.ledger import (
    INCIDENT_DAYS,
    Change,
    acknowledged,
    event_of,
    reconcile,
    told_from_below,
)
from pdsno.domain.anomalies.overdue import Watched, overdue
from pdsno.domain.record_ports import Covered
from tests.unit.domain.builders import NOW, later

CONFLICT = Finding(kind=Kind.ADDRESS_CONFLICT, key="a/1", subject="1", region="a")
NEW = Finding(kind=Kind.NEW_DEVICE, key="dev_1", subject="dev_1", region="a")


def look(
    rows: dict[str, Anomaly], *findings: Finding, at: int = 0, looked: bool = True
) -> tuple[Change, ...]:
    changes = reconcile(rows.values(), findings, lambda _: looked, found_by="lc", now=later(at))
    rows.update((change.row.anomaly_id, change.row) for change in changes)
    return changes


def only(rows: dict[str, Anomaly]) -> Anomaly:
    (row,) = rows.values()
    return row


def test_the_same_condition_again_raises_the_count_and_opens_nothing() -> None:
    rows: dict[str, Anomaly] = {}
    told = [change.event for at in range(4) for change in look(rows, CONFLICT, at=at)]
    assert told == ["ANOMALY_OPENED", None, None, None]
    row = only(rows)
    assert (row.count, row.first_seen, row.last_seen) == (4, NOW, later(3))


def test_a_look_applied_twice_changes_nothing_more() -> None:
    rows: dict[str, Anomaly] = {}
    look(rows, CONFLICT)
    assert look(rows, CONFLICT) == ()


def test_a_condition_that_ended_is_closed_with_its_time_only_where_somebody_looked() -> None:
    rows: dict[str, Anomaly] = {}
    look(rows, CONFLICT)
    assert look(rows, at=1, looked=False) == ()
    (change,) = look(rows, at=2)
    assert change.event == "ANOMALY_CLOSED"
    assert (change.row.status, change.row.closed_at) == (Status.CLOSED, later(2))
    assert look(rows, at=3) == ()


def test_a_condition_that_comes_back_opens_the_same_row_unacknowledged() -> None:
    rows: dict[str, Anomaly] = {}
    look(rows, CONFLICT)
    key = only(rows).anomaly_id
    rows[key] = acknowledged(only(rows), by="alice", note="known", now=later(1))
    look(rows, at=2)
    (change,) = look(rows, CONFLICT, at=3)
    row = change.row
    assert change.event == "ANOMALY_OPENED"
    assert (row.status, row.opened_at, row.first_seen, row.count) == ("open", later(3), NOW, 2)
    assert (row.acknowledged_by, row.closed_at, row.note) == (None, None, None)


def test_an_acknowledged_condition_stays_so_while_it_lasts_and_is_closed_when_it_ends() -> None:
    rows: dict[str, Anomaly] = {}
    look(rows, CONFLICT)
    rows[only(rows).anomaly_id] = acknowledged(only(rows), by="alice", note="", now=later(1))
    look(rows, CONFLICT, at=2)
    assert only(rows).status is Status.ACKNOWLEDGED
    look(rows, at=3)
    assert (only(rows).status, only(rows).acknowledged_by) == (Status.CLOSED, "alice")


def test_an_incident_waits_for_a_person_and_is_closed_by_their_word() -> None:
    rows: dict[str, Anomaly] = {}
    look(rows, NEW)
    assert look(rows, at=1) == ()
    row = acknowledged(only(rows), by="alice", note="the new printer", now=later(2))
    assert (row.status, row.closed_at, row.note) == (Status.CLOSED, later(2), "the new printer")


def test_an_incident_that_nobody_looked_at_ends_after_a_month() -> None:
    rows: dict[str, Anomaly] = {}
    look(rows, NEW)
    minutes = INCIDENT_DAYS * 24 * 60
    assert look(rows, at=minutes) == ()
    (change,) = look(rows, at=minutes + 1)
    assert change.row.status is Status.CLOSED


def test_rows_of_other_finders_are_left_alone() -> None:
    rows: dict[str, Anomaly] = {}
    look(rows, CONFLICT)
    foreign = replace(only(rows), found_by="other")
    assert reconcile([foreign], (), lambda _: True, found_by="lc", now=later(1)) == ()


@given(
    seen=st.lists(st.sets(st.sampled_from([CONFLICT.key, "a/2", "a/3"]), max_size=3), max_size=12)
)
def test_opening_and_closing_alternate_and_each_look_is_idempotent(seen: list[set[str]]) -> None:
    rows: dict[str, Anomaly] = {}
    state: dict[str, bool] = {}
    for at, keys in enumerate(seen):
        findings = [replace(CONFLICT, key=key) for key in keys]
        for change in look(rows, *findings, at=at):
            if change.event is not None:
                is_open = change.event == "ANOMALY_OPENED"
                assert state.get(change.row.key, False) is not is_open
                state[change.row.key] = is_open
        assert look(rows, *findings, at=at) == ()
        assert {row.key for row in rows.values() if row.status is Status.OPEN} == keys
    assert len(rows) == len({key for keys in seen for key in keys})


# --- what comes up from below ----------------------------------------------------------------


def below() -> Anomaly:
    rows: dict[str, Anomaly] = {}
    look(rows, CONFLICT)
    return only(rows)


def test_a_row_from_below_is_news_once() -> None:
    row = below()
    (first,) = told_from_below({}, [row])
    assert first.event == "ANOMALY_OPENED"
    assert told_from_below({row.anomaly_id: row}, [row]) == ()


def test_an_acknowledgement_here_outlives_what_comes_from_below_until_it_begins_anew() -> None:
    row = below()
    known = acknowledged(row, by="bob", note="", now=later(1))
    again = replace(row, last_seen=later(5), count=2)
    (change,) = told_from_below({row.anomaly_id: known}, [again])
    assert (change.row.status, change.row.acknowledged_by, change.event) == (
        "acknowledged",
        "bob",
        None,
    )
    anew = replace(row, opened_at=later(9), last_seen=later(9))
    (change,) = told_from_below({row.anomaly_id: known}, [anew])
    assert (change.row.status, change.row.acknowledged_by) == (Status.OPEN, None)


def test_an_older_word_from_below_says_nothing() -> None:
    row = below()
    newer = replace(row, last_seen=later(5), count=3)
    assert told_from_below({row.anomaly_id: newer}, [row]) == ()


def test_a_closed_row_from_below_closes_here_and_is_told() -> None:
    row = below()
    ended = replace(row, status=Status.CLOSED, closed_at=later(2))
    (change,) = told_from_below({row.anomaly_id: row}, [ended])
    assert change.event == "ANOMALY_CLOSED"
    told = event_of(change, actor="gc", now=later(2))
    assert told is not None
    assert told.data["found_by"] == "lc"


# --- overdue ---------------------------------------------------------------------------------

WATCHED = Watched(
    controller_id="lc",
    region="zone-A",
    subnets=("10.0.0.0/24", "10.1.0.0/24"),
    interval_s=300,
    has_windows=False,
    since=NOW,
)


def covered(subnet: str, at: int) -> Covered:
    return Covered(controller_id="lc", region="zone-A", subnet=subnet, at=later(at))


def test_a_subnet_is_overdue_after_three_intervals_and_ten_minutes() -> None:
    last = [covered("10.0.0.0/24", 10), covered("10.1.0.0/24", 30)]
    assert list(overdue([WATCHED], last, later(35))) == []
    (finding,) = overdue([WATCHED], last, later(36))
    assert finding.subject == "10.0.0.0/24"
    assert finding.evidence["local_controller"] == "lc"


def test_a_controller_that_never_completed_a_look_has_time_from_its_admission() -> None:
    assert list(overdue([WATCHED], [], later(25))) == []
    assert len(list(overdue([WATCHED], [], later(26)))) == 2


def test_scan_windows_give_a_week() -> None:
    windowed = replace(WATCHED, has_windows=True)
    assert list(overdue([windowed], [], later(7 * 24 * 60))) == []
    assert len(list(overdue([windowed], [], later(9 * 24 * 60)))) == 2
