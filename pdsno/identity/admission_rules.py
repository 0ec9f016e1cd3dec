"""Who may be admitted: policy, quota, blocks, subnets. Pure: they read a NIB and write nothing."""

from dataclasses import dataclass
from datetime import datetime

from pdsno.domain.entities import ControllerRecord
from pdsno.domain.errors import Refusal, RefusedError
from pdsno.domain.identifiers import Role
from pdsno.domain.messages import EscalationRequest, ValidationRequest
from pdsno.domain.policy import Admission, Policy, RegionPolicy, is_inside
from pdsno.domain.ports import NIBReader
from pdsno.identity.escalation import (
    EscalationCause,
    check_not_blocked,
    region_prefixes,
    seats_taken,
)
from pdsno.identity.validator_identity import ValidatorIdentity


@dataclass(frozen=True, kw_only=True, slots=True)
class Claimant:
    """Who asks: a request and the thumbprint of the key that signed it."""

    request: ValidationRequest
    key_id: str

    @property
    def role(self) -> Role:
        """The role it asks for, which was checked to be one that the validator admits."""
        return Role(self.request.role)


def known_controller(
    me: ValidatorIdentity, nib: NIBReader, claimant: Claimant
) -> ControllerRecord | None:
    """Return the controller that this key already is; the same key stays the same ID.

    Raises RefusedError NOT_ALLOWED if it is one of another role or region.
    """
    known = nib.controller_by_key(claimant.key_id)
    if known is None:
        return None
    if (known.role, known.region) != (claimant.role, claimant.request.region):
        detail = f"this key is already {known.controller_id}: use another key"
        raise RefusedError(Refusal.NOT_ALLOWED, detail)
    if known.controller_id == me.controller_id:
        raise RefusedError(Refusal.NOT_ALLOWED, "this key is the validator's own")
    return known


def served(policy: Policy, request: ValidationRequest) -> RegionPolicy:
    """Return the policy of the region asked for. Raises RefusedError UNKNOWN_REGION."""
    region = policy.region(request.region or "")
    if region is None:
        raise RefusedError(Refusal.UNKNOWN_REGION, f"policy serves no region {request.region!r}")
    return region


def check_admissible(
    me: ValidatorIdentity, nib: NIBReader, policy: Policy, claimant: Claimant
) -> RegionPolicy | None:
    """Return the region's policy if it has a seat left that nobody may exceed.

    None for a broker of the whole network: no region limits it, its join token does. Raises
    RefusedError.
    """
    request = claimant.request
    if me.region not in (None, request.region):
        raise RefusedError(Refusal.WRONG_REGION, f"this is region {me.region}")
    if me.role is Role.GLOBAL:
        check_not_blocked(nib, claimant.key_id, request.hostname)
    if claimant.role is Role.BROKER:
        return served(policy, request) if request.region else None
    region = served(policy, request)
    most = region.regional_quota if me.role is Role.GLOBAL else region.local_ceiling
    if _taken(nib, claimant) >= most:
        detail = f"region {region.region} has its {most} {claimant.role.value} controllers"
        raise RefusedError(Refusal.QUOTA_EXCEEDED, detail)
    return region


def escalation_cause(
    me: ValidatorIdentity,
    nib: NIBReader,
    policy: Policy,
    claimant: Claimant,
    *,
    delegated_until: datetime | None,
    now: datetime,
) -> EscalationCause | None:
    """Return why a regional controller may not admit alone, or None.

    Its delegation is the certificate of its issuing CA: `delegated_until` is when that ends.
    Raises RefusedError UNKNOWN_REGION.
    """
    request = claimant.request
    if request.region != me.region:
        return EscalationCause.WRONG_REGION
    region = served(policy, request)
    try:
        check_not_blocked(nib, claimant.key_id, request.hostname)
    except RefusedError as error:
        return EscalationCause(error.reason.value)
    if delegated_until is None or now >= delegated_until:
        return EscalationCause.NO_DELEGATION
    if region.admission is Admission.GLOBAL:
        return EscalationCause.ADMISSION_GLOBAL
    prefixes = region_prefixes(region)
    if not all(is_inside(subnet, prefixes) for subnet in request.subnets):
        return EscalationCause.FOREIGN_SUBNET
    if _taken(nib, claimant) >= region.local_quota:
        return EscalationCause.QUOTA_EXCEEDED
    return None


def escalation(nib: NIBReader, claimant: Claimant, cause: EscalationCause) -> EscalationRequest:
    """Return what the global controller is asked."""
    request = claimant.request
    return EscalationRequest(
        escalated_for=request.temp_id,
        cause=cause.value,
        region=request.region or "",
        role=request.role,
        public_key=request.public_key,
        subnets=request.subnets,
        hostname=request.hostname,
        admitted=_taken(nib, claimant),
    )


def _taken(nib: NIBReader, claimant: Claimant) -> int:
    return seats_taken(nib, claimant.role, claimant.request.region or "", claimant.key_id)
