"""What a look found, into the NIB: rows and events in the caller's transaction."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from pdsno.domain.anomalies.entities import Anomaly, Finding, Kind, anomaly_id_of
from pdsno.domain.anomalies.ledger import CLOSED_DAYS, Change, event_of, reconcile
from pdsno.domain.ports import NIBTransaction
from pdsno.domain.reports import open_anomalies


def write_findings(
    tx: NIBTransaction,
    findings: Iterable[Finding],
    is_looked_at: Callable[[Anomaly], bool],
    *,
    found_by: str,
    now: datetime,
    kinds: frozenset[Kind] | None = None,
) -> tuple[Anomaly, ...]:
    """Write what a look at these `kinds` (None: all) changed; returns the rows that did."""
    found = tuple(findings)
    held = {row.anomaly_id: row for row in open_anomalies(tx, found_by)}
    held |= tx.anomalies_by_id([anomaly_id_of(found_by, f.kind, f.key) for f in found])
    wanted = [row for row in held.values() if kinds is None or row.kind in kinds]
    changes = reconcile(wanted, found, is_looked_at, found_by=found_by, now=now)
    write_changes(tx, changes, actor=found_by, now=now)
    tx.forget_anomalies(closed_before=now - timedelta(days=CLOSED_DAYS))
    return tuple(change.row for change in changes)


def write_changes(
    tx: NIBTransaction, changes: Iterable[Change], *, actor: str, now: datetime
) -> None:
    """Write rows and tell what is news."""
    changes = tuple(changes)
    tx.put_anomalies(change.row for change in changes)
    for change in changes:
        event = event_of(change, actor=actor, now=now)
        if event is not None:
            tx.append_event(event)
