"""Certificates that live seconds: three tiers and a broker go on, and nobody has to help."""

import contextlib
import http.client
import itertools
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from pdsno.communication.http_client import ControllerHTTPClient
from pdsno.controllers.base_controller import BaseController
from pdsno.controllers.global_controller import GlobalController
from pdsno.controllers.local_controller import LocalController
from pdsno.controllers.member_controller import MemberController
from pdsno.controllers.membership import Membership
from pdsno.controllers.regional_controller import RegionalController
from pdsno.domain.entities import ControllerStatus
from pdsno.domain.identifiers import Role
from pdsno.domain.messages import MessageType
from pdsno.domain.peers import server_name
from pdsno.identity.joiner import Send
from pdsno.identity.pki.authority import Authority, Lifetimes
from pdsno.node.run import Node
from pdsno.settings import NodeSettings, ParentSettings
from tests.acceptance.support import environment, pdsno_argv
from tests.integration.brokered import BROKER, Site, brokered_site, may_publish
from tests.integration.identity_rig import Stranger
from tests.integration.identity_rig import site_of as validators_of
from tests.integration.tiers import Tiers, addresses, free_port, policy, three, url_of
from tests.integration.trust_rig import secured
from tests.integration.waiting import wait_until

SHORT = Lifetimes(
    global_authority=timedelta(seconds=60),
    regional_authority=timedelta(seconds=60),
    leaf=timedelta(seconds=20),
)
SOAK_S = 180
TROUBLE = frozenset(
    {
        "loop_step_failed",
        "loop_step_crashed",
        "message_refused",
        "mqtt_disconnected",
        "mqtt_handler_failed",
        "mqtt_message_refused",
        "mqtt_publish_failed",
        "mqtt_unreachable",
        "renewal_refused",
        "rest_retry",
        "relay_failed",
    }
)
"""Log events that tell of a call that failed, even if another one made up for it."""


# --- the soak ------------------------------------------------------------------------------------


@dataclass
class Soak:
    """Callers that do not stop, and what came of their calls."""

    site: Site
    gc: GlobalController
    rc: RegionalController
    lc: LocalController
    calls: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    seen: dict[str, set[str]] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)

    def keep(self, name: str, call: Callable[[], object], pause_s: float) -> threading.Thread:
        def run() -> None:
            while not self.stop.is_set():
                try:
                    call()
                except Exception as error:  # noqa: BLE001 - each failure is told at the end
                    self.failures.append(f"{name}: {type(error).__name__}: {error}")
                self.calls[name] += 1
                self.stop.wait(pause_s)

        thread = threading.Thread(target=run, name=name)
        thread.start()
        return thread

    def status(self, child: MemberController, parent: BaseController) -> None:
        reply = child.http_client.send(
            sender_id=child.controller_id,
            recipient_id=parent.controller_id,
            message_type=MessageType.STATUS,
            payload=child._status(),
            retries=0,
        )
        assert reply is not None

    def handshake(self, child: MemberController, parent: BaseController) -> None:
        """Make a connection of its own, as a client that was just started does."""
        assert parent.rest_server is not None
        assert child.options.tls is not None
        name = server_name(parent.controller_id, parent.region)
        context = child.options.tls.client_context()
        with secured(context, parent.rest_server.port, name=name) as sock:
            line = http.client.HTTPConnection("127.0.0.1")
            line.sock = sock
            line.request("GET", "/info", headers={"Connection": "close"})
            assert line.getresponse().status == 200

    def publish(self) -> None:
        assert may_publish(self.lc)

    def report(self, addresses_of: Iterator[int]) -> None:
        """Let a new device be found, and wait until the global controller knows it."""
        number = next(addresses_of)
        address = f"192.0.2.{number % 200 + 1}"
        self.site.tiers.hosts = {address: f"02:00:00:00:00:{number % 200:02x}"}
        self.lc.run_discovery_cycle()
        wait_until(lambda: address in addresses(self.gc), f"the report of {address}", 30)

    def push_policy(self, numbers: Iterator[int]) -> None:
        new = self.gc.apply_policy(policy("zone-A", interval_s=3600 + next(numbers)))
        for member in (self.rc, self.lc):

            def has_it(member: MemberController = member) -> bool:
                known = member.nib_store.policy()
                return known is not None and (known.epoch, known.version) >= (
                    new.epoch,
                    new.version,
                )

            wait_until(has_it, f"policy {new.version} at {member.controller_id}", 30)

    def look(self) -> None:
        """Count the certificates that are shown."""
        places = {member.controller_id: member.options for member in (self.gc, self.rc, self.lc)}
        for name, options in places.items():
            if options.tls is not None:
                self.seen.setdefault(name, set()).add(options.tls.certificate_sha256)
            authority = options.authority.authority() if options.authority else None
            if authority is not None:
                self.seen.setdefault(f"CA of {name}", set()).add(authority.not_after.isoformat())


@pytest.mark.timeout(420)
def test_for_three_minutes_certificates_come_and_go_and_no_call_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tell: Callable[[str], None]
) -> None:
    with capture_logs() as logs, brokered_site(tmp_path, lifetimes=SHORT) as site:
        monkeypatch.setattr("pdsno.controllers.local_controller.observe", site.tiers.observe)
        broker = site.joined_broker()
        rc, lc = site.connected()
        soak = Soak(site, site.gc, rc, lc)
        soak.status(lc, rc)
        first = len(logs)
        numbers, versions = itertools.count(1), itertools.count(1)
        threads = [
            soak.keep("status of the LC", lambda: soak.status(lc, rc), 0.1),
            soak.keep("status of the RC", lambda: soak.status(rc, site.gc), 0.1),
            soak.keep("new connection to the RC", lambda: soak.handshake(lc, rc), 0.5),
            soak.keep("new connection to the GC", lambda: soak.handshake(rc, site.gc), 0.5),
            soak.keep("MQTT publish", soak.publish, 0.1),
            soak.keep("report through both tiers", lambda: soak.report(numbers), 0.5),
            soak.keep("policy to both tiers", lambda: soak.push_policy(versions), 1.0),
            soak.keep("look", soak.look, 0.2),
        ]
        try:
            end = time.monotonic() + SOAK_S
            while time.monotonic() < end and not soak.failures:
                time.sleep(0.2)
        finally:
            soak.stop.set()
            for thread in threads:
                thread.join(60)
        del soak.calls["look"]
        # A policy that a renewal brought first is refused when it comes over MQTT, as it must be.
        troubles = [
            entry
            for entry in logs[first:]
            if entry["event"] in TROUBLE and "OLD_VERSION" not in str(entry.get("error"))
        ]
        tell(_figures(soak, troubles))
        assert soak.failures == []
        assert troubles == []
        assert all(count > 0 for count in soak.calls.values())
        assert len(soak.seen) == 5
        for name, certificates in soak.seen.items():
            least = SOAK_S // (50 if name.startswith("CA") else 14)
            assert len(certificates) >= least, name
        assert broker.agent.mosquitto.restarts == 0
        record = site.gc.nib_store.controller(BROKER)
        assert record is not None
        assert record.generation > 8


def _figures(soak: Soak, troubles: list[MutableMapping[str, Any]]) -> str:
    calls = ", ".join(f"{count} of {name}" for name, count in sorted(soak.calls.items()))
    certificates = ", ".join(f"{name}: {len(s)}" for name, s in sorted(soak.seen.items()))
    return (
        f"{soak.calls.total()} calls in {SOAK_S} s: {calls}; failed: {len(soak.failures)}; "
        f"certificates: {certificates}; troubles in the log: {troubles[:20]}"
    )


# --- being away ----------------------------------------------------------------------------------


@contextmanager
def running(settings: NodeSettings) -> Iterator[Node]:
    """Run a controller as its process does."""
    node = Node(settings)
    node.start()
    try:
        yield node
    finally:
        node.close()


def settings_of(tiers: Tiers, gc: GlobalController, folder: Path) -> NodeSettings:
    assert gc.rest_server is not None
    return NodeSettings(
        role=Role.REGIONAL,
        region="zone-A",
        state_dir=folder / "state",
        admin_socket=folder / "admin.sock",
        rest_port=free_port(),
        join_port=free_port(),
        url=url_of(free_port()),
        parent=ParentSettings(
            id=gc.controller_id,
            url=url_of(gc.rest_server.port),
            join_url=url_of(tiers.join_ports["gc"]),
        ),
        join_token_file=folder / "token",
        api=None,
    )


def hand_over(settings: NodeSettings, gc: GlobalController) -> None:
    assert settings.join_token_file is not None
    settings.join_token_file.touch(0o600)
    settings.join_token_file.write_text(gc.admissions.mint_token(Role.REGIONAL, "zone-A", None))


def serves(settings: NodeSettings) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", settings.port), timeout=1).close()
        return True
    return False


def test_who_was_off_until_its_certificate_had_ended_comes_back_by_itself(tmp_path: Path) -> None:
    lifetimes = Lifetimes(leaf=timedelta(seconds=4), regional_authority=timedelta(seconds=4))
    with ExitStack() as stack:
        tiers = Tiers(tmp_path, stack, lifetimes=lifetimes, check_s=0.2)
        gc = tiers.gc()
        gc.apply_policy(policy("zone-A"))
        settings = settings_of(tiers, gc, tmp_path / "rc")
        (tmp_path / "rc").mkdir()
        hand_over(settings, gc)
        with running(settings) as node:
            wait_until(lambda: node.controller.is_validated and serves(settings), "the RC")
            name = node.controller.controller_id
        tls = node.controller.options.tls
        assert tls is not None
        wait_until(lambda: datetime.now(UTC) > tls.not_after + timedelta(seconds=1), "the end")
        before = gc.nib_store.controller(name)
        assert before is not None
        with running(settings) as node:
            assert node.controller.controller_id == name
            wait_until(lambda: serves(settings), "the RC to serve again", 30)
            heard = gc.nib_store.controller(name)
            assert heard is not None
            assert heard.status is ControllerStatus.ACTIVE
            assert heard.generation > before.generation
            wait_until(
                lambda: (gc.nib_store.controller(name) or before).last_seen != before.last_seen,
                "its status at the GC",
            )


def test_while_the_parent_is_away_an_ended_certificate_is_asked_for_until_it_is_back(
    tmp_path: Path,
) -> None:
    lifetimes = Lifetimes(leaf=timedelta(seconds=4), regional_authority=timedelta(seconds=4))
    with ExitStack() as stack:
        tiers = Tiers(tmp_path, stack, lifetimes=lifetimes, check_s=0.2)
        gc, (rc,), _ = three(tiers, "zone-A")
        rc.serve()
        assert gc.rest_server is not None
        port, tls = gc.rest_server.port, rc.options.tls
        assert tls is not None
        gc.close()
        wait_until(lambda: datetime.now(UTC) > tls.not_after + timedelta(seconds=1), "the end")
        ended = tls.certificate_sha256
        gc = tiers.gc(port=port)
        wait_until(lambda: tls.certificate_sha256 != ended, "its next certificate", 30)
        record = gc.nib_store.controller(rc.controller_id)
        assert record is not None
        assert record.status is ControllerStatus.ACTIVE


# --- the authority -------------------------------------------------------------------------------


def pki(state_dir: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*pdsno_argv(), "pki", *argv, "--state-dir", str(state_dir)],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(),
        check=True,
    )


def next_certificate(member: MemberController) -> None:
    """Renew now, whether or not it is time."""
    result = member.membership.renew(int(member.context_manager.get("generation", 0)))
    assert result.is_approved, result
    member._admitted(result)


def test_a_validator_that_renews_after_the_handshake_is_asked_on_another_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        tiers = Tiers(tmp_path, stack)
        gc = tiers.gc()
        gc.apply_policy(policy("zone-A"))
        rc = tiers.rc("zone-A", gc)
        assert gc._certificates is not None
        once, send = iter([gc._certificates._certify]), Membership._send

        def renewed_after_handshake(member: Membership, client: ControllerHTTPClient) -> Send:
            assert client.check_health(gc.controller_id).is_healthy
            for certify in once:
                certify()
            return send(member, client)

        monkeypatch.setattr(Membership, "_send", renewed_after_handshake)
        before = rc.context_manager.get("generation")
        next_certificate(rc)
        assert rc.context_manager.get("generation") == before + 1


def test_with_the_root_key_away_all_goes_on_and_the_authority_is_renewed_while_running(
    tmp_path: Path,
) -> None:
    with validators_of(tmp_path) as site:
        gc, rc = site.gc, site.rc
        lc = site.tiers.lc("zone-A", rc)
        state, root_key = tmp_path / "gc", tmp_path / "stick" / "root-key.pem"
        root_key.parent.mkdir(0o700)
        assert gc.options.authority is not None
        rc.serve()
        lc.parent_link()
        pki(state, "export-root-key", "--to", str(root_key))
        assert not gc.options.authority.has_root_key

        def authority() -> Authority:
            found = gc.admissions._around.authority()
            assert found is not None
            return found

        def goes_on() -> None:
            for door in site.doors.values():
                assert Stranger(door).join().is_approved
            for member in (rc, lc):
                next_certificate(member)
                member._ask_parent()

        goes_on()
        old = authority()
        pki(state, "renew-authority", "--root-key", str(root_key))
        wait_until(lambda: authority().not_after > old.not_after, "the new authority")
        lc._ask_parent()  # by a certificate of the old one
        goes_on()
        assert not gc.options.authority.has_root_key
