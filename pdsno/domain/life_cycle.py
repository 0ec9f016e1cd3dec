"""What happened to a device between two states, as events: one rule for every tier.

Each event tells one thing. A device that came back at another address with another version has
returned, has moved, and has changed.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from datetime import datetime

from pdsno.domain.changes import Changes, compact, differs, field_changes
from pdsno.domain.entities import Device, DeviceStatus, NewEvent
from pdsno.domain.jsonable import jsonable
from pdsno.domain.ownership import owners

_PLACE = ("management_ip", "local_controller", "region")
"""Fields that say where a device is; a change of one is a move."""
_TOLD_ELSEWHERE = frozenset({"neighbors", "sources", "pins"})
"""Neighbours have events of their own, as links; who saw a device is no news of the device, and
what somebody pinned is told by the field that it changed."""
_FEW_NAMES = 5


def is_changed(before: Device, after: Device) -> bool:
    """Tell whether there is anything to write and to report, be it without an event.

    So it is if a better source tells the same: whose a field is decides who may change it.
    """
    return differs(before, after) or owners(before) != owners(after)


def change_events(
    before: Device | None, after: Device, *, actor: str, now: datetime
) -> tuple[NewEvent, ...]:
    """Return what happened; may be empty although something is to be written (`is_changed`)."""
    if before is None:
        return (event_of("DEVICE_APPEARED", after, actor=actor, now=now),)
    changes = {k: v for k, v in field_changes(before, after).items() if k not in _TOLD_ELSEWHERE}
    events = []
    status = _status_event(before, after)
    if status:
        changes.pop("status")
        seen = {"last_seen": before.last_seen}
        events.append(event_of(status, after, actor=actor, now=now, data=seen))
    moved = _moved(before, after)
    if moved:
        where = _places(before, after, moved)
        events.append(event_of("DEVICE_MOVED", after, actor=actor, now=now, data=where))
        told = {*moved, "ips"} if _is_one_address(before) and _is_one_address(after) else {*moved}
        changes = {name: change for name, change in changes.items() if name not in told}
    if changes:
        events.append(_changed(after, changes, actor=actor, now=now))
    return tuple(events)


def _is_one_address(device: Device) -> bool:
    """Tell whether a device's list of addresses says no more than where it is managed."""
    return device.ips == (device.management_ip,)


def _status_event(before: Device, after: Device) -> str | None:
    if before.status is after.status:
        return None
    if after.status is DeviceStatus.INACTIVE:
        return "DEVICE_INACTIVE"
    return "DEVICE_RETURNED" if before.status is DeviceStatus.INACTIVE else None


def _moved(before: Device, after: Device) -> tuple[str, ...]:
    """Return the fields by which a device that is there is somewhere else than it was."""
    if after.status is DeviceStatus.INACTIVE:
        return ()
    places = ((name, getattr(before, name), getattr(after, name)) for name in _PLACE)
    return tuple(name for name, old, new in places if old and new and old != new)


def _places(before: Device, after: Device, moved: Sequence[str]) -> dict[str, Changes]:
    places: dict[str, Changes] = {"from": {}, "to": {}}
    for side, device in (("from", before), ("to", after)):
        places[side] = {name: getattr(device, name) for name in moved}
        if "management_ip" in moved and (subnet := _subnet(device)):
            places[side]["subnet"] = subnet
    return places


def _subnet(device: Device) -> str | None:
    """Return the prefix of its management address, if its interfaces tell the length."""
    for interface in device.interfaces:
        for ip in interface.ips:
            address, slash, _ = ip.partition("/")
            if slash and address == device.management_ip:
                return str(ipaddress.ip_interface(ip).network)
    return None


def _changed(after: Device, changes: Changes, *, actor: str, now: datetime) -> NewEvent:
    told, omitted = compact(changes)
    data: dict[str, object] = {"changes": told}
    if omitted:
        data["omitted"] = omitted
    return event_of("DEVICE_CHANGED", after, actor=actor, now=now, data=data)


def event_of(
    kind: str,
    device: Device,
    *,
    actor: str,
    now: datetime,
    region: str | None = None,
    data: Mapping[str, object] | None = None,
) -> NewEvent:
    """Return an event about a device, that names it as people do."""
    named = {"name": device.name, "management_ip": device.management_ip}
    return NewEvent(
        event_type=kind,
        subject=device.device_id,
        actor=actor,
        at=now,
        region=device.region if region is None else region,
        data={**named, **jsonable(data or {})},
    )


def held_event(
    kind: str,
    gone: Sequence[Device],
    *,
    asked: int,
    actor: str,
    region: str,
    now: datetime,
    requested_by: str = "",
) -> NewEvent:
    """Return the event that a mass disappearance is held, or was accepted by somebody."""
    names = [d.name or d.management_ip or d.device_id for d in gone]
    data: dict[str, object] = {
        "missing": len(gone),
        "asked": asked,
        "percent": round(100 * len(gone) / asked),
        "names": sorted(names)[:_FEW_NAMES],
    }
    if requested_by:
        data["requested_by"] = requested_by
    return NewEvent(
        event_type=kind,
        subject=actor,
        actor=requested_by or actor,
        at=now,
        region=region,
        data=data,
    )
