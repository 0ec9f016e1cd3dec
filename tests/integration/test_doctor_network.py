"""`pdsno doctor` and the parent, its clock and the broker: over real TLS, refused and welcomed."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pdsno.cli import doctor_peers
from pdsno.cli.doctor_report import Finding, Outcome
from pdsno.domain import topics
from pdsno.domain.entities import ControllerStatus
from pdsno.settings import BrokerSettings, ParentSettings
from tests.integration.broker_rig import Rig, running_rig
from tests.integration.trust_rig import Site, make_site, url_of
from tests.integration.waiting import wait_until
from tests.pki import make_pki

OK, WARNING, FAILED, SKIPPED = Outcome


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_site(tmp_path_factory.mktemp("pki"))


def ask_parent(site: Site, url: str, *, of: str = "rc") -> tuple[Finding, Finding]:
    tls = site.expired(site.pki.rc).tls if of == "expired" else site.pki.rc.tls
    parent = ParentSettings(id="global_cntl_1", url=url)
    found, skew = doctor_peers.parent(parent, None, tls)
    return found, skew


def test_a_parent_that_takes_our_certificate_tells_its_clock(site: Site) -> None:
    with site.server() as server:
        found, skew = ask_parent(site, url_of(server))
    assert (found.outcome, skew.outcome) == (OK, OK)


def test_a_parent_that_blocked_us_says_so(site: Site) -> None:
    with site.server() as server:
        site.set_status(site.pki.rc, ControllerStatus.BLOCKED)
        try:
            found, _ = ask_parent(site, url_of(server))
        finally:
            site.set_status(site.pki.rc, ControllerStatus.ACTIVE)
        again, _ = ask_parent(site, url_of(server))
    assert found.outcome is FAILED
    assert "refuses us (403)" in found.detail
    assert again.outcome is OK


def test_a_certificate_that_has_expired_is_refused_with_what_to_do(site: Site) -> None:
    with site.server() as server:
        found, skew = ask_parent(site, url_of(server), of="expired")
    assert (found.outcome, skew.outcome) == (FAILED, SKIPPED)
    assert "expired" in found.detail
    assert "renew it" in found.remedy


def test_a_parent_of_another_system_is_recognized(site: Site, tmp_path: Path) -> None:
    stranger = make_pki(tmp_path / "other")
    with site.server() as server:
        parent = ParentSettings(id="global_cntl_1", url=url_of(server))
        found, _ = doctor_peers.parent(parent, None, stranger.rc.tls)
        wrong = ParentSettings(id="global_cntl_2", url=url_of(server))
        other, _ = doctor_peers.parent(wrong, None, site.pki.rc.tls)
    assert (found.outcome, other.outcome) == (FAILED, FAILED)
    assert "not issued under our root" in found.detail
    assert "certificate of somebody else" in other.detail


@contextmanager
def speaking(answer: bytes, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Answer one connection with these bytes, whatever was asked."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            plain, _ = server.accept()
            connection = context.wrap_socket(plain, server_side=True) if context else plain
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield int(server.getsockname()[1])
        thread.join(10)


def test_a_parent_whose_clock_is_far_off_is_told(site: Site) -> None:
    then = datetime.now(UTC) - timedelta(minutes=7)
    answer = (
        f"HTTP/1.1 200 OK\r\nDate: {then:%a, %d %b %Y %H:%M:%S GMT}\r\n"
        "Content-Length: 2\r\nConnection: close\r\n\r\n{}"
    ).encode()
    context = site.pki.gc.tls.server_context(requires_client=True)
    with speaking(answer, context) as port:
        found, skew = ask_parent(site, f"https://127.0.0.1:{port}")
    assert (found.outcome, skew.outcome) == (OK, FAILED)
    assert "420 s ahead of the parent's" in skew.detail


def test_what_is_no_controller_is_told(site: Site) -> None:
    context = site.pki.gc.tls.server_context(requires_client=True)
    with speaking(b"220 mail\r\n", context) as port:
        found, _ = ask_parent(site, f"https://127.0.0.1:{port}")
    assert found.outcome is FAILED
    assert "does not speak like a controller" in found.detail
    with speaking(b"220 mail\r\n") as port:
        found, _ = ask_parent(site, f"https://127.0.0.1:{port}")
    assert "no TLS on that port" in found.detail


def test_before_joining_the_join_listener_is_asked(site: Site) -> None:
    with site.server(requires_client=False, peers=None, trust=lambda: b"roots") as server:
        url = url_of(server)
        settings = ParentSettings(id="global_cntl_1", url=url, join_url=url)
        found, skew = doctor_peers.parent(settings, None, None)
    assert (found.outcome, skew.outcome) == (OK, SKIPPED)
    assert "join token" in found.detail
    away, _ = doctor_peers.parent(settings, None, None)
    assert away.outcome is FAILED


# --- the broker ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with running_rig() as running:
        yield running


def broker_at(rig: Rig, name: str = "broker_cntl_global_1") -> BrokerSettings:
    return BrokerSettings(host="127.0.0.1", port=rig.settings.port, id=name)


def test_a_broker_welcomes_a_certificate_of_its_own_system(rig: Rig, tmp_path: Path) -> None:
    good = doctor_peers.broker(broker_at(rig), rig.pki.lc.tls)
    assert good.outcome is OK, good
    stranger = make_pki(tmp_path / "other")
    bad = doctor_peers.broker(broker_at(rig), stranger.lc.tls)
    assert bad.outcome is FAILED
    assert "not issued under our root" in bad.detail
    assert doctor_peers.broker(broker_at(rig), None).outcome is SKIPPED


def test_a_greeting_takes_nothing_from_the_session_that_waits(rig: Rig) -> None:
    """A broker knows us by our certificate: to greet it is to come in place of the controller."""
    reader = rig.client(rig.pki.lc)
    reader.subscribe(topics.policy("zone-A"))
    reader.close()
    assert rig.client(rig.pki.rc).publish(topics.policy("zone-A"), b"while away") == "Success"
    assert doctor_peers.broker(broker_at(rig), rig.pki.lc.tls).outcome is OK
    again = rig.client(rig.pki.lc)
    wait_until(lambda: again.messages, "what waited")
    assert again.messages == [(topics.policy("zone-A"), b"while away")]


def test_a_bridge_s_other_end_is_known_by_its_certificate_alone(rig: Rig, tmp_path: Path) -> None:
    port, name = rig.settings.port, "broker_cntl_global_1"
    reader = rig.client(rig.pki.lc)
    assert doctor_peers.bridge("127.0.0.1", port, name, rig.pki.lc.tls).outcome is OK
    assert not reader.disconnects
    for host, other, said in (
        ("localhost", name, "certificate of somebody else"),
        ("127.0.0.1", "broker_cntl_global_2", "certificate of somebody else"),
    ):
        found = doctor_peers.bridge(host, port, other, rig.pki.lc.tls)
        assert (found.check, found.outcome) == ("bridge", FAILED)
        assert said in found.detail
    stranger = make_pki(tmp_path / "other")
    assert doctor_peers.bridge("127.0.0.1", port, name, stranger.lc.tls).outcome is FAILED


def test_a_broker_with_another_name_is_not_taken_for_ours(rig: Rig) -> None:
    found = doctor_peers.broker(broker_at(rig, "broker_cntl_global_2"), rig.pki.lc.tls)
    assert found.outcome is FAILED
    assert "certificate of somebody else" in found.detail


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [("2003000000", OK), ("2003008700", FAILED), ("2003009700", FAILED)],
)
def test_a_broker_without_tls_is_greeted(answer: str, outcome: Outcome) -> None:
    with speaking(bytes.fromhex(answer)) as port:
        found = doctor_peers.broker(BrokerSettings(host="127.0.0.1", port=port), None)
    assert found.outcome is outcome


def test_what_is_no_broker_is_told() -> None:
    with speaking(b"HTTP/1.1 400 Bad Request\r\n") as port:
        found = doctor_peers.broker(BrokerSettings(host="127.0.0.1", port=port), None)
    assert (found.outcome, "no MQTT 5" in found.detail) == (FAILED, True)
