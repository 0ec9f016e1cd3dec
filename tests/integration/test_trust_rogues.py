"""Between joiner and validator, or with a stolen authority: who gets nothing."""

import contextlib
import http.client
import json
import shutil
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pdsno.controllers.regional_controller import RegionalController
from pdsno.domain.errors import RefusedError
from pdsno.domain.identifiers import Role
from pdsno.domain.peers import server_name
from pdsno.identity.pki.vault import TlsIdentity
from pdsno.signing import SigningKey, b64decode, peek_header
from tests.integration.identity_rig import (
    REGION,
    Site,
    Stranger,
    check_refused,
    proof_of,
    site_of,
)
from tests.integration.tiers import Tiers, free_port, url_of
from tests.integration.trust_rig import Answer, answer_of, secured
from tests.unit.identity.forgery import Wish, as_client, forge, rdns, steal


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_of(tmp_path) as made:
        yield made


# --- in between --------------------------------------------------------------------------------


@contextmanager
def rogue(context: ssl.SSLContext, forward: Callable[[str, str, bytes], Answer]) -> Iterator[int]:
    """Serve as somebody else, and ask the real one what to say."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])))

        def _answer(self, body: bytes) -> None:
            answer = forward(self.command, self.path, body)
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def forwarded(port: int) -> Iterator[int]:
    """Pass on whatever comes to a port, both ways, without looking into it."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", port)) as far:
                back = threading.Thread(target=_copy, args=(far, self.request))
                back.start()
                _copy(self.request, far)
                back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def relay(site: Site) -> Iterator[int]:
    """Stand between, with the certificate that the global controller had until a moment ago."""
    door, folder = site.doors["global"], site.tiers.folder
    shutil.copytree(folder / "gc" / "tls", folder / "stolen-tls")
    assert site.gc._certificates is not None
    site.gc._certificates._certify()

    def forward(method: str, path: str, body: bytes) -> Answer:
        with door.line("127.0.0.9") as line:
            line.request(method, path, body=body or None)
            return answer_of(line.getresponse())

    stolen = TlsIdentity(folder / "stolen-tls")
    with rogue(stolen.server_context(requires_client=False), forward) as port:
        yield port


def newcomer(tiers: Tiers, site: Site, name: str, port: int) -> RegionalController:
    """Return a regional controller that is told that its parent's join listener is there."""
    parent = replace(tiers.parent("gc", site.gc, None), join_url=url_of(port))
    rc = RegionalController(
        temp_id=f"temp-{name}",
        region=REGION,
        context_manager=tiers.context(name),
        nib_store=tiers.nib(name),
        rest_port=free_port(),
        options=tiers.options(name, Role.REGIONAL, parent=parent),
    )
    tiers.stack.callback(rc.close)
    return rc


@pytest.mark.attack(7)
def test_a_joiner_signs_nothing_for_somebody_in_between(site: Site) -> None:
    door = site.doors["global"]
    with relay(site) as port:
        joiner, token = newcomer(site.tiers, site, "misled", port), door.mint()
        before = door.standing()
        with pytest.raises(RefusedError, match="CHANNEL_MISMATCH"):
            joiner.join(token)
        assert door.standing()[0] == before[0]
        assert not joiner.is_validated
    # Whoever passes on bytes and holds no key is no attacker.
    with forwarded(door.port) as port:
        honest = newcomer(site.tiers, site, "honest", port)
        assert honest.join(door.mint()).is_approved


@pytest.mark.attack(7)
def test_a_proof_made_for_somebody_in_between_is_refused(site: Site) -> None:
    door = site.doors["global"]
    with relay(site) as port:
        naive = Stranger(door)
        request = naive.request(door.mint())
        challenge = naive.ask(request, port=port).challenge()
        sha256 = TlsIdentity(site.tiers.folder / "stolen-tls").certificate_sha256
        assert sha256 != challenge.server_cert_sha256
        signed = proof_of(replace(challenge, server_cert_sha256=sha256), request)
        response = naive.response(challenge, request, signed=signed)
        check_refused(
            door,
            lambda: naive.answer(response, port=port),
            reason="BAD_SIGNATURE",
            subject=naive.temp_id,
        )
    assert naive.join().is_approved


@pytest.mark.attack(7)
def test_a_challenge_changed_in_between_is_not_the_validators(site: Site) -> None:
    door, thief = site.doors["global"], SigningKey.generate()

    def forward(method: str, path: str, body: bytes) -> Answer:
        with door.line("127.0.0.9") as line:
            line.request(method, path, body=body or None)
            answer = answer_of(line.getresponse())
        if method == "GET":
            return answer
        sealed = json.loads(answer.body)
        # All as it was, but signed by the thief, over a payload that suits it.
        header = {
            k: v for k, v in peek_header(answer.body).items() if k not in ("alg", "kid", "jwk")
        }
        payload = json.loads(b64decode(sealed["payload"]))
        payload["server_cert_sha256"] = site.tiers.tls("gc").certificate_sha256
        forged = thief.sign(header, json.dumps(payload).encode(), with_key=True)
        return replace(answer, body=forged)

    tls = site.tiers.tls("gc")
    with rogue(tls.server_context(requires_client=False), forward) as port:
        joiner = newcomer(site.tiers, site, "misled", port)
        before = door.standing()[0]
        with pytest.raises(RefusedError, match="UNKNOWN_KEY"):
            joiner.join(door.mint())
        assert not joiner.is_validated
        assert door.standing()[0] == before


# --- stolen authorities --------------------------------------------------------------------------


def wishes() -> dict[str, Wish]:
    wish = Wish()
    return {
        "another region": replace(wish, subject=rdns("zone-B", "local"), names=None),
        "the globe": replace(
            wish, subject=rdns("global", "global", common_name="global_cntl_1"), names=None
        ),
        "a regional one": replace(wish, subject=rdns("zone-A", "regional"), names=None),
        "another's name in the own unit": replace(
            wish, subject=rdns("zone-A", "local", common_name="global_cntl_1")
        ),
        "a local one that nobody admitted": wish,
    }


@pytest.mark.attack(9)
@pytest.mark.parametrize("kind", wishes())
@pytest.mark.parametrize("at", ["gc", "rc"])
def test_what_a_stolen_delegation_signs_opens_nothing(site: Site, kind: str, at: str) -> None:
    stolen = steal(site.tiers.folder / f"rc-{REGION}" / "authority")
    roots = site.gc.admissions.roots().decode()
    controller = site.gc if at == "gc" else site.rc
    assert controller.rest_server is not None
    name = server_name(controller.controller_id, controller.region)
    before = site.doors["global"].standing(), site.doors["regional"].standing()

    def info(context: ssl.SSLContext) -> int:
        try:
            with secured(context, controller.rest_server.port, name=name) as sock:  # type: ignore[union-attr]
                line = http.client.HTTPConnection("127.0.0.1")
                line.sock = sock
                line.request("GET", "/info")
                return answer_of(line.getresponse()).status
        except (ssl.SSLError, ConnectionError, http.client.HTTPException):
            return 0

    forged = forge(stolen, wishes()[kind])
    assert info(as_client(forged, roots)) in (0, 401, 403)
    assert (site.doors["global"].standing(), site.doors["regional"].standing()) == before
    lc = site.tiers.lc(REGION, site.rc)  # a rightly admitted one is let in by its parent
    assert lc.options.tls is not None
    if at == "rc":
        assert info(lc.options.tls.client_context()) == 200
