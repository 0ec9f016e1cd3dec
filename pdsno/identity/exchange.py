"""The validator's side of the exchange: request, challenge, response, result.

The edge around the pure machine of `validation`: it draws random numbers, asks the clock, carries
out effects in one transaction, and asks the global controller between two of them. Before the
challenge a refusal is a RefusedError; after it the answer is always a ValidationResult. A refusal
changes nothing but the challenge it used up, and leaves an event.
"""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

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
from pdsno.domain.ports import NIB, NIBTransaction
from pdsno.domain.trust_ports import Signer
from pdsno.identity.challenges import NONCE_BYTES, OpenChallenges
from pdsno.identity.claim_form import check_form
from pdsno.identity.clock import SYSTEM_CLOCK, Clock
from pdsno.identity.enrolment import Enrolled, Enrolment
from pdsno.identity.escalation import EscalationCause
from pdsno.identity.pki.authority import Authority
from pdsno.identity.refusals import RefusalLog, Refused
from pdsno.identity.validation import ValidationMachine
from pdsno.identity.validation_steps import (
    Answered,
    Asked,
    Decided,
    Effects,
    Escalate,
    Input,
    Now,
    Refuse,
    ReserveToken,
    SendChallenge,
)
from pdsno.identity.validator_identity import ValidatorIdentity
from pdsno.signing import b64encode

log = structlog.get_logger()

EscalateCall = Callable[[EscalationRequest], ValidationResult]
"""Asks the global controller. Raises TransientError while it is away, RefusedError if it will not
listen."""

GRACE = timedelta(days=30)
"""How long after its end a certificate may be renewed: a site that was cut off comes back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What a validator is connected to; everything but the authority may be absent.

    `authority` returns its issuing CA, None while none is in force. `server_cert_sha256` tells
    what it shows on its join listener. `in_transaction` runs inside the admitting or locking
    transaction (outbox rows). `regain` asks for a new issuing certificate, when the global
    controller approved what only the lack of one had made it decide. `on_admitted` and `on_locked`
    run after the commit, `on_refused` after a refusal, with the provisional name and the reason.
    """

    authority: Callable[[], Authority | None] = lambda: None
    server_cert_sha256: Callable[[], str] = lambda: ""
    escalate: EscalateCall | None = None
    regain: Callable[[], object] = lambda: None
    in_transaction: Callable[[NIBTransaction, ControllerRecord], None] | None = None
    on_admitted: Callable[[ControllerRecord], None] | None = None
    on_locked: Callable[[ControllerRecord], None] | None = None
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
        grace: timedelta = GRACE,
    ) -> None:
        self._nib = nib
        self._signer = signer
        self._me = me
        self._clock = clock
        self._around = surroundings or Surroundings()
        self._grace = grace
        self._lock = threading.Lock()
        self._open = OpenChallenges()
        self._refusals = RefusalLog(nib, actor=me.controller_id, clock=clock)
        self._enrolment = Enrolment(
            signer=signer,
            me=me,
            authority=self._around.authority,
            in_transaction=self._around.in_transaction,
        )

    # --- VALIDATION_REQUEST ------------------------------------------------------------------

    def on_request(
        self, request: ValidationRequest, *, key_id: str, address: str = ""
    ) -> Challenge:
        """Check a claim, reserve its token, and challenge the joiner to prove its key.

        `key_id` is the thumbprint of the key that signed the message, `address` where it came
        from. Raises RefusedError, TransientError (too many at once), RemoteProtocolError
        (malformed).
        """
        check_form(request)
        asked = Asked(
            request=request,
            key_id=key_id,
            challenge_id=secrets.token_urlsafe(16),
            nonce=b64encode(secrets.token_bytes(NONCE_BYTES)),
            address=address,
            server_cert_sha256=self._around.server_cert_sha256(),
        )
        outcome = self._advance(asked)
        if isinstance(outcome, Challenge):
            return outcome
        error = _error_of(outcome)
        self._remember(_refused(request, key_id), error)
        raise error

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
            outcome = self._advance(Answered(response=response, key_id=key_id))
            if isinstance(outcome, Escalate):
                who = _refused(outcome.pending.request, key_id)
                # Asked between two transactions: nobody waits for a lock while the network answers.
                decided_by = self._ask(outcome.request)
                outcome = self._advance(Decided(pending=outcome.pending, decided_by=decided_by))
            if isinstance(outcome, Refuse):
                if outcome.pending is not None:
                    who = _refused(outcome.pending.request, key_id)
                raise _error_of(outcome)
        except RefusedError as error:
            return self._no(who, error)
        if not isinstance(outcome, Enrolled):
            raise LocalProtocolError("an approved escalation was escalated again")
        self._announce(outcome)
        return outcome.result

    def _no(self, who: Refused, error: RefusedError) -> ValidationResult:
        self._remember(who, error)
        above = error.decided_by if isinstance(error, _DecidedAboveError) else ""
        return ValidationResult(
            is_approved=False,
            reason=error.reason.value,
            detail=error.detail,
            decided_by=above or self._me.controller_id,
        )

    # --- the machine -------------------------------------------------------------------------

    def _advance(self, message: Input) -> Challenge | Enrolled | Escalate | Refuse:
        """Take one step, and carry out its effects in the transaction in which it was decided."""
        authority = self._around.authority()
        machine = ValidationMachine(
            me=self._me,
            public_key=self._signer.public_key,
            delegated_until=authority.not_after if authority else None,
            grace=self._grace,
        )
        now = Now(at=self._clock.now(), monotonic_s=self._clock.monotonic())
        with self._nib.transaction() as tx:
            with self._lock:
                self._open, effects = machine.step(self._open, message, now, tx)
            outcome = self._carry_out(tx, effects, now)
        if isinstance(outcome, ControllerRecord):
            self._tell_locked(outcome)
            return _cloned(outcome)
        return outcome

    def _carry_out(
        self, tx: NIBTransaction, effects: Effects, now: Now
    ) -> Challenge | Enrolled | Escalate | Refuse | ControllerRecord:
        """Do what was decided; returns the last of it, the record of whoever was locked."""
        for effect in effects:
            match effect:
                case ReserveToken():
                    tx.put_token(effect.record)
                case SendChallenge():
                    return effect.challenge
                case Escalate() | Refuse():
                    return effect
                case _:
                    return self._enrolment.carry_out(tx, effect, now.at)
        raise LocalProtocolError("the validation machine decided nothing")

    def _ask(self, request: EscalationRequest) -> str:
        """Return who approved on the global controller's side. Raises RefusedError."""
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
        if request.cause == EscalationCause.NO_DELEGATION:
            self._around.regain()
        return decision.decided_by

    # --- what others hear --------------------------------------------------------------------

    def _announce(self, enrolled: Enrolled) -> None:
        record = enrolled.record
        log.info(
            "controller_validated" if enrolled.is_new else "certificate_issued",
            assigned_id=record.controller_id,
            decided_by=record.decided_by,
            generation=record.generation,
            is_repeat=enrolled.is_repeat,
        )
        if self._around.on_admitted is not None and enrolled.is_new:
            self._around.on_admitted(record)

    def _tell_locked(self, record: ControllerRecord) -> None:
        log.error(
            "controller_locked",
            controller_id=record.controller_id,
            detail="its certificate was renewed from two places: somebody has a copy of its key",
            remedy="find the copy, then let it join with a new key: docs/security.md",
        )
        if self._around.on_locked is not None:
            self._around.on_locked(record)

    def _remember(self, who: Refused, error: RefusedError) -> None:
        self._refusals.append(who, error)
        if self._around.on_refused is not None:
            self._around.on_refused(who.temp_id, error.reason.value)


def _cloned(record: ControllerRecord) -> Refuse:
    detail = f"{record.controller_id} is locked: its certificate was renewed from two places"
    return Refuse(reason=Refusal.CLONED, detail=detail)


def _error_of(outcome: object) -> RefusedError:
    if isinstance(outcome, Refuse):
        return RefusedError(outcome.reason, outcome.detail)
    raise LocalProtocolError(f"a request cannot end as {type(outcome).__name__}")


def _refused(request: ValidationRequest, key_id: str) -> Refused:
    return Refused(
        temp_id=request.temp_id,
        key_id=key_id,
        region=request.region,
        hostname=request.hostname,
    )
