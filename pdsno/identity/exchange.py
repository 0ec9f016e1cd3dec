"""The validator's side of the exchange: request, challenge, response, result.

One code for the global controller (admitting regional ones) and the regional one (admitting local
ones). Before the challenge a refusal is a RefusedError; after it the answer is always a
ValidationResult. A refusal changes nothing but the challenge it used up, and leaves an event.
"""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from pdsno.domain.entities import ControllerRecord
from pdsno.domain.errors import (
    InputError,
    LocalProtocolError,
    OperationError,
    Refusal,
    RefusedError,
    RemoteProtocolError,
)
from pdsno.domain.identifiers import check_controller_id
from pdsno.domain.messages import (
    Challenge,
    ChallengeResponse,
    EscalationRequest,
    ValidationRequest,
    ValidationResult,
)
from pdsno.domain.ports import NIB, NIBTransaction, Signer
from pdsno.identity.challenges import ChallengeBook, Pending, transcript
from pdsno.identity.claim_form import check_form
from pdsno.identity.clock import SYSTEM_CLOCK, Clock
from pdsno.identity.enrolment import Admitted, Enrolment
from pdsno.identity.escalation import check_not_blocked, check_not_revoked
from pdsno.identity.join_tokens import reserve
from pdsno.identity.refusals import RefusalLog, Refused
from pdsno.identity.tokens import JoinClaims, check
from pdsno.identity.validator_identity import ValidatorIdentity
from pdsno.signing import b64decode, key_id_of, verify_bytes

log = structlog.get_logger()

Escalate = Callable[[EscalationRequest], ValidationResult]
"""Asks the global controller. Raises TransientError while it is away, RefusedError if it will not
listen."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What a validator is connected to; everything may be absent.

    `delegation` returns a regional controller's current delegation. `in_transaction` runs inside
    the admitting transaction (outbox rows); `on_admitted` after it was committed, `on_refused`
    after a refusal, with the provisional name and the reason.
    """

    delegation: Callable[[], str | None] = lambda: None
    escalate: Escalate | None = None
    in_transaction: Callable[[NIBTransaction, ControllerRecord], None] | None = None
    on_admitted: Callable[[ControllerRecord], None] | None = None
    on_refused: Callable[[str, str], None] | None = None


class _DecidedAboveError(RefusedError):
    """Refused by the global controller."""

    def __init__(self, decision: ValidationResult) -> None:
        super().__init__(_refusal(decision.reason or ""), decision.detail)
        self.decided_by = decision.decided_by


def _refusal(code: str) -> Refusal:
    """Return the refusal of a code; NOT_ALLOWED for those that are none, or not known here."""
    try:
        return Refusal(code)
    except ValueError:
        return Refusal.NOT_ALLOWED


class Validator:
    """Admits controllers into the NIB. Thread-safe; open challenges are in memory only."""

    def __init__(
        self,
        *,
        nib: NIB,
        signer: Signer,
        me: ValidatorIdentity,
        clock: Clock = SYSTEM_CLOCK,
        surroundings: Surroundings | None = None,
    ) -> None:
        self._nib = nib
        self._signer = signer
        self._me = me
        self._clock = clock
        self._around = surroundings or Surroundings()
        self._book = ChallengeBook(clock)
        self._refusals = RefusalLog(nib, actor=me.controller_id, clock=clock)
        self._enrolment = Enrolment(
            signer=signer,
            me=me,
            delegation=self._around.delegation,
            in_transaction=self._around.in_transaction,
        )

    # --- VALIDATION_REQUEST ------------------------------------------------------------------

    def on_request(self, request: ValidationRequest, *, key_id: str) -> Challenge:
        """Check a claim, reserve its token, and challenge the joiner to prove its key.

        `key_id` is the thumbprint of the key that signed the message. Raises RefusedError,
        TransientError (too many at once), RemoteProtocolError (malformed).
        """
        check_form(request)
        try:
            claims = self._checked_claims(request, key_id)
            with self._nib.transaction() as tx:
                check_not_revoked(tx, key_id)
                if self._around.escalate is None:
                    check_not_blocked(tx, key_id, request.hostname)
                reserve(tx, claims, key_id, self._clock.now())
        except RefusedError as error:
            self._remember(_refused(request, key_id), error)
            raise
        return self._book.open(request, claims, validator_id=self._me.controller_id, key_id=key_id)

    def _checked_claims(self, request: ValidationRequest, key_id: str) -> JoinClaims:
        if key_id_of(request.public_key) != key_id:
            raise RefusedError(Refusal.IDENTITY_MISMATCH, "public_key is not what signed this")
        claims = check(
            request.token,
            public_key=self._signer.public_key,
            validator_id=self._me.controller_id,
            now=self._clock.now(),
        )
        admits = self._me.admits.value
        if request.role != admits:
            detail = f"{self._me.controller_id} admits {admits} controllers only"
            raise RefusedError(Refusal.NOT_ALLOWED, detail)
        if claims.role.value != request.role:
            raise RefusedError(Refusal.NOT_ALLOWED, f"the token is for {claims.role.value}")
        if claims.region != request.region:
            raise RefusedError(Refusal.WRONG_REGION, f"the token is for region {claims.region}")
        return claims

    # --- CHALLENGE_RESPONSE ------------------------------------------------------------------

    def on_response(self, response: ChallengeResponse, *, key_id: str) -> ValidationResult:
        """Check the proof and admit, refuse, or let the global controller decide (may take long).

        Raises RemoteProtocolError (malformed), and the NIB's errors: then nothing was changed.
        """
        try:
            check_controller_id(response.temp_id)
        except InputError as error:
            raise RemoteProtocolError(f"CHALLENGE_RESPONSE: {error}") from error
        who = Refused(temp_id=response.temp_id, key_id=key_id, region=self._me.region)
        try:
            pending = self._book.take(response.challenge_id)
            who = _refused(pending.request, key_id)
            self._check_proof(pending, response, key_id)
            admitted = self._admit(pending)
        except RefusedError as error:
            self._remember(who, error)
            above = error.decided_by if isinstance(error, _DecidedAboveError) else ""
            return ValidationResult(
                is_approved=False,
                reason=error.reason.value,
                detail=error.detail,
                decided_by=above or self._me.controller_id,
            )
        self._announce(admitted)
        return admitted.result

    def _check_proof(self, pending: Pending, response: ChallengeResponse, key_id: str) -> None:
        if (key_id, response.temp_id) != (pending.key_id, pending.request.temp_id):
            raise RefusedError(Refusal.IDENTITY_MISMATCH, "the challenge was somebody else's")
        signed = transcript(pending.challenge, pending.request, pending.claims.jti)
        try:
            signature = b64decode(response.signature)
        except ValueError as error:
            raise RefusedError(Refusal.BAD_SIGNATURE, "signature is not base64url") from error
        if not verify_bytes(signature, signed, pending.request.public_key):
            raise RefusedError(Refusal.BAD_SIGNATURE, "the proof does not match the challenge")

    def _admit(self, pending: Pending) -> Admitted:
        """Admit by our own right; if that is not enough, by the global controller's."""
        outcome = self._attempt(pending, grant=None)
        if isinstance(outcome, EscalationRequest):
            # Asked between two transactions: nobody waits for a lock while the network answers.
            outcome = self._attempt(pending, grant=self._ask(outcome))
        if isinstance(outcome, EscalationRequest):
            raise LocalProtocolError("an approved escalation was escalated again")
        return outcome

    def _attempt(
        self, pending: Pending, *, grant: ValidationResult | None
    ) -> Admitted | EscalationRequest:
        with self._nib.transaction() as tx:
            return self._enrolment.attempt(tx, pending, grant=grant, now=self._clock.now())

    def _ask(self, request: EscalationRequest) -> ValidationResult:
        """Return the global controller's approval. Raises RefusedError."""
        if self._around.escalate is None:
            raise RefusedError(_refusal(request.cause), "nobody above to ask")
        log.info("admission_escalated", cause=request.cause, temp_id=request.escalated_for)
        try:
            decision = self._around.escalate(request)
        except OperationError as error:
            detail = f"{request.cause} is the global controller's to decide: {error}"
            raise RefusedError(Refusal.GLOBAL_UNREACHABLE, detail) from error
        if not decision.is_approved:
            raise _DecidedAboveError(decision)
        if not decision.decided_by:
            raise RefusedError(Refusal.NOT_ALLOWED, "a decision by nobody")
        return decision

    # --- what others hear --------------------------------------------------------------------

    def _announce(self, admitted: Admitted) -> None:
        record = admitted.record
        log.info(
            "controller_validated",
            assigned_id=record.controller_id,
            decided_by=record.decided_by,
            is_repeat=admitted.is_repeat,
        )
        if self._around.on_admitted is not None and not admitted.is_repeat:
            self._around.on_admitted(record)

    def _remember(self, who: Refused, error: RefusedError) -> None:
        self._refusals.append(who, error)
        if self._around.on_refused is not None:
            self._around.on_refused(who.temp_id, error.reason.value)


def _refused(request: ValidationRequest, key_id: str) -> Refused:
    return Refused(
        temp_id=request.temp_id,
        key_id=key_id,
        region=request.region,
        hostname=request.hostname,
    )
