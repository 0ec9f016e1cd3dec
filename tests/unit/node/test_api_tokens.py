"""`pdsno api-token` over a real admin socket, and the events that it leaves."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pdsno.api.tokens import digest_of, is_token
from pdsno.cli.api_access import access_file, look_up
from pdsno.cli.main import main
from pdsno.domain.entities import OperatorRole
from pdsno.domain.errors import InputError, NotFoundError
from pdsno.domain.policy import Policy, RegionPolicy
from pdsno.nib import NIBStore
from pdsno.node.admin import AdminSocket
from pdsno.node.api_token_calls import api_token_calls, create_api_token, revoke_api_token
from tests.unit.api.certificates import certificate

URL = "https://192.0.2.1:8080"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def nib() -> Iterator[NIBStore]:
    with NIBStore("memory://") as store:
        yield store


@pytest.fixture
def roots() -> list[str]:
    """PEM of the roots that the controller tells, to be filled by a test."""
    return [""]


@pytest.fixture
def run(
    nib: NIBStore,
    roots: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Run]:
    """Return a function that runs `pdsno api-token ...`: exit code, stdout, stderr."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("PDSNO_API_TOKEN", raising=False)
    path = tmp_path / "admin.sock"
    calls = api_token_calls(nib, by=lambda: "alice at global_cntl_1", roots_pem=lambda: roots[0])
    admin = AdminSocket(path, calls)
    admin.start()

    def invoke(*args: str) -> tuple[int, str, str]:
        code = main(["api-token", *args, "--socket", str(path)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    yield invoke
    admin.close()


def test_a_new_token_is_printed_once_and_kept_as_its_hash(run: Run, nib: NIBStore) -> None:
    code, out, _ = run("create", "--name", "ci", "--role", "operator", "--ttl", "2h")
    token = out.strip()
    assert code == 0
    assert is_token(token)
    (record,) = nib.api_tokens()
    assert record.token_sha256 == digest_of(token)
    assert (record.name, record.role, record.region) == ("ci", OperatorRole.OPERATOR, None)
    assert record.created_by == "alice at global_cntl_1"
    assert record.expires_at == record.created_at + timedelta(hours=2)
    (event,) = nib.events()
    assert (event.event_type, event.subject) == ("API_TOKEN_CREATED", "ci")
    assert event.actor == "alice at global_cntl_1"
    listed = run("list", "-o", "json")[1]
    (row,) = json.loads(listed)
    assert (row["name"], row["state"], row["token_id"]) == ("ci", "live", digest_of(token)[:16])
    for text in (listed, run("list")[1], str(nib.events()), str(nib.api_tokens())):
        assert token not in text


def test_a_token_lives_ninety_days_unless_told_otherwise(run: Run, nib: NIBStore) -> None:
    run("create", "--name", "a", "--role", "viewer")
    run("create", "--name", "b", "--role", "viewer", "--ttl", "366d")
    lives = {r.name: (r.expires_at or r.created_at) - r.created_at for r in nib.api_tokens()}
    assert lives == {"a": timedelta(days=90), "b": timedelta(days=366)}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--name", "a b", "--role", "viewer"], "is no name for a token"),
        (["--name", "a", "--role", "root"], "'root' is not one of"),
        (["--name", "a", "--role", "viewer", "--ttl", "367d"], "at most 366 days"),
        (["--name", "a", "--role", "viewer", "--ttl", "0"], "at least a second"),
        (["--name", "a", "--role", "viewer", "--ttl", "soon"], "write 90s, 15m, 2h or 7d"),
        (["--name", "a", "--role", "viewer", "--region", "a/b"], "region"),
        (["--name", "a", "--role", "viewer", "--save", "gc:8080"], "is not the URL of an API"),
        (["--name", "a", "--role", "viewer", "--ca", "x"], "--ca goes with --save"),
        (["--name", "taken", "--role", "viewer"], "there is a token 'taken' already"),
    ],
)
def test_what_cannot_be_is_wrong_usage_and_makes_nothing(
    run: Run, nib: NIBStore, args: list[str], words: str
) -> None:
    create_api_token(nib, name="taken", role=OperatorRole.VIEWER, by="x")
    code, out, err = run("create", *args)
    assert (code, out) == (2, "")
    assert words in err
    assert [record.name for record in nib.api_tokens()] == ["taken"]
    assert len(nib.events()) == 1


def test_a_region_that_policy_does_not_know_is_refused(run: Run, nib: NIBStore) -> None:
    create = ("create", "--role", "viewer", "--region", "zone-a", "--name")
    assert run(*create, "early")[0] == 0
    with nib.transaction() as change:
        change.put_policy(Policy(version=1, regions=(RegionPolicy(region="zone-A"),)))
    code, _, err = run(*create, "a")
    assert code == 2
    assert "policy knows no region 'zone-a', only zone-A" in err
    assert run("create", "--name", "a", "--role", "viewer", "--region", "zone-A")[0] == 0
    assert [e.region for e in nib.events()] == ["zone-a", "zone-A"]


# --- revoking --------------------------------------------------------------------------------


def test_a_revoked_token_is_told_and_its_name_is_free_again(run: Run, nib: NIBStore) -> None:
    create = ("create", "--name", "ci", "--role", "viewer")
    old = digest_of(run(*create)[1].strip())
    assert run(*create)[0] == 2
    assert run("revoke", "ci") == (0, "", "revoked ci\n")
    record = nib.api_token(old)
    assert record is not None
    assert record.revoked_at is not None
    assert [e.event_type for e in nib.events()] == ["API_TOKEN_CREATED", "API_TOKEN_REVOKED"]
    code, _, err = run("revoke", "ci")
    assert code == 1
    assert "there is no live token 'ci'" in err
    new = digest_of(run(*create)[1].strip())
    assert run("revoke", new[:8])[0] == 0
    states = [row["state"] for row in json.loads(run("list", "-o", "json")[1])]
    assert states == ["revoked", "revoked"]


@pytest.mark.parametrize("named", ["", "c", "1234567", "no"])
def test_a_short_beginning_of_an_id_names_nothing(nib: NIBStore, named: str) -> None:
    create_api_token(nib, name="ci", role=OperatorRole.VIEWER, by="x")
    (record,) = nib.api_tokens()
    with pytest.raises(NotFoundError):
        revoke_api_token(nib, named=named or record.token_sha256[:7], by="x")
    assert nib.api_tokens() == (record,)


def test_an_expired_name_is_free_and_is_not_revoked(nib: NIBStore) -> None:
    create_api_token(
        nib, name="ci", role=OperatorRole.VIEWER, by="x", lifetime=timedelta(seconds=1)
    )
    deadline = datetime.now(UTC) + timedelta(seconds=10)
    while datetime.now(UTC) < deadline:
        try:
            create_api_token(nib, name="ci", role=OperatorRole.VIEWER, by="x")
        except InputError:
            continue
        break
    assert [record.revoked_at for record in nib.api_tokens()] == [None, None]


def test_a_replaced_token_is_revoked_in_the_same_change(nib: NIBStore) -> None:
    old = create_api_token(nib, name="up", role=OperatorRole.ADMIN, by="x")
    new = create_api_token(nib, name="up", role=OperatorRole.ADMIN, by="x", replaces=True)
    held = {record.token_sha256: record.revoked_at for record in nib.api_tokens()}
    assert held[old.record.token_sha256] is not None
    assert held[new.record.token_sha256] is None
    assert [e.event_type for e in nib.events()][1:] == ["API_TOKEN_REVOKED", "API_TOKEN_CREATED"]


# --- keeping ---------------------------------------------------------------------------------


def test_a_saved_token_is_kept_and_not_printed(run: Run, nib: NIBStore) -> None:
    code, out, err = run("create", "--name", "me", "--role", "admin", "--save", f"{URL}/")
    assert (code, out) == (0, "")
    assert err == f"kept in {access_file()} for {URL}\n"
    target = look_up(URL)
    assert digest_of(target.token or "") == nib.api_tokens()[0].token_sha256
    assert target.ca is None


def test_the_controllers_roots_come_along_for_https_unless_another_ca_is_named(
    run: Run, roots: list[str], tmp_path: Path
) -> None:
    (tmp_path / "own").mkdir()
    pem = certificate(tmp_path / "own")[0].read_text()
    roots[0] = pem
    (tmp_path / "company").mkdir()
    company, _ = certificate(tmp_path / "company")
    create = ("create", "--role", "viewer", "--name")
    assert run(*create, "a", "--save", URL)[0] == 0
    ca = look_up(URL).ca
    assert ca is not None
    assert ca.read_text() == pem
    assert run(*create, "b", "--save", URL, "--ca", str(company))[0] == 0
    ca = look_up(URL).ca
    assert ca is not None
    assert ca.read_text() == company.read_text()
    assert run(*create, "c", "--save", "http://127.0.0.1:8080")[0] == 0
    assert look_up("http://127.0.0.1:8080").ca is None
    code, _, err = run(*create, "d", "--save", URL, "--ca", str(tmp_path / "none"))
    assert code == 2
    assert "cannot read the CA" in err
