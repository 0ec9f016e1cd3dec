"""One discovery cycle of a local controller: what was observed becomes NIB rows and a report.

Rows, links, events, the record per address and the outbox row are one transaction: either the
cycle happened, or it did not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pdsno.discovery.cycle_anomalies import picture, write_anomalies
from pdsno.discovery.cycle_endpoints import EndpointDelta, record_endpoints
from pdsno.discovery.cycle_tellers import answered_by_devices, tellers
from pdsno.discovery.cycle_writes import write_devices
from pdsno.discovery.ledger import counts
from pdsno.discovery.observe import Observations
from pdsno.discovery.oui import vendor_of
from pdsno.discovery.sweep.interfaces import local_addresses
from pdsno.domain.anomalies.cycle import Context
from pdsno.domain.anomalies.entities import Anomaly
from pdsno.domain.anomalies.host_keys import host_key_events
from pdsno.domain.constraints import Words
from pdsno.domain.coverage import Coverage
from pdsno.domain.diff import Brake, Delta, Scope, diff
from pdsno.domain.endpoints import Look, endpoint_id, is_stranger
from pdsno.domain.entities import Device, DeviceStatus, NewEvent
from pdsno.domain.identifiers import new_device_id
from pdsno.domain.jsonable import jsonable
from pdsno.domain.makings import Making, without_accounts
from pdsno.domain.messages import DiscoveryReport, MessageType
from pdsno.domain.observations import (
    AddressOutcome,
    Authority,
    CycleRecord,
    ObservedDevice,
    Outcome,
)
from pdsno.domain.persons_word import words_of
from pdsno.domain.policy import LocalPolicy
from pdsno.domain.ports import NIB, NIBTransaction
from pdsno.domain.relink import relink
from pdsno.domain.reports import queue_report
from pdsno.domain.resolve import resolve


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
    done and why. `devices_seen` are devices that answered, endpoints not among them.
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
    devices_retired: int
    endpoints_seen: int
    endpoints_new: int
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
        Outcome.HOST_KEY_CHANGED,
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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Cycle:
    """What is known of a cycle before it is written."""

    cycle_id: str
    region: str
    local_controller: str
    subnets: tuple[str, ...]
    authority: Authority
    local: LocalPolicy
    now: datetime
    accept_missing: bool
    observations: Observations


def record_cycle(  # noqa: PLR0913 - everything that a cycle is told
    nib: NIB,
    observations: Observations,
    *,
    cycle_id: str,
    region: str,
    local_controller: str,
    subnets: tuple[str, ...],
    authority: Authority,
    local: LocalPolicy,
    now: datetime,
    accept_missing: bool = False,
) -> DiscoveryCycleResult:
    """Write one cycle into the NIB and queue its report; returns with `report` queued."""
    cycle = _Cycle(
        cycle_id=cycle_id,
        region=region,
        local_controller=local_controller,
        subnets=subnets,
        authority=authority,
        local=local,
        now=now,
        accept_missing=accept_missing,
        observations=observations,
    )
    space = observations.coverage.namespace
    with nib.transaction() as tx:
        previous = tx.all_devices()
        words = words_of(tx)
        observed = resolve(space, observations.sightings, observations.facts, previous, words)
        delta = diff(previous, observed, _scope(tx, cycle, observed, words))
        before = picture(tx, previous)
        devices, makings = write_devices(tx, previous, delta, now)
        hosts = _write_endpoints(tx, cycle, observed, delta, previous, devices)
        relink(tx, devices, actor=local_controller, now=now)
        _tell_changed_host_keys(tx, cycle, devices)
        anomalies = write_anomalies(tx, _context(tx, cycle, delta, hosts), before, devices)
        _write_record(tx, cycle)
        _report(tx, cycle, delta, hosts, told=(makings, anomalies))
        tx.append_event(_completed(cycle, delta, hosts))
    return _result(cycle, delta, hosts, devices_seen=len(observed) - len(delta.strangers))


def _scope(
    tx: NIBTransaction, cycle: _Cycle, observed: Sequence[ObservedDevice], words: Words
) -> Scope:
    local = cycle.local
    return Scope(
        region=cycle.region,
        local_controller=cycle.local_controller,
        coverage=cycle.observations.coverage,
        now=cycle.now,
        miss_limit=local.miss_limit,
        mint=new_device_id,
        vendor_of=vendor_of,
        is_stranger=_strangers(tx, cycle, observed),
        brake=Brake(percent=local.brake_percent, from_count=local.brake_from),
        accept_missing=cycle.accept_missing,
        requested_by=cycle.authority.requested_by,
        retire_after=timedelta(days=local.retire_after_days),
        words=words,
    )


def _strangers(
    tx: NIBTransaction, cycle: _Cycle, observed: Sequence[ObservedDevice]
) -> Callable[[ObservedDevice], bool]:
    """Return who tells devices from endpoints in this cycle."""
    outcomes = {record.address: record for record in cycle.observations.outcomes}
    silent = [item for item in observed if not item.facts]
    keys = {key for item in silent for key in _keys(item)}
    known = tx.endpoints_by_id(sorted(keys)).keys() if keys else frozenset[str]()

    told = frozenset(item.address for item in cycle.observations.facts)

    def is_one(item: ObservedDevice) -> bool:
        return is_stranger(
            item,
            outcomes,
            told_by_others=told,
            is_known_endpoint=any(key in known for key in _keys(item)),
            is_cut_short=not cycle.observations.is_complete,
            can_ask=bool(cycle.authority.credentials),
        )

    return is_one


def _keys(observed: ObservedDevice) -> list[str]:
    """Return the IDs that it has if it is an endpoint."""
    space = observed.namespace
    if observed.macs:
        return [endpoint_id(space, mac, None) for mac in observed.macs]
    return [endpoint_id(space, None, ip) for ip in observed.ips]


def _write_endpoints(
    tx: NIBTransaction,
    cycle: _Cycle,
    observed: Sequence[ObservedDevice],
    delta: Delta,
    previous: Sequence[Device],
    devices: Sequence[Device],
) -> EndpointDelta:
    observations = cycle.observations
    look = Look(
        namespace=observations.coverage.namespace,
        region=cycle.region,
        local_controller=cycle.local_controller,
        now=cycle.now,
        strangers=delta.strangers,
        facts=observations.facts,
        devices=devices,
        tellers=tellers(observations.coverage.namespace, observations.facts, devices),
        answered=answered_by_devices(observed, delta.strangers),
        vendor_of=vendor_of,
        own_macs=frozenset(item.mac for item in local_addresses()),
    )
    came = [device for device in delta.changed if device.status is not DeviceStatus.INACTIVE]
    return record_endpoints(tx, look, observations, cycle.local, previous=previous, came=came)


def _tell_changed_host_keys(tx: NIBTransaction, cycle: _Cycle, devices: Sequence[Device]) -> None:
    """Write an event where a host key changed since the cycle before; not yet in the ledger."""
    _, before = tx.address_outcomes()
    events = host_key_events(
        before,
        cycle.observations.outcomes,
        owners={(d.namespace, ip): d.device_id for d in devices for ip in d.ips},
        actor=cycle.local_controller,
        region=cycle.region,
        now=cycle.now,
    )
    for event in events:
        tx.append_event(event)


def _write_record(tx: NIBTransaction, cycle: _Cycle) -> None:
    observations = cycle.observations
    record = CycleRecord(
        cycle_id=cycle.cycle_id,
        region=cycle.region,
        local_controller=cycle.local_controller,
        namespace=observations.coverage.namespace,
        subnets=cycle.subnets,
        authority=cycle.authority,
        started_at=observations.started_at,
        finished_at=cycle.now,
        is_complete=observations.is_complete,
        counts=counts(observations.outcomes),
        notes=observations.notes,
        interruptions=observations.interruptions,
    )
    tx.put_cycle(record, observations.outcomes, keep_cycles=cycle.local.keep_cycles)


def _context(tx: NIBTransaction, cycle: _Cycle, delta: Delta, hosts: EndpointDelta) -> Context:
    words = tx.words()
    return Context(
        controller_id=cycle.local_controller,
        region=cycle.region,
        now=cycle.now,
        coverage=cycle.observations.coverage,
        is_complete=cycle.observations.is_complete,
        subnets=cycle.subnets,
        cycles=tx.cycles(limit=cycle.local.keep_cycles),
        conflicts=hosts.holding,
        outcomes=cycle.observations.outcomes,
        held=delta.held,
        asked=delta.asked,
        miss_limit=cycle.local.miss_limit,
        known_parts=frozenset(key for word in words for key in (word.a_id, word.b_id)),
    )


def _report(
    tx: NIBTransaction,
    cycle: _Cycle,
    delta: Delta,
    hosts: EndpointDelta,
    *,
    told: tuple[Sequence[Making], Sequence[Anomaly]],
) -> None:
    makings, anomalies = told
    report = DiscoveryReport(
        cycle_id=cycle.cycle_id,
        region=cycle.region,
        local_controller=cycle.local_controller,
        started_at=cycle.observations.started_at,
        finished_at=cycle.now,
        coverage=(cycle.observations.coverage,),
        devices=delta.changed,
        seen=delta.seen,
        absorbed=delta.absorbed,
        retired=delta.retired,
        endpoints=hosts.changed,
        endpoints_seen=hosts.seen,
        makings=tuple(map(without_accounts, makings)),
        anomalies=tuple(anomalies),
        completed=cycle.subnets if cycle.observations.is_complete else (),
    )
    queue_report(tx, MessageType.DISCOVERY_REPORT, report, correlation_id=cycle.cycle_id)


def _completed(cycle: _Cycle, delta: Delta, hosts: EndpointDelta) -> NewEvent:
    observations = cycle.observations
    return NewEvent(
        event_type="DISCOVERY_COMPLETED" if observations.is_complete else "DISCOVERY_INTERRUPTED",
        subject=cycle.cycle_id,
        actor=cycle.local_controller,
        at=cycle.now,
        region=cycle.region,
        data={
            "outcomes": counts(observations.outcomes),
            "prefixes": list(observations.coverage.prefixes),
            "notes": list(observations.notes),
            "interruptions": jsonable(observations.interruptions),
            "devices": len(delta.changed) + len(delta.seen),
            "held": delta.held,
            "endpoints": hosts.count,
            "endpoints_new": hosts.new,
            "endpoints_forgotten": hosts.forgotten,
        },
    )


def _result(
    cycle: _Cycle, delta: Delta, hosts: EndpointDelta, *, devices_seen: int
) -> DiscoveryCycleResult:
    observations = cycle.observations
    return DiscoveryCycleResult(
        cycle_id=cycle.cycle_id,
        region=cycle.region,
        local_controller=cycle.local_controller,
        subnets=cycle.subnets,
        started_at=observations.started_at,
        finished_at=cycle.now,
        coverage=observations.coverage,
        devices_seen=devices_seen,
        devices_new=sum(d.version == 0 for d in delta.changed),
        devices_changed=sum(
            d.version > 0 and d.status is DeviceStatus.ACTIVE for d in delta.changed
        ),
        devices_inactive=sum(d.status is DeviceStatus.INACTIVE for d in delta.changed),
        devices_missed=len(delta.missed),
        devices_retired=len(delta.retired),
        endpoints_seen=hosts.count,
        endpoints_new=hosts.new,
        outcomes=counts(observations.outcomes),
        failures=failures(observations.outcomes),
        notes=observations.notes,
        is_complete=observations.is_complete,
        report=ReportState.QUEUED,
    )
