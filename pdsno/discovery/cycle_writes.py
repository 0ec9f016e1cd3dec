"""The devices of a cycle, into the NIB, and why each is one."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from pdsno.domain.diff import Delta
from pdsno.domain.entities import Device
from pdsno.domain.making_rules import newer
from pdsno.domain.makings import Making, united
from pdsno.domain.ports import NIBTransaction


def write_devices(
    tx: NIBTransaction, previous: Sequence[Device], delta: Delta, now: datetime
) -> tuple[tuple[Device, ...], Sequence[Making]]:
    """Write the devices, why each is one, and their events.

    Returns all devices by ID, and the makings that changed.
    """
    devices = {device.device_id: device for device in previous}
    makings = _makings(tx, delta)
    for merged in delta.absorbed:
        tx.absorb_device(merged.device_id, merged.into_id)
        del devices[merged.device_id]
    for device_id in delta.retired:
        tx.retire_device(device_id)
        del devices[device_id]
    for device in (*delta.changed, *delta.missed):
        stored = tx.put_device(device, expected_version=device.version or None)
        devices[stored.device_id] = stored
    tx.touch_devices(delta.seen, now)
    for device_id in delta.seen:
        devices[device_id] = replace(devices[device_id], last_seen=now, missed=0)
    tx.put_makings(makings)
    for event in delta.events:
        tx.append_event(event)
    return tuple(devices[key] for key in sorted(devices)), makings


def _makings(tx: NIBTransaction, delta: Delta) -> list[Making]:
    """Return the makings that differ from those that are kept."""
    held = tx.makings()
    found = []
    for device_id, told in delta.told.items():
        joined = delta.joined.get(device_id, ())
        making = newer(held.get(device_id), told, joined)
        absorbed = [held[item.other] for item in joined if item.other in held]
        earlier = united(making, [replace(m, told=()) for m in absorbed])
        if held.get(device_id) != earlier:
            found.append(earlier)
    return found
