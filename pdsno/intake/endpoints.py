"""Endpoints of a report, in our own terms: switches under our IDs, devices left out."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from pdsno.domain.endpoint_history import MOST_SIGHTINGS, merge_views, sightings_of
from pdsno.domain.endpoints import endpoint_ids_of
from pdsno.domain.entities import Attachment, Endpoint
from pdsno.domain.link_marks import mac_mark
from pdsno.domain.messages import DiscoveryReport
from pdsno.domain.policy import LocalPolicy
from pdsno.domain.ports import NIBTransaction
from pdsno.intake.applied import Applied


def apply_endpoints(
    tx: NIBTransaction, reporter: str, report: DiscoveryReport, applied: Applied
) -> None:
    """Write what a report says of endpoints, after its devices; retention goes by its time.

    The IDs are the same at every tier. What one reporter takes for an endpoint and another knows
    as a device is a device.
    """
    came = {key for device in applied.changed.values() for key in endpoint_ids_of(device)}
    if came:
        tx.drop_endpoints(sorted(came))
    if not report.endpoints and not report.endpoints_seen:
        return
    told = _ours(tx, reporter, _without_devices(tx, report.endpoints))
    known = tx.endpoints_by_id(endpoint.endpoint_id for endpoint in told)
    merged = [merge_views(known.get(e.endpoint_id), e) for e in told]
    changed = [e for e in merged if known.get(e.endpoint_id) != e]
    tx.put_endpoints(changed)
    tx.put_endpoint_sightings(s for e in told for s in sightings_of(e))
    tx.touch_endpoints(report.endpoints_seen, report.finished_at)
    applied.endpoints.update((e.endpoint_id, e) for e in changed)
    applied.endpoints_seen.extend(report.endpoints_seen)
    _forget(tx, report)


def _ours(tx: NIBTransaction, reporter: str, endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    """Return endpoints with the switch that they are plugged into under our own ID."""
    ids: dict[str | None, str | None] = {None: None}
    found = []
    for endpoint in endpoints:
        at = endpoint.attachment
        if at is not None and at.device_id is not None:
            if at.device_id not in ids:
                ids[at.device_id] = tx.own_id(reporter, at.device_id)
            ours = Attachment(
                device_id=ids[at.device_id],
                device=at.device,
                interface=at.interface,
                vlan=at.vlan,
            )
            endpoint = replace(endpoint, attachment=ours)  # noqa: PLW2901 - the same one
        found.append(endpoint)
    return tuple(found)


def _without_devices(tx: NIBTransaction, endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    endpoints = tuple(endpoints)
    devices = tx.devices_marked(mac_mark(e.mac) for e in endpoints if e.mac)
    taken = {key for device in devices.values() for key in endpoint_ids_of(device)}
    return tuple(e for e in endpoints if e.mac is None or e.endpoint_id not in taken)


def _forget(tx: NIBTransaction, report: DiscoveryReport) -> None:
    """Keep endpoints as long as the most patient of our local controllers."""
    policy = tx.policy()
    regions = policy.regions if policy else ()
    told = [entry for region in regions for entry in region.local_controllers]
    told = told or [LocalPolicy(controller_id="", subnets=())]
    before = report.finished_at - timedelta(days=max(p.endpoint_days for p in told))
    tx.forget_endpoints(
        before=before,
        random_before=report.finished_at - timedelta(days=max(p.random_mac_days for p in told)),
        sightings_before=before,
        most=MOST_SIGHTINGS,
    )
