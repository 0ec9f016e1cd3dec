"""Join tokens: a right to be admitted once, signed by the validator that will accept it.

Pure: `join_tokens` keeps their records in the NIB. The token is a secret until it is spent; what
is stored is only the hash of its `jti`.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import TypeAdapter

from pdsno.domain.entities import JoinTokenRecord, TokenStatus
from pdsno.domain.errors import InputError, Refusal, RefusedError
from pdsno.domain.identifiers import Role
from pdsno.domain.messages import TrustedKey
from pdsno.domain.trust_ports import Signer
from pdsno.identity.compact import open_document, peek_document, sign_document
from pdsno.signing import carried_key, key_id_of

TYP = "pdsno-join+jws"
DEFAULT_TTL_S = 15 * 60
LONGEST_TTL_S = 24 * 3600
SKEW_S = 300
"""How far a token's `iat` may lie in the future: our own clock may have been set back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JoinClaims:
    """What a token says. `iat` and `exp` are Unix seconds; `vkid` is the validator's key.

    `root_sha256` is the fingerprint of the root certificate that the joiner shall trust.
    """

    jti: str
    aud: str
    role: Role
    region: str | None
    iat: int
    exp: int
    vkid: str
    root_sha256: str

    @property
    def jti_sha256(self) -> str:
        """What the NIB knows the token by."""
        return hashlib.sha256(self.jti.encode()).hexdigest()


_CLAIMS = TypeAdapter(JoinClaims)


@dataclass(frozen=True, kw_only=True, slots=True)
class JoinTicket:
    """What the joiner learns from a token: for whom it is, and the one key to believe."""

    claims: JoinClaims
    validator_key: str

    @property
    def validator(self) -> TrustedKey:
        """The validator as a key to pin. Who validates follows from whom."""
        is_local = self.claims.role is Role.LOCAL
        return TrustedKey(
            controller_id=self.claims.aud,
            role=(Role.REGIONAL if is_local else Role.GLOBAL).value,
            region=self.claims.region if is_local else None,
            public_key=self.validator_key,
        )


def mint(
    signer: Signer,
    *,
    validator_id: str,
    role: Role,
    region: str | None,
    root_sha256: str,
    now: datetime,
    ttl_s: int = DEFAULT_TTL_S,
) -> tuple[str, JoinTokenRecord]:
    """Return a new token and the record to keep of it. Raises InputError if `ttl_s` is unfit."""
    if not 1 <= ttl_s <= LONGEST_TTL_S:
        msg = f"a join token lives 1 second to {LONGEST_TTL_S // 3600} hours, not {ttl_s} s"
        raise InputError(msg)
    issued = int(now.timestamp())
    claims = JoinClaims(
        jti=secrets.token_urlsafe(16),
        aud=validator_id,
        role=role,
        region=region,
        iat=issued,
        exp=issued + ttl_s,
        vkid=signer.key_id,
        root_sha256=root_sha256,
    )
    record = JoinTokenRecord(
        jti_sha256=claims.jti_sha256,
        role=role,
        region=region,
        status=TokenStatus.NEW,
        created_at=now,
        expires_at=datetime.fromtimestamp(claims.exp, UTC),
    )
    return sign_document(signer, claims, typ=TYP, with_key=True), record


def read_unverified(text: str) -> JoinTicket:
    """Return what a token says to its holder, who trusts it because of how it was handed over.

    Checked is only that it is whole (it carries its own key). Raises InputError if it is not.
    """
    try:
        public_key = carried_key(peek_document(text, typ=TYP)) or ""
        claims = open_document(text, _CLAIMS, typ=TYP, public_key=public_key)
        is_whole = key_id_of(public_key) == claims.vkid
    except RefusedError as error:
        msg = "the join token is not whole: copy it again, the whole line"
        raise InputError(msg) from error
    if not is_whole:
        raise InputError("the join token names another key than its own: ask for a new one")
    return JoinTicket(claims=claims, validator_key=public_key)


def check(text: str, *, public_key: str, validator_id: str, now: datetime) -> JoinClaims:
    """Return the claims of a token that we (validator_id, with this key) minted.

    Raises RefusedError: INVALID_TOKEN, TOKEN_EXPIRED. Whether it was used is in the NIB.
    """
    try:
        claims = open_document(text, _CLAIMS, typ=TYP, public_key=public_key)
    except RefusedError as error:
        msg = "not a token of this validator"
        raise RefusedError(Refusal.INVALID_TOKEN, msg) from error
    if claims.aud != validator_id or claims.vkid != key_id_of(public_key):
        raise RefusedError(Refusal.INVALID_TOKEN, "the token is for another validator")
    latest = int((now + timedelta(seconds=SKEW_S)).timestamp())
    if not claims.iat <= latest or not 0 < claims.exp - claims.iat <= LONGEST_TTL_S:
        raise RefusedError(Refusal.INVALID_TOKEN, "the token's times make no sense")
    if claims.exp <= now.timestamp():
        raise RefusedError(Refusal.TOKEN_EXPIRED, "ask for a new token")
    return claims
