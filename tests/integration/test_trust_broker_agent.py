"""`pdsno broker run` as a process has it: joining, rights as they change, renewal, revocation."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from pdsno.cli import doctor_broker, doctor_ports
from pdsno.cli.doctor_report import Finding, Outcome
from pdsno.communication.broker_settings import ACL
from pdsno.domain import topics
from pdsno.domain.entities import ControllerStatus
from pdsno.domain.identifiers import Role
from pdsno.identity.pki.authority import Lifetimes
from tests.acceptance.support import environment, pdsno, pdsno_argv
from tests.integration.brokered import (
    BROKER,
    Site,
    brokered_site,
    may_publish,
)
from tests.integration.waiting import holds_for, wait_until


@pytest.fixture
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    with brokered_site(tmp_path, lifetimes=getattr(request, "param", None)) as made:
        yield made


def test_a_broker_joins_by_token_and_serves_controllers_by_their_rights(site: Site) -> None:
    waiting = site.run_broker()
    assert holds_for(lambda: waiting.pid is None, 0.5)
    site.hand_over_token()
    wait_until(lambda: waiting.pid, "mosquitto")
    assert waiting.agent.controller.controller_id == BROKER
    rc, lc = site.connected()
    assert not may_publish(lc, topics.policy("zone-A"))
    assert not may_publish(lc, topics.status(rc.controller_id))
    record = site.gc.nib_store.controller(BROKER)
    assert record is not None
    assert (record.role, record.state) == (Role.BROKER, "online")


def test_the_doctor_knows_how_a_broker_is(site: Site) -> None:
    def found() -> dict[str, Finding]:
        looked = doctor_broker.look_at(site.settings, doctor_ports.listeners(), datetime.now(UTC))
        worst = sorted(looked, key=lambda one: list(Outcome).index(one.outcome))
        return {one.check: one for one in worst if one.outcome is not Outcome.SKIPPED}

    before = found()
    assert before["parent"].outcome is Outcome.OK  # of its join listener
    running = site.joined_broker()
    port = f"port {site.settings.number}"
    well = found()
    for check in ("mosquitto", "rights", "process", port, "database", "certificate", "chain"):
        assert well[check].outcome is Outcome.OK, well[check]
    for check in ("access list", "secrets", "parent"):
        assert well[check].outcome is Outcome.OK, well[check]
    (site.settings.state_dir / "mosquitto" / ACL).write_text("topic readwrite #\n")
    key = site.settings.state_dir / "agent" / "key.pem"
    key.chmod(0o644)
    running.stop()
    site.gc.close()
    ill = found()
    assert ill["process"].outcome is Outcome.WARNING
    for check in ("access list", "secrets", "parent"):
        assert ill[check].outcome is Outcome.FAILED, ill[check]
        assert ill[check].remedy


@pytest.mark.attack(12)
def test_a_controller_that_is_revoked_is_mute_at_the_broker_within_two_seconds(site: Site) -> None:
    site.joined_broker()
    rc, lc = site.connected()
    client = lc.mqtt_client
    began = time.monotonic()
    site.gc.withdraw(lc.controller_id, ControllerStatus.REVOKED, by="test")
    wait_until(lambda: not may_publish(lc), "the refusal")
    took_s = time.monotonic() - began
    print(f"revoked at the GC, refused at the broker after {took_s:.2f} s")  # noqa: T201 - measured
    assert took_s < 2
    assert lc.mqtt_client is client
    assert rc.mqtt_client is not None
    assert rc.mqtt_client.is_connected


def test_blocking_ends_and_unblocking_gives_the_right_back(site: Site) -> None:
    site.joined_broker()
    _, lc = site.connected()
    site.gc.withdraw(lc.controller_id, ControllerStatus.BLOCKED, by="test")
    wait_until(lambda: not may_publish(lc), "the refusal", timeout_s=2)
    site.gc.withdraw(lc.controller_id, ControllerStatus.ACTIVE, by="test")
    wait_until(lambda: may_publish(lc), "the right", timeout_s=2)


def test_a_broker_starts_with_the_rights_it_had_while_the_gc_is_away(site: Site) -> None:
    running = site.joined_broker()
    _, lc = site.connected()
    site.gc.close()
    running.stop()
    again = site.run_broker()
    wait_until(lambda: again.pid, "mosquitto")
    wait_until(lambda: lc.mqtt_client and lc.mqtt_client.is_connected, "the LC", timeout_s=60)
    assert may_publish(lc)
    assert not may_publish(lc, topics.policy("zone-A"))


def test_rights_that_were_damaged_on_the_disk_come_again_from_the_gc(site: Site) -> None:
    running = site.joined_broker()
    version = running.agent.controller.rights.version
    running.stop()
    (site.settings.state_dir / "agent" / "rights.json").write_text('{"version": "x", "subjects"')
    again = site.run_broker()
    wait_until(lambda: again.agent.controller.rights.version == version, "the rights")


def test_a_broker_that_is_blocked_stops_serving_until_it_is_unblocked(site: Site) -> None:
    running = site.joined_broker()
    site.gc.withdraw(BROKER, ControllerStatus.BLOCKED, by="test")
    wait_until(lambda: running.pid is None, "the end of mosquitto", timeout_s=5)
    site.gc.withdraw(BROKER, ControllerStatus.ACTIVE, by="test")
    wait_until(lambda: running.pid, "mosquitto", timeout_s=10)


@pytest.mark.parametrize("site", [Lifetimes(leaf=timedelta(seconds=20))], indirect=True)
def test_certificates_are_renewed_while_sessions_go_on(site: Site) -> None:
    running = site.joined_broker()
    pid = running.pid
    _, lc = site.connected()
    places = (site.tiers.tls("lc-zone-A"), running.agent.controller.options.tls)
    seen: list[set[str]] = [set(), set()]

    def are_renewed() -> bool:
        for tls, digests in zip(places, seen, strict=True):
            assert tls is not None
            digests.add(tls.certificate_sha256)
        assert may_publish(lc)
        return all(len(digests) > 2 for digests in seen)

    wait_until(are_renewed, "two renewals of each", 60)
    assert (running.pid, running.agent.mosquitto.restarts) == (pid, 0)


def test_without_a_parent_s_token_nothing_is_served_and_stopping_works(site: Site) -> None:
    running = site.run_broker()
    assert holds_for(lambda: running.pid is None, 0.5)
    running.stop()
    assert running.error is None


@pytest.mark.attack(63)
def test_the_secrets_of_the_agent_are_not_mosquitto_s_to_read(site: Site) -> None:
    site.joined_broker()
    state = site.settings.state_dir
    assert oct((state / "agent").stat().st_mode & 0o777) == "0o700"
    owner = (state / "agent" / "key.pem").stat()
    assert (owner.st_uid, oct(owner.st_mode & 0o777)) == (0, "0o600")
    for path in (state / "mosquitto").iterdir():
        assert oct(path.stat().st_mode & 0o077) == "0o0", path


# --- as a process ----------------------------------------------------------------------------


@contextmanager
def broker_process(site: Site) -> Iterator["subprocess.Popen[str]"]:
    """Run `pdsno broker run`; ends it, however the test goes."""
    settings_file = site.tiers.folder / "broker.yml"
    settings_file.write_text(
        yaml.safe_dump(site.settings.model_dump(mode="json", exclude_none=True))
    )
    command = pdsno_argv("broker", "run", "--settings", str(settings_file))
    with subprocess.Popen(command, env=environment(), text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def serves(site: Site) -> bool:
    """Tell whether something accepts on the broker's port."""
    try:
        with socket.create_connection(("127.0.0.1", site.settings.number), timeout=1):
            return True
    except OSError:
        return False


@pytest.mark.attack(26)
def test_killed_the_agent_takes_mosquitto_with_it_and_starts_again_with_its_rights(
    site: Site,
) -> None:
    site.hand_over_token()
    with broker_process(site) as process:
        wait_until(lambda: serves(site), "the broker", 60)
        _, lc = site.connected()
        site.gc.close()
        process.kill()
        wait_until(lambda: not serves(site), "mosquitto's end")
    with broker_process(site):
        wait_until(lambda: lc.mqtt_client and lc.mqtt_client.is_connected, "the LC", 60)
        assert may_publish(lc)
        assert not may_publish(lc, topics.policy("zone-A"))


def test_asked_to_end_it_ends_soon_though_an_answer_is_still_to_come(site: Site) -> None:
    site.hand_over_token()
    with broker_process(site) as process:
        wait_until(lambda: serves(site), "the broker", 60)
        wait_until(lambda: _state_of(site) == "online", "its first word")
        process.terminate()
        assert process.wait(10) == 0
    assert not serves(site)


def _state_of(site: Site) -> str:
    record = site.gc.nib_store.controller(BROKER)
    return record.state if record is not None else ""


@pytest.mark.parametrize("has_parent", [True, False])
def test_the_configuration_is_printed_without_starting_anything(
    site: Site, has_parent: bool
) -> None:
    settings = site.settings.model_dump(mode="json", exclude_none=True)
    if not has_parent:
        del settings["parent"]
    file = site.tiers.folder / "broker.yml"
    file.write_text(yaml.safe_dump(settings))
    done = pdsno("broker", "config", "--settings", str(file))
    assert done.returncode == 0, done.stderr
    assert ("require_certificate true" in done.stdout) is has_parent
    assert ("allow_anonymous true" in done.stdout) is not has_parent
    assert not site.settings.state_dir.exists()
