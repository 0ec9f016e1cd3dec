"""One device out of what several reporters claim of it; the order of their reports is no matter."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from pdsno.domain.addresses import loopback_addresses
from pdsno.domain.constraints import NO_WORDS, Words
from pdsno.domain.entities import Claim, Device, DeviceStatus, FieldSource, Neighbor, Pin
from pdsno.domain.matching import Match, match
from pdsno.domain.ownership import SCALARS, best, is_pinned, overlay, pinned, source_of
from pdsno.domain.ports import DeviceFilter
from pdsno.domain.profiles import of_device
from pdsno.domain.table_ownership import merge_interfaces

_NO_PINS: Mapping[str, Pin] = MappingProxyType({})


def merge_claims(
    device_id: str,
    claims: Sequence[Claim],
    *,
    version: int = 0,
    pins: Mapping[str, Pin] = _NO_PINS,
) -> Device:
    """Return our device from all claims on it (at least one), with our own `pins` over them.

    It is active if any reporter sees it. A field comes from the best-ranked, then newest, source:
    what a person set at a tier below comes before whatever devices tell.
    Region, namespace and local controller are those of the claim that holds its management
    address: a loopback's before others, else that of the first who saw it.
    """
    devices = [
        claim.device for claim in sorted(claims, key=lambda c: (c.reporter, c.device.device_id))
    ]
    active = [d for d in devices if d.status is not DeviceStatus.INACTIVE] or devices
    home = min(active, key=_home_key)
    values: dict[str, Any] = {}
    provenance: dict[str, FieldSource] = dict(home.provenance)
    pinned_below = [d for d in devices if pinned(d)]
    for name in (*SCALARS, "device_type"):
        set_below = [d for d in pinned_below if is_pinned(d, name)]
        teller = best(set_below, name) or best(active, name) or best(devices, name)
        if teller:
            values[name] = getattr(teller, name)
            provenance[name] = source_of(teller, name)
    told = sorted((d for d in active if d.interfaces), key=_newest_first)
    merged = replace(
        home,
        device_id=device_id,
        status=home.status,
        macs=tuple(sorted({mac for d in active for mac in d.macs})),
        ips=tuple(sorted({ip for d in active for ip in d.ips})),
        interfaces=merge_interfaces(d.interfaces for d in told),
        sources=tuple(sorted({source for d in devices for source in d.sources})),
        neighbors=_neighbors(active),
        first_seen=min(d.first_seen for d in devices),
        last_seen=max(d.last_seen for d in devices),
        version=version,
        provenance=provenance,
        missed=0,
        pins={},
        **values,
    )
    return overlay(merged, pins)


def _newest_first(device: Device) -> tuple[float, str]:
    return (-device.last_seen.timestamp(), device.device_id)


def _home_key(device: Device) -> tuple[bool, bool, Any, str]:
    loopback = device.management_ip in loopback_addresses(device.interfaces)
    return (device.management_ip is None, not loopback, device.first_seen, device.device_id)


def _neighbors(devices: Sequence[Device]) -> tuple[Neighbor, ...]:
    """Return the neighbour table of the newest teller that has one."""
    return next((d.neighbors for d in sorted(devices, key=_newest_first) if d.neighbors), ())


Find = Callable[[DeviceFilter], Iterable[Device]]
"""Looks devices up in the NIB."""


def alike(device: Device, find: Find) -> dict[str, Device]:
    """Return our devices, by ID, that have any mark of the one a reporter describes."""
    found = [other for mac in device.macs for other in find(DeviceFilter(mac=mac))]
    if device.serial:
        found += find(DeviceFilter(serial=device.serial))
    for ip in device.ips:
        found += find(DeviceFilter(namespace=device.namespace, ip=ip))
    return {other.device_id: other for other in found}


def recognise(device: Device, among: Mapping[str, Device], words: Words = NO_WORDS) -> Match:
    """Return those of our devices `alike` that are the one a reporter describes, and why.

    Ordered by ID. By the rules of `judgement`, as of one time: between address spaces only what no
    clone has joins (several burnt-in MACs, a serial, or each side telling the other's address).
    """
    known = [among[key] for key in sorted(among)]
    profiles = [of_device(other, is_past=False) for other in known]
    matches = match(known, profiles, [of_device(device, is_past=False)], words)
    return next(item for item in matches if item.new)
