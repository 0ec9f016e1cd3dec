"""Anomalies of a report in our own terms, and those that only the merged picture shows."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

from pdsno.domain.anomalies.cycle import by_serial, one_ended
from pdsno.domain.anomalies.entities import Anomaly, Finding, Kind
from pdsno.domain.anomalies.ledger import told_from_below
from pdsno.domain.anomalies.merged import (
    address_in_two,
    are_apart,
    mac_in_two_regions,
    moved,
    serial_in_two,
)
from pdsno.domain.anomalies.writing import write_changes, write_findings
from pdsno.domain.entities import Device, DeviceStatus, LinkStatus
from pdsno.domain.identifiers import Role, is_identifying_mac
from pdsno.domain.messages import DiscoveryReport
from pdsno.domain.paging import PAGE, every
from pdsno.domain.ports import DeviceFilter, EndpointFilter, NIBTransaction
from pdsno.domain.record_ports import Covered
from pdsno.domain.reports import open_anomalies
from pdsno.intake.applied import Applied

_PAGE = 100
_FRESH = timedelta(hours=1)
"""An endpoint that was seen within is still there."""
_KINDS = frozenset(
    {
        Kind.DEVICE_MOVED,
        Kind.CLONED_SERIAL,
        Kind.ADDRESS_CONFLICT,
        Kind.MAC_IN_TWO_REGIONS,
        Kind.LINK_ONE_ENDED,
    }
)


def take_anomalies(
    tx: NIBTransaction, actor: str, reporter: str, report: DiscoveryReport, applied: Applied
) -> None:
    """Keep what was found below, after the devices of the report."""
    told = [ours for row in report.anomalies if (ours := _ours(tx, reporter, report, row))]
    held = tx.anomalies_by_id([row.anomaly_id for row in told])
    changes = told_from_below(held, told)
    write_changes(tx, changes, actor=actor, now=report.finished_at)
    applied.anomalies.update((change.row.anomaly_id, change.row) for change in changes)


def _ours(
    tx: NIBTransaction, reporter: str, report: DiscoveryReport, row: Anomaly
) -> Anomaly | None:
    """Return a row with its device under our ID; None for a new device that we knew before."""
    own_id = tx.own_id(reporter, row.subject)
    if own_id is None:
        return row
    device = tx.device(own_id)
    is_new = row.kind is Kind.NEW_DEVICE and not tx.anomalies_by_id([row.anomaly_id])
    if is_new and device is not None and device.first_seen < report.started_at:
        return None
    return replace(row, subject=own_id)


def take_coverage(tx: NIBTransaction, report: DiscoveryReport) -> None:
    """Note which subnets were looked at to the end."""
    told = (
        Covered(
            controller_id=report.local_controller,
            region=report.region,
            subnet=str(ip_network(subnet)),
            at=report.finished_at,
        )
        for subnet in report.completed
    )
    if report.local_controller and report.completed:
        tx.put_covered(told)


def find_anomalies(
    tx: NIBTransaction, actor: str, role: Role, report: DiscoveryReport, applied: Applied
) -> None:
    """Look for what no single reporter can know, where this report changed anything."""
    if not applied.has_new_links and not applied.endpoints:
        return
    held = tuple(open_anomalies(tx, actor))
    findings = (
        *moved(applied.moves, role),
        *_serials(tx, held, role, applied),
        *_addresses(tx, held, role, applied),
        *(_macs(tx, held, report, applied) if role is Role.GLOBAL else ()),
        *_links(tx, role),
    )
    rows = write_findings(
        tx, findings, lambda _: True, found_by=actor, now=report.finished_at, kinds=_KINDS
    )
    applied.anomalies.update((row.anomaly_id, row) for row in rows)


def _keys(held: Iterable[Anomaly], kind: Kind) -> set[str]:
    return {row.key for row in held if row.kind is kind}


def _find(tx: NIBTransaction, where: DeviceFilter) -> tuple[Device, ...]:
    return tx.devices(where, limit=_PAGE).items


def _serials(
    tx: NIBTransaction, held: Iterable[Anomaly], role: Role, applied: Applied
) -> Iterator[Finding]:
    told = {device.serial for device in applied.changed.values() if device.serial}
    looked_up = [d for text in sorted(told) for d in _find(tx, DeviceFilter(serial=text))]
    for row in held:
        if row.kind is Kind.CLONED_SERIAL:
            holders = (tx.device(holder["device_id"]) for holder in row.evidence["holders"])
            looked_up += [device for device in holders if device is not None]
    unique = {device.device_id: device for device in looked_up}
    for serial, alike in by_serial(unique.values()).items():
        yield from serial_in_two(serial, alike, role)


def _addresses(
    tx: NIBTransaction, held: Iterable[Anomaly], role: Role, applied: Applied
) -> Iterator[Finding]:
    places = {(d.namespace, d.management_ip) for d in applied.changed.values() if d.management_ip}
    for key in _keys(held, Kind.ADDRESS_CONFLICT):
        space, _, ip = key.rpartition("/")
        places.add((space, ip))
    for space, ip in sorted(places):
        holders = _find(tx, DeviceFilter(namespace=space, ip=ip))
        if len(holders) > 1:
            yield from address_in_two(space, ip, holders, role)


def _macs(
    tx: NIBTransaction, held: Iterable[Anomaly], report: DiscoveryReport, applied: Applied
) -> Iterator[Finding]:
    macs = _keys(held, Kind.MAC_IN_TWO_REGIONS)
    macs |= {mac for device in applied.changed.values() for mac in device.macs}
    macs |= {e.mac for e in applied.endpoints.values() if e.mac and not e.is_random_mac}
    since = report.finished_at - _FRESH
    for mac in sorted(filter(is_identifying_mac, macs)):
        where = EndpointFilter(mac=mac, seen_since=since)
        endpoints = tx.endpoints(where, limit=_PAGE).items
        yield from mac_in_two_regions(mac, _find(tx, DeviceFilter(mac=mac)), endpoints)


def _links(tx: NIBTransaction, role: Role) -> Iterable[Finding]:
    claimed = LinkStatus.CLAIMED
    links = tuple(every(lambda after: tx.links(status=claimed, limit=PAGE, after=after)))
    ids = {end.device_id for link in links for end in (link.a, link.b) if end.device_id}
    devices = tx.devices_by_id(ids)
    ends = (
        (link, [devices.get(end.device_id or "") for end in (link.a, link.b)]) for link in links
    )
    between = [link for link, (a, b) in ends if a and b and are_apart([a, b], role)]
    active = {k: d for k, d in devices.items() if d.status is not DeviceStatus.INACTIVE}
    return one_ended(between, active)
