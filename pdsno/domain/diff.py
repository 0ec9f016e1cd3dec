"""What a cycle changed: the devices just observed against those of the NIB.

Pure: takes values and returns what to write. A device is missing only after several cycles that
really asked for it; what was not probed is unknown, never absent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pdsno.domain.coverage import Coverage
from pdsno.domain.describe import VendorOf, describe, field_changes
from pdsno.domain.entities import Device, DeviceStatus, NewEvent
from pdsno.domain.matching import match
from pdsno.domain.messages import Absorbed
from pdsno.domain.observations import ObservedDevice
from pdsno.domain.profiles import of_device, of_observed
from pdsno.domain.resolve import merge_observed


@dataclass(frozen=True, kw_only=True, slots=True)
class Delta:
    """What to write after a cycle.

    `changed` are new and changed devices (new ones have version 0); `missed` did not answer, and
    are still within tolerance; `seen` answered as they were.
    """

    changed: tuple[Device, ...]
    missed: tuple[Device, ...]
    seen: tuple[str, ...]
    absorbed: tuple[Absorbed, ...]
    events: tuple[NewEvent, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """Who compares, where and when, and by which rules."""

    region: str
    local_controller: str
    coverage: Coverage
    now: datetime
    miss_limit: int
    mint: Callable[[], str]
    vendor_of: VendorOf


def diff(previous: Sequence[Device], observed: Sequence[ObservedDevice], scope: Scope) -> Delta:
    """Compare; every device of `previous` is of one NIB, `observed` of one cycle."""
    changed: list[Device] = []
    missed: list[Device] = []
    seen: list[str] = []
    absorbed: list[Absorbed] = []
    events: list[NewEvent] = []
    ordered = sorted(previous, key=lambda d: d.device_id)
    profiles = [of_device(device, is_past=True) for device in ordered]
    for matched in match(ordered, profiles, [of_observed(item) for item in observed]):
        known, found = matched.known, [observed[number] for number in matched.new]
        if not found:
            for device in known:
                _miss(device, scope, changed, missed, events)
            continue
        keeper = min(known, key=lambda d: (d.first_seen, d.device_id)) if known else None
        for device in known:
            if keeper is None or device is keeper:
                continue
            absorbed.append(Absorbed(device_id=device.device_id, into_id=keeper.device_id))
            because = [e.detail for e in matched.evidence]
            events.append(
                _event("DEVICES_MERGED", device, scope, into=keeper.device_id, because=because)
            )
        device = describe(
            merge_observed(found),
            keeper,
            device_id=keeper.device_id if keeper else scope.mint(),
            region=scope.region,
            local_controller=scope.local_controller,
            coverage=scope.coverage,
            vendor_of=scope.vendor_of,
        )
        _compare(keeper, device, scope, changed, seen, events)
    return Delta(
        changed=tuple(changed),
        missed=tuple(missed),
        seen=tuple(seen),
        absorbed=tuple(absorbed),
        events=tuple(events),
    )


def _miss(
    device: Device,
    scope: Scope,
    changed: list[Device],
    missed: list[Device],
    events: list[NewEvent],
) -> None:
    covered = any(scope.coverage.covers(device.namespace, ip) for ip in device.ips)
    if not covered or device.status is DeviceStatus.INACTIVE:
        return
    device = replace(device, missed=device.missed + 1)
    if device.missed < scope.miss_limit:
        missed.append(device)
        return
    changed.append(replace(device, status=DeviceStatus.INACTIVE))
    events.append(_event("DEVICE_INACTIVE", device, scope, missed=device.missed))


def _compare(
    before: Device | None,
    after: Device,
    scope: Scope,
    changed: list[Device],
    seen: list[str],
    events: list[NewEvent],
) -> None:
    event = change_event(before, after, actor=scope.local_controller, now=scope.now)
    if event is None:
        seen.append(after.device_id)
        return
    changed.append(after)
    events.append(event)


def change_event(
    before: Device | None, after: Device, *, actor: str, now: datetime
) -> NewEvent | None:
    """Return what happened to a device between two states, or None if nothing did."""
    data: dict[str, object] = {"name": after.name, "management_ip": after.management_ip}
    if before is None:
        kind = "DEVICE_APPEARED"
    else:
        changes = field_changes(before, after)
        if not changes:
            return None
        kind, data = "DEVICE_CHANGED", {"changes": changes}
        if before.status is not after.status:
            gone = after.status is DeviceStatus.INACTIVE
            kind = "DEVICE_INACTIVE" if gone else "DEVICE_RETURNED"
    return NewEvent(
        event_type=kind,
        subject=after.device_id,
        actor=actor,
        at=now,
        region=after.region,
        data=data,
    )


def _event(kind: str, device: Device, scope: Scope, **data: object) -> NewEvent:
    return NewEvent(
        event_type=kind,
        subject=device.device_id,
        actor=scope.local_controller,
        at=scope.now,
        region=scope.region,
        data={"name": device.name, "management_ip": device.management_ip, **data},
    )
