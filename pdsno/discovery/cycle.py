"""One discovery cycle of a local controller: what was observed becomes NIB rows and a report.

Rows, links, events, the record per address and the outbox row are one transaction: either the
cycle happened, or it did not.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pdsno.discovery.observe import Observations
from pdsno.discovery.oui import vendor_of
from pdsno.domain.coverage import Coverage
from pdsno.domain.diff import Delta, Scope, diff
from pdsno.domain.entities import DeviceStatus, NewEvent
from pdsno.domain.identifiers import new_device_id
from pdsno.domain.jsonable import jsonable
from pdsno.domain.links import derive_links
from pdsno.domain.messages import DiscoveryReport, MessageType
from pdsno.domain.observations import AddressOutcome, Outcome
from pdsno.domain.ports import NIB, NIBTransaction
from pdsno.domain.reports import as_snapshot, in_parts, is_first_of_stream
from pdsno.domain.resolve import resolve

KEEP_CYCLES = 10
"""How many cycles' records per address a NIB keeps."""


class ReportState(StrEnum):
    """How far the report of a cycle has come."""

    QUEUED = "queued"
    DELIVERED = "delivered"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, kw_only=True, slots=True)
class DiscoveryCycleResult:
    """What one cycle did.

    `failures` are addresses that answered and then refused to tell about themselves although
    somebody tried (wrong credentials, time-outs of a service that was there); silent addresses are
    no failure. `is_complete` is False when the cycle was cut short; `notes` say what could not be
    done and why.
    """

    cycle_id: str
    region: str
    local_controller: str
    subnets: tuple[str, ...]
    started_at: datetime
    finished_at: datetime
    coverage: Coverage
    devices_seen: int
    devices_new: int
    devices_changed: int
    devices_inactive: int
    devices_missed: int
    outcomes: Mapping[str, int]
    failures: tuple[AddressOutcome, ...]
    notes: tuple[str, ...]
    is_complete: bool
    report: ReportState

    @property
    def duration_s(self) -> float:
        """Wall-clock time of the cycle."""
        return (self.finished_at - self.started_at).total_seconds()


_FAILED = frozenset(
    {
        Outcome.AUTHENTICATION_FAILED,
        Outcome.SESSION_CLOSED,
        Outcome.PARSER_FAILED,
        Outcome.FAILED,
    }
)


def failures(outcomes: tuple[AddressOutcome, ...]) -> tuple[AddressOutcome, ...]:
    """Return the records of addresses that answered and where a query then went wrong."""
    return tuple(
        record
        for record in outcomes
        if record.is_answered and any(p.outcome in _FAILED for p in record.probes)
    )


def record_cycle(
    nib: NIB,
    observations: Observations,
    *,
    cycle_id: str,
    region: str,
    local_controller: str,
    subnets: tuple[str, ...],
    miss_limit: int,
    now: datetime,
) -> DiscoveryCycleResult:
    """Write one cycle into the NIB and queue its report; returns with `report` queued."""
    scope = Scope(
        region=region,
        local_controller=local_controller,
        coverage=observations.coverage,
        now=now,
        miss_limit=miss_limit,
        mint=new_device_id,
        vendor_of=vendor_of,
    )
    observed = resolve(observations.coverage.namespace, observations.sightings, observations.facts)
    with nib.transaction() as tx:
        delta = diff(tx.all_devices(), observed, scope)
        _write(tx, delta, now)
        tx.put_address_outcomes(cycle_id, now, observations.outcomes, keep_cycles=KEEP_CYCLES)
        report = DiscoveryReport(
            cycle_id=cycle_id,
            region=region,
            local_controller=local_controller,
            started_at=observations.started_at,
            finished_at=now,
            coverage=(observations.coverage,),
            devices=delta.changed,
            seen=delta.seen,
            absorbed=delta.absorbed,
        )
        if is_first_of_stream(tx):
            report = as_snapshot(tx, report)
        for part in in_parts(report):
            tx.enqueue(MessageType.DISCOVERY_REPORT, jsonable(part), correlation_id=cycle_id)
        tx.append_event(_completed(observations, cycle_id, local_controller, region, now))
    return DiscoveryCycleResult(
        cycle_id=cycle_id,
        region=region,
        local_controller=local_controller,
        subnets=subnets,
        started_at=observations.started_at,
        finished_at=now,
        coverage=observations.coverage,
        devices_seen=len(observed),
        devices_new=sum(d.version == 0 for d in delta.changed),
        devices_changed=sum(
            d.version > 0 and d.status is DeviceStatus.ACTIVE for d in delta.changed
        ),
        devices_inactive=sum(d.status is DeviceStatus.INACTIVE for d in delta.changed),
        devices_missed=len(delta.missed),
        outcomes=_count(observations.outcomes),
        failures=failures(observations.outcomes),
        notes=observations.notes,
        is_complete=observations.is_complete,
        report=ReportState.QUEUED,
    )


def _count(outcomes: tuple[AddressOutcome, ...]) -> dict[str, int]:
    counts = Counter("answered" if o.is_answered else "silent" for o in outcomes)
    for record in outcomes:
        for probe in record.probes:
            if probe.outcome not in (Outcome.ANSWERED, Outcome.SILENT):
                counts[f"{probe.method.value} {probe.outcome.value}"] += 1
    return dict(counts)


def _write(tx: NIBTransaction, delta: Delta, now: datetime) -> None:
    for merged in delta.absorbed:
        tx.absorb_device(merged.device_id, merged.into_id)
    for device in (*delta.changed, *delta.missed):
        tx.put_device(device, expected_version=device.version or None)
    tx.touch_devices(delta.seen, now)
    for event in delta.events:
        tx.append_event(event)
    if delta.changed or delta.absorbed:
        tx.replace_links(derive_links(tx.all_devices()))


def _completed(
    observations: Observations, cycle_id: str, actor: str, region: str, now: datetime
) -> NewEvent:
    return NewEvent(
        event_type="DISCOVERY_COMPLETED" if observations.is_complete else "DISCOVERY_INTERRUPTED",
        subject=cycle_id,
        actor=actor,
        at=now,
        region=region,
        data={
            "outcomes": _count(observations.outcomes),
            "prefixes": list(observations.coverage.prefixes),
            "notes": list(observations.notes),
        },
    )
