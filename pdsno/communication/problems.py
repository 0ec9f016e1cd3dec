"""Errors over REST: RFC 9457 problems, from our errors and back to them."""

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pdsno.communication.strict_json import parse_json
from pdsno.domain.errors import (
    ConflictError,
    InputError,
    LocalProtocolError,
    NotFoundError,
    PDSNOError,
    Refusal,
    RefusedError,
    RemoteProtocolError,
    TransientError,
)

MEDIA_TYPE = "application/problem+json"
_MAX_BYTES = 64 * 1024
_RETRY_AFTER_S = 1
_UNAUTHENTICATED = frozenset(
    {
        Refusal.UNSIGNED,
        Refusal.BAD_SIGNATURE,
        Refusal.UNKNOWN_KEY,
        Refusal.IDENTITY_MISMATCH,
        Refusal.CERTIFICATE_EXPIRED,
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One RFC 9457 problem. `reason` is a `Refusal` code, or empty."""

    status: int
    detail: str
    reason: str = ""
    retry_after_s: int | None = None

    def body(self) -> bytes:
        """Return the JSON document."""
        fields: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.reason:
            fields["reason"] = self.reason
        return json.dumps(fields).encode()

    def headers(self) -> dict[str, str]:
        """Return the headers that belong to it, besides its media type."""
        if self.retry_after_s is None:
            return {}
        return {"Retry-After": str(self.retry_after_s)}


def problem_of(error: Exception) -> Problem:
    """Return how an error is told to a peer: the text of what is no business of its stays here."""
    if isinstance(error, RefusedError):
        status = 401 if error.reason in _UNAUTHENTICATED else 403
        return Problem(status=status, detail=error.detail, reason=error.reason.value)
    if isinstance(error, TransientError):
        return Problem(status=503, detail="busy: try again", retry_after_s=_RETRY_AFTER_S)
    for kind, status in (
        (RemoteProtocolError, 400),
        (InputError, 400),
        (NotFoundError, 404),
        (ConflictError, 409),
    ):
        if isinstance(error, kind):
            return Problem(status=status, detail=str(error))
    return Problem(status=500, detail="internal error: see the controller's log")


def error_of(peer: str, status: int, body: bytes) -> PDSNOError:
    """Return our error for a peer's answer of 400 or higher."""
    problem = _parsed(body)
    detail = str(problem.get("detail") or "no detail given")[:500]
    reason = problem.get("reason")
    if status in (401, 403) and isinstance(reason, str) and reason in Refusal.__members__:
        return RefusedError(Refusal(reason), detail)
    text = f"{peer} answered {status}: {detail}"
    if status == HTTPStatus.CONFLICT:
        return ConflictError(text)
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return TransientError(text)
    return LocalProtocolError(text)


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        value = parse_json(body, _MAX_BYTES)
    except RemoteProtocolError:
        return {}
    return value if isinstance(value, dict) else {}
