import os
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pdsno.discovery.ledger import Findings, Ledger
from pdsno.discovery.resume import Keeper, ResumeFile, StateError
from pdsno.domain.entities import DeviceType, Interface, Neighbor
from pdsno.domain.observations import ArpEntry, Facts, Method, Outcome, Probe, Sighting

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FINDINGS = Findings(
    sightings=(
        Sighting(
            address="10.0.0.1", mac="02:00:00:00:00:01", method=Method.ARP, at=NOW, rtt_ms=0.5
        ),
    ),
    facts=(
        Facts(
            source="ssh",
            address="10.0.0.1",
            at=NOW,
            name="r1",
            device_type=DeviceType.ROUTER,
            interfaces=(Interface(name="eth0", ips=("10.0.0.1/24",)),),
            neighbors=(Neighbor(local_interface="eth0", remote_name="r2"),),
            arp=(ArpEntry(ip="10.0.0.2", mac="02:00:00:00:00:02"),),
        ),
    ),
    probes={"10.0.0.1": (Probe(method=Method.ARP, outcome=Outcome.ANSWERED, rtt_ms=0.5),)},
)


def test_what_was_kept_comes_back_whole_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    state = ResumeFile(tmp_path / "discover", ("10.0.0.0/24", "query"))
    assert state.load() is None
    state.save(FINDINGS)
    assert state.load() == FINDINGS
    assert stat.S_IMODE(state.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.path.parent.stat().st_mode) == 0o700
    assert list(state.path.parent.iterdir()) == [state.path]


def test_another_command_does_not_go_on_with_it(tmp_path: Path) -> None:
    ResumeFile(tmp_path, ("10.0.0.0/24",)).save(FINDINGS)
    assert ResumeFile(tmp_path, ("10.0.1.0/24",)).load() is None


def test_after_a_day_it_is_forgotten(tmp_path: Path) -> None:
    state = ResumeFile(tmp_path, ("10.0.0.0/24",))
    state.save(FINDINGS)
    now = datetime.now(UTC)
    assert state.load(now + timedelta(hours=23)) == FINDINGS
    assert state.load(now + timedelta(hours=25)) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 99}', "\x00\xff"])
def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path, text: str) -> None:
    state = ResumeFile(tmp_path, ())
    state.path.write_text(text)
    with pytest.raises(StateError, match=state.path.name):
        state.load()


def test_a_place_where_nothing_can_be_kept_or_removed_ends_no_look(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    state = ResumeFile(tmp_path / "file" / "pdsno", ("10.0.0.0/24",))
    with pytest.raises(StateError, match="Not a directory"):
        state.save(FINDINGS)
    with pytest.raises(StateError, match="Not a directory"):
        state.load()
    state.forget()


def test_forgetting_removes_it_and_what_others_left_long_ago(tmp_path: Path) -> None:
    state, other, old = (ResumeFile(tmp_path, (n,)) for n in range(3))
    for item in (state, other, old):
        item.save(FINDINGS)
    os.utime(old.path, (0, 0))
    state.forget()
    state.forget()
    assert [p for p in (state.path, other.path, old.path) if p.exists()] == [other.path]


def test_news_are_handed_over_while_it_runs_and_the_last_at_the_end() -> None:
    ledger = Ledger()
    handed: list[Findings] = []
    first = threading.Event()

    def keep(findings: Findings) -> None:
        handed.append(findings)
        first.set()

    with Keeper(ledger, keep):
        ledger.probe("10.0.0.1", Probe(method=Method.ICMP, outcome=Outcome.SILENT))
        assert first.wait(10)
        ledger.probe("10.0.0.2", Probe(method=Method.ICMP, outcome=Outcome.SILENT))
    assert set(handed[-1].probes) == {"10.0.0.1", "10.0.0.2"}
    assert len(handed) == 2


def test_a_disk_that_takes_nothing_does_not_end_the_look(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    state = ResumeFile(tmp_path / "file", ())
    with pytest.raises(StateError):
        state.save(FINDINGS)
    ledger = Ledger()
    with Keeper(ledger, state.save):
        ledger.probe("10.0.0.1", Probe(method=Method.ICMP, outcome=Outcome.SILENT))
