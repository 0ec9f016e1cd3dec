"""Scan windows: the wall clock decides, also in the nights in which clocks are changed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdsno.domain.errors import InputError
from pdsno.domain.scan_windows import (
    DAYS,
    ScanWindow,
    check_window,
    closes_at,
    is_open,
    opens_at,
)

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu")


def window(start: str, end: str, *days: str, timezone: str = "UTC") -> ScanWindow:
    return ScanWindow(start=start, end=end, days=days, timezone=timezone)


def at(text: str, zone: ZoneInfo | None = None) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone or UTC)


def test_without_windows_it_is_always_open() -> None:
    now = at("2026-03-01T12:00")
    assert is_open((), now)
    assert closes_at((), now) is opens_at((), now) is None


@pytest.mark.parametrize(
    ("clock", "is_in"),
    [("08:59:59", False), ("09:00", True), ("16:59:59", True), ("17:00", False)],
)
def test_the_start_is_inside_and_the_end_is_not(clock: str, is_in: bool) -> None:
    assert is_open((window("09:00", "17:00"),), at(f"2026-03-02T{clock}")) is is_in


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_starts() -> None:
    friday_night = (window("22:00", "05:00", "fri"),)
    assert is_open(friday_night, at("2026-03-06T23:00"))
    assert is_open(friday_night, at("2026-03-07T04:59"))
    assert not is_open(friday_night, at("2026-03-06T04:00"))
    assert not is_open(friday_night, at("2026-03-07T23:00"))
    assert opens_at(friday_night, at("2026-03-06T10:00")) == at("2026-03-06T22:00")
    assert closes_at(friday_night, at("2026-03-06T23:30")) == at("2026-03-07T05:00")


def test_a_window_that_ends_when_it_starts_lasts_a_day() -> None:
    always, sunday = (window("00:00", "00:00"),), (window("06:00", "06:00", "sun"),)
    assert closes_at(always, at("2026-03-06T10:00")) is None
    assert is_open(sunday, at("2026-03-09T05:59"))
    assert not is_open(sunday, at("2026-03-09T06:00"))


def test_windows_that_touch_are_one() -> None:
    both = (window("09:00", "12:00"), window("12:00", "14:00"))
    assert closes_at(both, at("2026-03-02T10:00")) == at("2026-03-02T14:00")


def test_an_hour_that_is_left_out_does_not_open_and_a_repeated_one_opens_twice() -> None:
    night = (window("02:15", "02:45", timezone="Europe/Berlin"),)
    before = at("2026-03-28T12:00", BERLIN)
    assert opens_at(night, before) == at("2026-03-30T02:15", BERLIN)
    first = opens_at(night, at("2026-10-24T12:00", BERLIN))
    assert first is not None
    second = opens_at(night, first + timedelta(minutes=31))
    assert second is not None
    assert second - first == timedelta(hours=1)


def test_a_window_into_the_hour_that_is_left_out_closes_with_the_change() -> None:
    night = (window("01:00", "02:30", timezone="Europe/Berlin"),)
    assert closes_at(night, at("2026-03-29T01:30", BERLIN)) == at("2026-03-29T01:00")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (window("9:00", "17:00"), "write it as 22:00"),
        (window("09:00", "24:00"), "not a time of day"),
        (window("09:00", "17:00", "monday"), "there are mon, tue"),
        (window("09:00", "17:00", timezone="Europe/Bärlin"), "no time zone"),
        (window("09:00", "17:00", timezone="../../etc/passwd"), "no time zone"),
    ],
)
def test_a_window_that_is_none_is_explained(wrong: ScanWindow, says: str) -> None:
    with pytest.raises(InputError, match=says):
        check_window(wrong)


def test_a_window_is_told_as_people_write_it() -> None:
    told = str(window("22:00", "05:00", "mon", "tue", timezone="Europe/Berlin"))
    assert told == "mon,tue 22:00-05:00 Europe/Berlin"


_clocks = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
_windows = st.lists(
    st.builds(
        ScanWindow,
        start=_clocks,
        end=_clocks,
        days=st.lists(st.sampled_from(DAYS), max_size=3).map(tuple),
        timezone=st.sampled_from(ZONES),
    ),
    min_size=1,
    max_size=3,
).map(tuple)
_moments = st.datetimes(
    min_value=datetime(2026, 1, 1),  # noqa: DTZ001 - hypothesis wants naive bounds
    max_value=datetime(2027, 12, 31),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(_windows, _moments)
def test_the_next_change_is_the_first_one(windows: tuple[ScanWindow, ...], now: datetime) -> None:
    was_open = is_open(windows, now)
    change = closes_at(windows, now) if was_open else opens_at(windows, now)
    other = opens_at(windows, now) if was_open else closes_at(windows, now)
    assert other is None
    if change is None:
        assert was_open, "every window opens within a fortnight"
        return
    assert change > now - timedelta(minutes=1)
    assert is_open(windows, change) is not was_open
    step = max((change - now) / 40, timedelta(minutes=1))
    seen = now
    while seen < change:
        assert is_open(windows, seen) is was_open
        seen += step
