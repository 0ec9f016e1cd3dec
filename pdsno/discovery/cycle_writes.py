"""The devices of a cycle, into the NIB."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from pdsno.domain.diff import Delta
from pdsno.domain.entities import Device
from pdsno.domain.ports import NIBTransaction


def write_devices(
    tx: NIBTransaction, previous: Sequence[Device], delta: Delta, now: datetime
) -> tuple[Device, ...]:
    """Write the devices and their events; returns all devices as they now are, by ID."""
    devices = {device.device_id: device for device in previous}
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
    for event in delta.events:
        tx.append_event(event)
    return tuple(devices[key] for key in sorted(devices))
