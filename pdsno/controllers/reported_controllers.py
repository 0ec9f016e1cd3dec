"""What the global controller keeps of the local ones that regional controllers tell of."""

from pdsno.controllers.withdrawing import put_into_policy, put_status, status_told_by
from pdsno.domain.entities import ControllerRecord, ControllerStatus
from pdsno.domain.errors import Refusal, RefusedError
from pdsno.domain.identifiers import Role
from pdsno.domain.messages import SystemEvent, heard_event
from pdsno.domain.ports import NIBTransaction
from pdsno.signing import key_id_of

ADMISSION = "CONTROLLER_VALIDATED"


def keep_event(
    tx: NIBTransaction, sender: ControllerRecord, event: SystemEvent, *, actor: str
) -> None:
    """Keep an event, and the controller that it tells of. `actor` is who we are.

    Whom it admitted a regional controller tells with each snapshot, too: nothing, if we know.
    """
    known = tx.controller(event.subject) if event.event_type == ADMISSION else None
    if known is not None and known.validated_at == event.at:
        return
    key, status = event.data.get("public_key"), status_told_by(event)
    if event.event_type == ADMISSION and isinstance(key, str):
        _keep_local_controller(tx, sender, event, key)
    elif status is not None and event.subject != sender.controller_id:
        _keep_status(tx, sender, event, status, actor=actor)
        return
    tx.append_event(heard_event(event, actor=sender.controller_id, region=sender.region))


def _keep_status(
    tx: NIBTransaction,
    sender: ControllerRecord,
    event: SystemEvent,
    status: ControllerStatus,
    *,
    actor: str,
) -> None:
    """Follow a regional controller's decision on one of its own; what we decided stands."""
    record = tx.controller(event.subject)
    if record is None:
        return  # a snapshot tells of one that never got as far as us
    if record.parent_id != sender.controller_id:
        detail = f"{event.subject} is not a local controller of {sender.controller_id}"
        raise RefusedError(Refusal.IDENTITY_MISMATCH, detail)
    if record.status is ControllerStatus.REVOKED:
        return
    by = f"{event.data.get('by', '')} at {sender.controller_id}"
    changed = put_status(tx, event.subject, status, actor=actor, by=by)
    if changed is not None:
        put_into_policy(tx, changed)


def _keep_local_controller(
    tx: NIBTransaction, sender: ControllerRecord, event: SystemEvent, public_key: str
) -> None:
    """Keep a local controller that a regional one admitted; what we decided on it stands.

    Raises RefusedError IDENTITY_MISMATCH if the ID or the key is somebody else's.
    """
    key_id = key_id_of(public_key)
    known, owner = tx.controller(event.subject), tx.controller_by_key(key_id)
    is_foreign = not event.subject.startswith(f"local_cntl_{sender.region}_") or (
        known is not None and known.parent_id != sender.controller_id
    )
    if is_foreign or (owner is not None and owner.controller_id != event.subject):
        raise RefusedError(
            Refusal.IDENTITY_MISMATCH, f"{event.subject} or its key belongs to somebody else"
        )
    record = ControllerRecord(
        controller_id=event.subject,
        role=Role.LOCAL,
        region=sender.region,
        status=known.status if known else ControllerStatus.ACTIVE,
        public_key=public_key,
        key_id=key_id,
        parent_id=sender.controller_id,
        hostname=str(event.data.get("hostname", "")),
        validated_at=event.at,
        decided_by=str(event.data.get("decided_by", "")),
        last_seen=known.last_seen if known else None,
        state=known.state if known else "unknown",
    )
    tx.put_controller(record, expected_version=known.version if known else None)
