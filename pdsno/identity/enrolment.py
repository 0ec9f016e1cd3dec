"""From a proven claim to an assigned ID, inside one NIB transaction: policy, quota, records."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pdsno.domain.entities import (
    ControllerRecord,
    ControllerStatus,
    JoinTokenRecord,
    NewEvent,
    TokenStatus,
)
from pdsno.domain.errors import Refusal, RefusedError
from pdsno.domain.identifiers import Role, controller_id
from pdsno.domain.messages import EscalationRequest, TrustedKey, ValidationRequest, ValidationResult
from pdsno.domain.policy import Admission, Policy, RegionPolicy, is_inside
from pdsno.domain.ports import NIBReader, NIBTransaction, Signer
from pdsno.identity.challenges import Pending
from pdsno.identity.delegation import check_delegation, issue_delegation
from pdsno.identity.escalation import (
    EscalationCause,
    check_not_blocked,
    check_not_revoked,
    check_subnets_free,
    region_prefixes,
    seats_taken,
)
from pdsno.identity.join_tokens import spendable, spent
from pdsno.identity.validator_identity import ValidatorIdentity


@dataclass(frozen=True, kw_only=True, slots=True)
class Admitted:
    """Who was admitted and what it is told; `is_repeat` if this only repeats a lost answer."""

    record: ControllerRecord
    result: ValidationResult
    is_repeat: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Enrolment:
    """The rules of one validator. Holds no state of its own."""

    signer: Signer
    me: ValidatorIdentity
    delegation: Callable[[], str | None]
    in_transaction: Callable[[NIBTransaction, ControllerRecord], None] | None

    def attempt(
        self,
        tx: NIBTransaction,
        pending: Pending,
        *,
        grant: ValidationResult | None,
        now: datetime,
    ) -> Admitted | EscalationRequest:
        """Admit, or return what the global controller has to decide first (nothing written).

        `grant` is its approval. Raises RefusedError; the caller rolls back.
        """
        token = spendable(tx, pending.claims.jti_sha256, pending.key_id, now)
        check_not_revoked(tx, pending.key_id)
        known = self._known(tx, pending)
        policy = tx.policy() or Policy()
        if token.status is TokenStatus.SPENT:
            return self._repeat(tx, known, policy)
        if self.me.role is Role.REGIONAL and grant is None:
            cause = self._cause(tx, pending, policy, now)
            if cause is not None:
                return self._escalation(tx, pending, cause)
        region = self._allowed(tx, pending, policy)
        decided_by = grant.decided_by if grant else self.me.controller_id
        record = self._record(tx, pending, known, region, decided_by=decided_by, now=now)
        check_subnets_free(tx, record, region)
        record = self._write(tx, record, known, token, now)
        result = self._result(tx, record, policy)
        return Admitted(record=record, result=result, is_repeat=False)

    # --- rules -------------------------------------------------------------------------------

    def _known(self, tx: NIBReader, pending: Pending) -> ControllerRecord | None:
        """Return the controller that this key already is; the same key stays the same ID."""
        known = tx.controller_by_key(pending.key_id)
        if known is None:
            return None
        if (known.role, known.region) != (self.me.admits, pending.request.region):
            detail = f"this key is already {known.controller_id}: use another key"
            raise RefusedError(Refusal.NOT_ALLOWED, detail)
        return known

    def _taken(self, tx: NIBReader, pending: Pending) -> int:
        region = pending.request.region or ""
        return seats_taken(tx, self.me.admits, region, pending.key_id)

    def _allowed(self, tx: NIBReader, pending: Pending, policy: Policy) -> RegionPolicy:
        """Return the region's policy if it has a seat left that nobody may exceed."""
        request, taken = pending.request, self._taken(tx, pending)
        if self.me.region not in (None, request.region):
            raise RefusedError(Refusal.WRONG_REGION, f"this is region {self.me.region}")
        region = _served(policy, request)
        most = region.local_ceiling
        if self.me.role is Role.GLOBAL:
            check_not_blocked(tx, pending.key_id, request.hostname)
            most = region.regional_quota
        if taken >= most:
            detail = f"region {region.region} has its {most} {self.me.admits.value} controllers"
            raise RefusedError(Refusal.QUOTA_EXCEEDED, detail)
        return region

    def _cause(
        self, tx: NIBReader, pending: Pending, policy: Policy, now: datetime
    ) -> EscalationCause | None:
        """Return why a regional controller may not admit alone, or None."""
        request = pending.request
        if request.region != self.me.region:
            return EscalationCause.WRONG_REGION
        region = _served(policy, request)
        try:
            check_not_blocked(tx, pending.key_id, request.hostname)
            delegation = check_delegation(
                self.delegation(),
                nib=tx,
                rc_id=self.me.controller_id,
                rc_key_id=self.signer.key_id,
                region=region.region,
                now=now,
            )
        except RefusedError as error:
            return EscalationCause(error.reason.value)
        if region.admission is Admission.GLOBAL:
            return EscalationCause.ADMISSION_GLOBAL
        prefixes = region_prefixes(region)
        if not all(is_inside(subnet, prefixes) for subnet in request.subnets):
            return EscalationCause.FOREIGN_SUBNET
        if self._taken(tx, pending) >= min(region.local_quota, delegation.quota):
            return EscalationCause.QUOTA_EXCEEDED
        return None

    def _escalation(
        self, tx: NIBReader, pending: Pending, cause: EscalationCause
    ) -> EscalationRequest:
        request = pending.request
        return EscalationRequest(
            escalated_for=request.temp_id,
            cause=cause.value,
            region=request.region or "",
            role=request.role,
            public_key=request.public_key,
            subnets=request.subnets,
            hostname=request.hostname,
            admitted=self._taken(tx, pending),
        )

    # --- writing -----------------------------------------------------------------------------

    def _record(
        self,
        tx: NIBTransaction,
        pending: Pending,
        known: ControllerRecord | None,
        region: RegionPolicy,
        *,
        decided_by: str,
        now: datetime,
    ) -> ControllerRecord:
        request, role = pending.request, self.me.admits
        assigned_id = known.controller_id if known else _free_id(tx, role, region.region)
        delegation = None
        if role is Role.REGIONAL:
            delegation = issue_delegation(
                self.signer,
                rc_id=assigned_id,
                rc_key_id=pending.key_id,
                region=region.region,
                quota=region.local_quota,
                now=now,
            )
        return ControllerRecord(
            controller_id=assigned_id,
            role=role,
            region=region.region,
            status=ControllerStatus.ACTIVE,
            public_key=request.public_key,
            key_id=pending.key_id,
            url=request.url,
            parent_id=self.me.controller_id,
            subnets=request.subnets,
            hostname=request.hostname,
            delegation=delegation,
            validated_at=now,
            decided_by=decided_by,
            last_seen=now,
            state=known.state if known else "unknown",
        )

    def _write(
        self,
        tx: NIBTransaction,
        record: ControllerRecord,
        known: ControllerRecord | None,
        token: JoinTokenRecord,
        now: datetime,
    ) -> ControllerRecord:
        tx.put_token(spent(token, record.key_id, now))
        record = tx.put_controller(record, expected_version=known.version if known else None)
        tx.append_event(
            NewEvent(
                event_type="CONTROLLER_VALIDATED",
                subject=record.controller_id,
                actor=self.me.controller_id,
                at=now,
                region=record.region,
                data={
                    "role": record.role.value,
                    "key_id": record.key_id,
                    "hostname": record.hostname,
                    "subnets": list(record.subnets),
                    "decided_by": record.decided_by,
                    "token": token.jti_sha256,
                    "is_known_key": known is not None,
                },
            )
        )
        if self.in_transaction is not None:
            self.in_transaction(tx, record)
        return record

    # --- answers -----------------------------------------------------------------------------

    def _repeat(self, tx: NIBReader, known: ControllerRecord | None, policy: Policy) -> Admitted:
        if known is None:
            raise RefusedError(Refusal.TOKEN_USED, "the controller it admitted is gone")
        if known.status is not ControllerStatus.ACTIVE:
            raise RefusedError(Refusal.BLOCKED, f"{known.controller_id} is blocked")
        return Admitted(record=known, result=self._result(tx, known, policy), is_repeat=True)

    def _result(self, tx: NIBReader, record: ControllerRecord, policy: Policy) -> ValidationResult:
        return ValidationResult(
            is_approved=True,
            assigned_id=record.controller_id,
            decided_by=record.decided_by,
            trust=self._trust(tx),
            delegation=record.delegation,
            policy=policy.region(record.region or ""),
            policy_epoch=policy.epoch,
            policy_version=policy.version,
        )

    def _trust(self, tx: NIBReader) -> tuple[TrustedKey, ...]:
        """Return ourselves and the global controllers we trust: whom the new one may believe."""
        me = TrustedKey(
            controller_id=self.me.controller_id,
            role=self.me.role.value,
            region=self.me.region,
            public_key=self.signer.public_key,
        )
        above = (
            TrustedKey(
                controller_id=r.controller_id,
                role=r.role.value,
                region=r.region,
                public_key=r.public_key,
            )
            for r in tx.controllers(role=Role.GLOBAL)
            if r.status is ControllerStatus.ACTIVE and r.controller_id != self.me.controller_id
        )
        return (me, *above)


def _served(policy: Policy, request: ValidationRequest) -> RegionPolicy:
    region = policy.region(request.region or "")
    if region is None:
        raise RefusedError(Refusal.UNKNOWN_REGION, f"policy serves no region {request.region!r}")
    return region


def _free_id(tx: NIBTransaction, role: Role, region: str) -> str:
    """Return the next ID that was never given out (a restored sequence may lag behind)."""
    while True:
        assigned_id = controller_id(role, region, tx.next_number(f"{role.value}:{region}"))
        if tx.controller(assigned_id) is None:
            return assigned_id
