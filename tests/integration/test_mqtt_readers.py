"""Readers at a real mosquitto: they hear the event log, all of it and in order, and can do no more.

One site serves all tests, with a global controller, a regional one and the broker's agent.
"""

import http.client
import json
import os
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pdsno.communication.broker_settings import DATABASE
from pdsno.controllers.base_controller import BaseController
from pdsno.controllers.event_publisher import Published
from pdsno.controllers.regional_controller import RegionalController
from pdsno.domain import topics
from pdsno.domain.entities import Event
from pdsno.domain.jsonable import jsonable
from pdsno.domain.peers import server_name
from pdsno.identity.pki.contexts import client_context
from pdsno.identity.pki.requests import key_to_pem, make_request, new_key
from pdsno.identity.reader_desk import ReaderDesk
from pdsno.node.admin import AdminSocket
from pdsno.node.admin_calls import admin_calls
from tests.acceptance.support import environment, pdsno
from tests.integration.broker_rig import REFUSED, Raw
from tests.integration.brokered import Running, Site, brokered_site
from tests.integration.waiting import holds_for, wait_until

ZONE_A, GLOBAL = topics.nib_events("zone-A"), topics.nib_events(None)


@dataclass
class Rig:
    """The site, and what the tests of this file share."""

    site: Site
    broker: Running
    rc: RegionalController
    admin_socket: Path
    clients: list[Raw] = field(default_factory=list)
    noted: int = 0

    @property
    def desk(self) -> ReaderDesk:
        vault = self.site.gc.options.authority
        assert vault is not None
        return ReaderDesk(self.site.gc.nib_store, vault.authority)

    def certified(self, name: str, region: str | None = None) -> ssl.SSLContext:
        """Return how a new key of a reader speaks TLS."""
        key = new_key()
        made = self.desk.add(name=name, csr_pem=make_request(key), region=region, by="test")
        credential = key_to_pem(key) + made.chain_pem.encode()
        return client_context(credential, made.roots_pem)

    def listening(
        self, context: ssl.SSLContext, *filters: str, expects: str | None = ZONE_A
    ) -> "Hearing":
        """Return a client that heard an event of a topic: it has subscribed, and has its rights."""
        hearing = self.connected(context)
        hearing.raw.subscribe(*(filters or ("pdsno/nib/#",)))
        if expects is not None:
            wait_until(lambda: self.heard_one(hearing, expects), f"an event on {expects}")
        return hearing

    def connected(self, context: ssl.SSLContext) -> "Hearing":
        """Return a client that goes on with the session that the broker keeps, if it does."""
        raw = Raw(context, self.site.settings.number)
        self.clients.append(raw)
        raw.connect()
        return Hearing(raw)

    def heard_one(self, hearing: "Hearing", topic: str) -> bool:
        speaker = self.site.gc if topic == GLOBAL else self.rc
        self.note(speaker)
        return not holds_for(lambda: not hearing.of(topic), 0.3)

    def note(self, speaker: BaseController, count: int = 1) -> list[int]:
        """Let events happen at a controller; return their seqs."""
        for _ in range(count):
            self.noted += 1
            speaker.record("TEST_HAPPENED", f"thing-{self.noted}", n=self.noted)
        newest = speaker.nib_store.events(newest_first=True, limit=1000)
        mine = [event.seq for event in newest if event.event_type == "TEST_HAPPENED"]
        return sorted(mine)[-count:]


@dataclass
class Hearing:
    """What a client of the broker heard."""

    raw: Raw

    def of(self, topic: str) -> list[dict[str, Any]]:
        return [json.loads(body) for name, body in list(self.raw.messages) if name == topic]

    def seqs(self, topic: str) -> list[int]:
        return [item["seq"] for item in self.of(topic)]

    def wait(self, topic: str, wanted: Sequence[int], timeout_s: float = 15) -> None:
        wait_until(lambda: not self.missing(topic, wanted), f"events on {topic}", timeout_s)

    def missing(self, topic: str, wanted: Sequence[int]) -> set[int]:
        return set(wanted) - set(self.seqs(topic))


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("readers")
    with brokered_site(folder, publish_events=True) as site, ExitStack() as stack:
        broker = site.joined_broker()
        rc = site.tiers.rc("zone-A", site.gc)
        rc.serve()
        admin = AdminSocket(folder / "admin.sock", admin_calls(site.gc))
        admin.start()
        stack.callback(admin.close)
        made = Rig(site=site, broker=broker, rc=rc, admin_socket=folder / "admin.sock")
        yield made
        for client in made.clients:
            client.close()
        for controller in (made.rc, site.gc):  # while the broker still takes their last words
            controller.close()


def in_order(seqs: Sequence[int]) -> bool:
    return all(one < other for one, other in pairwise(seqs))


def rest_items(controller: BaseController, after: int) -> list[Any]:
    events: Sequence[Event] = controller.nib_store.events(after_seq=after, limit=1000)
    return [jsonable(event) for event in events]


def test_a_reader_hears_the_event_log_of_both_tiers_in_order(rig: Rig) -> None:
    hearing = rig.listening(rig.certified("in-order"))
    for speaker, topic in ((rig.rc, ZONE_A), (rig.site.gc, GLOBAL)):
        wanted = rig.note(speaker, 250)
        hearing.wait(topic, wanted)
        heard = [item for item in hearing.of(topic) if item["seq"] >= wanted[0]]
        assert in_order([item["seq"] for item in heard])
        assert heard[:250] == rest_items(speaker, wanted[0] - 1)[:250]


def test_the_reader_of_a_region_hears_that_region_s_controller_only(rig: Rig) -> None:
    hearing = rig.listening(rig.certified("noc-a", "zone-A"))
    everywhere = rig.listening(rig.certified("noc"))
    (told,) = rig.note(rig.site.gc)
    everywhere.wait(GLOBAL, [told])
    (last,) = rig.note(rig.rc)
    hearing.wait(ZONE_A, [last])
    assert hearing.raw.topics == {ZONE_A}


@pytest.mark.attack(23)
def test_a_reader_publishes_nowhere_and_hears_nothing_but_events(rig: Rig) -> None:
    hearing = rig.listening(
        rig.certified("nosy"), "#", "+/+/+", "pdsno/+/+/+", "$SYS/#", "$share/g/pdsno/#"
    )
    rc, gc = rig.rc.controller_id, rig.site.gc.controller_id
    for topic in (
        *(ZONE_A, GLOBAL, topics.status(rc), topics.status(gc), topics.policy("zone-A")),
        *(topics.policy_global(), topics.events("zone-A"), topics.events_system()),
        *(topics.discovery("zone-A", "local_cntl_zone-A_1"), "elsewhere"),
    ):
        assert hearing.raw.publish(topic) == REFUSED, topic
    # Both controllers publish status five times a second, and policy is retained.
    assert rig.rc.mqtt_client is not None
    (seq,) = rig.note(rig.rc)
    hearing.wait(ZONE_A, [seq])
    assert holds_for(lambda: hearing.raw.topics <= {ZONE_A, GLOBAL}, 1)
    assert hearing.raw.disconnects == []


@pytest.mark.attack(9)
def test_the_rest_listeners_refuse_a_reader_s_certificate(rig: Rig) -> None:
    context = rig.certified("lost")
    for controller in (rig.site.gc, rig.rc):
        status, reason = ask(controller, context)
        assert (status, reason) == (401, "IDENTITY_MISMATCH")
    own = rig.site.tiers.tls("rc-zone-A").client_context()
    assert ask(rig.site.gc, own) == (200, None)


def ask(controller: BaseController, context: ssl.SSLContext) -> tuple[int, str | None]:
    """Return the status and the reason of an answer of a controller's mTLS listener."""
    assert controller.rest_server is not None
    port = controller.rest_server.port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        name = server_name(controller.controller_id, controller.region)
        connection.sock = context.wrap_socket(plain, server_hostname=name)
        with closing(connection):
            connection.request("GET", "/info")
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read()).get("reason")


@pytest.mark.attack(12)
def test_a_reader_that_is_removed_hears_nothing_more_within_two_seconds(rig: Rig) -> None:
    other, gone = rig.listening(rig.certified("stays")), rig.listening(rig.certified("goes"))
    began = last = time.monotonic()
    rig.desk.remove("goes", by="test")
    heard = len(gone.raw.messages)
    while time.monotonic() < began + 2:
        other.wait(ZONE_A, rig.note(rig.rc))
        if len(gone.raw.messages) > heard:
            heard, last = len(gone.raw.messages), time.monotonic()
    print(f"removed at the GC, last heard {last - began:.2f} s later")  # noqa: T201 - measured
    assert hears_nothing(rig, gone, other)


def test_another_key_of_the_same_name_takes_the_place_of_the_one_before(rig: Rig) -> None:
    old = rig.listening(rig.certified("rolls"))
    new = rig.listening(rig.certified("rolls"))
    assert hears_nothing(rig, old, new)


def hears_nothing(rig: Rig, deaf: Hearing, other: Hearing) -> bool:
    """Tell whether events that another reader hears do not come to one that is deaf by now."""
    seqs = rig.note(rig.rc, 5)
    other.wait(ZONE_A, seqs)
    return holds_for(lambda: deaf.missing(ZONE_A, seqs) == set(seqs), 0.5)


def test_no_event_is_missing_after_the_broker_was_killed(rig: Rig) -> None:
    online, absent = rig.listening(rig.certified("online")), rig.certified("absent")
    leaving = rig.listening(absent)
    saved_session(rig)
    leaving.raw.close()
    seqs = rig.note(rig.rc, 50)
    wait_until(lambda: published(rig.rc).waiting == 0, "what the broker acknowledged")
    pid = rig.broker.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)  # what it has for who is away is not on its disk yet
    seqs += rig.note(rig.rc, 50)
    wait_until(lambda: rig.broker.pid not in {None, pid}, "another mosquitto")
    seqs += rig.note(rig.rc, 50)
    online.wait(ZONE_A, seqs, timeout_s=60)
    rig.connected(absent).wait(ZONE_A, seqs)


def published(controller: BaseController) -> Published:
    found = controller.published_events
    assert found is not None
    return found


def saved_session(rig: Rig) -> None:
    """Wait until mosquitto has saved its state: sessions that are younger do not outlive it."""
    database = rig.site.settings.state_dir / "mosquitto" / DATABASE
    began = time.time()
    wait_until(lambda: database.exists() and database.stat().st_mtime > began, "a saved state")


def test_no_event_is_missing_after_a_controller_was_restarted(rig: Rig) -> None:
    hearing = rig.listening(rig.certified("patient"))
    seqs = rig.note(rig.rc, 5)
    hearing.wait(ZONE_A, seqs)
    rig.rc.close()
    seqs += rig.note(rig.rc, 50)
    rig.rc = rig.site.tiers.rc("zone-A", rig.site.gc)
    rig.rc.serve()
    seqs += rig.note(rig.rc, 5)
    hearing.wait(ZONE_A, seqs, timeout_s=30)


# --- as a user does it ---------------------------------------------------------------------------


def test_mosquitto_sub_hears_with_what_the_command_wrote_until_it_is_removed(
    rig: Rig, tmp_path: Path
) -> None:
    openssl(tmp_path)
    env = {"PDSNO_ADMIN_SOCKET": str(rig.admin_socket)}
    added = pdsno("reader", "add", "noc", "--csr", "noc.csr", cwd=tmp_path, env=env)
    assert added.returncode == 0, added.stderr
    with output_of(added.stdout.strip(), tmp_path) as lines:
        wait_until(lambda: rig.note(rig.site.gc) and lines.read_text(), "a line", timeout_s=30)
        item = json.loads(lines.read_text().splitlines()[0])
        assert item in rest_items(rig.site.gc, item["seq"] - 1)
        listed = pdsno("reader", "list", "-o", "json", env=env)
        assert "noc" in [row["name"] for row in json.loads(listed.stdout)]
        removed = pdsno("reader", "remove", "noc", env=env)
        assert (removed.returncode, removed.stderr.strip()) == (0, "removed noc")
    assert pdsno("reader", "remove", "noc", env=env).returncode == 1


def openssl(folder: Path) -> None:
    command = (
        "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
        "-subj /CN=noc -keyout noc.key -out noc.csr"
    )
    subprocess.run(shlex.split(command), cwd=folder, check=True, capture_output=True)


@contextmanager
def output_of(command: str, folder: Path) -> Iterator[Path]:
    """Give the file to which a shell command writes, while it runs."""
    assert shutil.which("mosquitto_sub")
    out = folder / "heard"
    with out.open("wb") as file:
        process = subprocess.Popen(shlex.split(command), cwd=folder, stdout=file, env=environment())
    try:
        yield out
    finally:
        process.terminate()
        process.wait(10)


def test_certificates_for_names_that_are_none_are_refused(rig: Rig, tmp_path: Path) -> None:
    openssl(tmp_path)
    env = {"PDSNO_ADMIN_SOCKET": str(rig.admin_socket)}
    for name, csr in (("Noc", "noc.csr"), ("noc", "noc.key"), ("noc", "none.csr")):
        done = pdsno("reader", "add", name, "--csr", csr, cwd=tmp_path, env=env)
        assert done.returncode in (1, 2), done.stdout
        assert not list(tmp_path.glob("*.crt"))
