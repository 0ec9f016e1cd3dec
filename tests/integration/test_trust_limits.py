"""Clients that are slow, endless or many: bounded, and others do not notice."""

import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pdsno.communication.codec import size_limit
from pdsno.communication.rest_protocol import ConnectionLimits
from pdsno.communication.rest_server import ControllerRESTServer
from pdsno.domain.messages import Message, MessageType
from tests.integration.trust_rig import PATH, Site, connection_of, make_site, post, sealed, secured

SHORT = ConnectionLimits(head_s=1.0, body_s=1.5)
HEAD = f"POST {PATH} HTTP/1.1\r\nHost: x\r\n".encode()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[ControllerRESTServer]:
    with site.server(limits=SHORT) as serving:
        yield serving


def ended(sock: socket.socket, drip: bytes, most_s: float = 20) -> tuple[float, bytes]:
    """Send a byte now and then until the connection ends; returns when, and what came."""
    started, answer = time.monotonic(), b""
    sock.settimeout(0.1)
    while time.monotonic() - started < most_s:
        try:
            sock.sendall(drip)
            chunk = sock.recv(65536)
        except TimeoutError:
            continue
        except OSError:
            return time.monotonic() - started, answer
        if not chunk:
            return time.monotonic() - started, answer
        answer += chunk
    pytest.fail(f"still open after {most_s} s")


def works(site: Site, server: ControllerRESTServer) -> bool:
    with connection_of(site.pki.rc, server) as live:
        return post(live, sealed(site.pki.rc)).status == 200


@pytest.mark.attack(20)
@pytest.mark.parametrize(
    ("start", "drip"),
    [
        (b"", b""),
        (b"POST ", b"x"),
        (HEAD, b"X-A: b\r\n"),
        (HEAD + b"Content-Length: 1000\r\n\r\n", b"x"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
    ids=["says nothing", "request line", "head", "body", "chunks"],
)
def test_who_drips_is_cut_off(
    site: Site, server: ControllerRESTServer, start: bytes, drip: bytes
) -> None:
    with secured(site.pki.rc.tls.client_context(), server.port) as sock:
        sock.sendall(start)
        took_s, answer = ended(sock, drip)
    assert 0.5 < took_s < 5
    assert not answer.startswith(b"HTTP/1.1 2")
    assert works(site, server)


@pytest.mark.attack(20)
def test_a_second_request_that_drips_is_cut_off_as_well(
    site: Site, server: ControllerRESTServer
) -> None:
    with secured(site.pki.rc.tls.client_context(), server.port) as sock:
        sock.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 200")
        took_s, _ = ended(sock, b"x")
    assert took_s < 5


def test_a_steady_sender_is_not_cut_off(site: Site, server: ControllerRESTServer) -> None:
    raw = sealed(site.pki.rc)
    with secured(site.pki.rc.tls.client_context(), server.port) as sock:
        sock.sendall(HEAD + f"Content-Length: {len(raw)}\r\n\r\n".encode())
        for place in range(0, len(raw), 64):
            sock.sendall(raw[place : place + 64])
            time.sleep(0.01)
        assert sock.recv(65536).startswith(b"HTTP/1.1 200")


@pytest.mark.attack(20)
def test_a_handshake_that_does_not_go_on_is_cut_off(
    site: Site, server: ControllerRESTServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pdsno.communication.rest_runner._HANDSHAKE_S", 1.0)
    with (
        site.server() as impatient,
        socket.create_connection(("127.0.0.1", impatient.port), timeout=10) as sock,
    ):
        started = time.monotonic()
        assert sock.recv(1) == b""
        assert time.monotonic() - started < 5
    assert works(site, server)


@pytest.mark.attack(20)
def test_an_endless_head_is_refused(site: Site, server: ControllerRESTServer) -> None:
    with secured(site.pki.rc.tls.client_context(), server.port) as sock, pytest.raises(OSError):  # noqa: PT011, PT012 - reset or closed
        for _ in range(10_000):
            sock.sendall(b"X: " + b"y" * 1000)
        pytest.fail("10 MB of head were taken")
    assert works(site, server)


def resident_kib() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


@pytest.mark.attack(20)
def test_an_endless_body_is_cut_off_and_memory_stays_flat(
    site: Site, server: ControllerRESTServer
) -> None:
    limit = size_limit(MessageType.DISCOVERY_REQUEST)
    before = resident_kib()
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"

    def flood(_number: int) -> int:
        sent = 0
        with secured(site.pki.rc.tls.client_context(), server.port) as sock:
            sock.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
            with contextlib.suppress(OSError):
                while sent < 100 * limit:
                    sock.sendall(chunk)
                    sent += len(chunk)
        return sent

    with ThreadPoolExecutor(8) as pool:
        sent = list(pool.map(flood, range(16)))
    assert max(sent) < 10 * limit
    assert resident_kib() - before < 64 * 1024
    assert works(site, server)


@pytest.mark.attack(20)
def test_others_are_served_while_many_drip(site: Site, server: ControllerRESTServer) -> None:
    def asks_s() -> float:
        started = time.monotonic()
        assert works(site, server)
        return time.monotonic() - started

    calm_s = min(asks_s() for _ in range(5))
    context = site.pki.rc.tls.client_context()
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            sock = stack.enter_context(secured(context, server.port))
            sock.sendall(HEAD)
        assert min(asks_s() for _ in range(5)) < max(2 * calm_s, 0.2)


def test_no_connection_outlives_its_time_whatever_it_does(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pdsno.communication.rest_protocol._GRACE_S", 0.5)
    release = threading.Event()

    def hang(_message: Message) -> None:
        release.wait(20)

    with site.server(limits=ConnectionLimits(life_s=0.5)) as server:
        server.register_handler(MessageType.DISCOVERY_REQUEST, hang)
        with connection_of(site.pki.rc, server) as live, pytest.raises(OSError):  # noqa: PT011 - reset or closed
            post(live, sealed(site.pki.rc))
        release.set()
        with connection_of(site.pki.rc, server) as live:
            assert post(live, sealed(site.pki.rc)).status == 204


def test_tls_1_2_is_not_spoken_by_the_client_either(site: Site) -> None:
    assert site.pki.rc.tls.client_context().minimum_version is ssl.TLSVersion.TLSv1_3
