"""What a cycle changed: the devices just observed against those of the NIB.

Pure: takes values and returns what to write. A device is missing only after several cycles that
really asked for it; what was not probed is unknown, never absent.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pdsno.domain.coverage import Coverage
from pdsno.domain.describe import VendorOf, describe, field_changes
from pdsno.domain.entities import Device, DeviceStatus, NewEvent
from pdsno.domain.messages import Absorbed
from pdsno.domain.observations import ObservedDevice
from pdsno.domain.resolve import Clusters, merge_observed


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


def is_contradiction(a_serial: str | None, b_serial: str | None) -> bool:
    """Tell whether two serials prove two devices."""
    return a_serial is not None and b_serial is not None and a_serial != b_serial


def _serial(observed: ObservedDevice) -> str | None:
    return next((f.serial for f in observed.facts if f.serial), None)


def _contradicts(observed: ObservedDevice, previous: Device) -> bool:
    return is_contradiction(_serial(observed), previous.serial)


def _matches(
    previous: Sequence[Device], observed: Sequence[ObservedDevice]
) -> list[tuple[list[Device], list[ObservedDevice]]]:
    """Return groups of known and observed devices that are one and the same."""
    by_key: dict[tuple[str, ...], list[int]] = defaultdict(list)
    clusters: Clusters[tuple[str, int]] = Clusters()
    for index, device in enumerate(previous):
        clusters.add(("known", index))
        for key in _known_keys(device):
            by_key[key].append(index)
    for number, item in enumerate(observed):
        clusters.add(("observed", number))
        for key in _observed_keys(item):
            for index in _candidates(key, item, previous, by_key):
                clusters.join(("known", index), ("observed", number))
    groups = []
    for members in clusters.sets():
        known = [previous[i] for kind, i in members if kind == "known"]
        found = [observed[i] for kind, i in members if kind == "observed"]
        groups.append((known, found))
    return groups


def _known_keys(device: Device) -> list[tuple[str, ...]]:
    keys: list[tuple[str, ...]] = [("mac", mac) for mac in device.macs]
    keys += [("ip", device.namespace, ip) for ip in device.ips]
    if device.chassis_id:
        keys.append(("chassis", device.chassis_id))
    if device.serial:
        keys.append(("serial", device.vendor or "", device.serial))
    return keys


def _observed_keys(item: ObservedDevice) -> list[tuple[str, ...]]:
    keys: list[tuple[str, ...]] = [("mac", mac) for mac in item.macs]
    keys += [("ip", item.namespace, ip) for ip in item.ips]
    for facts in item.facts:
        if facts.chassis_id:
            keys.append(("chassis", facts.chassis_id))
        if facts.serial:
            keys.append(("serial", facts.vendor or "", facts.serial))
    return keys


def _candidates(
    key: tuple[str, ...],
    item: ObservedDevice,
    previous: Sequence[Device],
    by_key: Mapping[tuple[str, ...], Sequence[int]],
) -> list[int]:
    """Return which known devices a piece of evidence joins with what was observed.

    An address alone proves nothing where MACs are known on both sides (hosts change addresses),
    and never joins two known devices: then it is the one seen last.
    """
    found = [i for i in by_key.get(key, ()) if not _contradicts(item, previous[i])]
    if key[0] != "ip":
        return found
    found = [i for i in found if not item.macs or not previous[i].macs]
    return sorted(found, key=lambda i: (previous[i].last_seen, previous[i].device_id))[-1:]


def diff(previous: Sequence[Device], observed: Sequence[ObservedDevice], scope: Scope) -> Delta:
    """Compare; every device of `previous` is of one NIB, `observed` of one cycle."""
    changed: list[Device] = []
    missed: list[Device] = []
    seen: list[str] = []
    absorbed: list[Absorbed] = []
    events: list[NewEvent] = []
    for known, found in _matches(previous, observed):
        if not found:
            for device in known:
                _miss(device, scope, changed, missed, events)
            continue
        keeper = min(known, key=lambda d: (d.first_seen, d.device_id)) if known else None
        for device in known:
            if keeper is None or device is keeper:
                continue
            if not is_contradiction(device.serial, keeper.serial):
                absorbed.append(Absorbed(device_id=device.device_id, into_id=keeper.device_id))
                events.append(_event("DEVICES_MERGED", device, scope, into=keeper.device_id))
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
