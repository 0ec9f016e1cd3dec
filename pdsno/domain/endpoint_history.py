"""An endpoint from cycle to cycle: what it keeps, what it loses, what is written down.

New addresses, new ports, MACs of one day are history (sightings), never events.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pdsno.domain.endpoints import MOST_ADDRESSES, SeenEndpoint
from pdsno.domain.entities import Attachment, Endpoint, EndpointSighting

MOST_SIGHTINGS = 50
"""Sightings that a NIB keeps of one endpoint."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MergedEndpoint:
    """An endpoint as it now stands, and what is to be written about it.

    Unless `is_changed`, only its `last_seen` moved. A change is history, never an alarm.
    """

    endpoint: Endpoint
    sightings: tuple[EndpointSighting, ...]
    is_new: bool
    is_changed: bool


def merge_endpoint(
    known: Endpoint | None, seen: SeenEndpoint, is_asked: Callable[[str, str], bool]
) -> MergedEndpoint:
    """Return the endpoint after a cycle that saw it; `known` is what the NIB has.

    An address that it did not show goes if `is_asked` (namespace, address), else it stays: nobody
    looked. Its port stays as long as no switch says otherwise: a quiet host ages out of MAC tables.
    """
    now = seen.endpoint
    if known is not None:
        kept = {ip for ip in known.ips if ip not in now.ips and not is_asked(now.namespace, ip)}
        room = max(0, MOST_ADDRESSES - len(now.ips))
        now = replace(
            now,
            ips=tuple(sorted({*now.ips, *sorted(kept)[:room]})),
            vendor=now.vendor or known.vendor,
            attachment=_port(known, seen),
            sources=tuple(sorted({*known.sources, *now.sources})),
            first_seen=min(known.first_seen, now.first_seen),
            last_seen=max(known.last_seen, now.last_seen),
        )
    is_changed = known is None or replace(known, last_seen=now.last_seen) != now
    return MergedEndpoint(
        endpoint=now,
        sightings=_sightings(now, seen),
        is_new=known is None,
        is_changed=is_changed,
    )


def _port(known: Endpoint, seen: SeenEndpoint) -> Attachment | None:
    """Return where it is plugged in now; the old port goes if its switch has it on a trunk."""
    if seen.endpoint.attachment is not None or known.attachment is None:
        return seen.endpoint.attachment
    if known.attachment in seen.places:
        return known.attachment
    return None if known.attachment.device_id in seen.switches else known.attachment


def _sightings(endpoint: Endpoint, seen: SeenEndpoint) -> tuple[EndpointSighting, ...]:
    """Return one sighting for each address of this cycle, and one for each further port."""
    at = endpoint.attachment
    shown = seen.endpoint.ips or (None,)
    found: list[tuple[str | None, Attachment | None]] = [(ip, at) for ip in shown]
    found += [(None, place) for place in seen.places if place != at]
    source = seen.endpoint.sources[0] if seen.endpoint.sources else ""
    return tuple(
        EndpointSighting(
            endpoint_id=endpoint.endpoint_id,
            ip=ip,
            attachment=attachment,
            source=source,
            first_seen=seen.endpoint.first_seen,
            last_seen=seen.endpoint.last_seen,
        )
        for ip, attachment in found
    )


def merge_views(known: Endpoint | None, told: Endpoint) -> Endpoint:
    """Return an endpoint out of what is known and what a reporter tells, for the upper tiers.

    The later word counts; only where two local controllers see the same host, one of them on a
    trunk, the port that the other knows stays.
    """
    if known is None:
        return told
    newer, older = (told, known) if told.last_seen >= known.last_seen else (known, told)
    is_seen_by_two = newer.local_controller != older.local_controller
    attachment = newer.attachment or (older.attachment if is_seen_by_two else None)
    return replace(
        newer,
        attachment=attachment,
        vendor=newer.vendor or older.vendor,
        sources=tuple(sorted({*newer.sources, *older.sources})),
        first_seen=min(newer.first_seen, older.first_seen),
    )


def sightings_of(endpoint: Endpoint) -> tuple[EndpointSighting, ...]:
    """Return what an endpoint shows by itself as sightings, one for each address."""
    return _sightings(endpoint, SeenEndpoint(endpoint=endpoint))
