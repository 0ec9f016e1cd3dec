"""What a client says when there is no secure connection: cause and remedy, on one line."""

import hashlib
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pdsno.communication.http_client import ControllerHTTPClient
from pdsno.domain.errors import InputError, OperationError
from pdsno.domain.peers import server_name
from tests.integration.trust_rig import (
    Site,
    ask,
    make_site,
    raised,
    secured,
    url_of,
)
from tests.pki import Member


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(tmp_path)


@pytest.fixture
def plain_server() -> Iterator[int]:
    """Something that speaks HTTP without TLS."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(20)
    with ThreadPoolExecutor(1) as pool:

        def serve() -> None:
            with listener, listener.accept()[0] as peer:
                peer.recv(1000)
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        pool.submit(serve)
        yield listener.getsockname()[1]


def said(site: Site, member: Member, url: str, peer: str = "global_cntl_1") -> str:
    with site.client(member) as client:
        client.register_controller(peer, url, region=None)
        error = raised(lambda: ask(client, member, recipient_id=peer))
        assert isinstance(error, OperationError)
        assert "\n" not in str(error)
        return str(error)


@pytest.mark.attack(28)
def test_a_server_without_tls_is_named(site: Site, plain_server: int) -> None:
    text = said(site, site.pki.rc, f"https://127.0.0.1:{plain_server}")
    assert "there is no TLS on that port" in text
    assert text.startswith("no secure connection to global_cntl_1 at https://127.0.0.1:")


@pytest.mark.attack(28)
def test_somebody_elses_certificate_is_named(site: Site) -> None:
    with site.server() as server:
        text = said(site, site.pki.rc, url_of(server), peer="global_cntl_2")
    assert f"not of {server_name('global_cntl_2', None)}" in text


@pytest.mark.attack(28)
def test_another_root_is_named_by_both_sides(site: Site, tmp_path: Path) -> None:
    other = make_site(tmp_path / "other")
    with other.server() as server:
        text = said(site, site.pki.rc, url_of(server))
    assert "was not issued under our root" in text
    mixed = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    mixed.load_verify_locations(cadata=site.pki.roots_pem)
    mixed.load_cert_chain(other.pki.rc.tls.certificate_file)
    with site.server() as server:
        error = raised(lambda: _get_health(mixed, server.port))
    assert isinstance(error, ssl.SSLError)


def _get_health(context: ssl.SSLContext, port: int) -> bytes:
    with secured(context, port) as sock:
        sock.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        return sock.recv(100)


def test_an_expired_certificate_is_named_by_both_sides(site: Site) -> None:
    with site.server() as server:
        text = said(site, site.expired(site.pki.rc), url_of(server))
        assert "our certificate has expired" in text
        assert said_nothing(site, url_of(server))
    gc = site.expired(site.pki.gc)
    with (
        pytest.raises(OperationError, match="its certificate has expired"),
        site.server(tls=gc.tls),
    ):
        pass
    with site.server(tls=gc.tls, requires_client=False, peers=None) as server:
        assert "its certificate has expired" in said(site, site.pki.rc, url_of(server))


def said_nothing(site: Site, url: str) -> bool:
    with site.client(site.pki.rc) as client:
        client.register_controller("global_cntl_1", url)
        return ask(client, site.pki.rc) is not None


def test_a_demanded_certificate_is_named(site: Site) -> None:
    with (
        site.server() as server,
        site.client(site.pki.rc, server) as client,
        client.joining(site.pki.roots_pem) as joiner,
    ):
        joiner.register_controller("global_cntl_1", url_of(server))
        error = raised(lambda: ask(joiner, site.pki.rc))
    assert isinstance(error, OperationError)
    assert "it demands a certificate, and we have none: join first" in str(error)


@pytest.mark.attack(28)
def test_public_authorities_are_not_trusted(site: Site) -> None:
    """requests would add them to any context that it is given."""
    context = site.pki.rc.tls._held.client  # type: ignore[union-attr]
    with site.server() as server, site.client(site.pki.rc, server) as client:
        assert ask(client, site.pki.rc) is not None
    assert len(context.get_ca_certs()) == 1
    digest = hashlib.sha256(context.get_ca_certs(binary_form=True)[0]).hexdigest()
    assert digest == site.pki.root_sha256


@pytest.mark.attack(28)
def test_plain_http_leaves_the_machine_never_and_mixes_never(site: Site) -> None:
    rc = site.pki.rc
    with site.client(rc) as client, pytest.raises(InputError, match="without TLS"):
        client.register_controller("lc", "http://127.0.0.1:1")
    with site.client(rc, tls=None) as client, pytest.raises(InputError, match="pass tls="):
        client.register_controller("lc", "https://127.0.0.1:1")
    plain = ControllerHTTPClient(signer=rc.signer, verifier=site.verifier)
    with pytest.raises(InputError, match=r"192\.0\.2\.1 is not loopback: without TLS"):
        plain.register_controller("gc", "http://192.0.2.1:8001")
    plain.register_controller("gc", "http://localhost:8001")
    with (
        pytest.raises(InputError, match="not loopback"),
        site.server(tls=None, peers=None, host="0.0.0.0"),
    ):
        pass
