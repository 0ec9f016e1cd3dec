"""What a person sets on a device: written, told in the event log and to the tier above, at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pdsno.domain.changes import compact, field_changes
from pdsno.domain.entities import Device
from pdsno.domain.errors import NotFoundError, StaleError
from pdsno.domain.life_cycle import event_of
from pdsno.domain.ownership import Value, edit
from pdsno.domain.persons_report import Tier, tell_above
from pdsno.domain.ports import NIB, NIBTransaction
from pdsno.domain.relink import Touched, relink_touched


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceEdit:
    """Fields of a device to set, and to release where they are None, by a person's token.

    `versions` are those that the device may have; None: any. `may_see` is asked of the device.
    """

    device_id: str
    changes: Mapping[str, Value | None]
    by: str
    versions: frozenset[int] | None = None
    may_see: Callable[[Device], bool]


def check_version(device: Device, versions: frozenset[int] | None) -> None:
    """Raise StaleError unless the device has one of these versions; None: any will do."""
    if versions is not None and device.version not in versions:
        raise StaleError(
            f"device {device.device_id} has version {device.version}: it was changed meanwhile; "
            "read it again and decide again"
        )


def edit_device(nib: NIB, wanted: DeviceEdit, tier: Tier) -> Device:
    """Carry out an edit in one transaction and return the device as it is then.

    An edit that changes nothing writes nothing. Raises NotFoundError, StaleError if the device has
    another version, ConflictError for the release of what was set at a tier below.
    """
    with nib.transaction() as tx:
        before = tx.device(wanted.device_id)
        if before is None or not wanted.may_see(before):
            raise NotFoundError(f"there is no device {wanted.device_id}")
        check_version(before, wanted.versions)
        now = datetime.now(UTC)
        after = edit(before, wanted.changes, by=wanted.by, at=now)
        if after == before:
            return before
        stored = tx.put_device(after, expected_version=before.version, actor=wanted.by)
        _tell(tx, before, stored, wanted, now)
        touched = Touched(was={before.device_id: before})
        relink_touched(tx, touched, actor=tier.controller_id, now=now)
        tell_above(tx, tier, now, devices=[stored])
    return stored


def _tell(
    tx: NIBTransaction, before: Device, after: Device, wanted: DeviceEdit, now: datetime
) -> None:
    changed = field_changes(before, after)
    changed.pop("pins", None)
    told, omitted = compact(changed)
    data: dict[str, object] = {
        "changes": told,
        "set": sorted(name for name, value in wanted.changes.items() if value is not None),
        "released": sorted(before.pins.keys() - after.pins.keys()),
    }
    if omitted:
        data["omitted"] = omitted
    tx.append_event(event_of("DEVICE_EDITED", after, actor=wanted.by, now=now, data=data))
