"""When probes may be sent: windows by the wall clock of a place. Pure.

A window is open while the clock on that wall shows a time inside it. So in the night in which
clocks go forward a window in the hour that is left out does not open, and in the night in which
they go back one in the hour that comes twice opens twice.
"""

import re
import zoneinfo
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import lru_cache

from pdsno.domain.errors import InputError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_STEP = timedelta(minutes=1)
_HORIZON = timedelta(days=15)
"""A window of one day in the week opens within this, also if summer time leaves it out once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanWindow:
    """When probes may be sent, by the clock of `timezone` (IANA name).

    `days` are `mon` to `sun`, empty for all; `start` and `end` are `HH:MM`. A window whose end is
    not after its start ends on the next day; `days` are those on which it starts.
    """

    start: str
    end: str
    days: tuple[str, ...] = ()
    timezone: str = "UTC"

    def __str__(self) -> str:
        """Return it as people write it: `mon,tue 22:00-05:00 Europe/Berlin`."""
        days = f"{','.join(self.days)} " if self.days else ""
        return f"{days}{self.start}-{self.end} {self.timezone}"


def check_window(window: ScanWindow) -> ScanWindow:
    """Return `window` if it is sound, else raise InputError saying what is wrong."""
    for text in (window.start, window.end):
        if not _TIME.fullmatch(text):
            msg = f"{text!r} is not a time of day: write it as 22:00"
            raise InputError(msg)
    for day in window.days:
        if day not in DAYS:
            msg = f"{day!r} is not a day: there are {', '.join(DAYS)}"
            raise InputError(msg)
    _zone(window.timezone)
    return window


def is_open(windows: Iterable[ScanWindow], now: datetime) -> bool:
    """Tell whether a probe may be sent at `now` (aware). Without windows: always."""
    known = tuple(windows)
    return not known or any(_is_inside(window, now) for window in known)


def closes_at(windows: Sequence[ScanWindow], now: datetime) -> datetime | None:
    """Return when what is open at `now` closes, in UTC; None if it is closed or never closes."""
    if not windows or not is_open(windows, now):
        return None
    return _next(windows, now, is_wanted=False)


def opens_at(windows: Sequence[ScanWindow], now: datetime) -> datetime | None:
    """Return when a window opens next, in UTC; None if one is open at `now`."""
    if is_open(windows, now):
        return None
    return _next(windows, now, is_wanted=True)


def _next(windows: Sequence[ScanWindow], now: datetime, *, is_wanted: bool) -> datetime | None:
    """Return the first whole minute from which on it is so.

    Minute by minute: that needs no knowledge of when clocks are changed. Takes tens of
    milliseconds for the longest wait.
    """
    at = now.astimezone(UTC).replace(second=0, microsecond=0)
    end = at + _HORIZON
    while at < end:
        at += _STEP
        if is_open(windows, at) is is_wanted:
            return at
    return None


def _is_inside(window: ScanWindow, now: datetime) -> bool:
    local = now.astimezone(_zone(window.timezone))
    start, end, clock = _clock(window.start), _clock(window.end), local.time()
    today = _starts_on(window, local.weekday())
    if start < end:
        return today and start <= clock < end
    yesterday = _starts_on(window, local.weekday() - 1)
    return (today and clock >= start) or (yesterday and clock < end)


def _starts_on(window: ScanWindow, weekday: int) -> bool:
    return not window.days or DAYS[weekday % len(DAYS)] in window.days


@lru_cache(maxsize=256)
def _clock(text: str) -> time:
    return time.fromisoformat(text)


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo:
    """Return a time zone; UTC needs no time zone data on this machine. Raises InputError."""
    if name == "UTC":
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        msg = f"{name!r} is no time zone here: write it as Europe/Berlin (package tzdata has them)"
        raise InputError(msg) from error
