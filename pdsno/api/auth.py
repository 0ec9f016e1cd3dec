"""Who asks the API, and what they may see. Pure: the gate and the views act on it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pdsno.api.tokens import TokenState, digest_of, is_token, state_of
from pdsno.domain.entities import ApiTokenRecord, OperatorRole
from pdsno.domain.errors import Refusal, RefusedError

_LONGEST_HEADER = 256
_MAKE_ONE = "`pdsno api-token create` on the controller's machine makes one"


class Failure(StrEnum):
    """Why it is not known who asks: stable codes, shown to the caller and kept in events."""

    NO_TOKEN = "NO_TOKEN"  # noqa: S105 - a reason code, not a secret
    INVALID_TOKEN = "INVALID_TOKEN"  # noqa: S105 - a reason code, not a secret
    TOKEN_EXPIRED = "TOKEN_EXPIRED"  # noqa: S105 - a reason code, not a secret
    REVOKED = "REVOKED"


DETAILS = {
    Failure.NO_TOKEN: f"this needs a token (Authorization: Bearer TOKEN); {_MAKE_ONE}",
    Failure.INVALID_TOKEN: "this is no token of this controller (each has its own); " + _MAKE_ONE,
    Failure.TOKEN_EXPIRED: f"this token has expired; {_MAKE_ONE}",
    Failure.REVOKED: f"this token was revoked; {_MAKE_ONE}",
}
"""What the caller is told: cause and remedy, nothing of the token."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Operator:
    """Who asks. `name` is the token's; `region` is the only one that they may see, None: all."""

    name: str
    role: OperatorRole
    region: str | None = None


def digest_in(header: str) -> str | Failure:
    """Return the hash of the token in an Authorization header (RFC 6750), or why there is none."""
    scheme, _, token = header.partition(" ")
    token = token.strip()
    if len(header) > _LONGEST_HEADER or scheme.lower() != "bearer" or not is_token(token):
        return Failure.INVALID_TOKEN
    return digest_of(token)


def operator_of(record: ApiTokenRecord | None, now: datetime) -> Operator | Failure:
    """Return who a token's record says is asking."""
    if record is None:
        return Failure.INVALID_TOKEN
    match state_of(record, now):
        case TokenState.REVOKED:
            return Failure.REVOKED
        case TokenState.EXPIRED:
            return Failure.TOKEN_EXPIRED
        case TokenState.LIVE:
            return Operator(name=record.name, role=record.role, region=record.region)


_RANKS = {role: rank for rank, role in enumerate(OperatorRole)}


def check_role(operator: Operator, needed: OperatorRole) -> None:
    """Raise RefusedError NOT_ALLOWED unless the role includes the one that is needed."""
    if _RANKS[operator.role] < _RANKS[needed]:
        raise RefusedError(
            Refusal.NOT_ALLOWED,
            f"this needs the role {needed}; the token {operator.name!r} has {operator.role}",
        )


def check_whole(operator: Operator) -> None:
    """Raise RefusedError WRONG_REGION if only a region may be seen: here all are summed up."""
    if operator.region is not None:
        raise RefusedError(
            Refusal.WRONG_REGION,
            f"this sums up all regions, and the token {operator.name!r} is for "
            f"{operator.region} only: use a token without region",
        )


def region_for(operator: Operator, asked: str | None) -> str | None:
    """Return the region to look in, of the one asked for (None: all that may be seen).

    Raises RefusedError WRONG_REGION if it is none that the operator may see.
    """
    if operator.region is None:
        return asked
    if asked not in (None, operator.region):
        raise RefusedError(
            Refusal.WRONG_REGION,
            f"the token {operator.name!r} is for {operator.region} only, not for {asked!r}",
        )
    return operator.region


def may_see(operator: Operator, region: str | None) -> bool:
    """Tell whether something of a region (None: of no region) may be seen."""
    return operator.region in (None, region)
