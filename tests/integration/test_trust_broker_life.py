"""Rights and certificates that change while a real mosquitto runs, and what its death leaves."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pdsno.communication.broker_settings import ACL, DATABASE
from pdsno.domain import topics
from pdsno.domain.broker_rights import rights_of
from tests.integration.broker_rig import ALONE, OK, REFUSED, Rig, running_rig, served_serial
from tests.integration.waiting import holds_for, wait_until
from tests.pki import make_pki, record_of

LC, LC2 = "local_cntl_zone-A_1", "local_cntl_zone-A_2"
OWN = topics.status(LC)
TAKEN = (OK, ALONE)


@pytest.fixture
def rig() -> Iterator[Rig]:
    with running_rig() as running:
        yield running


@pytest.mark.attack(12)
def test_a_right_taken_back_ends_a_live_session_s_say_within_two_seconds(rig: Rig) -> None:
    lc, lc2, rc = rig.client(rig.pki.lc), rig.client(rig.lc2), rig.client(rig.pki.rc)
    lc.subscribe(topics.events("zone-A"))
    assert lc.publish(OWN) in TAKEN
    began = time.monotonic()
    rig.broker.apply_rights(rig.rights(without=[rig.pki.lc]))
    wait_until(lambda: lc.publish(OWN) == REFUSED, "the refusal")
    took_s = time.monotonic() - began
    print(f"right taken back from a live session after {took_s * 1000:.0f} ms")  # noqa: T201 - measured
    assert took_s < 2
    rc.publish(topics.events("zone-A"), b"secret")
    assert lc2.publish(topics.status(LC2)) in TAKEN
    assert holds_for(lambda: not lc.messages, 0.5)
    assert lc2.disconnects == rc.disconnects == []


def test_a_right_given_works_without_connecting_again(rig: Rig) -> None:
    rig.broker.apply_rights(rig.rights(without=[rig.pki.lc]))
    lc, rc = rig.client(rig.pki.lc), rig.client(rig.pki.rc)
    lc.subscribe(topics.events("zone-A"))
    wait_until(lambda: lc.publish(OWN) == REFUSED, "no right")
    rig.broker.apply_rights(rig.rights())
    wait_until(lambda: lc.publish(OWN) in TAKEN, "the right", timeout_s=2)
    rc.publish(topics.events("zone-A"))
    wait_until(lambda: lc.messages, "the event")
    assert lc.disconnects == []


def test_without_rights_nobody_may_do_anything(rig: Rig) -> None:
    gc = rig.client(rig.pki.gc)
    assert gc.publish(topics.policy_global()) in TAKEN
    rig.broker.apply_rights(rights_of([]))
    wait_until(lambda: gc.publish(topics.policy_global()) == REFUSED, "the refusal")


@pytest.mark.parametrize("content", ["foo bar\n", "user x\ntopic write a/#/b\n", None])
def test_a_broker_that_cannot_read_its_rights_is_killed_and_gets_them_anew(
    rig: Rig, content: str | None
) -> None:
    acl, before = rig.settings.state_dir / ACL, rig.broker.pid
    right = acl.read_text()
    assert before is not None
    if content is None:
        acl.unlink()
    else:
        acl.write_text(content)
    os.kill(before, signal.SIGHUP)
    wait_until(lambda: rig.broker.restarts == 1, "the restart")
    assert acl.read_text() == right
    lc = rig.client(rig.pki.lc)
    assert (lc.publish(topics.policy("zone-A")), lc.publish(OWN)) == (REFUSED, ALONE)


@pytest.mark.attack(26)
def test_a_killed_broker_comes_back_with_its_rights(rig: Rig) -> None:
    rig.broker.apply_rights(rig.rights(without=[rig.lc2]))
    lc, lc2 = rig.client(rig.pki.lc), rig.client(rig.lc2)
    pid = rig.broker.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: rig.broker.restarts == 1, "the restart")
    wait_until(lambda: lc.client.is_connected() and lc2.client.is_connected(), "both clients")
    assert lc.publish(OWN) in TAKEN
    assert lc.publish(topics.policy("zone-A")) == REFUSED
    assert lc2.publish(topics.status(LC2)) == REFUSED


@pytest.mark.attack(27)
def test_a_truncated_database_is_moved_aside_and_the_rights_hold(rig: Rig) -> None:
    lc = rig.client(rig.pki.lc)
    lc.publish(OWN, b"kept", retain=True)
    rig.broker.stop()
    database = rig.settings.state_dir / DATABASE
    database.write_bytes(database.read_bytes()[:-7])
    rig.broker.start()
    assert len(list(rig.settings.state_dir.glob(f"{DATABASE}.corrupt-*"))) == 1
    wait_until(lc.client.is_connected, "the client")
    assert lc.publish(OWN) in TAKEN
    assert lc.publish(topics.policy("zone-A")) == REFUSED


@pytest.mark.attack(20)
def test_a_message_that_is_too_large_ends_its_sender_s_session_only() -> None:
    with running_rig(max_message_bytes=100_000) as rig:
        rc, lc, lc2 = rig.client(rig.pki.rc), rig.client(rig.pki.lc), rig.client(rig.lc2)
        rc.subscribe(topics.discovery_all("zone-A"))
        assert lc2.publish(topics.discovery("zone-A", LC2), bytes(100_000)) in TAKEN
        before = _resident(rig)
        lc.client.publish(topics.discovery("zone-A", LC), bytes(20_000_000), qos=1)
        wait_until(lambda: lc.disconnects, "the end of the session")
        assert lc2.publish(topics.discovery("zone-A", LC2)) in TAKEN
        wait_until(lambda: len(rc.messages) == 2, "what was allowed")
        assert rc.topics == {topics.discovery("zone-A", LC2)}
        assert rc.disconnects == lc2.disconnects == []
        assert _resident(rig) - before < 10_000_000


def _resident(rig: Rig) -> int:
    """Return the bytes of memory that the broker has."""
    pages = Path(f"/proc/{rig.broker.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def test_a_renewed_certificate_is_served_without_a_restart(rig: Rig) -> None:
    lc, pid, before = rig.client(rig.pki.lc), rig.broker.pid, served_serial(rig)
    rig.renew(rig.pki)
    rig.broker.renew_certificate()
    wait_until(lambda: served_serial(rig) != before, "the new certificate")
    assert lc.publish(OWN) in TAKEN
    assert (lc.disconnects, rig.broker.pid, rig.broker.restarts) == ([], pid, 0)


def test_other_roots_are_trusted_after_an_orderly_restart(rig: Rig, tmp_path: Path) -> None:
    lc, other = rig.client(rig.pki.lc), make_pki(tmp_path)
    lc.publish(OWN, b"kept", retain=True)
    rig.renew(other, is_join=True)
    rig.broker.renew_certificate()
    wait_until(lambda: rig.broker.restarts == 1, "the restart")
    assert rig.client(other.rc).publish(topics.events("zone-A")) in TAKEN
    ears = rig.client(other.gc)
    ears.subscribe(topics.status_all())
    wait_until(lambda: ears.messages == [(OWN, b"kept")], "what it had kept")


def test_two_thousand_controllers_change_rights_without_a_pause(rig: Rig) -> None:
    records = [record_of(member) for member in rig.members]
    many = [
        replace(
            records[2],
            controller_id=f"local_cntl_zone-{number % 10}_{number}",
            region=f"zone-{number % 10}",
        )
        for number in range(2000)
    ]
    began = time.monotonic()
    rights = rights_of([*records, *many])
    made_s = time.monotonic() - began
    lc = rig.client(rig.pki.lc)
    rig.broker.apply_rights(rights)
    without = rights_of([*(r for r in records if r.controller_id != LC), *many])
    wait_until(lambda: lc.publish(OWN) in TAKEN, "the many")
    began = time.monotonic()
    rig.broker.apply_rights(without)
    wait_until(lambda: lc.publish(OWN) == REFUSED, "the refusal")
    took_s = time.monotonic() - began
    size = (rig.settings.state_dir / ACL).stat().st_size
    print(  # noqa: T201 - measured
        f"{len(rights.subjects)} subjects, {size // 1024} KiB: computed in {made_s * 1000:.0f} ms, "
        f"in force after {took_s * 1000:.0f} ms"
    )
    assert took_s < 2
    assert lc.disconnects == []
