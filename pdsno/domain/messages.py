"""What travels between controllers: message types, the envelope, and the payloads of each type.

Fields are only ever added, and optional, because tiers are upgraded one at a time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from pdsno.domain.anomalies.entities import Anomaly
from pdsno.domain.broker_rights import BrokerRights
from pdsno.domain.coverage import Coverage
from pdsno.domain.entities import Device, Endpoint, NewEvent
from pdsno.domain.makings import Making
from pdsno.domain.peers import Channel
from pdsno.domain.policy import Policy, RegionPolicy

BROADCAST = "*"
"""`recipient_id` of messages for everybody who may read the topic."""

SCHEMA_VERSION = "1.0"


class MessageType(StrEnum):
    """The closed list of message types."""

    VALIDATION_REQUEST = "VALIDATION_REQUEST"
    CHALLENGE = "CHALLENGE"
    CHALLENGE_RESPONSE = "CHALLENGE_RESPONSE"
    VALIDATION_RESULT = "VALIDATION_RESULT"
    DISCOVERY_REQUEST = "DISCOVERY_REQUEST"
    DISCOVERY_REPORT = "DISCOVERY_REPORT"
    DISCOVERY_SUMMARY = "DISCOVERY_SUMMARY"
    CONFIG_PROPOSAL = "CONFIG_PROPOSAL"
    APPROVAL_RESPONSE = "APPROVAL_RESPONSE"
    EXECUTION_INSTRUCTION = "EXECUTION_INSTRUCTION"
    EXECUTION_RESULT = "EXECUTION_RESULT"
    POLICY_UPDATE = "POLICY_UPDATE"
    SYSTEM_EVENT = "SYSTEM_EVENT"
    STATUS = "STATUS"


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One message with its envelope, as a handler gets it: already verified.

    `stream_id` and `seq` are set on durable messages only: dense, from 1, per sender and
    recipient. `key_id` (thumbprint of the key that signed) and `topic` (MQTT only) are facts of
    the delivery and are not part of what was signed; so is `channel` (REST only). `is_trusted` is
    False only for validation messages of a sender whose key we do not know yet.
    """

    message_id: str
    message_type: MessageType
    sender_id: str
    recipient_id: str
    timestamp: datetime
    payload: Mapping[str, Any]
    schema_version: str = SCHEMA_VERSION
    stream_id: str | None = None
    seq: int | None = None
    correlation_id: str | None = None
    topic: str | None = None
    key_id: str | None = None
    is_trusted: bool = True
    channel: Channel | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What a handler answers; the server adds the envelope and signs it."""

    message_type: MessageType
    payload: Mapping[str, Any]


Handler: TypeAlias = Callable[[Message], Reply | None]
"""A handler may raise RefusedError (answered as a refusal) or any PDSNOError."""


# --- validation ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class ValidationRequest:
    """A controller asks to be admitted, or, with `generation`, for its next certificate.

    `public_key` is the raw Ed25519 key, base64url. `csr` (PKCS #10, PEM) is of the TLS key that
    the certificate shall be for, `authority_csr` of a regional controller's issuing CA. A renewal
    has no token: the key that was registered proves itself, and `generation` is that of the
    certificate it renews. `addresses` are those that the certificate shall name besides; only the
    one that the request came from is granted.
    """

    temp_id: str
    role: str
    region: str | None
    public_key: str
    token: str = ""
    subnets: tuple[str, ...] = ()
    hostname: str = ""
    url: str | None = None
    csr: str = ""
    authority_csr: str = ""
    generation: int | None = None
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Challenge:
    """The validator's nonce (base64url, 32 bytes), good once and until `expires_at`.

    `server_cert_sha256` is of the certificate that the validator shows on this connection: the
    joiner compares it with what it saw, so that nobody can stand between the two.
    """

    challenge_id: str
    nonce: str
    validator_id: str
    expires_at: datetime
    server_cert_sha256: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChallengeResponse:
    """The signature (base64url) over the domain-separated transcript."""

    challenge_id: str
    temp_id: str
    signature: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TrustedKey:
    """A controller whose signature the receiver of a result shall accept."""

    controller_id: str
    role: str
    region: str | None
    public_key: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ValidationResult:
    """Admitted with an ID, or refused with a reason.

    `certificate` is the TLS chain, leaf first, without the root; `authority` the chain of a
    regional controller's issuing CA, which is its right to admit local ones; `roots` the trust
    bundle. All are PEM. `generation` numbers the certificates of one controller from 1.
    """

    is_approved: bool
    assigned_id: str | None = None
    reason: str | None = None
    detail: str = ""
    decided_by: str = ""
    trust: tuple[TrustedKey, ...] = ()
    certificate: str = ""
    authority: str = ""
    roots: str = ""
    generation: int = 0
    policy: RegionPolicy | None = None
    policy_epoch: int = 0
    policy_version: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class EscalationRequest:
    """A regional controller lays an admission that it may not decide before the global one.

    Travels as VALIDATION_REQUEST of a validated regional controller.
    """

    escalated_for: str
    cause: str
    region: str
    role: str
    public_key: str
    subnets: tuple[str, ...] = ()
    hostname: str = ""
    admitted: int = 0


# --- discovery -------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class DiscoveryRequest:
    """Run a cycle now; without subnets, over the targets of policy.

    `accept_missing` releases the brake on a mass disappearance: what was missed often enough is
    inactive, however many they are. `requested_by` is for the record.
    """

    subnets: tuple[str, ...] = ()
    region: str | None = None
    accept_missing: bool = False
    requested_by: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Absorbed:
    """The reporter found out that two of its devices are one."""

    device_id: str
    into_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DiscoveryReport:
    """What one cycle changed (LC to RC as DISCOVERY_REPORT, RC to GC as DISCOVERY_SUMMARY).

    `devices` carries new and changed devices whole, with the reporter's IDs; `seen` the IDs of
    those that were seen unchanged, `retired` of those that the reporter forgot. `endpoints` are
    whole as well; the device ID of an attachment is the reporter's. `is_full` marks a snapshot:
    whatever it does not name, the reporter no longer has. `makings` say why devices of the report
    are one, `anomalies` what the reporter or a tier below it found or closed, `completed` which
    subnets of its local controller were looked at to the end.
    """

    cycle_id: str
    region: str
    local_controller: str
    started_at: datetime
    finished_at: datetime
    coverage: tuple[Coverage, ...]
    devices: tuple[Device, ...] = ()
    seen: tuple[str, ...] = ()
    absorbed: tuple[Absorbed, ...] = ()
    retired: tuple[str, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    endpoints_seen: tuple[str, ...] = ()
    is_full: bool = False
    makings: tuple[Making, ...] = ()
    anomalies: tuple[Anomaly, ...] = ()
    completed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyUpdate:
    """Policy on its way down: the whole for RCs, one region's for LCs."""

    epoch: int
    version: int
    policy: Policy | None = None
    region: RegionPolicy | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SystemEvent:
    """Something that others should know; `data` is small and flat."""

    event_type: str
    subject: str
    at: datetime
    data: Mapping[str, Any] = field(default_factory=dict)


def heard_event(event: SystemEvent, *, actor: str, region: str | None) -> NewEvent:
    """Return what goes into our log of an event that another controller announced."""
    return NewEvent(
        event_type=event.event_type,
        subject=event.subject,
        actor=actor,
        at=event.at,
        region=region,
        data=event.data,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamTail:
    """How far a stream goes: the sender's last `seq`, or the receiver's last applied one.

    A receiver says `is_gap` when something behind the next message came already: that one was lost,
    not merely under way, and is asked for by this.
    """

    stream_id: str
    seq: int
    is_gap: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """Liveness of a controller, and how far its streams go (sender) or were applied (receiver).

    A broker's says which rights it has in force (`rights_version`); the global controller's reply
    carries newer ones.
    """

    state: str
    role: str
    region: str | None = None
    streams: tuple[StreamTail, ...] = ()
    policy_epoch: int = 0
    policy_version: int = 0
    commands: tuple[DiscoveryRequest, ...] = ()
    policy: PolicyUpdate | None = None
    rights_version: str = ""
    rights: BrokerRights | None = None
