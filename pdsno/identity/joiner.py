"""The joiner's side of the exchange: prove our key to the validator that the token names."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import structlog
from pydantic import TypeAdapter, ValidationError

from pdsno.domain.errors import InputError, Refusal, RefusedError, RemoteProtocolError
from pdsno.domain.identifiers import Role, check_controller_id
from pdsno.domain.messages import (
    Challenge,
    ChallengeResponse,
    Message,
    MessageType,
    ValidationRequest,
    ValidationResult,
)
from pdsno.domain.ports import Signer
from pdsno.identity.challenges import NONCE_BYTES, transcript
from pdsno.identity.tokens import JoinTicket, read_unverified
from pdsno.signing import b64decode, b64encode

log = structlog.get_logger()

T = TypeVar("T")

Send: TypeAlias = Callable[[MessageType, object], Message]
"""Sends a payload (a dataclass) to the validator and returns its verified reply."""

_CHALLENGE = TypeAdapter(Challenge)
_RESULT = TypeAdapter(ValidationResult)
_BEGIN_AGAIN = frozenset(
    {Refusal.UNKNOWN_CHALLENGE.value, Refusal.CHALLENGE_EXPIRED.value, Refusal.REPLAYED.value}
)
"""Reasons that a lost or late message has; the token lets the same key ask again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Applicant:
    """What a controller says of itself. `subnets` are those it means to probe."""

    temp_id: str
    role: Role
    region: str | None
    subnets: tuple[str, ...] = ()
    hostname: str = ""
    url: str | None = None


def join(send: Send, signer: Signer, token: str, applicant: Applicant) -> ValidationResult:
    """Run the exchange and return the validator's answer, refusals included.

    Idempotent for a key and its token within ten minutes. Raises InputError (the token is damaged
    or for somebody else), RefusedError (turned away before the challenge, or the answers are not
    the validator's), RemoteProtocolError, and whatever `send` raises.
    """
    ticket = read_unverified(token)
    _check_fit(ticket, applicant)
    result = _exchange(send, signer, token, ticket, applicant)
    if result.reason in _BEGIN_AGAIN:
        log.info("validation_begun_again", reason=result.reason)
        result = _exchange(send, signer, token, ticket, applicant)
    return result


def _check_fit(ticket: JoinTicket, applicant: Applicant) -> None:
    claims = ticket.claims
    if (claims.role, claims.region) != (applicant.role, applicant.region):
        msg = (
            f"the join token is for a {claims.role.value} controller of region {claims.region}, "
            f"this is a {applicant.role.value} one of {applicant.region}"
        )
        raise InputError(msg)


def _exchange(
    send: Send, signer: Signer, token: str, ticket: JoinTicket, applicant: Applicant
) -> ValidationResult:
    request = ValidationRequest(
        temp_id=applicant.temp_id,
        role=applicant.role.value,
        region=applicant.region,
        public_key=signer.public_key,
        token=token,
        subnets=applicant.subnets,
        hostname=applicant.hostname,
        url=applicant.url,
    )
    reply = send(MessageType.VALIDATION_REQUEST, request)
    challenge = _read(reply, MessageType.CHALLENGE, _CHALLENGE, ticket)
    _check_challenge(challenge, ticket)
    proof = signer.sign_bytes(transcript(challenge, request, ticket.claims.jti))
    response = ChallengeResponse(
        challenge_id=challenge.challenge_id,
        temp_id=applicant.temp_id,
        signature=b64encode(proof),
    )
    try:
        reply = send(MessageType.CHALLENGE_RESPONSE, response)
    except RefusedError as error:
        if error.reason.value not in _BEGIN_AGAIN:
            raise
        return ValidationResult(is_approved=False, reason=error.reason.value, detail=error.detail)
    result = _read(reply, MessageType.VALIDATION_RESULT, _RESULT, ticket)
    return _checked_result(result)


def _read(
    message: Message, message_type: MessageType, payload: TypeAdapter[T], ticket: JoinTicket
) -> T:
    """Return a reply's payload if the validator of the token signed it."""
    claims = ticket.claims
    if (message.key_id, message.sender_id) != (claims.vkid, claims.aud):
        detail = f"{message.sender_id} answered, and is not the validator that the token names"
        raise RefusedError(Refusal.IDENTITY_MISMATCH, detail)
    if message.message_type is not message_type:
        msg = f"the validator answered {message.message_type.value}, not {message_type.value}"
        raise RemoteProtocolError(msg)
    try:
        return payload.validate_python(dict(message.payload))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        msg = f"{message_type.value} of the validator: {place}: {first['msg']}"
        raise RemoteProtocolError(msg) from error


def _check_challenge(challenge: Challenge, ticket: JoinTicket) -> None:
    """Refuse to sign what is no fresh challenge of this validator.

    Its expiry is the validator's to watch: our clock may be off, and nothing depends on it.
    """
    if challenge.validator_id != ticket.claims.aud:
        detail = "the challenge names another validator"
        raise RefusedError(Refusal.IDENTITY_MISMATCH, detail)
    try:
        is_nonce = len(b64decode(challenge.nonce)) == NONCE_BYTES
    except ValueError:
        is_nonce = False
    if not is_nonce or not challenge.challenge_id:
        raise RemoteProtocolError("the challenge holds no nonce of 32 bytes")


def _checked_result(result: ValidationResult) -> ValidationResult:
    if not result.is_approved:
        return result
    try:
        check_controller_id(result.assigned_id or "")
    except InputError as error:
        raise RemoteProtocolError(f"the validator assigned no ID: {error}") from error
    return result
