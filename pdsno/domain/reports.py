"""Reports of any size travel as several messages of a bounded one.

A snapshot travels in parts too. Its opening names every device, the first ones whole and the
others by ID, and may jump a gap; ordinary parts follow; its closing names every device once more,
and only then is what it does not name gone. Between the two the receiver recognises, under new
IDs, devices that it knows from before.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import zip_longest
from typing import TypeVar

from pdsno.domain.anomalies.entities import Anomaly
from pdsno.domain.entities import Device, Endpoint
from pdsno.domain.identifiers import uuid7
from pdsno.domain.makings import Making, without_accounts
from pdsno.domain.messages import DiscoveryReport, MessageType
from pdsno.domain.paging import PAGE, every
from pdsno.domain.ports import NIBReader, NIBTransaction
from pdsno.domain.record_ports import AnomalyFilter

MOST_DEVICES = 500
"""Devices in one message: with their interfaces some hundred kilobytes, far below the limit."""
MOST_ROWS = 10_000
"""Interfaces and neighbours in one message: some megabytes."""
MOST_ENDPOINTS = 2_000
MOST_IDS = 40_000
MOST_ANOMALIES = 2_000

_T = TypeVar("_T")


def in_parts(report: DiscoveryReport, most: int = MOST_DEVICES) -> Iterator[DiscoveryReport]:
    """Yield the report in parts to be applied in this order; a small one as it is.

    Merges go first, for later parts name what absorbed. Endpoints follow the devices at whose
    ports they are. What was seen unchanged goes last, and what was retired.
    """
    devices = list(_device_chunks(report.devices, most))
    endpoints = list(_chunks(report.endpoints, MOST_ENDPOINTS))
    parts = _as_parts(report, devices, endpoints)
    if not report.is_full:
        yield from _with_the_seen(report, parts)
        return
    names = tuple(device.device_id for device in report.devices)
    opening = {device.device_id for device in parts[0].devices}
    others = tuple(name for name in names if name not in opening)
    if len(parts) == 1:
        yield replace(parts[0], is_full=True)
        return
    yield replace(parts[0], is_full=True, seen=others)
    yield from parts[1:]
    if others:
        yield replace(parts[0], is_full=True, devices=(), endpoints=(), seen=names, absorbed=())


def may_jump(report: DiscoveryReport) -> bool:
    """Tell whether a report stands for all before it, so that it may follow a gap of its stream."""
    return report.is_full and not is_closing(report)


def is_closing(report: DiscoveryReport) -> bool:
    """Tell whether a report is the last part of a snapshot: it names all and carries nothing."""
    return report.is_full and bool(report.seen) and not report.devices


def is_opening(report: DiscoveryReport) -> bool:
    """Tell whether a report begins a snapshot that goes on: it names devices that follow."""
    return report.is_full and bool(report.seen) and bool(report.devices)


def _as_parts(
    report: DiscoveryReport,
    devices: Sequence[tuple[Device, ...]],
    endpoints: Sequence[tuple[Endpoint, ...]],
) -> list[DiscoveryReport]:
    """Return the parts with what is whole; the first endpoints share the last devices' part."""
    ahead: list[tuple[Endpoint, ...]] = [()] * (max(1, len(devices)) - 1)
    pairs = list(zip_longest(devices, [*ahead, *endpoints])) or [(None, None)]
    empty = replace(
        report,
        is_full=False,
        seen=(),
        absorbed=(),
        retired=(),
        endpoints_seen=(),
        makings=(),
        anomalies=(),
        completed=(),
    )
    parts = [
        replace(empty, devices=d or (), endpoints=e or (), makings=_makings_of(report, d or ()))
        for d, e in pairs
    ]
    parts[0] = replace(parts[0], absorbed=report.absorbed)
    first, *more = list(_chunks(report.anomalies, MOST_ANOMALIES)) or [()]
    parts[-1] = replace(
        parts[-1],
        anomalies=first,
        completed=report.completed,
        makings=(*parts[-1].makings, *_makings_of_others(report)),
    )
    return [*parts, *(replace(empty, anomalies=chunk) for chunk in more)]


def _makings_of_others(report: DiscoveryReport) -> tuple[Making, ...]:
    """Return why devices are one that did not change: that itself may be told anew."""
    ids = {device.device_id for device in report.devices}
    return tuple(making for making in report.makings if making.device_id not in ids)


def _makings_of(report: DiscoveryReport, devices: Sequence[Device]) -> tuple[Making, ...]:
    ids = {device.device_id for device in devices}
    return tuple(making for making in report.makings if making.device_id in ids)


def _with_the_seen(
    report: DiscoveryReport, parts: list[DiscoveryReport]
) -> Iterator[DiscoveryReport]:
    """Yield the parts, then what they leave: IDs of what was seen unchanged, and retired."""
    yield from parts[:-1]
    seen = list(_chunks(report.seen, MOST_IDS))
    endpoints = list(_chunks(report.endpoints_seen, MOST_IDS))
    rest = list(zip_longest(seen, endpoints)) or [(None, None)]
    last = parts[-1]
    for number, (devices, hosts) in enumerate(rest):
        is_last = number == len(rest) - 1
        yield replace(
            last,
            seen=devices or (),
            endpoints_seen=hosts or (),
            retired=report.retired if is_last else (),
        )
        last = replace(
            last, devices=(), endpoints=(), absorbed=(), makings=(), anomalies=(), completed=()
        )


def _device_chunks(devices: Sequence[Device], most: int) -> Iterator[tuple[Device, ...]]:
    chunk: list[Device] = []
    rows = 0
    for device in devices:
        weight = len(device.interfaces) + len(device.neighbors)
        if chunk and (len(chunk) >= most or rows + weight > MOST_ROWS):
            yield tuple(chunk)
            chunk, rows = [], 0
        chunk.append(device)
        rows += weight
    if chunk:
        yield tuple(chunk)


def _chunks(items: Sequence[_T], most: int) -> Iterator[tuple[_T, ...]]:
    for start in range(0, len(items), most):
        yield tuple(items[start : start + most])


def is_first_of_stream(tx: NIBTransaction) -> bool:
    """Tell, once for each stream, that no report went into it before.

    The first one is a snapshot: the parent may know us from a stream of an earlier database, under
    device IDs that we do not use any more.
    """
    return tx.next_number(f"reports:{tx.outbox_tail().stream_id}") == 1


def queue_report(
    tx: NIBTransaction,
    message_type: MessageType,
    report: DiscoveryReport,
    *,
    correlation_id: str | None,
) -> None:
    """Put a report into the outbox, in parts; the first of a stream becomes a snapshot."""
    if is_first_of_stream(tx):
        report = as_snapshot(tx, report)
    for part in in_parts(report):
        tx.enqueue(message_type, part, correlation_id=correlation_id)


def open_anomalies(reader: NIBReader, found_by: str | None = None) -> Iterator[Anomaly]:
    """Return the anomalies that are not closed, of all finders or of one."""
    where = AnomalyFilter(is_ended=False, found_by=found_by)
    return every(lambda after: reader.anomalies(where, limit=PAGE, after=after))


def as_snapshot(tx: NIBTransaction, report: DiscoveryReport) -> DiscoveryReport:
    """Return the report with everything that the NIB has; it travels `in_parts`."""
    return replace(
        report,
        devices=tx.all_devices(),
        endpoints=tuple(every(lambda after: tx.endpoints(limit=PAGE, after=after))),
        seen=(),
        endpoints_seen=(),
        absorbed=(),
        retired=(),
        is_full=True,
        makings=tuple(without_accounts(making) for making in tx.makings().values()),
        anomalies=tuple(open_anomalies(tx)),
    )


def snapshot_of(
    tx: NIBTransaction, region: str, local_controller: str, now: datetime
) -> Iterator[DiscoveryReport]:
    """Yield everything that the NIB has, for a parent that lost what it had confirmed."""
    head = DiscoveryReport(
        cycle_id=f"snapshot_{uuid7()}",
        region=region,
        local_controller=local_controller,
        started_at=now,
        finished_at=now,
        coverage=(),
    )
    yield from in_parts(as_snapshot(tx, head))
