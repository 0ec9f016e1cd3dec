"""Where the API may listen, and with which certificate."""

import socket
import ssl
from pathlib import Path

import pytest
import requests

from pdsno.api import api_tls_context, check_listen_address
from pdsno.communication.rest_runner import RestRunner
from pdsno.domain.errors import InputError
from pdsno.nib import NIBStore
from tests.unit.api.certificates import certificate
from tests.unit.api.serving import TOKEN, app_of

OFF_LOOPBACK = ["0.0.0.0", "::", "::ffff:0.0.0.0", "192.0.2.1", "::ffff:192.0.2.1", "2001:db8::5"]


@pytest.mark.parametrize("has_tls", [True, False])
@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", "localhost"])
def test_loopback_is_always_allowed(host: str, has_tls: bool) -> None:
    check_listen_address(host, has_tls=has_tls)


@pytest.mark.parametrize("host", OFF_LOOPBACK)
def test_every_other_address_needs_tls_and_the_remedies_are_named(host: str) -> None:
    with pytest.raises(InputError, match=r"over TLS only.*api: \{certificate: FILE, key: FILE\}"):
        check_listen_address(host, has_tls=False)
    check_listen_address(host, has_tls=True)


@pytest.mark.parametrize("has_tls", [True, False])
@pytest.mark.parametrize("host", ["gc.example.net", "", "127.0.0.1:8080", "127.1", "localhost."])
def test_what_is_no_address_is_refused(host: str, has_tls: bool) -> None:
    with pytest.raises(InputError, match="give an IP address"):
        check_listen_address(host, has_tls=has_tls)


def test_localhost_is_judged_by_what_it_means_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def elsewhere(*_: object, **__: object) -> list[object]:
        return [(2, 1, 6, "", ("127.0.0.1", 0)), (2, 1, 6, "", ("192.0.2.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", elsewhere)
    with pytest.raises(InputError, match="over TLS only"):
        check_listen_address("localhost", has_tls=False)


# --- a certificate of the company's ----------------------------------------------------------


def test_the_api_speaks_tls_with_a_certificate_of_the_companys(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    with NIBStore("memory://") as nib:
        context = api_tls_context(cert, key)
        runner = RestRunner(app_of(nib), host="127.0.0.1", port=0, tls_context=context)
        runner.start()
        try:
            url = f"https://127.0.0.1:{runner.port}/api/v1/devices"
            with requests.Session() as session:
                session.trust_env = False
                session.headers["Authorization"] = f"Bearer {TOKEN}"
                assert session.get(url, verify=str(cert), timeout=10).json()["items"] == []
                with pytest.raises(requests.exceptions.SSLError):
                    session.get(url, timeout=10)
                with pytest.raises(requests.ConnectionError):
                    session.get(url.replace("https", "http"), timeout=10)
        finally:
            runner.stop()


def test_nothing_older_than_tls_1_3_is_spoken(tmp_path: Path) -> None:
    context = api_tls_context(*certificate(tmp_path))
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3


def test_a_key_that_everybody_may_read_is_refused(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    key.chmod(0o644)
    with pytest.raises(InputError, match=r"everybody.*chmod 640"):
        api_tls_context(cert, key)
    key.chmod(0o640)
    api_tls_context(cert, key)


def test_files_that_cannot_serve_are_named_with_the_reason(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    (tmp_path / "other").mkdir()
    other, _ = certificate(tmp_path / "other")
    nothing = tmp_path / "nothing.pem"
    text = tmp_path / "text.pem"
    text.write_text("not PEM")
    for given, words in (
        ((nothing, key), "cannot read .*nothing.pem: No such file"),
        ((cert, nothing), "cannot read .*nothing.pem: No such file"),
        ((tmp_path, key), "cannot read .*: Is a directory"),
        ((text, key), "no certificate and its key in PEM"),
        ((other, key), "the key is of another certificate"),
    ):
        with pytest.raises(InputError, match=words):
            api_tls_context(*given)


def test_a_key_with_a_passphrase_is_refused_and_never_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has a passphrase"):
        api_tls_context(*certificate(tmp_path, passphrase=b"secret"))
