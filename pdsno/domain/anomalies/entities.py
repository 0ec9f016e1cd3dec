"""What an anomaly is."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What is unusual. The words are stable: people filter and subscribe by them."""

    NEW_DEVICE = "new_device"
    MAC_IN_TWO_REGIONS = "mac_in_two_regions"
    ADDRESS_CONFLICT = "address_conflict"
    DEVICE_SPIKE = "device_spike"
    MASS_DISAPPEARANCE = "mass_disappearance"
    LINK_ONE_ENDED = "link_one_ended"
    DEVICE_MOVED = "device_moved"
    OS_CHANGED = "os_changed"
    HOST_KEY_CHANGED = "host_key_changed"
    CLONED_SERIAL = "cloned_serial"
    CLONED_MAC = "cloned_mac"
    DISCOVERY_OVERDUE = "discovery_overdue"


class Severity(StrEnum):
    """How soon somebody should look."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Status(StrEnum):
    """Life of an anomaly: a person knows of it (acknowledged), or it has ended (closed)."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


SEVERITY: Mapping[Kind, Severity] = {
    Kind.NEW_DEVICE: Severity.WARNING,
    Kind.MAC_IN_TWO_REGIONS: Severity.WARNING,
    Kind.ADDRESS_CONFLICT: Severity.CRITICAL,
    Kind.DEVICE_SPIKE: Severity.WARNING,
    Kind.MASS_DISAPPEARANCE: Severity.CRITICAL,
    Kind.LINK_ONE_ENDED: Severity.INFO,
    Kind.DEVICE_MOVED: Severity.INFO,
    Kind.OS_CHANGED: Severity.INFO,
    Kind.HOST_KEY_CHANGED: Severity.CRITICAL,
    Kind.CLONED_SERIAL: Severity.WARNING,
    Kind.CLONED_MAC: Severity.WARNING,
    Kind.DISCOVERY_OVERDUE: Severity.CRITICAL,
}

INCIDENTS = frozenset({Kind.NEW_DEVICE, Kind.DEVICE_SPIKE, Kind.DEVICE_MOVED, Kind.OS_CHANGED})
"""Kinds that happen and are over: they wait for a person, whose acknowledgement closes them.

The others are conditions: they close when they end, whoever acknowledged them.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What a rule found at one time. `key` is the same whenever the same thing is found again.

    `subject` is what people look for: a device's ID, a MAC, an address, a subnet, a link.
    """

    kind: Kind
    key: str
    subject: str
    region: str | None
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Anomaly:
    """One row, at its finder and at every tier above; the ID follows from finder, kind and key.

    `first_seen` is when it was found first, `opened_at` when it began this time, `count` how often
    it was found in all. A `subject` that is a device has the ID of the NIB that holds the row.
    Acknowledged at one tier, it is so at the tiers above.
    """

    anomaly_id: str
    kind: Kind
    severity: Severity
    subject: str
    region: str | None
    found_by: str
    key: str
    first_seen: datetime
    opened_at: datetime
    last_seen: datetime
    count: int = 1
    status: Status = Status.OPEN
    evidence: Mapping[str, Any] = field(default_factory=dict)
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    note: str | None = None
    closed_at: datetime | None = None


def anomaly_id_of(found_by: str, kind: Kind, key: str) -> str:
    """Return the ID that this finder's anomaly has everywhere."""
    text = f"{found_by}\0{kind.value}\0{key}"
    return f"anom_{hashlib.sha256(text.encode()).hexdigest()[:24]}"
