"""Endpoints, their sightings and the ledger's cycles to stored rows and back: see `codec`.

Endpoints come by the ten thousand: these functions go without the checks of an adapter, which
what we wrote ourselves does not need.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pdsno.domain.entities import Attachment, Endpoint, EndpointSighting
from pdsno.domain.observations import CycleRecord
from pdsno.nib.codec import Row, dumps, ip_key, loads, text, utc

SightingKey = tuple[str, str, str]

_PLAIN = ("endpoint_id", "namespace", "mac", "vendor", "region", "local_controller")
_PORT = ("device_id", "device", "interface", "vlan")
_NOWHERE = dict.fromkeys(_PORT)


def endpoint_row(endpoint: Endpoint) -> dict[str, Any]:
    """Return an endpoint as a row of `endpoints`."""
    row: dict[str, Any] = {name: getattr(endpoint, name) for name in _PLAIN}
    row |= _attachment_values(endpoint.attachment)
    row["is_random_mac"] = int(endpoint.is_random_mac)
    row["ips"], row["sources"] = _list_text(endpoint.ips), _list_text(endpoint.sources)
    row["first_seen"], row["last_seen"] = utc(endpoint.first_seen), utc(endpoint.last_seen)
    row["search"] = endpoint_search_text(endpoint)
    return row


def endpoint_of(row: Row) -> Endpoint:
    """Return the endpoint of a row."""
    plain = {name: row[name] for name in _PLAIN}
    return Endpoint(
        **plain,
        ips=tuple(json.loads(row["ips"])),
        is_random_mac=bool(row["is_random_mac"]),
        attachment=_attachment_of(row),
        sources=tuple(json.loads(row["sources"])),
        first_seen=row["first_seen"],
        last_seen=row["last_seen"],
    )


def endpoint_address_rows(endpoint: Endpoint) -> list[dict[str, Any]]:
    """Return an endpoint's addresses as rows of `endpoint_addresses`."""
    return [
        {"endpoint_id": endpoint.endpoint_id, "address": ip, "ip_key": ip_key(ip)}
        for ip in sorted(set(endpoint.ips))
    ]


def endpoint_search_text(endpoint: Endpoint) -> str:
    """Return what `q` looks in: one casefolded line per value."""
    port = endpoint.attachment
    values = (endpoint.vendor, endpoint.mac, *endpoint.ips)
    place = (port.device, port.interface) if port else ()
    return text("\n".join(v for v in (*values, *place) if v).casefold())


def sighting_row(sighting: EndpointSighting) -> dict[str, Any]:
    """Return a sighting as a row; `ip` and `place` are "" where there is none."""
    place = sighting.attachment
    return {
        "endpoint_id": sighting.endpoint_id,
        "ip": sighting.ip or "",
        "place": dumps(place) if place else "",
        "source": sighting.source,
        "first_seen": utc(sighting.first_seen),
        "last_seen": utc(sighting.last_seen),
    }


def sighting_of(row: Row) -> EndpointSighting:
    """Return the sighting of a row."""
    return EndpointSighting(
        endpoint_id=row["endpoint_id"],
        ip=row["ip"] or None,
        attachment=Attachment(**json.loads(row["place"])) if row["place"] else None,
        source=row["source"],
        first_seen=row["first_seen"],
        last_seen=row["last_seen"],
    )


def sighting_rows(sightings: Iterable[EndpointSighting]) -> dict[SightingKey, dict[str, Any]]:
    """Return sightings as rows by their key; several of one key are one, lengthened."""
    rows: dict[SightingKey, dict[str, Any]] = {}
    for sighting in sightings:
        row = sighting_row(sighting)
        key = _key_of(row)
        rows[key] = lengthened(rows[key], row) if key in rows else row
    return rows


def sighting_key(sighting: EndpointSighting) -> SightingKey:
    """Return the key of a sighting's row."""
    return _key_of(sighting_row(sighting))


def lengthened(held: Mapping[str, Any], seen: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sighting's row that covers both; the source is that of the first."""
    first: datetime = min(held["first_seen"], seen["first_seen"])
    last: datetime = max(held["last_seen"], seen["last_seen"])
    return {**held, "first_seen": first, "last_seen": last}


def cycle_row(record: CycleRecord) -> dict[str, Any]:
    """Return a cycle as a row, without its number."""
    utc(record.started_at)
    return {
        "cycle_id": record.cycle_id,
        "at": utc(record.finished_at),
        "document": dumps(record),
    }


def cycle_of(row: Row) -> CycleRecord:
    """Return the cycle of a row."""
    return loads(CycleRecord, row["document"])


def _key_of(row: Row) -> SightingKey:
    return row["endpoint_id"], row["ip"], row["place"]


def _attachment_values(attachment: Attachment | None) -> dict[str, Any]:
    return {name: getattr(attachment, name) for name in _PORT} if attachment else dict(_NOWHERE)


def _attachment_of(row: Row) -> Attachment | None:
    # A place always has its interface: without one there is no place.
    if row["interface"] is None:
        return None
    return Attachment(**{name: row[name] for name in _PORT})


def _list_text(values: Iterable[str]) -> str:
    return text(json.dumps(tuple(values), separators=(",", ":"), ensure_ascii=False))
