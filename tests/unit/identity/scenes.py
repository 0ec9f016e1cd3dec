"""A global and a regional validator on NIBs in memory, with clocks that the test moves."""

from collections.abc import Callable, Mapping
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
from pdsno.identity.escalation import decide_escalation
from pdsno.identity.exchange import EscalateCall, Surroundings, Validator
from pdsno.identity.join_tokens import JoinTokens
from pdsno.identity.pki import certificates
from pdsno.identity.pki.authority import Authority, Lifetimes
from pdsno.identity.pki.requests import make_request, new_key
from pdsno.identity.pki.roots import fingerprints, load_certificates
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
CSR, AUTHORITY_CSR = make_request(new_key()), make_request(new_key())
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


def global_authority(now: datetime, lifetimes: Lifetimes | None = None) -> Authority:
    """Return the issuing CA of a global controller, with a root of its own."""
    lifetimes = lifetimes or Lifetimes()
    root_key, key = new_key(), new_key()
    root = certificates.build_root(root_key, certificates.validity(now, lifetimes.root, None))
    own = certificates.build_global_authority(
        certificates.Issuer(certificate=root, key=root_key),
        key.public_key(),
        GC.controller_id,
        certificates.validity(now, lifetimes.global_authority, root),
    )
    roots_pem = certificates.to_pem(root)
    return Authority(
        certificates.Issuer(certificate=own, key=key),
        chain=[own],
        roots_pem=roots_pem,
        root_sha256=fingerprints(roots_pem)[0],
        region=None,
        lifetimes=lifetimes,
    )


def regional_authority(above: Authority, key_id: str, now: datetime) -> Authority:
    """Return the issuing CA of the regional controller."""
    key = new_key()
    issued = above.issue_regional_authority(
        make_request(key),
        controller_id=RC.controller_id,
        region="zone-A",
        key_id=key_id,
        now=now,
    )
    chain = load_certificates(issued.chain_pem)
    return Authority(
        certificates.Issuer(certificate=chain[0], key=key),
        chain=chain,
        roots_pem=above.roots_pem,
        root_sha256=above.root_sha256,
        region="zone-A",
        lifetimes=Lifetimes(),
    )


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
    authority: Authority | None = None
    regain: Callable[[], object] = lambda: None
    server_cert_sha256: str = ""
    escalate: EscalateCall | None = None
    decisions: list[tuple[EscalationRequest, ValidationResult]] = field(default_factory=list)
    admitted: list[ControllerRecord] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.me.role is Role.GLOBAL and self.authority is None:
            self.authority = global_authority(self.hands.now)
        self.root_sha256 = self.authority.root_sha256 if self.authority else "0" * 64
        if self.policy is not None and self.nib.policy() is None:
            with self.nib.transaction() as tx:
                tx.put_policy(self.policy)
        self.validator = self.build()
        self.tokens = JoinTokens(
            nib=self.nib,
            signer=self.key,
            me=self.me,
            root_sha256=lambda: self.root_sha256,
            clock=self.hands.clock(),
        )

    def build(self) -> Validator:
        """Return a validator as it is after a restart: same NIB, no open challenges."""
        surroundings = Surroundings(
            authority=lambda: self.authority,
            server_cert_sha256=lambda: self.server_cert_sha256,
            regain=lambda: self.regain(),  # noqa: PLW0108 - tests replace it later
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
        return self.tokens.create(role=self.me.admits[0], region="zone-A", ttl_s=ttl_s)

    def request(self, key: SigningKey, token: str, **fields: Any) -> ValidationRequest:  # noqa: ANN401
        request = ValidationRequest(
            temp_id="temp-1",
            role=self.me.admits[0].value,
            region="zone-A",
            public_key=key.public_key,
            token=token,
            hostname="newcomer",
            csr=CSR,
            authority_csr=AUTHORITY_CSR if self.me.role is Role.GLOBAL else "",
        )
        return replace(request, **fields)

    def admit(
        self,
        key: SigningKey,
        token: str | None = None,
        **fields: Any,  # noqa: ANN401
    ) -> ValidationResult:
        """Run the whole exchange as an honest joiner."""
        return self.ask(key, self.request(key, token or self.token(), **fields))

    def renew(
        self,
        key: SigningKey,
        assigned_id: str,
        generation: int,
        **fields: Any,  # noqa: ANN401
    ) -> ValidationResult:
        """Ask for the next certificate as the controller that we are."""
        request = self.request(key, "", temp_id=assigned_id, generation=generation, **fields)
        return self.ask(key, request)

    def ask(self, key: SigningKey, request: ValidationRequest) -> ValidationResult:
        """Run the exchange for a request."""
        challenge = self.validator.on_request(request, key_id=key.key_id)
        response = answer(key, request, challenge.challenge_id, transcript_of(request, challenge))
        return self.validator.on_response(response, key_id=key.key_id)

    def events(self, event_type: str) -> tuple[Event, ...]:
        return self.nib.events(event_type=event_type, limit=1000)

    def state(self) -> tuple[object, ...]:
        """Return everything that an admission could change."""
        return (self.nib.controllers(), self.nib.tokens(), len(self.events("CONTROLLER_VALIDATED")))


def transcript_of(request: ValidationRequest, challenge: Any) -> bytes:  # noqa: ANN401
    jti = read_unverified(request.token).claims.jti if request.token else ""
    return transcript(challenge, request, jti)


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
    above = global_authority(now)
    scene.root_sha256 = above.root_sha256
    if has_delegation:
        scene.authority = regional_authority(above, scene.key.key_id, now)
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
