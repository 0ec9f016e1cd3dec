"""The joiner's side of the exchange: prove our key to the validator, get certificates.

To join, the validator is whom the token names; to renew, whose key we know as our parent's.
"""

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
    TrustedKey,
    ValidationRequest,
    ValidationResult,
)
from pdsno.domain.peers import Channel
from pdsno.domain.trust_ports import Signer
from pdsno.identity.challenges import NONCE_BYTES, transcript
from pdsno.identity.tokens import JoinTicket, read_unverified
from pdsno.signing import b64decode, b64encode, key_id_of

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
    """What a controller says of itself. `subnets` are those it means to probe.

    `csr` and `authority_csr` (regional controllers) are for the keys that its certificates shall
    be for; `addresses` are those that the certificate shall name besides.
    """

    temp_id: str
    role: Role
    region: str | None
    csr: str
    authority_csr: str = ""
    addresses: tuple[str, ...] = ()
    subnets: tuple[str, ...] = ()
    hostname: str = ""
    url: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Claim:
    """With what right something is asked, and of whom: by a token, or for the next certificate."""

    validator_id: str
    key_id: str
    token: str = ""
    jti: str = ""
    generation: int | None = None


def join(send: Send, signer: Signer, token: str, applicant: Applicant) -> ValidationResult:
    """Run the exchange and return the validator's answer, refusals included.

    Idempotent for a key and its token within ten minutes. Raises InputError (the token is damaged
    or for somebody else), RefusedError (turned away before the challenge, or the answers are not
    the validator's), RemoteProtocolError, and whatever `send` raises.
    """
    ticket = read_unverified(token)
    _check_fit(ticket, applicant)
    claims = ticket.claims
    claim = _Claim(validator_id=claims.aud, key_id=claims.vkid, token=token, jti=claims.jti)
    return _run(send, signer, claim, applicant)


def renew(
    send: Send, signer: Signer, applicant: Applicant, *, generation: int, validator: TrustedKey
) -> ValidationResult:
    """Ask for the next certificates, as the controller that we are; errors as for `join`.

    `generation` is that of the certificate to be replaced. Idempotent for the same CSR.
    """
    claim = _Claim(
        validator_id=validator.controller_id,
        key_id=key_id_of(validator.public_key),
        generation=generation,
    )
    return _run(send, signer, claim, applicant)


def _run(send: Send, signer: Signer, claim: _Claim, applicant: Applicant) -> ValidationResult:
    result = _exchange(send, signer, claim, applicant)
    if result.reason in _BEGIN_AGAIN:
        log.info("validation_begun_again", reason=result.reason)
        result = _exchange(send, signer, claim, applicant)
    return result


def _check_fit(ticket: JoinTicket, applicant: Applicant) -> None:
    claims = ticket.claims
    if (claims.role, claims.region) != (applicant.role, applicant.region):
        msg = (
            f"the join token is for a {claims.role.value} controller of region {claims.region}, "
            f"this is a {applicant.role.value} one of {applicant.region}"
        )
        raise InputError(msg)


def _exchange(send: Send, signer: Signer, claim: _Claim, applicant: Applicant) -> ValidationResult:
    request = ValidationRequest(
        temp_id=applicant.temp_id,
        role=applicant.role.value,
        region=applicant.region,
        public_key=signer.public_key,
        token=claim.token,
        subnets=applicant.subnets,
        hostname=applicant.hostname,
        url=applicant.url,
        csr=applicant.csr,
        authority_csr=applicant.authority_csr,
        generation=claim.generation,
        addresses=applicant.addresses,
    )
    reply = send(MessageType.VALIDATION_REQUEST, request)
    challenge = _read(reply, MessageType.CHALLENGE, _CHALLENGE, claim)
    _check_challenge(challenge, claim, reply.channel)
    proof = signer.sign_bytes(transcript(challenge, request, claim.jti))
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
    result = _read(reply, MessageType.VALIDATION_RESULT, _RESULT, claim)
    return _checked_result(result)


def _read(message: Message, message_type: MessageType, payload: TypeAdapter[T], claim: _Claim) -> T:
    """Return a reply's payload if the expected validator signed it."""
    if (message.key_id, message.sender_id) != (claim.key_id, claim.validator_id):
        detail = f"{message.sender_id} answered, and is not the validator {claim.validator_id}"
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


def _check_challenge(challenge: Challenge, claim: _Claim, channel: Channel | None) -> None:
    """Refuse to sign what is no fresh challenge of this validator, on a connection to it.

    Its expiry is the validator's to watch: our clock may be off, and nothing depends on it.
    """
    seen = channel.certificate_sha256 if channel else ""
    if challenge.server_cert_sha256 != seen:
        detail = "the validator shows another certificate than we see: somebody is in between"
        raise RefusedError(Refusal.CHANNEL_MISMATCH, detail)
    if challenge.validator_id != claim.validator_id:
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
