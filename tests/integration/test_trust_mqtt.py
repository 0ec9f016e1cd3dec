"""Our MQTT client over TLS: which brokers it speaks to, and sessions that outlast certificates."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pdsno.communication.mqtt_client import ControllerMQTTClient
from pdsno.controllers.seen_journal import SeenJournal
from pdsno.domain import topics
from pdsno.domain.errors import InputError, OperationError, RefusedError, TransientError
from pdsno.domain.messages import MessageType
from pdsno.domain.peers import PeerIdentity
from pdsno.identity.directory import NIBVerifier
from pdsno.identity.pki.authority import Authority
from pdsno.nib import NIBStore
from tests.integration.broker_rig import Rig, running_rig
from tests.integration.ears import Ears
from tests.integration.trust_rig import raised
from tests.integration.waiting import holds_for, wait_until
from tests.pki import Member, make_pki, record_of

EVENT, REPORT = MessageType.SYSTEM_EVENT, MessageType.DISCOVERY_REPORT
LC, RC = "local_cntl_zone-A_1", "regional_cntl_zone-A_1"
FIRST = 10_000
REPORTS = topics.discovery("zone-A", LC)


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with running_rig() as running:
        yield running


@pytest.fixture(scope="module")
def nib(rig: Rig) -> NIBStore:
    store = NIBStore("memory://")
    with store.transaction() as tx:
        for member in rig.members:
            tx.put_controller(record_of(member), expected_version=None)
    return store


@dataclass
class Watched:
    """A TLS identity that tells which certificates it showed."""

    member: Member
    shown: list[str]

    @property
    def certificate_sha256(self) -> str:
        return self.member.tls.certificate_sha256

    def server_context(self, *, requires_client: bool) -> ssl.SSLContext:
        return self.member.tls.server_context(requires_client=requires_client)

    def client_context(self) -> ssl.SSLContext:
        self.shown.append(self.certificate_sha256)
        return self.member.tls.client_context()

    def peer(self, certificate: bytes) -> PeerIdentity:
        return self.member.tls.peer(certificate)


Connect = Callable[..., ControllerMQTTClient]


@pytest.fixture
def connect(rig: Rig, nib: NIBStore) -> Iterator[Connect]:
    clients: list[ControllerMQTTClient] = []

    def connected(member: Member, *, wait: bool = True, **changes: Any) -> ControllerMQTTClient:  # noqa: ANN401 - of the client
        arguments: dict[str, Any] = {
            "broker_host": "127.0.0.1",
            "broker_port": rig.settings.port,
            "signer": member.signer,
            "verifier": NIBVerifier(nib),
            "tls": member.tls,
            "broker_id": rig.broker_member.controller_id,
        }
        client = ControllerMQTTClient(member.controller_id, **arguments | changes)
        clients.append(client)
        if wait:
            client.connect()
        return client

    yield connected
    for client in clients:
        client.disconnect()


def failure_of(client: ControllerMQTTClient) -> OperationError:
    error = raised(lambda: client.connect(timeout_s=3))
    assert isinstance(error, TransientError)
    assert "\n" not in str(error)
    return error


def renew(member: Member, authority: Authority) -> None:
    issued = authority.issue_leaf(
        member.tls.new_request(),
        controller_id=member.controller_id,
        role=member.role,
        region=member.region,
        key_id=member.key_id,
        now=datetime.now(UTC),
    )
    member.tls.accept(issued.chain_pem)


# --- which broker ------------------------------------------------------------------------------


def test_messages_pass_between_those_whom_the_broker_knows(rig: Rig, connect: Connect) -> None:
    ears, rc, lc = Ears(), connect(rig.pki.rc), connect(rig.pki.lc)
    rc.subscribe(topics.discovery_all("zone-A"), ears)
    assert lc.publish(REPORTS, REPORT, {"n": 1}).has_subscribers
    wait_until(lambda: 1 in ears.numbers, "the report")
    with pytest.raises(RefusedError):
        lc.publish(topics.policy("zone-A"), REPORT, {"n": 2})


@pytest.mark.attack(28)
def test_a_broker_of_another_name_is_not_spoken_to(rig: Rig, connect: Connect) -> None:
    for changes in ({"broker_id": "broker_cntl_global_2"}, {"broker_region": "zone-A"}):
        client = connect(rig.pki.lc, wait=False, **changes)
        assert "the certificate of somebody else" in str(failure_of(client))
    assert connect(rig.pki.lc).is_connected


@pytest.mark.attack(28)
def test_a_broker_of_another_root_is_not_spoken_to(
    rig: Rig, connect: Connect, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stranger = make_pki(tmp_path_factory.mktemp("other")).lc
    text = str(failure_of(connect(stranger, wait=False)))
    assert "not issued under our root" in text
    assert "mosquitto" not in text
    assert connect(rig.pki.lc).is_connected


@contextmanager
def tls_server(context: ssl.SSLContext | None) -> Iterator[int]:
    """Accept connections, over TLS or plain, and say nothing."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                peer = listener.accept()[0]
            except OSError:
                return
            with peer:
                peer.settimeout(5)
                try:
                    if context is not None:
                        context.wrap_socket(peer, server_side=True).close()
                    elif peer.recv(1000):
                        peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                except OSError:
                    continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@pytest.mark.attack(28)
def test_a_broker_whose_certificate_has_expired_is_not_spoken_to(
    rig: Rig, connect: Connect, tmp_path_factory: pytest.TempPathFactory
) -> None:
    past = make_pki(tmp_path_factory.mktemp("past"), now=datetime.now(UTC) - timedelta(days=8))
    renew(past.lc, past.regional_authority)
    with tls_server(past.broker.tls.server_context(requires_client=True)) as port:
        text = str(failure_of(connect(past.lc, wait=False, broker_port=port)))
    assert "its certificate has expired" in text
    assert connect(rig.pki.lc).is_connected


@pytest.mark.attack(28)
def test_a_broker_without_tls_is_not_spoken_to(rig: Rig, connect: Connect) -> None:
    with tls_server(None) as port:
        text = str(failure_of(connect(rig.pki.lc, wait=False, broker_port=port)))
    assert "there is no TLS on that port" in text


def test_a_certificate_that_the_broker_does_not_accept_is_told(
    rig: Rig, connect: Connect, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """It trusts our root and we are of another: TLS 1.3 tells us only after the handshake."""
    stranger = make_pki(tmp_path_factory.mktemp("other")).lc

    class Mixed(Watched):
        def client_context(self) -> ssl.SSLContext:
            context = ssl.create_default_context(cadata=rig.pki.roots_pem)
            context.load_cert_chain(stranger.tls.certificate_file)
            return context

    client = connect(stranger, wait=False, tls=Mixed(stranger, []))
    assert "our certificate may have expired, or be of another root" in str(failure_of(client))


def test_over_tls_the_broker_must_be_named(rig: Rig) -> None:
    with pytest.raises(InputError, match="broker_id="):
        ControllerMQTTClient(LC, "127.0.0.1", 8883, tls=rig.pki.lc.tls)


@pytest.mark.parametrize("host", ["192.0.2.1", "0.0.0.0", "2001:db8::1", "no.such.host.invalid"])
def test_without_tls_only_this_machine_is_spoken_to(host: str) -> None:
    with pytest.raises(InputError, match="not loopback: without TLS"):
        ControllerMQTTClient(LC, host)
    for good in ("127.0.0.1", "::1", "localhost"):
        assert ControllerMQTTClient(LC, good).broker.startswith(good)


def test_a_name_that_resolves_elsewhere_later_is_not_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    client = ControllerMQTTClient(LC, "127.0.0.1", listener.getsockname()[1])
    monkeypatch.setattr("pdsno.communication.embedding.is_loopback", lambda _address: False)
    text = str(failure_of(client))
    assert "127.0.0.1 is not loopback, and TLS is not used" in text
    listener.close()


# --- sessions ----------------------------------------------------------------------------------


def test_the_session_waits_though_the_broker_names_clients_itself(
    rig: Rig, connect: Connect
) -> None:
    """use_username_as_clientid: our client ID is ignored, the subject counts."""
    rc, lc, ears = connect(rig.pki.rc), connect(rig.pki.lc), Ears()
    rc.subscribe(topics.discovery_all("zone-A"), ears)
    rc.disconnect()
    for number in range(20):
        lc.publish(REPORTS, REPORT, {"n": number})
    before = list(ears.numbers)
    assert holds_for(lambda: ears.numbers == before, 0.2)
    rc.connect()
    wait_until(lambda: ears.numbers[-20:] == list(range(20)), "what was kept for us")


def test_a_renewed_certificate_is_shown_without_losing_a_message(
    rig: Rig, connect: Connect
) -> None:
    watched = Watched(rig.pki.lc, [])
    ears, rc, lc = Ears(), connect(rig.pki.rc), connect(rig.pki.lc, tls=watched)
    rc.subscribe(topics.discovery_all("zone-A"), ears)
    stop, sent, failures = threading.Event(), [], []

    def publish(start: int) -> None:
        number = start
        while not stop.is_set():
            try:
                lc.publish(REPORTS, REPORT, {"n": number})
            except OperationError as error:
                failures.append(error)
            sent.append(number)
            number += 4

    threads = [threading.Thread(target=publish, args=(FIRST + n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        before = len(sent)
        wait_until(lambda b=before: len(sent) > b + 20, "traffic")  # type: ignore[misc]
        renew(rig.pki.lc, rig.pki.regional_authority)
        newest = rig.pki.lc.tls.certificate_sha256
        wait_until(lambda n=newest: watched.shown[-1] == n, "the new one to be shown")  # type: ignore[misc]
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    # What earlier tests left in the session comes as well.
    wait_until(lambda: set(ears.numbers) >= set(sent), "all that was sent")
    assert [n for n in ears.numbers if n >= FIRST] == sorted(sent, key=ears.numbers.index)
    assert len(set(watched.shown)) == 4
    assert rc.refused == {}


def test_who_receives_renews_without_losing_a_message(rig: Rig, connect: Connect) -> None:
    watched = Watched(rig.pki.rc, [])
    ears, rc, lc = Ears(), connect(rig.pki.rc, tls=watched), connect(rig.pki.lc)
    rc.subscribe(topics.discovery_all("zone-A"), ears)
    for number in range(60):
        if number % 20 == 10:
            renew(rig.pki.rc, rig.pki.global_authority)
            rc.reconnect()
            rc.reconnect()  # nothing newer to show
        lc.publish(REPORTS, REPORT, {"n": number}, stream_id="s", seq=number + 1)
    wait_until(lambda: set(ears.numbers) == set(range(60)), "all that was sent")
    assert len(watched.shown) == len(set(watched.shown)) == 4


def test_reconnecting_before_connecting_does_nothing(rig: Rig, connect: Connect) -> None:
    client = connect(rig.pki.lc, wait=False)
    client.reconnect()
    assert not client.is_connected


# --- once --------------------------------------------------------------------------------------


@pytest.mark.attack(19)
def test_a_replay_is_refused_after_a_restart_of_the_receiver(
    rig: Rig, nib: NIBStore, connect: Connect
) -> None:
    raw: list[bytes] = []
    topic = topics.events("zone-A")
    tap = rig.client(rig.lc2)
    tap.subscribe(topic)
    first, lc_ears = Ears(), Ears()
    lc = connect(rig.pki.lc, journal=SeenJournal(nib))
    lc.subscribe(topic, first)
    lc.subscribe("pdsno/events/+", lc_ears)
    connect(rig.pki.rc).publish(topic, EVENT, {"n": 1})
    wait_until(lambda: first.numbers == lc_ears.numbers == [1], "the event, for both subscriptions")
    wait_until(lambda: tap.messages, "the event at the tap")
    raw = [payload for _, payload in tap.messages]
    tap.close()
    lc.disconnect()
    again, ears = connect(rig.pki.lc, journal=SeenJournal(nib)), Ears()
    again.subscribe(topic, ears)
    thief = rig.client(rig.pki.rc)
    thief.publish(topic, raw[0])
    thief.close()  # else it would take the session of later tests
    # One copy for each subscription that the session has kept.
    wait_until(lambda: again.refused.get("REPLAYED", 0) >= 1, "the refusal")
    assert holds_for(lambda: ears.numbers == [], 0.2)
    connect(rig.pki.rc).publish(topic, EVENT, {"n": 2})
    wait_until(lambda: ears.numbers == [2], "a new event")
