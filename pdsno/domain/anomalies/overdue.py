"""(RC, GC) Subnets whose local controller has not looked at them for too long."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from pdsno.domain.anomalies.entities import Finding, Kind
from pdsno.domain.record_ports import Covered

INTERVALS = 3
_LEAST = timedelta(minutes=10)
_WINDOWED = timedelta(days=8)
"""Scan windows come once a week at the rarest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """A local controller that should discover; `since` is when it was admitted."""

    controller_id: str
    region: str
    subnets: tuple[str, ...]
    interval_s: int
    has_windows: bool
    since: datetime


def patience(watched: Watched) -> timedelta:
    """Return for how long a subnet may go without a completed look: intervals, and some time."""
    if watched.has_windows:
        return _WINDOWED
    return INTERVALS * timedelta(seconds=watched.interval_s) + _LEAST


def overdue(
    watched: Iterable[Watched], covered: Iterable[Covered], now: datetime
) -> Iterator[Finding]:
    """Return the subnets that are overdue; a paused controller is not to be `watched`."""
    last = {(c.controller_id, c.subnet): c.at for c in covered}
    for one in watched:
        for subnet in one.subnets:
            at = last.get((one.controller_id, subnet))
            if now - max(at or one.since, one.since) <= patience(one):
                continue
            yield Finding(
                kind=Kind.DISCOVERY_OVERDUE,
                key=f"{one.controller_id}/{subnet}",
                subject=subnet,
                region=one.region,
                evidence={
                    "local_controller": one.controller_id,
                    "last_completed": at.isoformat() if at else None,
                    "interval_s": one.interval_s,
                },
            )
