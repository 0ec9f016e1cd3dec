"""A global and a regional validator on NIBs in memory, with clocks that the test moves."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pdsno.domain.entities import ControllerRecord, ControllerStatus, Event
from pdsno.domain.identifiers import Role
from pdsno.domain.jsonable import jsonable
from pdsno.domain.messages import (
    ChallengeResponse,
    EscalationRequest,
    Message,
    MessageType,
    ValidationRequest,
    ValidationResult,
)
from pdsno.domain.policy import LocalPolicy, Policy, RegionPolicy
from pdsno.domain.ports import NIB
from pdsno.identity.challenges import transcript
from pdsno.identity.clock import Clock
from pdsno.identity.delegation import issue_delegation
from pdsno.identity.escalation import decide_escalation
from pdsno.identity.exchange import Escalate, Surroundings, Validator
from pdsno.identity.join_tokens import JoinTokens
from pdsno.identity.tokens import read_unverified
from pdsno.identity.validator_identity import ValidatorIdentity
from pdsno.nib import NIBStore
from pdsno.signing import SigningKey, b64encode

GC = ValidatorIdentity(controller_id="global_cntl_1", role=Role.GLOBAL)
RC = ValidatorIdentity(controller_id="regional_cntl_zone-A_1", role=Role.REGIONAL, region="zone-A")

ZONE_A = RegionPolicy(
    region="zone-A",
    regional_quota=2,
    local_quota=2,
    local_ceiling=4,
    prefixes=("10.1.0.0/16",),
    local_controllers=(LocalPolicy(controller_id="local_cntl_zone-A_1", subnets=("10.9.0.0/24",)),),
)
ZONE_B = RegionPolicy(region="zone-B", prefixes=("10.2.0.0/16",))
POLICY = Policy(epoch=1, version=1, regions=(ZONE_A, ZONE_B))


@dataclass(slots=True)
class Hands:
    """The hands of a clock, moved by the test."""

    now: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    monotonic_s: float = 1000.0

    def clock(self) -> Clock:
        return Clock(now=lambda: self.now, monotonic=lambda: self.monotonic_s)

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.monotonic_s += seconds


def record_of(
    me: ValidatorIdentity,
    key: SigningKey,
    now: datetime,
    **fields: Any,  # noqa: ANN401
) -> ControllerRecord:
    record = ControllerRecord(
        controller_id=me.controller_id,
        role=me.role,
        region=me.region,
        public_key=key.public_key,
        key_id=key.key_id,
        validated_at=now,
        decided_by="global_cntl_1",
    )
    return replace(record, **fields)


def store(nib: NIB, *records: ControllerRecord) -> None:
    """Write controllers, whatever version they have now."""
    with nib.transaction() as tx:
        for record in records:
            known = tx.controller(record.controller_id)
            tx.put_controller(record, expected_version=known.version if known else None)


def set_status(nib: NIB, controller_id: str, status: ControllerStatus) -> None:
    record = nib.controller(controller_id)
    assert record is not None
    store(nib, replace(record, status=status))


@dataclass
class Scene:
    """One validator with what it stands on. `decisions` are the escalations that went up."""

    me: ValidatorIdentity
    hands: Hands = field(default_factory=Hands)
    key: SigningKey = field(default_factory=SigningKey.generate)
    gc_key: SigningKey = field(default_factory=SigningKey.generate)
    nib: NIB = field(default_factory=lambda: NIBStore("memory://"))
    policy: Policy | None = POLICY
    delegation: str | None = None
    escalate: Escalate | None = None
    decisions: list[tuple[EscalationRequest, ValidationResult]] = field(default_factory=list)
    admitted: list[ControllerRecord] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.policy is not None and self.nib.policy() is None:
            with self.nib.transaction() as tx:
                tx.put_policy(self.policy)
        self.validator = self.build()
        self.tokens = JoinTokens(
            nib=self.nib, signer=self.key, me=self.me, clock=self.hands.clock()
        )

    def build(self) -> Validator:
        """Return a validator as it is after a restart: same NIB, no open challenges."""
        surroundings = Surroundings(
            delegation=lambda: self.delegation,
            escalate=self.escalate,
            on_admitted=self.admitted.append,
            on_refused=lambda name, reason: self.refused.append((name, reason)),
        )
        return Validator(
            nib=self.nib,
            signer=self.key,
            me=self.me,
            clock=self.hands.clock(),
            surroundings=surroundings,
        )

    def token(self, ttl_s: int = 900) -> str:
        return self.tokens.create(role=self.me.admits, region="zone-A", ttl_s=ttl_s)

    def request(self, key: SigningKey, token: str, **fields: Any) -> ValidationRequest:  # noqa: ANN401
        request = ValidationRequest(
            temp_id="temp-1",
            role=self.me.admits.value,
            region="zone-A",
            public_key=key.public_key,
            token=token,
            hostname="newcomer",
        )
        return replace(request, **fields)

    def admit(
        self,
        key: SigningKey,
        token: str | None = None,
        **fields: Any,  # noqa: ANN401
    ) -> ValidationResult:
        """Run the whole exchange as an honest joiner."""
        request = self.request(key, token or self.token(), **fields)
        challenge = self.validator.on_request(request, key_id=key.key_id)
        response = answer(key, request, challenge.challenge_id, transcript_of(request, challenge))
        return self.validator.on_response(response, key_id=key.key_id)

    def events(self, event_type: str) -> tuple[Event, ...]:
        return self.nib.events(event_type=event_type, limit=1000)

    def state(self) -> tuple[object, ...]:
        """Return everything that an admission could change."""
        return (self.nib.controllers(), self.nib.tokens(), len(self.events("CONTROLLER_VALIDATED")))


def transcript_of(request: ValidationRequest, challenge: Any) -> bytes:  # noqa: ANN401
    return transcript(challenge, request, read_unverified(request.token).claims.jti)


def answer(
    key: SigningKey, request: ValidationRequest, challenge_id: str, signed: bytes
) -> ChallengeResponse:
    return ChallengeResponse(
        challenge_id=challenge_id,
        temp_id=request.temp_id,
        signature=b64encode(key.sign_bytes(signed)),
    )


def global_scene(**fields: Any) -> Scene:  # noqa: ANN401
    return Scene(me=GC, **fields)


def regional_scene(*, has_delegation: bool = True, **fields: Any) -> Scene:  # noqa: ANN401
    """A regional validator whose escalations a real global decision answers."""
    scene = Scene(me=RC, **fields)
    now = scene.hands.now
    store(scene.nib, record_of(GC, scene.gc_key, now), record_of(RC, scene.key, now))
    if has_delegation:
        scene.delegation = issue_delegation(
            scene.gc_key,
            rc_id=RC.controller_id,
            rc_key_id=scene.key.key_id,
            region="zone-A",
            quota=10,
            now=now,
        )
    gc_nib = NIBStore("memory://")

    def escalate(request: EscalationRequest) -> ValidationResult:
        policy = scene.policy or Policy()
        result = decide_escalation(request, policy, gc_nib, decided_by=GC.controller_id)
        scene.decisions.append((request, result))
        return result

    if scene.escalate is None:
        scene.escalate = escalate
    scene.validator = scene.build()
    return scene


def message(message_type: MessageType, payload: object, *, sender_id: str, key_id: str) -> Message:
    """Return a reply as the HTTP client would hand it over."""
    plain: Mapping[str, Any] = jsonable(payload)
    return Message(
        message_id="m",
        message_type=message_type,
        sender_id=sender_id,
        recipient_id="temp-1",
        timestamp=datetime.now(UTC),
        payload=plain,
        key_id=key_id,
    )
