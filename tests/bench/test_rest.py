"""How fast a controller answers signed messages, beside a bare application that checks nothing."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pdsno.communication.http_client import ControllerHTTPClient
from pdsno.communication.rest_runner import RestRunner
from pdsno.controllers.seen_journal import SeenJournal
from pdsno.nib import NIBStore
from tests.bench.calling import CallerTLS, Speed, cpu_of, speed
from tests.integration.trust_rig import PATH, Site, ask, make_site, post, sealed, url_of
from tests.integration.trust_rig import connection_of as connected

MESSAGES = 1000
ROUNDS = 5
CONNECTIONS = 4
TARGET = 0.25
LEAST = 0.15
"""Below this something is wrong, however busy the machine is."""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(tmp_path)


def called(site: Site, port: int, *, is_tls: bool) -> Speed:
    tls = site.pki.rc.tls
    caller = CallerTLS(
        certificate=tls.certificate_file,
        roots=tls.roots_file,
        name="global-cntl-1.global.pdsno.internal",
    )
    requests = [post_of(body) for body in bodies(site)]
    return speed(port, requests, connections=CONNECTIONS, tls=caller if is_tls else None)


def post_of(body: bytes) -> bytes:
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Content-Type: application/jose+json\r\n\r\n".encode() + body


@contextmanager
def bare_server(site: Site, reply: bytes, *, is_tls: bool) -> Iterator[int]:
    """Serve an application that reads the body and answers the same bytes, with nothing between."""

    async def app(_scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        while (await receive()).get("more_body"):
            pass
        headers = [
            (b"content-type", b"application/jose+json"),
            (b"content-length", str(len(reply)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": reply})

    context = site.pki.gc.tls.server_context(requires_client=True) if is_tls else None
    runner = RestRunner(app, host="127.0.0.1", port=0, tls_context=context)
    runner.start()
    yield runner.port
    runner.stop()


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "mTLS"])
def test_signed_messages_a_second(site: Site, tmp_path: Path, *, is_tls: bool) -> None:
    options: dict[str, Any] = {} if is_tls else {"tls": None, "peers": None}
    with connected_reply(site) as reply, NIBStore(tmp_path / "nib.db") as nib:
        ours, kept, bare = list[Speed](), list[Speed](), list[Speed]()
        for _ in range(ROUNDS):
            with bare_server(site, reply, is_tls=is_tls) as port:
                bare.append(called(site, port, is_tls=is_tls))
            with site.server(**options) as server:
                ours.append(called(site, server.port, is_tls=is_tls))
            with site.server(journal=SeenJournal(nib), **options) as server:
                kept.append(called(site, server.port, is_tls=is_tls))
    ratio = cpu_of(bare) / cpu_of(ours)
    print(f"\nsigned POST, signed reply, {'mTLS' if is_tls else 'plain'}:")
    for name, speeds in (("bare application", bare), ("ours", ours), ("journal in SQLite", kept)):
        per_s = statistics.median(speed.per_s for speed in speeds)
        print(f"  {name}: {per_s:.0f}/s, {cpu_of(speeds):.0f} us of CPU each")
    print(f"  ratio by CPU {ratio:.2f} (target {TARGET})")
    assert ratio >= LEAST


def bodies(site: Site) -> list[bytes]:
    return [sealed(site.pki.rc, payload={"n": number}) for number in range(MESSAGES)]


@contextmanager
def connected_reply(site: Site) -> Iterator[bytes]:
    """Give the bytes of one real reply."""
    with site.server() as server, connected(site.pki.rc, server) as live:
        answer = post(live, sealed(site.pki.rc))
    assert answer.status == 200
    yield answer.body


def test_handshakes_and_calls_of_our_client(site: Site) -> None:
    rc = site.pki.rc
    with site.server() as server:
        with site.client(rc, server) as client:
            ask(client, rc)
            started = time.perf_counter()
            for _ in range(200):
                ask(client, rc)
            call_ms = (time.perf_counter() - started) / 200 * 1000
        started = time.perf_counter()
        for _ in range(50):
            client = ControllerHTTPClient(signer=rc.signer, verifier=site.verifier, tls=rc.tls)
            client.register_controller("global_cntl_1", url_of(server))
            ask(client, rc)
            client.close()
        first_ms = (time.perf_counter() - started) / 50 * 1000
    print(f"\na call over mTLS {call_ms:.1f} ms; with a new connection {first_ms:.1f} ms")
    assert call_ms < 50
