"""From a decision to an identity, inside one NIB transaction: ID, certificates, records, event."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from pdsno.domain.entities import ControllerRecord, ControllerStatus, NewEvent
from pdsno.domain.errors import Refusal, RefusedError
from pdsno.domain.identifiers import Role, controller_id
from pdsno.domain.messages import TrustedKey, ValidationRequest, ValidationResult
from pdsno.domain.policy import Policy
from pdsno.domain.ports import NIBReader, NIBTransaction
from pdsno.domain.trust_ports import Signer
from pdsno.identity.challenges import Pending
from pdsno.identity.escalation import check_subnets_free
from pdsno.identity.join_tokens import spent
from pdsno.identity.pki.authority import Authority
from pdsno.identity.validation_steps import Admit, Lock, Renew, Repeat
from pdsno.identity.validator_identity import ValidatorIdentity


@dataclass(frozen=True, kw_only=True, slots=True)
class Enrolled:
    """Who was admitted or renewed, and what it is told.

    `is_repeat` if this only repeats a lost answer, `is_new` if it was admitted just now.
    """

    record: ControllerRecord
    result: ValidationResult
    is_repeat: bool = False
    is_new: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Enrolment:
    """Carries out what the machine decided. Holds no state of its own.

    `authority` returns the issuing CA, None while there is none in force.
    """

    signer: Signer
    me: ValidatorIdentity
    authority: Callable[[], Authority | None]
    in_transaction: Callable[[NIBTransaction, ControllerRecord], None] | None

    def carry_out(
        self, tx: NIBTransaction, effect: Admit | Renew | Repeat | Lock, now: datetime
    ) -> Enrolled | ControllerRecord:
        """Write what was decided; returns the record of whoever was locked, else who is told what.

        Raises RefusedError; the caller rolls back.
        """
        match effect:
            case Admit():
                return self.admit(tx, effect, now)
            case Renew():
                return self.renew(tx, effect, now)
            case Repeat():
                result = self.result(tx, effect.record)
                return Enrolled(record=effect.record, result=result, is_repeat=True)
            case Lock():
                return self.lock(tx, effect, now)

    def admit(self, tx: NIBTransaction, admit: Admit, now: datetime) -> Enrolled:
        """Spend the token and make the claimant a controller.

        The certificate is signed before the commit and told after it. Raises RefusedError; the
        caller rolls back.
        """
        pending, known = admit.pending, admit.known
        request, role = pending.request, Role(pending.request.role)
        assigned_id = known.controller_id if known else _free_id(tx, role, request.region)
        record = ControllerRecord(
            controller_id=assigned_id,
            role=role,
            region=request.region,
            status=ControllerStatus.ACTIVE,
            public_key=request.public_key,
            key_id=pending.key_id,
            url=request.url,
            parent_id=self.me.controller_id,
            subnets=request.subnets,
            hostname=request.hostname,
            validated_at=now,
            decided_by=admit.decided_by,
            last_seen=now,
            state=known.state if known else "unknown",
        )
        if admit.region is not None:
            check_subnets_free(tx, record, admit.region)
        generation = known.generation + 1 if known else 1
        record = self._certified(record, pending, generation, now)
        tx.put_token(spent(admit.token, record.key_id, now))
        record = tx.put_controller(record, expected_version=known.version if known else None)
        tx.append_event(self._admission_event(admit, record, now))
        if self.in_transaction is not None:
            self.in_transaction(tx, record)
        return Enrolled(record=record, result=self.result(tx, record), is_new=True)

    def renew(self, tx: NIBTransaction, renew: Renew, now: datetime) -> Enrolled:
        """Issue the next certificates."""
        before = renew.record
        record = replace(
            self._certified(before, renew.pending, renew.generation, now), last_seen=now
        )
        record = tx.put_controller(record, expected_version=before.version)
        data = {"generation": record.generation, "was_ahead": renew.was_ahead}
        tx.append_event(self._event("CERTIFICATE_RENEWED", record, now, data))
        return Enrolled(record=record, result=self.result(tx, record))

    def lock(self, tx: NIBTransaction, lock: Lock, now: datetime) -> ControllerRecord:
        """Lock a controller whose key is in two hands: neither of them may do anything now."""
        before = lock.record
        locked = replace(before, status=ControllerStatus.LOCKED)
        record = tx.put_controller(locked, expected_version=before.version)
        data = {"presented": lock.generation, "newest": record.generation}
        tx.append_event(self._event("CONTROLLER_LOCKED", record, now, data))
        if self.in_transaction is not None:
            self.in_transaction(tx, record)
        return record

    def result(self, tx: NIBReader, record: ControllerRecord) -> ValidationResult:
        """Return what a controller is told of itself, and whom it may believe."""
        policy = tx.policy() or Policy()
        authority = self.authority()
        return ValidationResult(
            is_approved=True,
            assigned_id=record.controller_id,
            decided_by=record.decided_by,
            trust=self._trust(tx),
            certificate=record.certificate,
            authority=record.authority,
            roots=authority.roots_pem if authority else "",
            generation=record.generation,
            policy=policy.region(record.region or ""),
            policy_epoch=policy.epoch,
            policy_version=policy.version,
        )

    def _certified(
        self, record: ControllerRecord, pending: Pending, generation: int, now: datetime
    ) -> ControllerRecord:
        """Return the record with certificates for the keys that its controller asked them for."""
        authority, request = self.authority(), pending.request
        if authority is None:
            raise RefusedError(Refusal.NO_DELEGATION, "our issuing certificate has ended")
        leaf = authority.issue_leaf(
            request.csr,
            controller_id=record.controller_id,
            role=record.role,
            region=record.region,
            key_id=record.key_id,
            addresses=_granted(request, pending.address),
            now=now,
        )
        issuing = ""
        if record.role is Role.REGIONAL:
            issuing = authority.issue_regional_authority(
                request.authority_csr,
                controller_id=record.controller_id,
                region=record.region or "",
                key_id=record.key_id,
                now=now,
            ).chain_pem
        return replace(record, certificate=leaf.chain_pem, authority=issuing, generation=generation)

    def _admission_event(self, admit: Admit, record: ControllerRecord, now: datetime) -> NewEvent:
        data = {
            "role": record.role.value,
            "key_id": record.key_id,
            "hostname": record.hostname,
            "subnets": list(record.subnets),
            "decided_by": record.decided_by,
            "token": admit.token.jti_sha256,
            "is_known_key": admit.known is not None,
        }
        return self._event("CONTROLLER_VALIDATED", record, now, data)

    def _event(
        self, event_type: str, record: ControllerRecord, now: datetime, data: Mapping[str, object]
    ) -> NewEvent:
        return NewEvent(
            event_type=event_type,
            subject=record.controller_id,
            actor=self.me.controller_id,
            at=now,
            region=record.region,
            data=data,
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


def _granted(request: ValidationRequest, address: str) -> tuple[str, ...]:
    """Return the addresses that a certificate may name: only where the request came from.

    Whoever could have any address certified could stand in for whom it belongs to.
    """
    return tuple(a for a in request.addresses if a == address)


def _free_id(tx: NIBTransaction, role: Role, region: str | None) -> str:
    """Return the next ID that was never given out (a restored sequence may lag behind)."""
    while True:
        number = tx.next_number(f"{role.value}:{region or 'global'}")
        assigned_id = controller_id(role, region, number)
        if tx.controller(assigned_id) is None:
            return assigned_id
