"""REST over mutual TLS: who gets in, who does not, and what is said about it."""

import ssl
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pdsno.communication import rest_protocol
from pdsno.communication.rest_protocol import ConnectionLimits
from pdsno.domain.entities import ControllerStatus
from pdsno.domain.errors import InputError, OperationError, Refusal, RefusedError
from pdsno.domain.identifiers import Role
from pdsno.identity.pki.authority import Lifetimes
from pdsno.identity.pki.vault import AuthorityVault, TlsIdentity
from tests.integration.trust_rig import (
    GC_NAME,
    Site,
    ask,
    connection_of,
    make_site,
    post,
    sealed,
    secured,
)
from tests.integration.waiting import wait_until
from tests.pki import Member, make_member, make_pki

LIFE = timedelta(seconds=3)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(tmp_path)


def tls_of(member: Member) -> ssl.SSLContext:
    return member.tls.client_context()


def is_refused(context: ssl.SSLContext, port: int) -> bool:
    """Tell whether a server does not answer a request on a connection of this context."""
    try:
        with secured(context, port) as sock:
            sock.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            return not sock.recv(100).startswith(b"HTTP/1.1 200")
    except OSError:
        return True


# --- who gets in -------------------------------------------------------------------------------


def test_both_ends_see_who_the_other_is(site: Site) -> None:
    rc, gc = site.pki.rc, site.pki.gc
    with site.server() as server, site.client(rc, server) as client:
        reply = ask(client, rc)
    assert reply is not None
    assert reply.channel is not None
    assert reply.channel.certificate_sha256 == gc.tls.certificate_sha256
    channel = site.got[0].channel
    assert channel is not None
    assert channel.peer is not None
    assert (channel.peer.controller_id, channel.peer.key_id) == (rc.controller_id, rc.key_id)
    assert channel.certificate_sha256 == rc.tls.certificate_sha256
    assert channel.address == "127.0.0.1"


@pytest.mark.attack(12)
@pytest.mark.parametrize(
    "status", [ControllerStatus.REVOKED, ControllerStatus.BLOCKED, ControllerStatus.LOCKED]
)
def test_who_is_revoked_is_refused_on_its_next_request_of_a_live_connection(
    site: Site, status: ControllerStatus
) -> None:
    rc, lc = site.pki.rc, site.pki.lc
    with site.server() as server, connection_of(rc, server) as live, connection_of(lc, server) as o:
        assert post(live, sealed(rc)).status == 200
        assert post(o, sealed(lc)).status == 200
        site.set_status(rc, status)
        refused = post(live, sealed(rc))
        assert (refused.status, refused.reason) == (403, status.name)
        assert refused.headers["Connection"] == "close"
        assert post(o, sealed(lc)).status == 200
        with connection_of(rc, server) as again:
            assert post(again, sealed(rc)).reason == status.name
        site.set_status(rc, ControllerStatus.ACTIVE)
        with connection_of(rc, server) as again:
            assert post(again, sealed(rc)).status == 200
    assert [m.sender_id for m in site.got].count(rc.controller_id) == 2


@pytest.mark.attack(17)
def test_a_connection_speaks_for_its_own_controller_only(site: Site) -> None:
    rc, lc = site.pki.rc, site.pki.lc
    with site.server() as server, connection_of(rc, server) as live:
        refused = post(live, sealed(lc))
        assert (refused.status, refused.reason) == (401, "IDENTITY_MISMATCH")
        assert not site.got
        assert post(live, sealed(rc)).status == 200
        with connection_of(lc, server) as own:
            assert post(own, sealed(lc)).status == 200


@pytest.mark.attack(17)
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"role": Role.REGIONAL}, "IDENTITY_MISMATCH"),
        ({"region": "zone-B"}, "IDENTITY_MISMATCH"),
        ({"controller_id": "local_cntl_zone-A_9"}, "IDENTITY_MISMATCH"),
        ({"key_id": "B" * 43}, "UNKNOWN_KEY"),
        ({}, None),
    ],
    ids=["role", "region", "ID", "key", "as in the NIB"],
)
def test_a_certificate_counts_only_as_the_nib_has_it(
    site: Site, tmp_path: Path, changes: dict[str, Any], reason: str | None
) -> None:
    lc = site.pki.lc
    says: dict[str, Any] = {
        "controller_id": lc.controller_id,
        "role": Role.LOCAL,
        "region": "zone-A",
        "key_id": lc.key_id,
    }
    tls = TlsIdentity(tmp_path / "other")
    authority = site.pki.global_authority  # which may write what it likes
    issued = authority.issue_leaf(tls.new_request(), now=datetime.now(UTC), **says | changes)
    tls.accept(issued.chain_pem, authority.roots_pem)
    other = Member(
        controller_id=lc.controller_id, role=lc.role, region=lc.region, signer=lc.signer, tls=tls
    )
    with site.server() as server, connection_of(other, server) as live:
        assert post(live, sealed(other)).reason == reason
    assert len(site.got) == (0 if reason else 1)


@pytest.mark.attack(22)
def test_without_a_certificate_nothing_is_answered_by_any_route(site: Site) -> None:
    context = ssl.create_default_context(cadata=site.pki.roots_pem)
    with site.server() as server:
        for route in server.app.routes:
            path = getattr(route, "path", "/")
            with pytest.raises(OSError), secured(context, server.port) as sock:  # noqa: PT011, PT012 - an alert or a reset
                sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                while sock.recv(1000):
                    pytest.fail(f"{path} was answered")
                raise ConnectionResetError
        assert not is_refused(tls_of(site.pki.rc), server.port)


@pytest.mark.attack(22)
def test_openssl_without_a_certificate_is_refused(site: Site, tmp_path: Path) -> None:
    roots = tmp_path / "roots.pem"
    roots.write_text(site.pki.roots_pem)
    own = site.pki.rc.tls.certificate_file
    with site.server() as server:

        def asks(*options: str) -> str:
            command = (
                f"openssl s_client -connect 127.0.0.1:{server.port} -servername {GC_NAME}"
                f" -CAfile {roots} -verify_return_error -quiet -no_ign_eof"
            )
            done = subprocess.run(
                [*command.split(), *options],
                input=b"GET /health HTTP/1.0\r\n\r\n",
                capture_output=True,
                timeout=20,
                check=False,
            )
            return (done.stdout + done.stderr).decode(errors="replace")

        own_options = ["-cert", str(own), "-cert_chain", str(own), "-key", str(own)]
        assert "certificate required" in asks("-ign_eof")
        assert '"status":"ok"' in asks("-ign_eof", *own_options)
        for old in ("-tls1_2", "-tls1_1", "-tls1"):
            said = asks(old, "-cipher", "DEFAULT@SECLEVEL=0", *own_options)
            assert "ok" not in said.split("read:")[0]
            assert "alert" in said or "no protocols available" in said


def self_signed(directory: Path) -> ssl.SSLContext:
    directory.mkdir()
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1"
        f" -subj /O=pdsno/OU=global/OU=global/CN=global_cntl_1 -keyout {key} -out {certificate}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(certificate, key)
    return context


@pytest.mark.attack(28)
def test_certificates_of_others_and_expired_ones_are_refused(site: Site, tmp_path: Path) -> None:
    stranger = make_pki(tmp_path / "elsewhere").rc
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    trusting.load_cert_chain(stranger.tls.certificate_file)
    late = site.expired(site.pki.rc)
    with site.server() as server:
        assert is_refused(trusting, server.port)
        assert is_refused(self_signed(tmp_path / "self"), server.port)
        assert is_refused(tls_of(late), server.port)
        assert not is_refused(tls_of(site.pki.rc), server.port)


@pytest.mark.attack(28)
def test_a_certificate_that_expires_on_a_live_connection_counts_no_more(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    rc = site.pki.rc
    brief = AuthorityVault(
        tmp_path / "gc" / "authority", lifetimes=Lifetimes(leaf=LIFE)
    ).authority()
    assert brief is not None
    member = make_member(
        brief,
        tmp_path / "short",
        rc.controller_id,
        Role.REGIONAL,
        "zone-A",
        signer=rc.signer,
    )
    with site.server() as server, connection_of(member, server) as live:
        assert post(live, sealed(member)).status == 200
        wait_until(lambda: datetime.now(UTC) > member.tls.not_after, "the certificate to expire")
        refused = post(live, sealed(member))
        assert (refused.status, refused.reason) == (401, "CERTIFICATE_EXPIRED")


def test_parallel_connections_of_two_controllers_never_mix(site: Site) -> None:
    members = [site.pki.rc, site.pki.lc]

    def call(number: int) -> tuple[str, str]:
        member = members[number % 2]
        with connection_of(member, server) as live:
            for _ in range(3):
                live.request("GET", "/peer")
                seen = live.getresponse().read().decode()
                assert member.tls.certificate_sha256 in seen
                answer = post(live, sealed(member, payload={"n": number}))
                assert answer.status == 200
        return member.controller_id, member.tls.certificate_sha256

    with site.server() as server, ThreadPoolExecutor(60) as pool:
        list(pool.map(call, range(60)))
    assert len(site.got) == 180
    for message in site.got:
        assert message.channel is not None
        assert message.channel.peer is not None
        assert message.channel.peer.controller_id == message.sender_id
        assert message.sender_id == members[message.payload["n"] % 2].controller_id


@pytest.mark.attack(22)
def test_info_needs_an_admitted_peer_and_health_any_peer(site: Site) -> None:
    rc = site.pki.rc
    with site.server() as server, site.client(rc, server) as client:
        assert client.get_info("global_cntl_1")["role"] == "global"
        site.set_status(rc, ControllerStatus.REVOKED)
        with pytest.raises(RefusedError) as caught:
            client.get_info("global_cntl_1")
        assert caught.value.reason is Refusal.REVOKED
        assert client.check_health("global_cntl_1")


# --- the server itself -------------------------------------------------------------------------


def test_a_server_that_cannot_see_certificates_does_not_start(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site.server(starts=False) as server:
        monkeypatch.setattr(rest_protocol, "_certificate", lambda _transport: None)
        with pytest.raises(OperationError, match="does not see its clients' certificates"):
            server.start_background()
        assert not server.is_serving
        monkeypatch.undo()
        server.start_background()
        assert server.is_serving


def test_a_server_that_demands_certificates_needs_to_know_whose_count(site: Site) -> None:
    with pytest.raises(InputError, match="peers="), site.server(peers=None, starts=False):
        pass


def test_an_old_connection_ends_with_its_next_answer(site: Site) -> None:
    rc = site.pki.rc
    with (
        site.server(limits=ConnectionLimits(life_s=0.5)) as server,
        connection_of(rc, server) as live,
    ):
        assert post(live, sealed(rc)).headers["Connection"] is None
        closing: list[str | None] = []

        def is_closing() -> bool:
            closing.append(post(live, sealed(rc)).headers["Connection"])
            return closing[-1] == "close"

        wait_until(is_closing, "the end of the connection")
        with pytest.raises(OSError):  # noqa: PT011 - closed, one way or the other
            post(live, sealed(rc))


def test_server_and_client_show_a_renewed_certificate_at_once(site: Site) -> None:
    rc, gc = site.pki.rc, site.pki.gc

    with site.server() as server, site.client(rc, server) as client:
        ask(client, rc)
        old = [site.renew(rc), site.renew(gc)]
        reply = ask(client, rc)
    assert reply is not None
    assert reply.channel is not None
    assert site.got[-1].channel is not None
    assert reply.channel.certificate_sha256 == gc.tls.certificate_sha256 != old[1]
    assert site.got[-1].channel.certificate_sha256 == rc.tls.certificate_sha256 != old[0]
