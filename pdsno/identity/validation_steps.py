"""What goes into the validation machine, and what it wants done. Values only."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from pdsno.domain.entities import ControllerRecord, JoinTokenRecord
from pdsno.domain.errors import Refusal
from pdsno.domain.messages import (
    Challenge,
    ChallengeResponse,
    EscalationRequest,
    ValidationRequest,
)
from pdsno.domain.policy import RegionPolicy
from pdsno.identity.challenges import Pending

# --- what comes in ---------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Now:
    """The time: `at` for what is written down, `monotonic_s` for how long something waits."""

    at: datetime
    monotonic_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A VALIDATION_REQUEST, and the random numbers for its challenge.

    `address` is where it came from, `server_cert_sha256` what we showed there.
    """

    request: ValidationRequest
    key_id: str
    challenge_id: str
    nonce: str
    address: str = ""
    server_cert_sha256: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """A CHALLENGE_RESPONSE."""

    response: ChallengeResponse
    key_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Decided:
    """The global controller's approval of what was escalated."""

    pending: Pending
    decided_by: str


Input: TypeAlias = Asked | Answered | Decided

# --- what is to be done ----------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class ReserveToken:
    """Keep this record of the token."""

    record: JoinTokenRecord


@dataclass(frozen=True, kw_only=True, slots=True)
class SendChallenge:
    """Answer with this challenge."""

    challenge: Challenge


@dataclass(frozen=True, kw_only=True, slots=True)
class Escalate:
    """Ask the global controller; its approval comes back as `Decided`."""

    pending: Pending
    request: EscalationRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class Admit:
    """Spend the token, assign the ID (`known`: the one it has), issue certificates, tell it."""

    pending: Pending
    known: ControllerRecord | None
    token: JoinTokenRecord
    region: RegionPolicy | None
    decided_by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Renew:
    """Issue the next certificates of a controller. `was_ahead`: it had newer ones than we know."""

    pending: Pending
    record: ControllerRecord
    generation: int
    was_ahead: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Repeat:
    """Answer what was answered before: the answer was lost."""

    record: ControllerRecord


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    """Lock a controller whose key is in two hands, and raise the alarm."""

    record: ControllerRecord
    generation: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Refuse:
    """Say no; nothing else changes. `pending` is None where no challenge was found."""

    reason: Refusal
    detail: str
    pending: Pending | None = None


Effect: TypeAlias = ReserveToken | SendChallenge | Escalate | Admit | Renew | Repeat | Lock | Refuse
Effects: TypeAlias = tuple[Effect, ...]
