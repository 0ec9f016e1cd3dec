"""Operators' API tokens: how they look, what is kept of them, until when they hold. Pure.

A token is 32 random bytes, so its plain SHA-256 is enough: there is nothing to guess. Its prefix
lets scanners of repositories and logs recognise a leaked one.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pdsno.domain.entities import ApiTokenRecord, OperatorRole
from pdsno.domain.errors import InputError
from pdsno.domain.identifiers import check_region

PREFIX = "pdsno_"
DEFAULT_LIFETIME = timedelta(days=90)
LONGEST_LIFETIME = timedelta(days=366)

_BYTES = 32
_TOKEN = re.compile(r"pdsno_[A-Za-z0-9_-]{43}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", re.ASCII)
_ID_LENGTH = 16


class TokenState(StrEnum):
    """Whether a token is good."""

    LIVE = "live"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, kw_only=True, slots=True)
class NewToken:
    """A token, which is shown once and kept nowhere, and the record of it."""

    token: str
    record: ApiTokenRecord


def mint(
    *,
    name: str,
    role: OperatorRole,
    region: str | None,
    lifetime: timedelta,
    by: str,
    now: datetime,
) -> NewToken:
    """Return a new token. Raises InputError for a name, region or lifetime that cannot be."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} is no name for a token: give up to 64 letters, digits, and any of . _ @ -"
        )
    if not timedelta(seconds=1) <= lifetime <= LONGEST_LIFETIME:
        raise InputError(
            f"a token lives at least a second and at most {LONGEST_LIFETIME.days} days"
        )
    if region is not None:
        check_region(region)
    token = PREFIX + secrets.token_urlsafe(_BYTES)
    record = ApiTokenRecord(
        token_sha256=digest_of(token),
        name=name,
        role=role,
        region=region,
        created_at=now,
        created_by=by,
        expires_at=now + lifetime,
    )
    return NewToken(token=token, record=record)


def is_token(text: str) -> bool:
    """Tell whether a text has the form of a token."""
    return _TOKEN.fullmatch(text) is not None


def digest_of(token: str) -> str:
    """Return by what the NIB knows a token: finding it there compares nothing byte by byte."""
    return hashlib.sha256(token.encode()).hexdigest()


def token_id(record: ApiTokenRecord) -> str:
    """Return what people and events call a token by besides its name."""
    return record.token_sha256[:_ID_LENGTH]


def state_of(record: ApiTokenRecord, now: datetime) -> TokenState:
    """Return whether a token is good now."""
    if record.revoked_at is not None:
        return TokenState.REVOKED
    if record.expires_at is not None and record.expires_at <= now:
        return TokenState.EXPIRED
    return TokenState.LIVE


def live(records: Iterable[ApiTokenRecord], now: datetime) -> tuple[ApiTokenRecord, ...]:
    """Return the tokens that are good now."""
    return tuple(record for record in records if state_of(record, now) is TokenState.LIVE)
