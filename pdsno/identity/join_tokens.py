"""Join tokens in the NIB: minted, reserved for the key that came first, spent once, revoked."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from pdsno.domain.entities import JoinTokenRecord, NewEvent, TokenStatus
from pdsno.domain.errors import InputError, NotFoundError, Refusal, RefusedError
from pdsno.domain.identifiers import Role, check_region
from pdsno.domain.ports import NIB, NIBReader
from pdsno.domain.trust_ports import Signer
from pdsno.identity.clock import SYSTEM_CLOCK, Clock
from pdsno.identity.tokens import DEFAULT_TTL_S, JoinClaims, mint
from pdsno.identity.validator_identity import ValidatorIdentity

RESERVED_S = 60
RETRY_S = 600
"""How long the key that spent a token may ask for the result again (its reply was lost)."""


class JoinTokens:
    """The tokens of one validator, for its operators. Thread-safe.

    `root_sha256` is the fingerprint of the root that joiners shall trust.
    """

    def __init__(
        self,
        *,
        nib: NIB,
        signer: Signer,
        me: ValidatorIdentity,
        root_sha256: Callable[[], str],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._nib = nib
        self._root_sha256 = root_sha256
        self._signer = signer
        self._me = me
        self._clock = clock

    def create(self, *, role: Role, region: str | None, ttl_s: int = DEFAULT_TTL_S) -> str:
        """Return a new token, which is kept nowhere here. Raises InputError."""
        if role not in self._me.admits:
            msg = (
                f"{self._me.controller_id} admits {self._me.admits_text} controllers, not "
                f"{role.value} ones: mint the token where it will be used"
            )
            raise InputError(msg)
        region = self._checked_region(role, region)
        now = self._clock.now()
        text, record = mint(
            self._signer,
            validator_id=self._me.controller_id,
            role=role,
            region=region,
            root_sha256=self._root_sha256(),
            now=now,
            ttl_s=ttl_s,
        )
        with self._nib.transaction() as tx:
            tx.put_token(record)
            tx.append_event(self._event("JOIN_TOKEN_CREATED", record, now))
        return text

    def _checked_region(self, role: Role, region: str | None) -> str | None:
        if role is Role.BROKER and region is None:
            return None
        region = check_region(region or self._me.region or "")
        if self._me.region not in (None, region):
            msg = f"{self._me.controller_id} admits for region {self._me.region}, not {region}"
            raise InputError(msg)
        if self._me.role is Role.GLOBAL:
            _check_served(self._nib, region)
        return region

    def records(self) -> tuple[JoinTokenRecord, ...]:
        """Return what is kept of all tokens, newest first."""
        return self._nib.tokens()

    def revoke(self, jti_sha256: str) -> JoinTokenRecord:
        """Make a token worthless; idempotent. `jti_sha256` may be cut to 8 characters or more.

        Raises NotFoundError (none, or several), InputError (too short, or spent: revoke the
        controller instead).
        """
        with self._nib.transaction() as tx:
            record = _find(tx, jti_sha256)
            if record.status is TokenStatus.REVOKED:
                return record
            if record.status is TokenStatus.SPENT:
                msg = (
                    "the token is spent: to take its right back, revoke the controller it admitted"
                )
                raise InputError(msg)
            revoked = replace(record, status=TokenStatus.REVOKED)
            tx.put_token(revoked)
            tx.append_event(self._event("JOIN_TOKEN_REVOKED", record, self._clock.now()))
            return revoked

    def _event(self, event_type: str, record: JoinTokenRecord, now: datetime) -> NewEvent:
        return NewEvent(
            event_type=event_type,
            subject=record.jti_sha256,
            actor=self._me.controller_id,
            at=now,
            region=record.region,
            data={"role": record.role.value, "expires_at": record.expires_at.isoformat()},
        )


def _check_served(nib: NIBReader, region: str) -> None:
    """Tell the operator now what the joiner would be told later."""
    policy = nib.policy()
    if policy is None or policy.region(region) is None:
        known = ", ".join(entry.region for entry in policy.regions) if policy else ""
        msg = f"policy serves no region {region!r} (it has: {known or 'none yet'})"
        raise InputError(msg)


def _find(tx: NIBReader, jti_sha256: str) -> JoinTokenRecord:
    shortest = 8
    if len(jti_sha256) < shortest:
        raise InputError(f"name a token by {shortest} characters or more of its jti_sha256")
    found = [record for record in tx.tokens() if record.jti_sha256.startswith(jti_sha256)]
    if len(found) != 1:
        what = "several tokens begin" if found else "no token begins"
        raise NotFoundError(f"{what} with {jti_sha256[:64]!r}")
    return found[0]


def reserved(
    nib: NIBReader, claims: JoinClaims, key_id: str, now: datetime
) -> JoinTokenRecord | None:
    """Return the record of a token bound to a key for a minute.

    So nobody else can burn or use it meanwhile. None if this very key spent it a short while ago:
    it stays spent. Raises RefusedError INVALID_TOKEN, TOKEN_USED, TOKEN_RESERVED.
    """
    record = _known(nib, claims.jti_sha256)
    if record.status is TokenStatus.SPENT:
        _check_retry(record, key_id, now)
        return None
    is_held = record.status is TokenStatus.RESERVED and (record.reserved_until or now) > now
    if is_held and record.reserved_by != key_id:
        raise RefusedError(Refusal.TOKEN_RESERVED, "another key is using the token right now")
    until = now + timedelta(seconds=RESERVED_S)
    return replace(record, status=TokenStatus.RESERVED, reserved_by=key_id, reserved_until=until)


def spendable(tx: NIBReader, jti_sha256: str, key_id: str, now: datetime) -> JoinTokenRecord:
    """Return the record that `spent` may mark, or one that this key spent a short while ago.

    Raises RefusedError as `reserved` does.
    """
    record = _known(tx, jti_sha256)
    if record.status is TokenStatus.SPENT:
        _check_retry(record, key_id, now)
    elif record.reserved_by != key_id:
        raise RefusedError(Refusal.TOKEN_RESERVED, "another key took the token over")
    return record


def spent(record: JoinTokenRecord, key_id: str, now: datetime) -> JoinTokenRecord:
    """Return the record as spent by a key; `reserved_until` ends the time for retries."""
    return replace(
        record,
        status=TokenStatus.SPENT,
        spent_by=key_id,
        reserved_until=now + timedelta(seconds=RETRY_S),
    )


def _known(nib: NIBReader, jti_sha256: str) -> JoinTokenRecord:
    record = nib.token(jti_sha256)
    if record is None:
        raise RefusedError(Refusal.INVALID_TOKEN, "this validator keeps no such token")
    if record.status is TokenStatus.REVOKED:
        raise RefusedError(Refusal.INVALID_TOKEN, "the token was revoked")
    return record


def _check_retry(record: JoinTokenRecord, key_id: str, now: datetime) -> None:
    is_in_time = record.reserved_until is not None and now <= record.reserved_until
    if record.spent_by != key_id or not is_in_time:
        raise RefusedError(Refusal.TOKEN_USED, "the token was used before: ask for a new one")
