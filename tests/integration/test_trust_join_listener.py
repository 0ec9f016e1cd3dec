"""The one port that strangers may reach: what it serves, to how many, and how often."""

import contextlib
import http.client
import json
import ssl
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from pdsno.communication.http_client import ControllerHTTPClient
from pdsno.communication.rate_limit import Flood
from pdsno.communication.rest_server import ControllerRESTServer
from pdsno.domain.errors import InputError, OperationError, Refusal, RefusedError, TransientError
from pdsno.domain.messages import Message, MessageType, Reply
from pdsno.identity.pki.roots import check_roots
from pdsno.signing import SigningKey
from tests.integration.trust_rig import (
    Answer,
    Site,
    answer_of,
    make_site,
    post,
    raised,
    sealed,
    secured,
    url_of,
)
from tests.integration.waiting import wait_until
from tests.pki import Member

VALIDATION = MessageType.VALIDATION_REQUEST
PATH = f"/messages/{VALIDATION.lower()}"


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_site(tmp_path_factory.mktemp("site"))


@pytest.fixture
def floods() -> list[Flood]:
    return []


@pytest.fixture
def listener(site: Site, floods: list[Flood]) -> Iterator[ControllerRESTServer]:
    gc = site.pki.gc
    server = ControllerRESTServer(
        gc.controller_id,
        0,
        signer=gc.signer,
        verifier=site.verifier,
        tls=gc.tls,
        requires_client=False,
        trust=site.pki.roots_pem.encode,
        on_flood=floods.append,
    )

    def challenge(message: Message) -> Reply:
        site.got.append(message)
        return Reply(message_type=MessageType.CHALLENGE, payload={"nonce": "n"})

    server.register_handler(VALIDATION, challenge)
    server.start_background()
    yield server
    server.stop()


@pytest.fixture
def joiner(site: Site) -> Member:
    """Somebody with a key and nothing else."""
    return Member(
        controller_id="temp-1",
        role=site.pki.rc.role,
        region="zone-A",
        signer=SigningKey.generate(),
        tls=site.pki.rc.tls,
    )


def request_of(joiner: Member) -> bytes:
    return sealed(joiner, message_type=VALIDATION)


def context_of(site: Site) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=site.pki.roots_pem)


def ask_from(
    source: str, site: Site, listener: ControllerRESTServer, raw: bytes, **headers: str
) -> Answer:
    with secured(context_of(site), listener.port, source=source) as sock:
        connection = http.client.HTTPConnection("127.0.0.1")
        connection.sock = sock
        return post(connection, raw, PATH, **headers)


@pytest.mark.attack(7)
def test_a_joiner_learns_the_roots_and_then_speaks_to_nobody_else(
    site: Site, listener: ControllerRESTServer, joiner: Member
) -> None:
    client = ControllerHTTPClient(signer=joiner.signer, verifier=site.verifier)
    pem = client.fetch_trust(url_of(listener))
    roots = check_roots(pem.decode(), site.pki.root_sha256)
    assert roots
    with client.joining(pem) as joining:
        joining.register_controller("global_cntl_1", url_of(listener))
        reply = joining.send(
            sender_id="temp-1", recipient_id="global_cntl_1", message_type=VALIDATION, payload={}
        )
    assert reply is not None
    assert reply.channel is not None
    assert reply.channel.certificate_sha256 == site.pki.gc.tls.certificate_sha256
    channel = site.got[0].channel
    assert channel is not None
    assert (channel.peer, channel.address) == (None, "127.0.0.1")
    assert not site.got[0].is_trusted


@pytest.mark.attack(7)
def test_a_joiner_refuses_another_root_and_another_name(
    site: Site,
    listener: ControllerRESTServer,
    joiner: Member,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    client = ControllerHTTPClient(signer=joiner.signer, verifier=site.verifier, retries=0)
    other = make_site(tmp_path_factory.mktemp("other"))
    with pytest.raises(RefusedError):
        check_roots(client.fetch_trust(url_of(listener)).decode(), other.pki.root_sha256)
    for roots, name, text in (
        (other.pki.roots_pem, "global_cntl_1", "was not issued under our root"),
        (site.pki.roots_pem, "global_cntl_2", "the certificate of somebody else"),
    ):
        with client.joining(roots) as joining:
            joining.register_controller(name, url_of(listener))
            error = raised(
                lambda c=joining, n=name: c.send(  # type: ignore[misc]
                    sender_id="temp-1", recipient_id=n, message_type=VALIDATION, payload={}
                )
            )
        assert isinstance(error, TransientError)
        assert text in str(error)
    assert not site.got


def test_roots_that_are_none_and_urls_without_tls_are_refused(
    site: Site, listener: ControllerRESTServer, joiner: Member
) -> None:
    client = ControllerHTTPClient(signer=joiner.signer, verifier=site.verifier)
    with pytest.raises(InputError, match="no certificates in PEM"), client.joining(b"hello"):
        pass
    with pytest.raises(InputError, match="https://"):
        client.fetch_trust("http://127.0.0.1:8011")
    with pytest.raises(OperationError, match="answered 404"):
        client.fetch_trust(f"{url_of(listener)}/nothing")


@pytest.mark.attack(22)
@pytest.mark.parametrize(
    "path",
    ["/info", "/health", "/peer", "/docs", "/openapi.json", "/metrics", "/streams/x", "/"],
)
def test_nothing_else_is_served_to_strangers(
    site: Site, listener: ControllerRESTServer, path: str
) -> None:
    with secured(context_of(site), listener.port) as sock:
        connection = http.client.HTTPConnection("127.0.0.1")
        connection.sock = sock
        connection.request("GET", path)
        assert answer_of(connection.getresponse()).status == 404
        connection.request("GET", "/trust")
        assert answer_of(connection.getresponse()).status == 200


def test_other_messages_are_not_taken_from_strangers(
    site: Site, listener: ControllerRESTServer, joiner: Member
) -> None:
    with secured(context_of(site), listener.port) as sock:
        connection = http.client.HTTPConnection("127.0.0.1")
        connection.sock = sock
        for kind in MessageType:
            if kind is not VALIDATION:
                path = f"/messages/{kind.lower()}"
                assert post(connection, sealed(joiner, message_type=kind), path).status == 404
        assert post(connection, request_of(joiner), PATH).status == 200


@pytest.mark.attack(8)
def test_a_source_has_five_requests_a_minute_and_others_have_theirs(
    site: Site, listener: ControllerRESTServer, joiner: Member, floods: list[Flood]
) -> None:
    def ask(source: str = "127.0.0.1", **headers: str) -> Answer:
        return ask_from(source, site, listener, request_of(joiner), **headers)

    with capture_logs() as logs:
        assert [ask().status for _ in range(5)] == [200] * 5
        refused = [ask() for _ in range(20)]
    assert {(answer.status, answer.reason) for answer in refused} == {(429, "RATE_LIMITED")}
    assert all(1 <= int(answer.headers["Retry-After"]) <= 12 for answer in refused)
    forged = {"X_Forwarded_For": "192.0.2.9", "X_Real_IP": "192.0.2.9", "Forwarded": "for=a"}
    assert ask(**forged).status == 429
    assert ask("127.0.0.2").status == 200
    assert len(site.got) == 6
    wait_until(lambda: floods, "the report of the flood")
    assert floods == [Flood(source="127.0.0.1", refused=1)]
    assert [entry["source"] for entry in logs if entry["event"] == "validation_flood"] == [
        "127.0.0.1"
    ]


def test_a_client_waits_as_long_as_the_limit_says(
    site: Site, listener: ControllerRESTServer, joiner: Member
) -> None:
    waits: list[float] = []
    client = ControllerHTTPClient(
        signer=joiner.signer, verifier=site.verifier, retries=1, sleep=waits.append
    )
    with client.joining(site.pki.roots_pem) as joining:
        joining.register_controller("global_cntl_1", url_of(listener))

        def ask() -> object:
            return joining.send(
                sender_id="temp-1",
                recipient_id="global_cntl_1",
                message_type=VALIDATION,
                payload={},
            )

        for _ in range(5):
            assert ask()
        assert isinstance(raised(ask), TransientError)
    assert len(waits) == 1
    assert 1 <= waits[0] <= 12


@pytest.mark.attack(8)
def test_a_source_has_a_limited_number_of_connections(
    site: Site, listener: ControllerRESTServer, joiner: Member
) -> None:
    with contextlib.ExitStack() as stack:
        refused = 0
        for _ in range(30):
            sock = stack.enter_context(secured(context_of(site), listener.port))
            try:
                sock.sendall(b"GET /trust HTTP/1.1\r\nHost: x\r\n\r\n")
                refused += not sock.recv(100)
            except OSError:
                refused += 1
        assert refused == 10
        assert ask_from("127.0.0.2", site, listener, request_of(joiner)).status == 200


@pytest.mark.attack(20)
def test_a_large_request_of_a_stranger_is_not_read(
    site: Site, listener: ControllerRESTServer, joiner: Member
) -> None:
    raw = json.dumps({"x": "y" * 70_000}).encode()
    assert ask_from("127.0.0.1", site, listener, raw).status == 413
    assert ask_from("127.0.0.1", site, listener, request_of(joiner)).status == 200


def test_a_refused_peer_of_the_ordinary_port_is_told_so(site: Site) -> None:
    with site.server() as server, site.client(site.pki.rc, server) as client:
        error = raised(
            lambda: client.send(
                sender_id="temp-1",
                recipient_id="global_cntl_1",
                message_type=MessageType.DISCOVERY_REQUEST,
                payload={},
            )
        )
    assert isinstance(error, RefusedError)
    assert error.reason is Refusal.IDENTITY_MISMATCH
