"""Taking rights back, and giving them back, with the event and what others must hear of it."""

from dataclasses import replace
from datetime import UTC, datetime

from pdsno.domain.entities import ControllerRecord, ControllerStatus, NewEvent
from pdsno.domain.errors import InputError, NotFoundError
from pdsno.domain.identifiers import Role
from pdsno.domain.messages import SystemEvent
from pdsno.domain.policy import Policy
from pdsno.domain.ports import NIBTransaction
from pdsno.policy.withdrawals import decided, with_withdrawn

EVENTS = {
    ControllerStatus.REVOKED: "CONTROLLER_REVOKED",
    ControllerStatus.BLOCKED: "CONTROLLER_BLOCKED",
    ControllerStatus.LOCKED: "CONTROLLER_LOCKED",
    ControllerStatus.ACTIVE: "CONTROLLER_UNBLOCKED",
}
_STATUSES = {event: status for status, event in EVENTS.items()}


def status_told_by(event: SystemEvent) -> ControllerStatus | None:
    """Return the status that an event tells of, or None if it is of something else."""
    return _STATUSES.get(event.event_type)


def withdrawal_event(record: ControllerRecord, by: str) -> SystemEvent:
    """Return what others hear of a controller's new status."""
    data = {"key_id": record.key_id, "role": record.role.value, "by": by}
    return SystemEvent(
        event_type=EVENTS[record.status],
        subject=record.controller_id,
        at=datetime.now(UTC),
        data=data,
    )


def put_status(
    tx: NIBTransaction, controller_id: str, wanted: ControllerStatus, *, actor: str, by: str
) -> ControllerRecord | None:
    """Give a controller another status, with its event; None if it has it already.

    Raises NotFoundError, and InputError if it cannot be: of ourselves, or of the revoked.
    """
    record = tx.controller(controller_id)
    if record is None:
        raise NotFoundError(f"there is no controller {controller_id}: see pdsno nib controllers")
    if controller_id == actor:
        raise InputError("a controller cannot take its own rights back: stop it instead")
    if record.status is wanted:
        return None
    changed = tx.put_controller(decided(record, wanted), expected_version=record.version)
    tx.append_event(
        NewEvent(
            event_type=EVENTS[wanted],
            subject=controller_id,
            actor=actor,
            at=datetime.now(UTC),
            region=record.region,
            data={"by": by, "was": record.status.value, "key_id": record.key_id},
        )
    )
    return changed


def put_into_policy(tx: NIBTransaction, record: ControllerRecord) -> None:
    """Let the next version of policy tell the status of a controller to every region."""
    old = tx.policy() or Policy()
    new = with_withdrawn(old, record)
    if new.withdrawn != old.withdrawn:
        tx.put_policy(replace(new, version=old.version + 1))


def check_may_withdraw(record: ControllerRecord | None, *, region: str | None) -> None:
    """Raise InputError unless a regional controller may decide on this one: its own LCs."""
    if record is not None and (record.role is not Role.LOCAL or record.region != region):
        raise InputError(
            f"{record.controller_id} is not a local controller of region {region}: ask the "
            "global controller"
        )
