"""The validation exchange as a pure state machine, for the global and the regional controller.

`step(state, message, now, nib) -> (state, effects)`: it reads the NIB as it is in the transaction
in which the effects are carried out, draws no random numbers, asks no clock and writes nothing.
An effect is carried out whole or not at all; whatever comes of it, a challenge that was answered
is gone from the state.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pdsno.domain.entities import ControllerRecord, ControllerStatus, JoinTokenRecord, TokenStatus
from pdsno.domain.errors import Refusal, RefusedError
from pdsno.domain.identifiers import Role
from pdsno.domain.messages import Challenge, ValidationRequest
from pdsno.domain.policy import Policy
from pdsno.domain.ports import NIBReader
from pdsno.identity.admission_rules import (
    Claimant,
    check_admissible,
    escalation,
    escalation_cause,
    known_controller,
)
from pdsno.identity.challenges import (
    CHALLENGE_S,
    OpenChallenges,
    Pending,
    check_in_time,
    transcript,
)
from pdsno.identity.escalation import check_not_blocked, check_not_revoked
from pdsno.identity.join_tokens import reserved, spendable
from pdsno.identity.pki.issued import is_for
from pdsno.identity.pki.requests import check_request
from pdsno.identity.renewal_rules import Renewal, check_renewable, judge_renewal
from pdsno.identity.tokens import JoinClaims, check
from pdsno.identity.validation_steps import (
    Admit,
    Answered,
    Asked,
    Decided,
    Effect,
    Effects,
    Escalate,
    Input,
    Lock,
    Now,
    Refuse,
    Renew,
    Repeat,
    ReserveToken,
    SendChallenge,
)
from pdsno.identity.validator_identity import ValidatorIdentity
from pdsno.signing import b64decode, key_id_of, verify_bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class ValidationMachine:
    """The rules of one validator.

    `public_key` is its own raw Ed25519 key; `delegated_until` is when its right to issue
    certificates ends, None without one; `grace` is how long after its expiry a certificate may
    still be renewed.
    """

    me: ValidatorIdentity
    public_key: str
    delegated_until: datetime | None
    grace: timedelta

    def step(
        self, state: OpenChallenges, message: Input, now: Now, nib: NIBReader
    ) -> tuple[OpenChallenges, Effects]:
        """Return the next state and what is to be done.

        Raises TransientError, and changes nothing, while too many challenges are open.
        """
        match message:
            case Asked():
                return self._asked(state, message, now, nib)
            case Answered():
                return self._answered(state, message, now, nib)
            case Decided():
                return state, self._decided(message, now, nib)

    # --- a request ---------------------------------------------------------------------------

    def _asked(
        self, state: OpenChallenges, asked: Asked, now: Now, nib: NIBReader
    ) -> tuple[OpenChallenges, Effects]:
        request, key_id = asked.request, asked.key_id
        try:
            self._check_keys(asked)
            if request.generation is None:
                claims, effects = self._claim(asked, now, nib)
            else:
                claims, effects = None, ()
                check_renewable(nib, request, key_id, me=self.me, grace=self.grace, now=now.at)
        except RefusedError as error:
            return state, (Refuse(reason=error.reason, detail=error.detail),)
        state = state.with_room(key_id=key_id, address=asked.address, now_s=now.monotonic_s)
        challenge = Challenge(
            challenge_id=asked.challenge_id,
            nonce=asked.nonce,
            validator_id=self.me.controller_id,
            expires_at=now.at + timedelta(seconds=CHALLENGE_S),
            server_cert_sha256=asked.server_cert_sha256,
        )
        pending = Pending(
            challenge=challenge,
            request=request,
            claims=claims,
            key_id=key_id,
            address=asked.address,
            deadline_s=now.monotonic_s + CHALLENGE_S,
        )
        return state.opened(pending), (*effects, SendChallenge(challenge=challenge))

    def _check_keys(self, asked: Asked) -> None:
        request = asked.request
        if key_id_of(request.public_key) != asked.key_id:
            raise RefusedError(Refusal.IDENTITY_MISMATCH, "public_key is not what signed this")
        check_request(request.csr)
        if request.role == Role.REGIONAL.value:
            check_request(request.authority_csr)

    def _claim(self, asked: Asked, now: Now, nib: NIBReader) -> tuple[JoinClaims, Effects]:
        """Check a join token, and reserve it for this key."""
        request, key_id = asked.request, asked.key_id
        claims = check(
            request.token,
            public_key=self.public_key,
            validator_id=self.me.controller_id,
            now=now.at,
        )
        self._check_scope(claims, request)
        check_not_revoked(nib, key_id)
        if self.me.role is Role.GLOBAL:
            check_not_blocked(nib, key_id, request.hostname)
        record = reserved(nib, claims, key_id, now.at)
        return claims, (ReserveToken(record=record),) if record else ()

    def _check_scope(self, claims: JoinClaims, request: ValidationRequest) -> None:
        if request.role not in {role.value for role in self.me.admits}:
            detail = f"{self.me.controller_id} admits {self.me.admits_text} controllers only"
            raise RefusedError(Refusal.NOT_ALLOWED, detail)
        if claims.role.value != request.role:
            raise RefusedError(Refusal.NOT_ALLOWED, f"the token is for {claims.role.value}")
        if claims.region != request.region:
            raise RefusedError(Refusal.WRONG_REGION, f"the token is for region {claims.region}")

    # --- an answer ---------------------------------------------------------------------------

    def _answered(
        self, state: OpenChallenges, answered: Answered, now: Now, nib: NIBReader
    ) -> tuple[OpenChallenges, Effects]:
        state, pending = state.taken(answered.response.challenge_id)
        try:
            found = check_in_time(pending, now.monotonic_s)
            _check_proof(found, answered)
            if found.request.generation is not None:
                return state, (self._renewal(found, now, nib),)
            return state, (self._admission(found, now, nib),)
        except RefusedError as error:
            return state, (Refuse(reason=error.reason, detail=error.detail, pending=pending),)

    def _renewal(self, pending: Pending, now: Now, nib: NIBReader) -> Effect:
        request = pending.request
        record = check_renewable(
            nib, request, pending.key_id, me=self.me, grace=self.grace, now=now.at
        )
        presented = request.generation or 0
        match judge_renewal(
            presented=presented,
            known=record.generation,
            is_same_key=is_for(record.certificate, request.csr),
        ):
            case Renewal.REPEATED:
                return Repeat(record=record)
            case Renewal.CLONED:
                return Lock(record=record, generation=presented)
            case Renewal.AHEAD:
                return Renew(
                    pending=pending, record=record, generation=presented + 1, was_ahead=True
                )
            case Renewal.NEXT:
                return Renew(pending=pending, record=record, generation=presented + 1)

    def _admission(self, pending: Pending, now: Now, nib: NIBReader) -> Effect:
        token, known = self._standing(pending, now, nib)
        if token.status is TokenStatus.SPENT:
            return self._repeated(pending, known)
        policy, claimant = nib.policy() or Policy(), _claimant(pending)
        if self.me.role is Role.REGIONAL:
            cause = escalation_cause(
                self.me,
                nib,
                policy,
                claimant,
                delegated_until=self.delegated_until,
                now=now.at,
            )
            if cause is not None:
                request = escalation(nib, claimant, cause)
                return Escalate(pending=pending, request=request)
        return Admit(
            pending=pending,
            known=known,
            token=token,
            region=check_admissible(self.me, nib, policy, claimant),
            decided_by=self.me.controller_id,
        )

    def _decided(self, decided: Decided, now: Now, nib: NIBReader) -> Effects:
        """Carry out an approval from above: what only we know is checked once more."""
        pending = decided.pending
        try:
            token, known = self._standing(pending, now, nib)
            if token.status is TokenStatus.SPENT:
                return (self._repeated(pending, known),)
            self._require_delegation(now)
            region = check_admissible(self.me, nib, nib.policy() or Policy(), _claimant(pending))
        except RefusedError as error:
            return (Refuse(reason=error.reason, detail=error.detail, pending=pending),)
        return (
            Admit(
                pending=pending,
                known=known,
                token=token,
                region=region,
                decided_by=decided.decided_by,
            ),
        )

    def _require_delegation(self, now: Now) -> None:
        if self.delegated_until is None or now.at >= self.delegated_until:
            detail = "approved, but our issuing certificate has ended: it is being renewed"
            raise RefusedError(Refusal.NO_DELEGATION, detail)

    def _standing(
        self, pending: Pending, now: Now, nib: NIBReader
    ) -> tuple[JoinTokenRecord, ControllerRecord | None]:
        """Return the token, still this key's to spend, and the controller that the key is."""
        if pending.claims is None:
            raise RefusedError(Refusal.INVALID_TOKEN, "admission needs a join token")
        token = spendable(nib, pending.claims.jti_sha256, pending.key_id, now.at)
        check_not_revoked(nib, pending.key_id)
        return token, known_controller(self.me, nib, _claimant(pending))

    def _repeated(self, pending: Pending, known: ControllerRecord | None) -> Effect:
        if known is None:
            raise RefusedError(Refusal.TOKEN_USED, "the controller it admitted is gone")
        if known.status is not ControllerStatus.ACTIVE:
            raise RefusedError(Refusal.BLOCKED, f"{known.controller_id} is {known.status.value}")
        if is_for(known.certificate, pending.request.csr):
            return Repeat(record=known)
        # The same key proved itself, and lost what it had asked a certificate for.
        return Renew(pending=pending, record=known, generation=known.generation + 1)


def _claimant(pending: Pending) -> Claimant:
    return Claimant(request=pending.request, key_id=pending.key_id)


def _check_proof(pending: Pending, answered: Answered) -> None:
    response = answered.response
    if (answered.key_id, response.temp_id) != (pending.key_id, pending.request.temp_id):
        raise RefusedError(Refusal.IDENTITY_MISMATCH, "the challenge was somebody else's")
    signed = transcript(pending.challenge, pending.request, pending.jti)
    try:
        signature = b64decode(response.signature)
    except ValueError as error:
        raise RefusedError(Refusal.BAD_SIGNATURE, "signature is not base64url") from error
    if not verify_bytes(signature, signed, pending.request.public_key):
        raise RefusedError(Refusal.BAD_SIGNATURE, "the proof does not match the challenge")
