"""What a regional controller may not decide, and how the global one's decision is carried out."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pdsno.domain.entities import ControllerStatus
from pdsno.domain.errors import OperationError, Refusal, RefusedError, TransientError
from pdsno.domain.identifiers import Role
from pdsno.domain.messages import EscalationRequest, ValidationResult
from pdsno.domain.policy import Admission, Policy, is_inside
from pdsno.identity.escalation import decide_escalation, owner_elsewhere
from pdsno.identity.exchange import EscalateCall
from pdsno.identity.pki.authority import Lifetimes
from pdsno.identity.tokens import mint
from pdsno.nib import NIBStore
from pdsno.signing import SigningKey
from tests.unit.identity.scenes import (
    GC,
    POLICY,
    RC,
    ZONE_A,
    ZONE_B,
    Scene,
    global_authority,
    record_of,
    regional_authority,
    regional_scene,
    set_status,
    store,
)


def policy_with(**fields: object) -> Policy:
    zone_a = replace(ZONE_A, **fields)  # type: ignore[arg-type]
    return replace(POLICY, regions=(zone_a, ZONE_B))


def ask_always(escalate: EscalateCall | None = None) -> Scene:
    """A region all of whose admissions are for the global controller to decide."""
    return regional_scene(escalate=escalate, policy=policy_with(admission=Admission.GLOBAL))


def causes(scene: Scene) -> list[tuple[str, bool]]:
    return [(request.cause, result.is_approved) for request, result in scene.decisions]


def test_within_its_rights_a_region_asks_nobody() -> None:
    scene = regional_scene()
    assert scene.admit(SigningKey.generate(), subnets=("10.1.0.0/24",)).is_approved
    assert scene.decisions == []


def test_beyond_its_quota_it_asks_and_the_ceiling_holds_for_all() -> None:
    scene = regional_scene()
    results = [scene.admit(SigningKey.generate(), scene.token()) for _ in range(5)]
    assert [r.is_approved for r in results] == [True, True, True, True, False]
    assert [r.decided_by for r in results] == [RC.controller_id] * 2 + [GC.controller_id] * 3
    assert results[-1].reason == "QUOTA_EXCEEDED"
    assert causes(scene) == [
        ("QUOTA_EXCEEDED", True),
        ("QUOTA_EXCEEDED", True),
        ("QUOTA_EXCEEDED", False),
    ]
    record = scene.nib.controller("local_cntl_zone-A_3")
    assert record is not None
    assert record.decided_by == GC.controller_id


def test_the_ceiling_holds_even_if_the_global_controller_approves_too_many() -> None:
    def yes(_: EscalationRequest) -> ValidationResult:
        return ValidationResult(is_approved=True, decided_by=GC.controller_id)

    scene = regional_scene(escalate=yes, policy=policy_with(local_quota=0, local_ceiling=1))
    assert scene.admit(SigningKey.generate()).is_approved
    assert scene.admit(SigningKey.generate()).reason == "QUOTA_EXCEEDED"


def test_admission_global_always_asks() -> None:
    scene = regional_scene(policy=policy_with(admission=Admission.GLOBAL))
    assert scene.admit(SigningKey.generate()).decided_by == GC.controller_id
    assert causes(scene) == [("ADMISSION_GLOBAL", True)]


@pytest.mark.parametrize(
    ("subnet", "is_approved"),
    [("10.2.3.0/24", False), ("10.0.0.0/14", False), ("172.16.0.0/24", True)],
    ids=["of another region", "wider than ours", "nobody's"],
)
def test_a_subnet_that_is_not_its_own_is_laid_before_the_global_controller(
    subnet: str, is_approved: bool
) -> None:
    scene = regional_scene()
    result = scene.admit(SigningKey.generate(), subnets=("10.1.0.0/24", subnet))
    assert (result.is_approved, result.decided_by) == (is_approved, GC.controller_id)
    assert causes(scene) == [("FOREIGN_SUBNET", is_approved)]
    if not is_approved:
        assert result.reason == "FOREIGN_SUBNET"
        assert scene.events("VALIDATION_REFUSED")[-1].data["reason"] == "FOREIGN_SUBNET"


def test_a_foreign_region_is_asked_about_and_refused() -> None:
    scene, key = regional_scene(), SigningKey.generate()
    token, record = mint(
        scene.key,
        validator_id=RC.controller_id,
        role=Role.LOCAL,
        region="zone-B",
        root_sha256=scene.root_sha256,
        now=scene.hands.now,
    )
    with scene.nib.transaction() as tx:
        tx.put_token(record)
    result = scene.admit(key, token, region="zone-B")
    assert (result.is_approved, result.reason) == (False, "WRONG_REGION")
    assert scene.decisions[0][0].cause == "WRONG_REGION"


@pytest.mark.parametrize("is_same_key", [True, False], ids=["key", "host"])
def test_a_blocked_key_or_host_is_reported_up_and_stays_out(is_same_key: bool) -> None:
    scene, key = regional_scene(), SigningKey.generate()
    first = scene.admit(key, hostname="host-1").assigned_id or ""
    set_status(scene.nib, first, ControllerStatus.BLOCKED)
    again = key if is_same_key else SigningKey.generate()
    result = scene.admit(again, hostname="host-2" if is_same_key else "host-1")
    assert (result.is_approved, result.reason) == (False, "BLOCKED")
    assert causes(scene) == [("BLOCKED", False)]
    assert scene.admit(SigningKey.generate(), hostname="host-2").is_approved


def _expired(scene: Scene) -> None:
    scene.hands.move(Lifetimes().regional_authority.total_seconds())


def _absent(scene: Scene) -> None:
    scene.authority = None


@pytest.mark.parametrize("spoil", [_expired, _absent])
def test_without_a_valid_delegation_a_region_admits_nobody_alone(
    spoil: Callable[[Scene], None],
) -> None:
    scene = regional_scene()
    assert scene.admit(SigningKey.generate()).decided_by == RC.controller_id
    spoil(scene)
    refused = scene.admit(SigningKey.generate())
    assert (refused.is_approved, refused.reason) == (False, "NO_DELEGATION")
    scene.regain = lambda: regained(scene)
    assert scene.admit(SigningKey.generate()).decided_by == GC.controller_id
    assert causes(scene) == [("NO_DELEGATION", True), ("NO_DELEGATION", True)]


def regained(scene: Scene) -> None:
    """Let the global controller give the region a new issuing certificate."""
    now = scene.hands.now
    scene.authority = regional_authority(global_authority(now), scene.key.key_id, now)


@pytest.mark.parametrize("error", [TransientError("away"), OperationError("broken")])
def test_while_the_global_controller_is_away_the_token_stays_good(error: OperationError) -> None:
    is_away = True

    def escalate(request: EscalationRequest) -> ValidationResult:
        if is_away:
            raise error
        return decide_escalation(request, POLICY, NIBStore("memory://"), decided_by="global_cntl_1")

    scene, key = ask_always(escalate=escalate), SigningKey.generate()
    token = scene.token()
    before = scene.state()[0]
    result = scene.admit(key, token)
    assert (result.is_approved, result.reason) == (False, "GLOBAL_UNREACHABLE")
    assert scene.state()[0] == before
    is_away = False
    assert scene.admit(key, token).is_approved


def test_a_refusal_to_listen_is_passed_on() -> None:
    def escalate(_: EscalationRequest) -> ValidationResult:
        raise RefusedError(Refusal.REVOKED, "you were revoked")

    scene = ask_always(escalate=escalate)
    assert scene.admit(SigningKey.generate()).reason == "REVOKED"


def test_a_reason_that_this_version_does_not_know_is_still_a_refusal() -> None:
    def escalate(_: EscalationRequest) -> ValidationResult:
        return ValidationResult(is_approved=False, reason="MOON_PHASE", decided_by="global_cntl_1")

    scene = ask_always(escalate=escalate)
    assert scene.admit(SigningKey.generate()).reason == "NOT_ALLOWED"


def test_an_approval_does_not_outlive_a_token_revoked_meanwhile() -> None:
    scene = ask_always()
    decide = scene.escalate
    assert decide is not None

    def escalate(request: EscalationRequest) -> ValidationResult:
        scene.tokens.revoke(scene.nib.tokens()[0].jti_sha256)
        return decide(request)

    scene.escalate = escalate
    scene.validator = scene.build()
    assert scene.admit(SigningKey.generate()).reason == "INVALID_TOKEN"
    assert scene.nib.controllers(role=Role.LOCAL) == ()


def request_for(key: SigningKey, **fields: object) -> EscalationRequest:
    request = EscalationRequest(
        escalated_for="temp-1",
        cause="QUOTA_EXCEEDED",
        region="zone-A",
        role="local",
        public_key=key.public_key,
    )
    return replace(request, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, None),
        ({"admitted": 3}, None),
        ({"admitted": 4}, "QUOTA_EXCEEDED"),
        ({"region": "zone-C"}, "UNKNOWN_REGION"),
        ({"role": "regional"}, "NOT_ALLOWED"),
        ({"cause": "BLOCKED"}, "BLOCKED"),
        ({"subnets": ("10.2.0.0/24",)}, "FOREIGN_SUBNET"),
        ({"subnets": ("nonsense",)}, "FOREIGN_SUBNET"),
        ({"public_key": "nonsense"}, "BAD_SIGNATURE"),
    ],
)
def test_the_global_controller_decides_by_policy_whatever_the_cause_says(
    fields: dict[str, object], reason: str | None
) -> None:
    request = request_for(SigningKey.generate(), **fields)
    result = decide_escalation(request, POLICY, NIBStore("memory://"), decided_by="global_cntl_1")
    assert (result.is_approved, result.reason) == (reason is None, reason)
    assert result.decided_by == "global_cntl_1"


def test_the_global_controller_knows_keys_that_it_blocked_or_revoked_itself() -> None:
    scene, key = regional_scene(), SigningKey.generate()
    nib = NIBStore("memory://")
    known = record_of(RC, key, scene.hands.now, controller_id="local_cntl_zone-A_9")
    reasons = []
    for status in ControllerStatus:
        store(nib, replace(known, status=status, role=Role.LOCAL))
        result = decide_escalation(request_for(key), POLICY, nib, decided_by="global_cntl_1")
        reasons.append((status.value, result.reason))
    assert reasons == [
        ("active", None),
        ("revoked", "REVOKED"),
        ("blocked", "BLOCKED"),
        ("locked", "LOCKED"),
    ]


def test_addresses_used_by_two_regions_belong_to_both() -> None:
    twin = replace(ZONE_B, prefixes=("10.1.0.0/16",))
    policy = replace(POLICY, regions=(ZONE_A, twin))
    assert owner_elsewhere("10.1.5.0/24", ZONE_A, policy) is None
    assert owner_elsewhere("10.1.5.0/24", replace(ZONE_A, prefixes=()), policy) == "zone-B"


def test_a_subnet_may_be_covered_by_several_prefixes_together() -> None:
    assert is_inside("10.0.0.0/23", ["10.0.0.0/24", "10.0.1.0/24"])
    assert not is_inside("10.0.0.0/22", ["10.0.0.0/24", "10.0.1.0/24"])
    assert is_inside("2001:db8::/64", ["10.0.0.0/8", "2001:db8::/48"])
    assert not is_inside("2001:db8::/64", ["10.0.0.0/8"])
