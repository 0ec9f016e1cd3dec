"""What a regional controller lays before the global one, and what it tells of its admissions."""

from datetime import UTC, datetime

from pdsno.communication.http_client import ControllerHTTPClient
from pdsno.communication.payloads import read
from pdsno.controllers.parent_link import Parent
from pdsno.domain.entities import ControllerRecord
from pdsno.domain.errors import Refusal, RefusedError
from pdsno.domain.jsonable import jsonable
from pdsno.domain.messages import EscalationRequest, MessageType, SystemEvent, ValidationResult

_DECISION_S = 6.0
"""How long the global controller may take: less than an applicant waits for our answer."""


def ask_above(
    http: ControllerHTTPClient, parent: Parent, sender_id: str, request: EscalationRequest
) -> ValidationResult:
    """Return the global controller's decision. Raises TransientError while it is away."""
    reply = http.send(
        sender_id=sender_id,
        recipient_id=parent.controller_id,
        message_type=MessageType.VALIDATION_REQUEST,
        payload=jsonable(request),
        timeout_s=_DECISION_S,
        retries=0,
    )
    if reply is None:
        raise RefusedError(Refusal.NOT_ALLOWED, "the global controller does not decide")
    return read(reply, ValidationResult)


def admission_event(record: ControllerRecord) -> SystemEvent:
    """Return what is told of a controller that was admitted."""
    return SystemEvent(
        event_type="CONTROLLER_VALIDATED",
        subject=record.controller_id,
        at=record.validated_at,
        data={
            "public_key": record.public_key,
            "hostname": record.hostname,
            "decided_by": record.decided_by,
        },
    )


def refusal_event(applicant: str, reason: str) -> SystemEvent:
    """Return what the region hears of an applicant who was refused."""
    return SystemEvent(
        event_type="VALIDATION_REFUSED",
        subject=applicant,
        at=datetime.now(UTC),
        data={"reason": reason},
    )
