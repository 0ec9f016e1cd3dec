"""One row for each anomaly: what findings, their absence and people make of the rows.

Pure. The same findings again raise a count and open nothing; what is not found any more is closed
only where somebody looked (`is_looked_at`): an address that was not probed says nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pdsno.domain.anomalies.entities import (
    INCIDENTS,
    SEVERITY,
    Anomaly,
    Finding,
    Status,
    anomaly_id_of,
)
from pdsno.domain.entities import NewEvent

INCIDENT_DAYS = 30
"""An incident that nobody acknowledged and that did not happen again closes after so long."""
CLOSED_DAYS = 90
"""A closed anomaly is forgotten after so long."""

OPENED, CLOSED, ACKNOWLEDGED = "ANOMALY_OPENED", "ANOMALY_CLOSED", "ANOMALY_ACKNOWLEDGED"


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A row to write, and the event to tell, if it is news."""

    row: Anomaly
    event: str | None = None


IsLookedAt = Callable[[Anomaly], bool]
"""Tells whether an anomaly would have been found again if it lasted."""


def reconcile(
    held: Iterable[Anomaly],
    findings: Iterable[Finding],
    is_looked_at: IsLookedAt,
    *,
    found_by: str,
    now: datetime,
) -> tuple[Change, ...]:
    """Return what this look changes.

    `held` are rows of this finder: all that are not closed, and those of the findings. Rows come
    in order of their IDs. Applied twice with the same `now`, nothing more is opened or closed, and
    no count rises.
    """
    rows = {row.anomaly_id: row for row in held if row.found_by == found_by}
    found = {anomaly_id_of(found_by, f.kind, f.key): f for f in findings}
    changes = [_found(rows.get(key), key, found[key], found_by, now) for key in sorted(found)]
    for key in sorted(rows.keys() - found.keys()):
        row = rows[key]
        if row.status is not Status.CLOSED and _has_ended(row, is_looked_at, now):
            changes.append(Change(row=closed(row, now), event=CLOSED))
    return tuple(change for change in changes if change.row != rows.get(change.row.anomaly_id))


def _found(
    row: Anomaly | None, anomaly_id: str, finding: Finding, found_by: str, now: datetime
) -> Change:
    if row is None:
        fresh = Anomaly(
            anomaly_id=anomaly_id,
            kind=finding.kind,
            severity=SEVERITY[finding.kind],
            subject=finding.subject,
            region=finding.region,
            found_by=found_by,
            key=finding.key,
            first_seen=now,
            opened_at=now,
            last_seen=now,
            evidence=finding.evidence,
        )
        return Change(row=fresh, event=OPENED)
    if row.last_seen >= now:
        return Change(row=row)
    again = replace(
        row,
        subject=finding.subject,
        region=finding.region,
        last_seen=now,
        count=row.count + 1,
        evidence=finding.evidence,
    )
    if row.status is not Status.CLOSED:
        return Change(row=again)
    return Change(row=_reopened(again, now), event=OPENED)


def _reopened(row: Anomaly, now: datetime) -> Anomaly:
    return replace(
        row,
        status=Status.OPEN,
        opened_at=now,
        closed_at=None,
        acknowledged_by=None,
        acknowledged_at=None,
        note=None,
    )


def _has_ended(row: Anomaly, is_looked_at: IsLookedAt, now: datetime) -> bool:
    if row.kind in INCIDENTS:
        return now - row.last_seen > timedelta(days=INCIDENT_DAYS)
    return now > row.last_seen and is_looked_at(row)


def closed(row: Anomaly, now: datetime) -> Anomaly:
    """Return an anomaly that has ended."""
    return replace(row, status=Status.CLOSED, closed_at=now)


def acknowledged(row: Anomaly, *, by: str, note: str, now: datetime) -> Anomaly:
    """Return an anomaly that a person knows of; an incident is closed by that."""
    known = replace(
        row,
        status=Status.ACKNOWLEDGED,
        acknowledged_by=by,
        acknowledged_at=now,
        note=note or None,
    )
    return closed(known, now) if row.kind in INCIDENTS else known


def told_from_below(held: Mapping[str, Anomaly], told: Sequence[Anomaly]) -> tuple[Change, ...]:
    """Return what a report's anomalies change here, where `held` are ours by ID.

    An acknowledgement of this tier holds until the anomaly begins anew. What is older than what we
    have says nothing.
    """
    changes = []
    for row in told:
        before = held.get(row.anomaly_id)
        after = row if before is None else _with_word(before, row)
        if before is not None and (row.last_seen < before.last_seen or after == before):
            continue
        changes.append(Change(row=after, event=_news(before, after)))
    return tuple(changes)


def _with_word(before: Anomaly, row: Anomaly) -> Anomaly:
    if row.opened_at > before.opened_at or row.acknowledged_at or not before.acknowledged_at:
        return row
    known = replace(
        row,
        acknowledged_by=before.acknowledged_by,
        acknowledged_at=before.acknowledged_at,
        note=before.note,
    )
    if row.status is Status.OPEN:
        return replace(known, status=before.status, closed_at=before.closed_at)
    return known


def _news(before: Anomaly | None, after: Anomaly) -> str | None:
    was = before.status if before else Status.CLOSED
    if after.status is was:
        return None
    if after.status is Status.OPEN:
        return OPENED
    if before is None and after.status is Status.CLOSED:
        return None
    is_incident_known = after.kind in INCIDENTS and after.acknowledged_at is not None
    if after.status is Status.ACKNOWLEDGED or is_incident_known:
        return ACKNOWLEDGED
    return CLOSED


def event_of(change: Change, *, actor: str, now: datetime) -> NewEvent | None:
    """Return the event of a change, if it is news."""
    if change.event is None:
        return None
    row = change.row
    data: dict[str, object] = {
        "kind": row.kind.value,
        "severity": row.severity.value,
        "status": row.status.value,
        "subject": row.subject,
        "found_by": row.found_by,
        "count": row.count,
    }
    if change.event == ACKNOWLEDGED:
        data |= {"by": row.acknowledged_by, "note": row.note}
    else:
        data |= {"evidence": dict(row.evidence)}
    return NewEvent(
        event_type=change.event,
        subject=row.anomaly_id,
        actor=actor,
        at=now,
        region=row.region,
        data=data,
    )
