"""Who asks and what they may see, decided without any server."""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from pdsno.api.auth import (
    DETAILS,
    Failure,
    Operator,
    check_role,
    check_whole,
    digest_in,
    may_see,
    operator_of,
    region_for,
)
from pdsno.api.tokens import TokenState, digest_of, live, mint, state_of, token_id
from pdsno.domain.entities import ApiTokenRecord, OperatorRole
from pdsno.domain.errors import InputError, RefusedError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOKEN = "pdsno_" + "Az09-_".ljust(43, "x")
VIEWER, OPERATOR, APPROVER, ADMIN = OperatorRole


def record(**values: object) -> ApiTokenRecord:
    default = {"token_sha256": "a", "name": "noc", "role": VIEWER, "created_at": NOW}
    return ApiTokenRecord(**default | values)  # type: ignore[arg-type]


# --- tokens ----------------------------------------------------------------------------------


def test_a_token_is_random_recognisable_and_kept_as_its_hash() -> None:
    made = [
        mint(
            name="ci", role=ADMIN, region="zone-A", lifetime=timedelta(days=90), by="root", now=NOW
        )
        for _ in range(50)
    ]
    assert len({new.token for new in made}) == 50
    for new in made:
        assert re.fullmatch(r"pdsno_[A-Za-z0-9_-]{43}", new.token)
        assert new.record.token_sha256 == hashlib.sha256(new.token.encode()).hexdigest()
        assert new.token not in repr(new.record)
        assert new.record.expires_at == NOW + timedelta(days=90)
    assert (made[0].record.name, made[0].record.role, made[0].record.region) == (
        "ci",
        ADMIN,
        "zone-A",
    )
    assert token_id(made[0].record) == made[0].record.token_sha256[:16]


@pytest.mark.parametrize("name", ["", "a b", "a\n", "-x", "ü", "a/b", "x" * 65, "<b>", "\x1b[0m"])
def test_a_name_that_could_confuse_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="is no name for a token"):
        mint(name=name, role=VIEWER, region=None, lifetime=timedelta(1), by="root", now=NOW)


@pytest.mark.parametrize("days", [0, -1, 367, 99999])
def test_a_lifetime_has_an_end_within_a_year(days: int) -> None:
    with pytest.raises(InputError, match="at most 366 days"):
        mint(name="a", role=VIEWER, region=None, lifetime=timedelta(days), by="root", now=NOW)
    mint(name="a@b.c-d_e", role=VIEWER, region=None, lifetime=timedelta(366), by="root", now=NOW)


def test_a_region_that_cannot_be_is_refused() -> None:
    with pytest.raises(InputError):
        mint(name="a", role=VIEWER, region="a/b", lifetime=timedelta(1), by="root", now=NOW)


def test_a_token_lives_until_it_expires_or_is_revoked() -> None:
    second = timedelta(seconds=1)
    expiring = record(expires_at=NOW + second)
    assert state_of(record(), NOW) is TokenState.LIVE
    assert state_of(expiring, NOW) is TokenState.LIVE
    assert state_of(expiring, NOW + second) is TokenState.EXPIRED
    assert state_of(record(revoked_at=NOW, expires_at=NOW), NOW) is TokenState.REVOKED
    assert live([expiring, record(), record(revoked_at=NOW)], NOW + second) == (record(),)


# --- who asks --------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER   {TOKEN} "])
def test_a_bearer_token_is_read(header: str) -> None:
    assert digest_in(header) == digest_of(TOKEN)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        TOKEN,
        f"Basic {TOKEN}",
        f"Bearer {TOKEN},{TOKEN}",
        f"Bearer {TOKEN} {TOKEN}",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}/",
        f"Bearer x{TOKEN}",
        f"Bearer {TOKEN.upper()}",
        f"Bearer {TOKEN}" + " " * 300,
        "Bearer pdsno_" + "\u0660" * 43,
    ],
)
def test_anything_else_is_not(header: str) -> None:
    assert digest_in(header) is Failure.INVALID_TOKEN


def test_the_record_says_who_asks_or_why_it_is_not_known() -> None:
    known = record(role=APPROVER, region="zone-A")
    assert operator_of(known, NOW) == Operator(name="noc", role=APPROVER, region="zone-A")
    assert operator_of(None, NOW) is Failure.INVALID_TOKEN
    assert operator_of(record(expires_at=NOW), NOW) is Failure.TOKEN_EXPIRED
    assert operator_of(record(revoked_at=NOW), NOW) is Failure.REVOKED
    assert all("pdsno api-token create" in DETAILS[failure] for failure in Failure)


# --- what they may see -----------------------------------------------------------------------


def test_each_role_includes_those_before_it_and_no_other() -> None:
    for has, needed in product(OperatorRole, repeat=2):
        operator = Operator(name="a", role=has)
        if list(OperatorRole).index(has) >= list(OperatorRole).index(needed):
            check_role(operator, needed)
        else:
            with pytest.raises(RefusedError, match=f"needs the role {needed}; .* has {has}"):
                check_role(operator, needed)


def test_a_region_is_all_that_its_token_sees() -> None:
    whole, a = Operator(name="w", role=ADMIN), Operator(name="a", role=ADMIN, region="zone-A")
    assert [region_for(whole, asked) for asked in (None, "zone-A", "zone-B")] == [
        None,
        "zone-A",
        "zone-B",
    ]
    assert [region_for(a, asked) for asked in (None, "zone-A")] == ["zone-A", "zone-A"]
    for other in ("zone-B", "zone-a", "", "zone-A "):
        with pytest.raises(RefusedError, match=r"WRONG_REGION.*zone-A only"):
            region_for(a, other)
    assert [may_see(a, region) for region in ("zone-A", "zone-B", "", None)] == [True] + [False] * 3
    assert [may_see(whole, region) for region in ("zone-A", "", None)] == [True] * 3
    check_whole(whole)
    with pytest.raises(RefusedError, match="sums up all regions"):
        check_whole(a)
