"""When a controller may have its next certificate, and when its key is in two hands. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum

from pdsno.domain.entities import ControllerRecord, ControllerStatus
from pdsno.domain.errors import Refusal, RefusedError
from pdsno.domain.messages import ValidationRequest
from pdsno.domain.ports import NIBReader
from pdsno.identity.pki.issued import not_after
from pdsno.identity.validator_identity import ValidatorIdentity

_NOT_ACTIVE = {
    ControllerStatus.REVOKED: Refusal.REVOKED,
    ControllerStatus.BLOCKED: Refusal.BLOCKED,
    ControllerStatus.LOCKED: Refusal.LOCKED,
}


class Renewal(StrEnum):
    """What the generation that a controller presents means."""

    NEXT = "next"
    REPEATED = "repeated"
    """It asks again for what was issued already: our answer was lost."""
    CLONED = "cloned"
    """Somebody else renewed with its key in the meantime."""
    AHEAD = "ahead"
    """It has a newer one than we know of: our database is a restored one."""


def judge_renewal(*, presented: int, known: int, is_same_key: bool) -> Renewal:
    """Return what a renewal is; `is_same_key` if the newest certificate is for the key it asks for.

    Each renewal carries the generation of the certificate that it replaces. Two holders of one
    key cannot both be at the newest generation: the second one to renew presents an old one.
    """
    if presented == known:
        return Renewal.REPEATED if is_same_key else Renewal.NEXT
    if presented > known:
        return Renewal.AHEAD
    return Renewal.REPEATED if presented == known - 1 and is_same_key else Renewal.CLONED


def check_renewable(
    nib: NIBReader,
    request: ValidationRequest,
    key_id: str,
    *,
    me: ValidatorIdentity,
    grace: timedelta,
    now: datetime,
) -> ControllerRecord:
    """Return the controller that asks for its next certificate, if this validator issues it.

    Raises RefusedError UNKNOWN_KEY, IDENTITY_MISMATCH, NOT_ALLOWED, REVOKED, BLOCKED, LOCKED,
    CERTIFICATE_EXPIRED.
    """
    record = nib.controller_by_key(key_id)
    if record is None:
        raise RefusedError(Refusal.UNKNOWN_KEY, "no controller has this key: join with a token")
    claimed = (request.temp_id, request.role, request.region)
    if claimed != (record.controller_id, record.role.value, record.region):
        raise RefusedError(Refusal.IDENTITY_MISMATCH, f"the key is {record.controller_id}'s")
    if record.status is not ControllerStatus.ACTIVE:
        detail = f"{record.controller_id} is {record.status.value}"
        raise RefusedError(_NOT_ACTIVE[record.status], detail)
    if record.parent_id != me.controller_id or not record.certificate:
        detail = f"{record.controller_id} has its certificates from another controller"
        raise RefusedError(Refusal.NOT_ALLOWED, detail)
    expired_at = not_after(record.certificate)
    if now > expired_at + grace:
        detail = (
            f"the certificate ended on {expired_at:%Y-%m-%d}, more than {grace.days} days ago: "
            "join again with a new token and the same key"
        )
        raise RefusedError(Refusal.CERTIFICATE_EXPIRED, detail)
    return record
