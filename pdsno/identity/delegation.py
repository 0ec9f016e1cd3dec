"""Delegation: the global controller's signed word that a regional one may admit local ones."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter

from pdsno.domain.entities import ControllerStatus
from pdsno.domain.errors import Refusal, RefusedError
from pdsno.domain.identifiers import Role
from pdsno.domain.ports import NIBReader, Signer
from pdsno.identity.compact import open_document, peek_document, sign_document

TYP = "pdsno-delegation+jws"
LIFETIME_S = 90 * 24 * 3600
_SKEW_S = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Delegation:
    """Up to `quota` local controllers of `region`, until `exp` (Unix seconds).

    Bound to the regional controller's key: a copy is worth nothing to another.
    """

    rc_id: str
    rc_key_id: str
    region: str
    quota: int
    iat: int
    exp: int


_CLAIMS = TypeAdapter(Delegation)


def issue_delegation(
    signer: Signer,
    *,
    rc_id: str,
    rc_key_id: str,
    region: str,
    quota: int,
    now: datetime,
    lifetime_s: int = LIFETIME_S,
) -> str:
    """Return a delegation signed by the global controller, as one line."""
    issued = int(now.timestamp())
    claims = Delegation(
        rc_id=rc_id,
        rc_key_id=rc_key_id,
        region=region,
        quota=quota,
        iat=issued,
        exp=issued + lifetime_s,
    )
    return sign_document(signer, claims, typ=TYP)


def check_delegation(
    text: str | None, *, nib: NIBReader, rc_id: str, rc_key_id: str, region: str, now: datetime
) -> Delegation:
    """Return the delegation if it is ours and in force; the signer's key must be in the NIB.

    Raises RefusedError NO_DELEGATION, saying why.
    """
    if text is None:
        raise RefusedError(Refusal.NO_DELEGATION, "none was given")
    try:
        issuer_key = _issuer_key(text, nib)
        claims = open_document(text, _CLAIMS, typ=TYP, public_key=issuer_key)
    except RefusedError as error:
        raise RefusedError(Refusal.NO_DELEGATION, error.detail) from error
    if (claims.rc_id, claims.rc_key_id, claims.region) != (rc_id, rc_key_id, region):
        raise RefusedError(Refusal.NO_DELEGATION, "it was given to another controller")
    if not claims.iat - _SKEW_S <= now.timestamp() < claims.exp:
        raise RefusedError(Refusal.NO_DELEGATION, "it is not in force at this time")
    return claims


def _issuer_key(text: str, nib: NIBReader) -> str:
    header = peek_document(text, typ=TYP)
    issuer = nib.controller_by_key(str(header.get("kid")))
    if issuer is None or issuer.role is not Role.GLOBAL:
        raise RefusedError(Refusal.UNKNOWN_KEY, "not signed by a global controller we know")
    if issuer.status is not ControllerStatus.ACTIVE:
        raise RefusedError(Refusal.REVOKED, "its signer is no longer active")
    return issuer.public_key
