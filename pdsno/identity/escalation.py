"""What a regional controller lays before the global one, and how that decides. Pure."""

import ipaddress
from enum import StrEnum

from pdsno.domain.entities import ControllerRecord, ControllerStatus
from pdsno.domain.errors import InputError, Refusal, RefusedError
from pdsno.domain.identifiers import Role
from pdsno.domain.messages import EscalationRequest, ValidationResult
from pdsno.domain.policy import Policy, RegionPolicy, check_subnet, is_inside, space_of
from pdsno.domain.ports import NIBReader
from pdsno.signing import key_id_of


class EscalationCause(StrEnum):
    """Why a regional controller may not decide alone; where nobody can be asked, the refusal."""

    NO_DELEGATION = "NO_DELEGATION"
    WRONG_REGION = "WRONG_REGION"
    BLOCKED = "BLOCKED"
    FOREIGN_SUBNET = "FOREIGN_SUBNET"
    ADMISSION_GLOBAL = "ADMISSION_GLOBAL"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"


def region_prefixes(region: RegionPolicy) -> tuple[str, ...]:
    """Return every prefix that policy calls the region's: its own and its controllers' targets."""
    targets = (subnet for local in region.local_controllers for subnet in local.subnets)
    return (*region.prefixes, *targets)


def owner_elsewhere(subnet: str, region: RegionPolicy, policy: Policy) -> str | None:
    """Return the other region that a subnet belongs to, unless it is (also) the region's own.

    Two regions may use the same addresses, each in its own namespace: then both own them.
    """
    if is_inside(subnet, region_prefixes(region)):
        return None
    wanted = ipaddress.ip_network(subnet)
    for other in policy.regions:
        if other.region == region.region:
            continue
        for prefix in map(ipaddress.ip_network, region_prefixes(other)):
            if prefix.version == wanted.version and prefix.overlaps(wanted):
                return other.region
    return None


def decide_escalation(
    request: EscalationRequest, policy: Policy, nib: NIBReader, *, decided_by: str
) -> ValidationResult:
    """Decide as the global controller.

    That the asking controller is active and of the request's region is the caller's to check. The
    cause it names is not relied on: all that a global controller can check is checked.
    """
    try:
        _check(request, policy, nib)
    except RefusedError as error:
        return ValidationResult(
            is_approved=False, reason=error.reason.value, detail=error.detail, decided_by=decided_by
        )
    return ValidationResult(is_approved=True, decided_by=decided_by)


def _check(request: EscalationRequest, policy: Policy, nib: NIBReader) -> None:
    if request.role != Role.LOCAL.value:
        raise RefusedError(Refusal.NOT_ALLOWED, "a region admits local controllers only")
    region = policy.region(request.region)
    if region is None:
        raise RefusedError(Refusal.UNKNOWN_REGION, f"policy serves no region {request.region!r}")
    if request.cause == EscalationCause.BLOCKED:
        raise RefusedError(Refusal.BLOCKED, "the region blocked this key or host")
    key_id = key_id_of(request.public_key)
    check_not_revoked(nib, key_id)
    check_not_blocked(nib, key_id, request.hostname)
    for subnet in request.subnets:
        _check_subnet(subnet, region, policy)
    others = seats_taken(nib, Role.LOCAL, request.region, key_id)
    if max(others, request.admitted) >= region.local_ceiling:
        detail = f"region {region.region} has its {region.local_ceiling} local controllers"
        raise RefusedError(Refusal.QUOTA_EXCEEDED, detail)


def _check_subnet(subnet: str, region: RegionPolicy, policy: Policy) -> None:
    try:
        check_subnet(subnet, force=True)
    except InputError as error:
        raise RefusedError(Refusal.FOREIGN_SUBNET, str(error)) from error
    owner = owner_elsewhere(subnet, region, policy)
    if owner is not None:
        raise RefusedError(Refusal.FOREIGN_SUBNET, f"{subnet} belongs to region {owner}")


def check_not_revoked(nib: NIBReader, key_id: str) -> None:
    """Raise RefusedError REVOKED or LOCKED if the key was: such a key never comes back."""
    for record in nib.controllers():
        if record.key_id != key_id:
            continue
        if record.status is ControllerStatus.REVOKED:
            raise RefusedError(Refusal.REVOKED, f"the key of {record.controller_id} was revoked")
        if record.status is ControllerStatus.LOCKED:
            detail = f"the key of {record.controller_id} was copied: join again with a new key"
            raise RefusedError(Refusal.LOCKED, detail)


def check_not_blocked(nib: NIBReader, key_id: str, hostname: str) -> None:
    """Raise RefusedError BLOCKED if a controller with this key or on this host is blocked."""
    for record in nib.controllers():
        is_same = record.key_id == key_id or (hostname != "" and record.hostname == hostname)
        if is_same and record.status is ControllerStatus.BLOCKED:
            raise RefusedError(Refusal.BLOCKED, f"{record.controller_id} is blocked")


def seats_taken(nib: NIBReader, role: Role, region: str, key_id: str) -> int:
    """Return how many active controllers of a role and region there are besides this key's."""
    known = nib.controllers(role=role, region=region)
    return sum(r.status is ControllerStatus.ACTIVE and r.key_id != key_id for r in known)


def check_subnets_free(nib: NIBReader, newcomer: ControllerRecord, region: RegionPolicy) -> None:
    """Raise RefusedError SUBNET_TAKEN if another active controller probes what this one would.

    Where policy names a controller, policy says what it probes; else what it declared. Two that
    policy names never overlap: the policy would not be sound.
    """
    if newcomer.role is not Role.LOCAL:
        return
    space, wanted = _probes(newcomer, region)
    for other in nib.controllers(role=Role.LOCAL, region=newcomer.region):
        if other.status is not ControllerStatus.ACTIVE or other.key_id == newcomer.key_id:
            continue
        other_space, taken = _probes(other, region)
        for subnet in wanted if other_space == space else ():
            if any(_overlap(subnet, prefix) for prefix in taken):
                detail = f"{subnet} is probed by {other.controller_id}: one host, one controller"
                raise RefusedError(Refusal.SUBNET_TAKEN, detail)


def _probes(record: ControllerRecord, region: RegionPolicy) -> tuple[str, tuple[str, ...]]:
    """Return the namespace in which a controller probes, and what."""
    local = region.local(record.controller_id)
    if local is None:
        return region.space, record.subnets
    return space_of(region, local), (*local.subnets, *local.crawl)


def _overlap(a: str, b: str) -> bool:
    one, other = ipaddress.ip_network(a), ipaddress.ip_network(b)
    return one.version == other.version and one.overlaps(other)
