"""The one error tree. Adapters translate a library's errors into these at the boundary."""

from enum import StrEnum


class PDSNOError(Exception):
    """Root of everything PDSNO raises on purpose; its text is one line fit for an operator."""


class InputError(PDSNOError):
    """What the caller gave is wrong (arguments, settings, policy or topology file): exit code 2."""


class OperationError(PDSNOError):
    """The request was fine and could not be carried out: exit code 1."""


class TransientError(OperationError):
    """Failed for now (peer away, time-out, busy); the same call may succeed later."""


class LocalProtocolError(OperationError):
    """We used a peer or a port wrongly; a bug of ours (HTTP 500)."""


class RemoteProtocolError(OperationError):
    """A peer sent something malformed (HTTP 400); nothing was changed."""


class ConflictError(OperationError):
    """A write named a version that has moved on; read again and decide again."""


class StaleError(ConflictError):
    """Who writes named the version that they read, and the thing has another (HTTP 412)."""


class NotFoundError(OperationError):
    """The named thing does not exist."""


class Refusal(StrEnum):
    """Why a message or a request was refused: stable codes, kept in events and metrics."""

    UNSIGNED = "UNSIGNED"
    BAD_SIGNATURE = "BAD_SIGNATURE"
    UNKNOWN_KEY = "UNKNOWN_KEY"
    IDENTITY_MISMATCH = "IDENTITY_MISMATCH"
    WRONG_RECIPIENT = "WRONG_RECIPIENT"
    STALE = "STALE"
    FUTURE = "FUTURE"
    REPLAYED = "REPLAYED"
    NOT_ALLOWED = "NOT_ALLOWED"
    INVALID_TOKEN = "INVALID_TOKEN"  # noqa: S105 - a reason code, not a secret
    TOKEN_EXPIRED = "TOKEN_EXPIRED"  # noqa: S105 - a reason code, not a secret
    TOKEN_USED = "TOKEN_USED"  # noqa: S105 - a reason code, not a secret
    TOKEN_RESERVED = "TOKEN_RESERVED"  # noqa: S105 - a reason code, not a secret
    UNKNOWN_CHALLENGE = "UNKNOWN_CHALLENGE"
    CHALLENGE_EXPIRED = "CHALLENGE_EXPIRED"
    UNKNOWN_REGION = "UNKNOWN_REGION"
    WRONG_REGION = "WRONG_REGION"
    FOREIGN_SUBNET = "FOREIGN_SUBNET"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    BLOCKED = "BLOCKED"
    REVOKED = "REVOKED"
    LOCKED = "LOCKED"
    CLONED = "CLONED"
    INVALID_CSR = "INVALID_CSR"
    CERTIFICATE_EXPIRED = "CERTIFICATE_EXPIRED"
    RATE_LIMITED = "RATE_LIMITED"
    CHANNEL_MISMATCH = "CHANNEL_MISMATCH"
    NO_DELEGATION = "NO_DELEGATION"
    GLOBAL_UNREACHABLE = "GLOBAL_UNREACHABLE"
    OLD_VERSION = "OLD_VERSION"
    INVALID_POLICY = "INVALID_POLICY"
    SUBNET_TAKEN = "SUBNET_TAKEN"
    PAUSED = "PAUSED"
    OUTSIDE_WINDOW = "OUTSIDE_WINDOW"


class RefusedError(PDSNOError):
    """Policy or a check said no. `reason` is the stable code, `detail` is for people.

    `is_recorded` is set by whoever has written an event of it.
    """

    def __init__(self, reason: Refusal, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail
        self.is_recorded = False
