"""The endpoints of a cycle: into the NIB, with their history and with what contradicts itself."""

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pdsno.discovery.observe import Observations
from pdsno.domain.conflicts import (
    Before,
    Conflict,
    address_conflicts,
    begins,
    lasts,
    mac_conflicts,
)
from pdsno.domain.coverage import Coverage
from pdsno.domain.endpoint_history import MOST_SIGHTINGS, merge_endpoint
from pdsno.domain.endpoints import (
    MAC_TABLE,
    Look,
    SeenEndpoint,
    SeenEndpoints,
    endpoint_id,
    endpoint_ids_of,
    endpoints_of,
)
from pdsno.domain.entities import (
    Attachment,
    Device,
    DeviceStatus,
    Endpoint,
    EndpointSighting,
    NewEvent,
)
from pdsno.domain.identifiers import lan_of
from pdsno.domain.policy import LocalPolicy
from pdsno.domain.ports import EndpointFilter, NIBTransaction

_TWO = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointDelta:
    """What a cycle did to the endpoints: `changed` are whole, `seen` IDs of those as they were.

    `conflicts` tells of those that began with this cycle, `holding` are all that it showed, but a
    MAC at two ports only once that lasts.
    """

    changed: tuple[Endpoint, ...]
    seen: tuple[str, ...]
    new: int
    forgotten: int
    conflicts: tuple[NewEvent, ...]
    holding: tuple[Conflict, ...] = ()

    @property
    def count(self) -> int:
        """How many were seen at all."""
        return len(self.changed) + len(self.seen)


def record_endpoints(
    tx: NIBTransaction,
    look: Look,
    observations: Observations,
    local: LocalPolicy,
    *,
    previous: Sequence[Device],
    came: Iterable[Device],
) -> EndpointDelta:
    """Write the endpoints of a cycle whose devices are written already.

    `previous` are the devices before it, `came` those that are new or changed: what was an
    endpoint and is one of these is none any more.
    """
    tx.drop_endpoints(sorted({key for device in came for key in endpoint_ids_of(device)}))
    seen_now = endpoints_of(look)
    known = dict(tx.endpoints_by_id(_ids(seen_now.items)))
    found = tuple(_with_known_mac(tx, item, known) for item in seen_now.items)
    is_asked = _asked(seen_now.lans, observations.coverage)
    merged = [merge_endpoint(known.get(s.endpoint.endpoint_id), s, is_asked) for s in found]
    # Before anything is written: what holds now is compared with what held before.
    conflicts, holding = _conflicts(
        tx, look, observations, seen_now.places, _Past(known, previous, local)
    )
    tx.drop_endpoints(sorted(_bare_ids(found) & known.keys()))
    changed = [m for m in merged if m.is_changed]
    seen = [m.endpoint.endpoint_id for m in merged if not m.is_changed]
    tx.put_endpoints(m.endpoint for m in changed)
    tx.touch_endpoints(seen, look.now)
    tx.put_endpoint_sightings(s for m in merged for s in m.sightings)
    tx.put_endpoint_sightings(_at_places(look, seen_now))
    for event in conflicts:
        tx.append_event(event)
    return EndpointDelta(
        changed=tuple(m.endpoint for m in changed),
        seen=tuple(seen),
        new=sum(m.is_new for m in merged),
        forgotten=forget(tx, look.now, local.endpoint_days, local.random_mac_days),
        conflicts=conflicts,
        holding=holding,
    )


def forget(tx: NIBTransaction, now: datetime, days: int, random_mac_days: int) -> int:
    """Apply retention to endpoints and their sightings; returns how many endpoints went."""
    before = now - timedelta(days=days)
    return tx.forget_endpoints(
        before=before,
        random_before=now - timedelta(days=random_mac_days),
        sightings_before=before,
        most=MOST_SIGHTINGS,
    )


def _at_places(look: Look, seen: SeenEndpoints) -> Iterable[EndpointSighting]:
    """Yield the ports of MACs at two places that devices have, to tell whether that lasts."""
    endpoints = {item.endpoint.mac for item in seen.items}
    for mac, places in seen.places.items():
        for place in places if mac not in endpoints else ():
            yield EndpointSighting(
                endpoint_id=endpoint_id(look.namespace, mac, None),
                ip=None,
                attachment=place,
                source=MAC_TABLE,
                first_seen=look.now,
                last_seen=look.now,
            )


# --- what was known --------------------------------------------------------------------------


def _bare_ids(found: Iterable[SeenEndpoint]) -> set[str]:
    """Return the IDs that these had while nobody had seen their MAC."""
    return {
        endpoint_id(s.endpoint.namespace, None, ip)
        for s in found
        if s.endpoint.mac
        for ip in s.endpoint.ips
    }


def _ids(found: Iterable[SeenEndpoint]) -> list[str]:
    found = list(found)
    return sorted({s.endpoint.endpoint_id for s in found} | _bare_ids(found))


def _with_known_mac(
    tx: NIBTransaction, seen: SeenEndpoint, known: dict[str, Endpoint]
) -> SeenEndpoint:
    """Return it with the MAC that one host had at this address, if nobody showed a MAC now."""
    endpoint = seen.endpoint
    if endpoint.mac is not None or endpoint.endpoint_id in known:
        return seen
    where = EndpointFilter(namespace=endpoint.namespace, ip=endpoint.ips[0])
    holders = [e for e in tx.endpoints(where, limit=_TWO).items if e.mac]
    if len(holders) != 1 or holders[0].endpoint_id in known:
        # Nobody, several, or one that was seen in this cycle as well: at another address then.
        return seen
    (holder,) = holders
    known[holder.endpoint_id] = holder
    same = replace(
        endpoint,
        endpoint_id=holder.endpoint_id,
        mac=holder.mac,
        is_random_mac=holder.is_random_mac,
        vendor=holder.vendor,
    )
    return replace(seen, endpoint=same)


def _asked(lans: frozenset[tuple[str, str]], coverage: Coverage) -> Callable[[str, str], bool]:
    """Return who tells whether an address would have shown itself in this cycle."""
    networks = [ipaddress.ip_network(prefix) for prefix in coverage.prefixes]

    def is_asked(namespace: str, ip: str) -> bool:
        if (namespace, lan_of(ip)) in lans:
            return True
        if namespace != coverage.namespace:
            return False
        address = ipaddress.ip_address(ip)
        return any(address in network for network in networks)

    return is_asked


# --- what contradicts itself -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Past:
    """The NIB before this cycle, as far as it says whether a conflict is new."""

    known: Mapping[str, Endpoint]
    devices: Sequence[Device]
    local: LocalPolicy


def _conflicts(
    tx: NIBTransaction,
    look: Look,
    observations: Observations,
    places: Mapping[str, tuple[Attachment, ...]],
    past: _Past,
) -> tuple[tuple[NewEvent, ...], tuple[Conflict, ...]]:
    """Return the events of the conflicts that begin with this cycle, and all that hold in it."""
    space, sightings = look.namespace, observations.sightings
    conflicts = [
        *address_conflicts(space, sightings, observations.facts, look.devices),
        *mac_conflicts(space, sightings, places, look.devices),
    ]
    if not conflicts:
        return (), ()
    cycles = tx.cycles(limit=past.local.keep_cycles)
    since = min((cycle.started_at for cycle in cycles), default=look.now)
    before = {id(conflict): _before(tx, conflict, past, since) for conflict in conflicts}
    holding = tuple(c for c in conflicts if lasts(c, before[id(c)]))
    events = tuple(
        NewEvent(
            event_type=conflict.kind,
            subject=conflict.key,
            actor=look.local_controller,
            at=look.now,
            region=look.region,
            data=conflict.data,
        )
        for conflict in conflicts
        if begins(conflict, before[id(conflict)])
    )
    return events, holding


def _before(
    tx: NIBTransaction,
    conflict: Conflict,
    past: _Past,
    since: datetime,
) -> Before:
    """Return what the NIB knew of a conflict; what ended before `since` counts no more."""
    if conflict.places or conflict.addresses:
        (mac,) = conflict.macs
        sightings = tx.endpoint_sightings(
            endpoint_id(conflict.namespace, mac, None), limit=MOST_SIGHTINGS
        )
        recent = {s.ip for s in sightings if s.ip and s.last_seen >= since}
        for device in past.devices:
            if mac in device.macs and _is_there(device, since):
                recent.update(device.ips)
        return Before(addresses=frozenset(recent), times=_times(tx, sightings))
    return Before(holders=_holders(tx, conflict, past.devices, since))


def _times(tx: NIBTransaction, sightings: Iterable[EndpointSighting]) -> Mapping[Attachment, int]:
    """Return how often each port had a MAC up to the cycle before this one, which has to be one."""
    last = next((cycle.finished_at for cycle in tx.cycles(limit=1)), None)
    times: dict[Attachment, int] = {}
    for sighting in sightings:
        if sighting.attachment is not None and sighting.last_seen == last:
            was = 1 if sighting.first_seen == sighting.last_seen else _TWO
            times[sighting.attachment] = max(was, times.get(sighting.attachment, 0))
    return times


def _is_there(device: Device, since: datetime) -> bool:
    return device.status is not DeviceStatus.INACTIVE and device.last_seen >= since


def _holders(
    tx: NIBTransaction, conflict: Conflict, previous: Sequence[Device], since: datetime
) -> frozenset[str]:
    """Return which of the MACs had the address at one time, if they did."""
    ip = str(conflict.data["ip"])
    spans: dict[str, tuple[datetime, datetime]] = {}
    for mac in conflict.macs:
        key = endpoint_id(conflict.namespace, mac, None)
        for sighting in tx.endpoint_sightings(key, limit=MOST_SIGHTINGS):
            if sighting.ip == ip and sighting.last_seen >= since:
                first, last = spans.get(mac, (sighting.first_seen, sighting.last_seen))
                spans[mac] = (min(first, sighting.first_seen), max(last, sighting.last_seen))
    for device in previous:
        is_holder = ip in device.ips and device.namespace == conflict.namespace
        if is_holder and _is_there(device, since):
            spans |= dict.fromkeys(device.macs, (device.first_seen, device.last_seen))
    mine = {mac: span for mac, span in spans.items() if mac in conflict.macs}
    together = mine and max(f for f, _ in mine.values()) <= min(end for _, end in mine.values())
    return frozenset(mine) if together else frozenset()
