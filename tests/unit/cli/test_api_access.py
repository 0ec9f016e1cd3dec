"""How commands get into an API: which token goes where, and what is said if it does not get in."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pdsno.api import api_tls_context
from pdsno.cli import api_access
from pdsno.cli.api_access import access_file, forget, look_up, remember
from pdsno.cli.main import main
from pdsno.communication.rest_runner import RestRunner
from pdsno.domain.errors import InputError, OperationError
from pdsno.nib import NIBStore
from pdsno.node.admin import AdminCall, AdminSocket
from tests.pki import make_pki
from tests.unit.api.certificates import certificate
from tests.unit.api.serving import NOW, TOKEN, app_of, put_token, served

URL = "http://127.0.0.1:8080"
OTHER = "pdsno_" + "another".ljust(43, "-")
THIRD = "pdsno_" + "third".ljust(43, "-")


def private(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text)
    return path


# --- which token -----------------------------------------------------------------------------


def test_a_file_wins_over_the_environment_and_that_over_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert look_up(URL).token is None
    remember(URL, TOKEN)
    assert look_up(URL).token == TOKEN
    monkeypatch.setenv("PDSNO_API_TOKEN", OTHER)
    assert look_up(URL).token == OTHER
    file = private(tmp_path / "token", f"{THIRD}\n")
    assert look_up(URL, token_file=file).token == THIRD


def test_a_kept_token_goes_to_its_own_api_only() -> None:
    remember("https://GC.example:443/", TOKEN)
    assert look_up("https://gc.example").token == TOKEN
    for other in (
        URL,
        "https://gc.example:8443",
        "https://gc.example.evil",
        "http://localhost:443",
    ):
        assert look_up(other).token is None


def test_what_is_kept_is_private_and_the_rest_of_it_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    previous = os.umask(0)
    try:
        file = remember(URL, TOKEN, "")
        remember("https://192.0.2.1:8080", OTHER, "PEM")
    finally:
        os.umask(previous)
    assert file == access_file()
    ca = file.with_name("https-192.0.2.1-8080.pem")
    assert {path.stat().st_mode & 0o777 for path in (file, ca)} == {0o600}
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert ca.read_text() == "PEM"
    monkeypatch.setattr("pdsno.cli.api_access.check_ca", lambda _: None)
    assert look_up("https://192.0.2.1:8080").ca == ca
    assert look_up(URL).token == TOKEN
    forget("https://192.0.2.1:8080")
    forget("https://192.0.2.9:8080")
    assert not ca.exists()
    assert look_up("https://192.0.2.1:8080").token is None
    assert look_up(URL).token == TOKEN


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    remember(URL, TOKEN)
    access_file().chmod(0o644)
    with pytest.raises(OperationError, match=r"others can read.*chmod 600"):
        look_up(URL)
    file = private(tmp_path / "token", TOKEN)
    access_file().chmod(0o600)
    assert look_up(URL, token_file=file).token == TOKEN
    file.chmod(0o640)
    with pytest.raises(OperationError, match=r"others can read.*chmod 600"):
        look_up(URL, token_file=file)


@pytest.mark.parametrize(
    "text", ["", "secret", f"{TOKEN} x", TOKEN[:-1], f"{TOKEN}x", "pdsno_" * 9]
)
def test_what_is_no_token_is_refused_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    file = private(tmp_path / "token", text)
    with pytest.raises(InputError, match="is no API token") as refused:
        look_up(URL, token_file=file)
    assert not text or text not in str(refused.value)
    if text:
        monkeypatch.setenv("PDSNO_API_TOKEN", text)
        with pytest.raises(InputError, match="in PDSNO_API_TOKEN is no API token"):
            look_up(URL)


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1:8080", "http://gc.example", "http://[2001:db8::1]"]
)
def test_a_token_never_travels_in_the_clear(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    assert look_up(url).token is None
    monkeypatch.setenv("PDSNO_API_TOKEN", TOKEN)
    with pytest.raises(InputError, match=r"in the clear.*https://"):
        look_up(url)
    for fine in (
        url.replace("http:", "https:"),
        "http://127.8.0.1",
        "http://[::1]:1",
        "http://localhost",
    ):
        assert look_up(fine).token == TOKEN


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "a",
        "x: 1",
        f"{URL}: [a]",
        f"{URL}: {{token: 1}}",
        f"{URL}: {{tokens: a}}",
        "a: &b {}\nc: *b",
    ],
)
def test_a_damaged_file_is_named(text: str) -> None:
    remember(URL, TOKEN)
    private(access_file(), text)
    with pytest.raises(InputError, match=r"api\.yml"):
        look_up(URL)


def test_a_ca_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read the CA .*nothing\.pem: No such file"):
        look_up(URL, ca=tmp_path / "nothing.pem")
    with pytest.raises(InputError, match="is no CA certificate in PEM"):
        look_up(URL, ca=private(tmp_path / "text.pem", "text"))


# --- what commands say -----------------------------------------------------------------------

Fail = Callable[..., tuple[int, str]]


@pytest.fixture
def nib() -> Iterator[NIBStore]:
    with NIBStore("memory://") as store:
        yield store


@pytest.fixture
def fail(capsys: pytest.CaptureFixture[str]) -> Fail:
    def invoke(*args: str) -> tuple[int, str]:
        code = main(["nib", "devices", *args])
        captured = capsys.readouterr()
        assert captured.out == ""
        # The server logs to the same place: it runs in this process.
        (line,) = [told for told in captured.err.splitlines() if told.startswith("pdsno: ")]
        return code, line

    return invoke


def test_without_a_token_the_line_says_how_to_get_one(nib: NIBStore, fail: Fail) -> None:
    with served(nib) as api:
        code, line = fail("--api", api.url)
        assert code == 2
        assert "needs a token" in line
        assert f"pdsno api-token create --name NAME --role viewer --save {api.url}" in line
        assert "--token-file or PDSNO_API_TOKEN" in line
        remember(api.url, TOKEN)
        assert main(["nib", "devices", "--api", api.url, "-o", "json"]) == 0


def test_a_refused_token_is_named_by_where_it_is_from(
    nib: NIBStore, fail: Fail, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with served(nib) as api:
        put_token(nib, OTHER, name="old", expires_at=NOW)
        put_token(nib, THIRD, name="lost", revoked_at=NOW)
        unknown = "pdsno_" + "u" * 43
        monkeypatch.setenv("PDSNO_API_TOKEN", OTHER)
        code, line = fail("--api", api.url)
        assert code == 2
        assert f"{api.url} refused the token in PDSNO_API_TOKEN: this token has expired" in line
        code, line = fail("--api", api.url, "--token-file", str(private(tmp_path / "t", THIRD)))
        assert (code, "this token was revoked" in line) == (2, True)
        monkeypatch.delenv("PDSNO_API_TOKEN")
        remember(api.url, unknown)
        code, line = fail("--api", api.url)
        assert (code, "api.yml: this is no token of this controller" in line) == (2, True)
        for secret in (OTHER, THIRD, unknown):
            assert secret not in line


def test_a_token_for_another_region_is_told_so(nib: NIBStore, fail: Fail) -> None:
    with served(nib) as api:
        put_token(nib, OTHER, name="noc-a", region="zone-A")
        remember(api.url, OTHER)
        code, line = fail("--api", api.url, "--region", "zone-B")
    assert code == 1
    assert "the token 'noc-a' is for zone-A only, not for 'zone-B'" in line


def test_https_is_verified_against_the_named_ca(
    nib: NIBStore,
    fail: Fail,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cert, key = certificate(tmp_path)
    (tmp_path / "other").mkdir()
    stranger, _ = certificate(tmp_path / "other")
    runner = RestRunner(
        app_of(nib), host="127.0.0.1", port=0, tls_context=api_tls_context(cert, key)
    )
    runner.start()
    try:
        url = f"https://127.0.0.1:{runner.port}"
        monkeypatch.setenv("PDSNO_API_TOKEN", TOKEN)
        for args in ((), ("--ca", str(stranger))):
            code, line = fail("--api", url, *args)
            assert code == 1
            assert f"the certificate of {url} cannot be verified (self-signed certificate" in line
            assert "--ca FILE or PDSNO_CA" in line
        code, line = fail("--api", url.replace("127.0.0.1", "localhost"), "--ca", str(cert))
        assert (code, "cannot be verified" in line) == (1, True)
        code, line = fail("--api", url.replace("https", "http"))
        assert (code, "use https://" in line) == (1, True)
        assert main(["nib", "devices", "--api", url, "--ca", str(cert), "-o", "json"]) == 0
        monkeypatch.setenv("PDSNO_CA", str(cert))
        assert main(["nib", "devices", "--api", url, "-o", "json"]) == 0
        monkeypatch.delenv("PDSNO_CA")
        monkeypatch.delenv("PDSNO_API_TOKEN")
        remember(url, TOKEN, cert.read_text())
        assert main(["nib", "devices", "--api", url, "-o", "json"]) == 0
        assert capsys.readouterr().out == "[]\n" * 3
    finally:
        runner.stop()


def test_https_to_an_api_without_tls_is_told_so(nib: NIBStore, fail: Fail) -> None:
    with served(nib) as api:
        code, line = fail("--api", api.url.replace("http", "https"))
    assert code == 1
    assert "speaks no TLS: use http://" in line


def test_what_the_controller_here_gives_is_enough_from_the_first_call_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "https://192.0.2.10:8080"
    ca = make_pki(tmp_path / "pki").gc.tls.roots_pem
    calls: dict[str, AdminCall] = {
        "GET /status": lambda _: {"api": url},
        "POST /api-token": lambda _: {"token": TOKEN, "ca": ca},
    }
    admin = AdminSocket(tmp_path / "admin.sock", calls)
    monkeypatch.setenv("PDSNO_ADMIN_SOCKET", str(admin.path))
    api_access._api_of_this_host.cache_clear()
    admin.start()
    try:
        first, second = look_up(url), look_up(url)
    finally:
        admin.close()
        api_access._api_of_this_host.cache_clear()
    assert first.token == second.token == TOKEN
    assert first.ca is not None
    assert first.ca == second.ca
    assert first.ca.read_text() == ca
