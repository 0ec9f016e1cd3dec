"""Real TLS between controllers: who gets a connection, and what a renewal does to it."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
import requests
from cryptography.x509.oid import ExtendedKeyUsageOID
from requests.adapters import HTTPAdapter

from pdsno.domain.peers import server_name
from pdsno.identity.pki.contexts import client_context
from pdsno.identity.pki.tls_identity import TlsIdentity
from tests.pki import Member, Pki, copy_pki, make_pki, now_utc
from tests.unit.identity.forgery import (
    LC_DNS,
    Stolen,
    Wish,
    as_client,
    as_server,
    forge,
    self_signed,
    shake_hands,
    steal,
)

GC_DNS = server_name("global_cntl_1", None)
RC_DNS = server_name("regional_cntl_zone-A_1", "zone-A")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("original"))


@pytest.fixture
def pki(original: Pki, tmp_path: Path) -> Pki:
    return copy_pki(original, tmp_path)


@pytest.fixture
def regional(pki: Pki) -> Stolen:
    return steal(pki.directory / "rc" / "authority")


def renew(pki: Pki, member: Member) -> None:
    """Give a member of the global controller's authority its next certificate."""
    issued = pki.global_authority.issue_leaf(
        member.tls.new_request(),
        controller_id=member.controller_id,
        role=member.role,
        region=member.region,
        key_id=member.key_id,
        now=now_utc(),
    )
    member.tls.accept(issued.chain_pem)


def test_all_tiers_reach_one_another_and_see_who_is_there(pki: Pki) -> None:
    members = (pki.gc, pki.rc, pki.lc, pki.broker)
    for server in members:
        for client in members:
            name = server_name(server.controller_id, server.region)
            outcome = shake_hands(
                server.tls.server_context(requires_client=True), client.tls.client_context(), name
            )
            assert outcome.is_connected, outcome
            assert server.tls.peer(outcome.server_saw or b"") == client.tls.identity
            assert client.tls.peer(outcome.client_saw or b"") == server.tls.identity
            assert client.tls.identity.key_id == client.key_id
            seen = sha256(outcome.client_saw or b"").hexdigest()
            assert seen == server.tls.certificate_sha256


@pytest.mark.attack(22)
def test_without_a_certificate_only_the_join_listener_answers(pki: Pki) -> None:
    joiner = client_context(None, pki.roots_pem)
    refused = shake_hands(pki.gc.tls.server_context(requires_client=True), joiner, GC_DNS)
    assert not refused.is_connected
    joined = shake_hands(pki.gc.tls.server_context(requires_client=False), joiner, GC_DNS)
    assert joined.is_connected
    assert joined.server_saw is None


def test_another_systems_root_is_trusted_by_nobody(pki: Pki, tmp_path: Path) -> None:
    other = make_pki(tmp_path / "other")
    server = pki.gc.tls.server_context(requires_client=True)
    assert not shake_hands(server, other.rc.tls.client_context(), GC_DNS).is_connected
    assert not shake_hands(
        other.gc.tls.server_context(requires_client=False), pki.rc.tls.client_context(), GC_DNS
    ).is_connected
    assert shake_hands(server, pki.rc.tls.client_context(), GC_DNS).is_connected


@pytest.mark.attack(28)
def test_a_server_by_another_name_is_refused(pki: Pki) -> None:
    client = pki.lc.tls.client_context()
    listener = pki.rc.tls.server_context(requires_client=True)
    assert shake_hands(listener, client, RC_DNS).is_connected
    for name in (GC_DNS, LC_DNS, "127.0.0.1", "localhost"):
        assert not shake_hands(listener, client, name).is_connected


@pytest.mark.attack(28)
@pytest.mark.parametrize(
    ("wish", "as_caller", "as_listener"),
    [
        (Wish(), True, True),
        (Wish(not_before=timedelta(days=-8), not_after=timedelta(seconds=-1)), False, False),
        (Wish(not_before=timedelta(hours=1)), False, False),
        (Wish(uses=(ExtendedKeyUsageOID.SERVER_AUTH,)), False, True),
        (Wish(uses=(ExtendedKeyUsageOID.CLIENT_AUTH,)), True, False),
        (Wish(uses=(ExtendedKeyUsageOID.CODE_SIGNING,)), False, False),
    ],
    ids=["good", "expired", "not yet valid", "server only", "client only", "neither"],
)
def test_time_and_use_are_checked_by_both_ends(
    pki: Pki, regional: Stolen, wish: Wish, *, as_caller: bool, as_listener: bool
) -> None:
    forged = forge(regional, wish)
    called = shake_hands(
        pki.rc.tls.server_context(requires_client=True), as_client(forged, pki.roots_pem), RC_DNS
    )
    assert called.is_connected is as_caller
    listened = shake_hands(as_server(forged, pki.roots_pem), pki.rc.tls.client_context(), LC_DNS)
    assert listened.is_connected is as_listener


def test_a_self_signed_certificate_is_refused(pki: Pki) -> None:
    own = self_signed()
    for forged in (own, forge(own, Wish())):
        called = shake_hands(
            pki.rc.tls.server_context(requires_client=True),
            as_client(forged, pki.roots_pem),
            RC_DNS,
        )
        assert not called.is_connected
        listener = as_server(forged, pki.roots_pem)
        assert not shake_hands(listener, pki.rc.tls.client_context(), LC_DNS).is_connected


def test_a_leaf_without_those_above_it_is_refused(pki: Pki, regional: Stolen) -> None:
    leaf = forge(regional, Wish())
    alone = Stolen(issuer=leaf.issuer, chain=leaf.chain[:1])
    server = pki.rc.tls.server_context(requires_client=True)
    assert not shake_hands(server, as_client(alone, pki.roots_pem), RC_DNS).is_connected
    assert shake_hands(server, as_client(leaf, pki.roots_pem), RC_DNS).is_connected


def test_nothing_older_than_tls_1_3_is_spoken(pki: Pki) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(cadata=pki.roots_pem)
    listener = pki.gc.tls.server_context(requires_client=False)
    assert shake_hands(listener, old, GC_DNS).is_connected
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    assert not shake_hands(listener, old, GC_DNS).is_connected


# --- renewal ---------------------------------------------------------------------------------


@contextmanager
def echoing(context: ssl.SSLContext) -> Iterator[tuple[str, int]]:
    """Serve TLS connections that answer what they hear, many at once."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def answer(connection: socket.socket) -> None:
        try:
            with closing(context.wrap_socket(connection, server_side=True)) as tls:
                while heard := tls.recv(100):
                    tls.sendall(heard)
        except OSError:
            connection.close()

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.settimeout(20)
            threads.append(threading.Thread(target=answer, args=(connection,)))
            threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield listener.getsockname()
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        for thread in threads:
            thread.join()


def connect(
    context: ssl.SSLContext, address: tuple[str, int], *, session: ssl.SSLSession | None = None
) -> ssl.SSLSocket:
    raw = socket.create_connection(address, timeout=20)
    return context.wrap_socket(raw, server_hostname=GC_DNS, session=session)


def said(tls: ssl.SSLSocket, text: bytes) -> bytes:
    tls.sendall(text)
    return tls.recv(100)


def seen(tls: ssl.SSLSocket) -> str:
    return sha256(tls.getpeercert(binary_form=True) or b"").hexdigest()


def test_a_renewal_leaves_connections_alone_and_counts_for_new_ones(pki: Pki) -> None:
    server, client = pki.gc.tls.server_context(requires_client=True), pki.rc.tls.client_context()
    before = pki.gc.tls.certificate_sha256
    with echoing(server) as address, closing(connect(client, address)) as old:
        assert said(old, b"one") == b"one"
        renew(pki, pki.gc)
        assert pki.gc.tls.certificate_sha256 != before
        with closing(connect(client, address)) as new:
            assert said(new, b"two") == b"two"
            assert seen(new) == pki.gc.tls.certificate_sha256
        assert said(old, b"three") == b"three"
        assert seen(old) == before


def test_a_client_that_was_renewed_shows_its_new_certificate(pki: Pki) -> None:
    client = pki.rc.tls.client_context()
    renew(pki, pki.rc)
    outcome = shake_hands(pki.gc.tls.server_context(requires_client=True), client, GC_DNS)
    assert outcome.is_connected
    assert sha256(outcome.server_saw or b"").hexdigest() == pki.rc.tls.certificate_sha256


def test_a_session_is_not_resumed_past_the_certificate(pki: Pki) -> None:
    server, client = pki.gc.tls.server_context(requires_client=True), pki.rc.tls.client_context()
    with echoing(server) as address:
        with closing(connect(client, address)) as first:
            assert said(first, b"x") == b"x"
            session = first.session
        with closing(connect(client, address, session=session)) as second:
            assert said(second, b"x") == b"x"
            assert not second.session_reused


def test_no_handshake_fails_while_certificates_are_renewed(pki: Pki) -> None:
    server, client = pki.gc.tls.server_context(requires_client=True), pki.rc.tls.client_context()
    done, errors, shown = threading.Event(), [], set[str]()

    def keep_connecting(address: tuple[str, int]) -> None:
        while not done.is_set():
            try:
                with closing(connect(client, address)) as tls:
                    assert said(tls, b"x") == b"x"
                    shown.add(seen(tls))
            except (OSError, AssertionError) as error:
                errors.append(error)
                return

    with echoing(server) as address:
        callers = [threading.Thread(target=keep_connecting, args=(address,)) for _ in range(4)]
        for caller in callers:
            caller.start()
        for _ in range(12):
            renew(pki, pki.gc)
            renew(pki, pki.rc)
        done.set()
        for caller in callers:
            caller.join()
    assert errors == []
    assert len(shown) > 1


# --- libraries that are given our contexts ---------------------------------------------------


class _Adapter(HTTPAdapter):
    """A careless user of requests: the context, and nothing else set."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: object, **kwargs: object) -> None:
        kwargs["ssl_context"] = self._context
        super().init_poolmanager(*args, **kwargs)  # type: ignore[arg-type]


def test_roots_that_a_library_adds_are_not_trusted(pki: Pki, tmp_path: Path) -> None:
    """As requests does with the public authorities, to any context that it is given."""
    context = pki.rc.tls.client_context()
    other = make_pki(tmp_path / "other")
    context.load_verify_locations(cadata=other.roots_pem)
    foreign = other.gc.tls.server_context(requires_client=False)
    assert not shake_hands(foreign, context, GC_DNS).is_connected
    ours = pki.gc.tls.server_context(requires_client=True)
    assert shake_hands(ours, context, GC_DNS).is_connected


def test_a_library_cannot_switch_verification_off(pki: Pki, tmp_path: Path) -> None:
    context = pki.rc.tls.client_context()
    other = make_pki(tmp_path / "other")
    with (
        echoing(other.gc.tls.server_context(requires_client=False)) as (host, port),
        requests.Session() as session,
    ):
        session.mount("https://", _Adapter(context))
        with pytest.raises(ValueError, match="check_hostname"):
            session.get(f"https://{host}:{port}/", verify=False, timeout=10)
        context.check_hostname = False
        with pytest.raises(requests.exceptions.SSLError):
            session.get(f"https://{host}:{port}/", verify=False, timeout=10)


def test_a_restarted_process_shows_the_renewed_certificate(pki: Pki) -> None:
    renew(pki, pki.rc)
    again = TlsIdentity(pki.directory / "rc" / "tls")
    assert again.identity == pki.rc.tls.identity
    outcome = shake_hands(
        pki.gc.tls.server_context(requires_client=True), again.client_context(), GC_DNS
    )
    assert outcome.is_connected
