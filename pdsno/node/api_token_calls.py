"""Operators' API tokens on the admin socket: made, listed, revoked, each change with its event."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pdsno.api.tokens import DEFAULT_LIFETIME, NewToken, live, mint, state_of, token_id
from pdsno.domain.entities import ApiTokenRecord, NewEvent, OperatorRole
from pdsno.domain.errors import InputError, NotFoundError
from pdsno.domain.ports import NIB, NIBReader, NIBTransaction
from pdsno.node.admin import AdminCall

_SHORTEST_ID = 8


def api_token_calls(
    nib: NIB, *, by: Callable[[], str], roots_pem: Callable[[], str] = lambda: ""
) -> dict[str, AdminCall]:
    """Return the calls that make, list and revoke tokens of the API over this NIB.

    `by` tells who calls, for the record; `roots_pem` the roots by which the API's own certificate
    is verified (empty: it has none), which whoever makes a token gets along with it.
    """
    return {
        "POST /api-token": lambda body: {
            "token": _created(nib, body, by()).token,
            "ca": roots_pem(),
        },
        "GET /api-tokens": lambda _: {"items": _listed(nib)},
        "POST /api-tokens/revoke": lambda body: {
            "revoked": revoke_api_token(nib, named=_text(body, "named") or "", by=by()).name
        },
    }


def create_api_token(
    nib: NIB,
    *,
    name: str,
    role: OperatorRole,
    by: str,
    region: str | None = None,
    lifetime: timedelta = DEFAULT_LIFETIME,
    replaces: bool = False,
) -> NewToken:
    """Make a token of a name that no live one has; with `replaces` that one is revoked.

    Raises InputError, also for a region that policy does not know.
    """
    now = datetime.now(UTC)
    new = mint(name=name, role=role, region=region, lifetime=lifetime, by=by, now=now)
    with nib.transaction() as change:
        _check_region(change, region)
        for old in live(change.api_tokens(), now):
            if old.name != name:
                continue
            if not replaces:
                raise InputError(
                    f"there is a token {name!r} already: choose another name, or revoke that one"
                )
            _revoke(change, old, by, now)
        change.put_api_token(new.record)
        change.append_event(_event("API_TOKEN_CREATED", new.record, by, now))
    return new


def revoke_api_token(nib: NIB, *, named: str, by: str) -> ApiTokenRecord:
    """Revoke a token by its name or the beginning of its ID; the next request with it fails.

    Raises NotFoundError if no live token is called so, InputError if several are.
    """
    now = datetime.now(UTC)
    with nib.transaction() as change:
        held = live(change.api_tokens(), now)
        found = [r for r in held if r.name == named] or [r for r in held if _has_id(r, named)]
        if not found:
            raise NotFoundError(f"there is no live token {named!r}: see pdsno api-token list")
        if len(found) > 1:
            raise InputError(f"{named!r} is the beginning of several IDs: give more of it")
        return _revoke(change, found[0], by, now)


def _has_id(record: ApiTokenRecord, start: str) -> bool:
    return len(start) >= _SHORTEST_ID and record.token_sha256.startswith(start)


def _revoke(
    change: NIBTransaction, record: ApiTokenRecord, by: str, now: datetime
) -> ApiTokenRecord:
    revoked = replace(record, revoked_at=now)
    change.put_api_token(revoked)
    change.append_event(_event("API_TOKEN_REVOKED", revoked, by, now))
    return revoked


def _event(event_type: str, record: ApiTokenRecord, by: str, now: datetime) -> NewEvent:
    return NewEvent(
        event_type=event_type,
        subject=record.name,
        actor=by,
        at=now,
        region=record.region,
        data={
            "token_id": token_id(record),
            "role": record.role,
            "region": record.region,
            "expires_at": record.expires_at,
        },
    )


def _check_region(nib: NIBReader, region: str | None) -> None:
    policy = nib.policy()
    known = [told.region for told in policy.regions] if policy else []
    if region is not None and known and region not in known:
        raise InputError(f"policy knows no region {region!r}, only {', '.join(known)}")


def _listed(nib: NIB) -> list[Mapping[str, object]]:
    now = datetime.now(UTC)
    return [
        {
            "token_id": token_id(record),
            "name": record.name,
            "role": record.role,
            "region": record.region,
            "state": state_of(record, now),
            "created_at": record.created_at,
            "created_by": record.created_by,
            "expires_at": record.expires_at,
            "revoked_at": record.revoked_at,
        }
        for record in nib.api_tokens()
    ]


def _created(nib: NIB, body: Mapping[str, Any], by: str) -> NewToken:
    try:
        role = OperatorRole(body.get("role", ""))
    except ValueError as error:
        raise InputError(f"role must be one of {', '.join(OperatorRole)}") from error
    ttl_s = body.get("ttl_s")
    if not isinstance(ttl_s, int | None) or (ttl_s is not None and abs(ttl_s) > 1 << 31):
        raise InputError("ttl_s must be a whole number of seconds")
    return create_api_token(
        nib,
        name=_text(body, "name") or "",
        role=role,
        region=_text(body, "region"),
        by=by,
        lifetime=DEFAULT_LIFETIME if ttl_s is None else timedelta(seconds=ttl_s),
    )


def _text(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if not isinstance(value, str | None):
        raise InputError(f"{name} must be text")
    return value
