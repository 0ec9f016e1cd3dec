"""Whose word counts for which field of a device, and what a person set over it. Pure.

Every tier asks here: a field is its best source's, of two equal ones the newer's. Nothing is
overwritten by null. What a person set (a pin) lies over what the sources tell until it is
released; the sources go on telling beneath it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeAlias

from pdsno.domain.entities import Device, DeviceType, FieldSource, Pin
from pdsno.domain.errors import ConflictError

OPERATOR = "operator"
RANK = {OPERATOR: 0, "ssh": 1, "snmp": 2, "lldp": 3, "cdp": 3, "arp": 4, "icmp": 4}
_LAST = 5

TOLD = (
    "name", "vendor", "model", "platform", "os_version",
    "serial", "chassis_id", "engine_id", "ssh_host_key",
)  # fmt: skip
"""Fields with one value, each with a source of its own, that devices tell."""
NOTED = ("notes", "tags", "site", "location")
"""Fields that only people fill."""
SCALARS = (*TOLD, *NOTED)
"""All fields of a device that its best source gives."""
PINNABLE = ("name", "device_type", *NOTED)
"""Fields that a person may set."""

VAGUE = (DeviceType.UNKNOWN, DeviceType.ENDPOINT)
"""Types by which nobody told anything: the null of `device_type`."""

Value: TypeAlias = str | tuple[str, ...]


def rank(source: str) -> int:
    """Return how far down a source stands: the smaller, the more its word counts."""
    return RANK.get(source, _LAST)


def is_told(value: object) -> bool:
    """Tell whether a value says anything; what does not never overwrites what does."""
    if isinstance(value, DeviceType):
        return value not in VAGUE
    return value not in (None, ())


def outranks(field: str, previous: Device, now: Device) -> bool:
    """Tell whether who told a field before has more to say than who tells it now."""
    old, new = previous.provenance.get(field), now.provenance.get(field)
    return bool(old and new and rank(old.source) < rank(new.source))


def keeps(field: str, previous: Device, now: Device) -> bool:
    """Tell whether the value of before stands: nothing was told, or by a lesser source."""
    if not is_told(getattr(previous, field)):
        return False
    return not is_told(getattr(now, field)) or outranks(field, previous, now)


def best(devices: Iterable[Device], field: str) -> Device | None:
    """Return the device whose value of a field counts, None if none has one.

    That is the one of the best, then newest, source; of equal ones that with the lower ID.
    """
    told = [device for device in devices if is_told(getattr(device, field))]
    if len(told) <= 1:
        return told[0] if told else None

    def key(device: Device) -> tuple[int, float, str]:
        source = source_of(device, field)
        return (rank(source.source), -source.at.timestamp(), device.device_id)

    return min(told, key=key, default=None)


def source_of(device: Device, field: str) -> FieldSource:
    """Return who told a field; `unknown`, when the device was last seen, if that was not kept."""
    known = device.provenance.get(field)
    return known or FieldSource(source="unknown", at=device.last_seen)


def owners(device: Device) -> dict[str, str]:
    """Return which source owns which field, without those that any answer tells anew."""
    told = device.provenance.items()
    return {name: known.source for name, known in told if name not in _BY_ANY_ANSWER}


_BY_ANY_ANSWER = frozenset({"macs", "ips", "management_ip", "status"})


def is_pinned(device: Device, field: str) -> bool:
    """Tell whether a person set a field, here or at a tier below."""
    known = device.provenance.get(field)
    return known is not None and known.source == OPERATOR


def pinned(device: Device) -> tuple[str, ...]:
    """Return the fields that people set, sorted."""
    return tuple(sorted(name for name in device.provenance if is_pinned(device, name)))


# --- pins ------------------------------------------------------------------------------------


def beneath(device: Device) -> Device:
    """Return a device as its sources tell it, without what was set at this tier."""
    if not device.pins:
        return device
    provenance = {k: v for k, v in device.provenance.items() if k not in device.pins}
    values: dict[str, Any] = {}
    for field, pin in device.pins.items():
        values[field] = _typed(field, pin.told)
        if pin.told_by is not None:
            provenance[field] = pin.told_by
    return replace(device, **values, provenance=provenance, pins={})


def overlay(told: Device, pins: Mapping[str, Pin]) -> Device:
    """Return a device with pins over what its sources tell, which each pin remembers."""
    if not pins:
        return replace(told, pins={}) if told.pins else told
    kept: dict[str, Pin] = {}
    values: dict[str, Any] = {}
    provenance = dict(told.provenance)
    for field, pin in pins.items():
        kept[field] = _over(told, field, pin)
        values[field] = _typed(field, pin.value)
        provenance[field] = FieldSource(source=OPERATOR, at=pin.at)
    return replace(told, **values, provenance=provenance, pins=kept)


def _over(told: Device, field: str, pin: Pin) -> Pin:
    """Return a pin with what is beneath it now; the same one if that only was told anew."""
    value, source = _plain(getattr(told, field)), told.provenance.get(field)
    if value is None:
        source = None
    names = [known.source if known else None for known in (pin.told_by, source)]
    if pin.told == value and names[0] == names[1]:
        return pin
    return replace(pin, told=value, told_by=source)


def edit(device: Device, changes: Mapping[str, Value | None], *, by: str, at: datetime) -> Device:
    """Return a device after a person set fields, and released those that are None.

    A value that a field is pinned to already, and the release of what nobody set, change nothing.
    Raises ConflictError for the release of what was set at a tier below: there it would come back.
    """
    pins = dict(device.pins)
    for field, value in changes.items():
        if value is None:
            if field not in pins and is_pinned(device, field):
                raise ConflictError(
                    f"{field} was set at a controller below this one: release it there, "
                    "or set it here to overrule that"
                )
            pins.pop(field, None)
        elif field not in pins or pins[field].value != value:
            pins[field] = Pin(value=value, by=by, at=at)
    return overlay(beneath(device), pins)


def adopt(keeper: Device, others: Sequence[Device]) -> Device:
    """Return a device with the pins of those that turned out to be the same one.

    Its own win; tags are united, and notes are put one after the other.
    """
    pins = dict(keeper.pins)
    for other in others:
        for field, pin in other.pins.items():
            pins[field] = _joined(field, pins[field], pin) if field in pins else pin
    return overlay(beneath(keeper), pins) if pins != keeper.pins else keeper


def _joined(field: str, own: Pin, other: Pin) -> Pin:
    if field == "tags":
        return replace(own, value=tuple(sorted({*own.value, *other.value})))
    if field == "notes" and str(other.value) not in str(own.value):
        return replace(own, value=f"{own.value}\n{other.value}")
    return own


def _typed(field: str, value: Value | None) -> object:
    if field == "tags":
        return tuple(value or ())
    if field == "device_type":
        return DeviceType(str(value)) if value else DeviceType.UNKNOWN
    return value


def _plain(value: object) -> Value | None:
    if isinstance(value, tuple):
        return value or None
    return None if value is None else str(value)
