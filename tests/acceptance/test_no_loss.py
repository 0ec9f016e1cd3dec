"""Whatever is killed, restored or cut off: each report is applied once at each tier above.

Real controllers and a real broker as processes, over mutual TLS. Reports are made by the local
controller's real cycle, with the look at the network made up (`no_loss_node.py` says why).
"""

import os
import random
import socket
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from pdsno.domain.chain import first_fault
from pdsno.domain.entities import Event
from pdsno.domain.ports import NIBReader
from pdsno.identity.pki.vault import TlsIdentity
from tests.acceptance import made_up_reports
from tests.acceptance.no_loss_site import LC, Controller, Part, Site, running_site
from tests.acceptance.support import REPOSITORY, until

REPORTS = int(os.environ.get("NO_LOSS_REPORTS", "1500"))
KILLS_EACH = 3
_ARRIVE_S = 400
_ALL = 1_000_000

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


Tell = Callable[[str], None]


@pytest.fixture
def seeded(tell: Tell) -> random.Random:
    """Chance that can be had again: `NO_LOSS_SEED` takes the printed number."""
    seed = int(os.environ.get("NO_LOSS_SEED") or random.SystemRandom().randrange(10**6))
    tell(f"NO_LOSS_SEED={seed}")
    return random.Random(seed)  # noqa: S311 - moments of kills, no secret


# --- what must hold ------------------------------------------------------------------------------


def await_arrival(site: Site, reports: int) -> None:
    """Wait until so many reports were made, and all of them are applied at every tier."""

    def is_there() -> bool:
        if made_up_reports.recorded(site.lc.nib) < reports:
            return False
        return site.has_arrived(site.lc, site.rc) and site.has_arrived(site.rc, site.gc)

    until(is_there, f"{reports} reports at the global controller", _ARRIVE_S)


def check_each_applied_once(site: Site, first: int, last: int) -> None:
    """Check, in each NIB's own log, that each report left its mark there once."""
    numbers = range(first, last + 1)
    marks = Counter({made_up_reports.version(n): 1 for n in numbers})
    for number in range(1, made_up_reports.DEVICES + 1):
        # The first report on a device makes it known: it changes nothing.
        marks.pop(made_up_reports.version(number), None)
    for controller in site.controllers:
        found = made_up_reports.effects(controller.nib)
        wrong = {m: found[m] for m in marks if found[m] != 1}
        assert not wrong, f"{controller.name}: {list(wrong.items())[:5]} of {len(wrong)}"
    cycles = Counter(e.subject for e in events(site.gc.nib, "DISCOVERY_SUMMARY_APPLIED"))
    applied = {n: cycles[made_up_reports.cycle_id(n)] for n in numbers}
    assert set(applied.values()) == {1}, [item for item in applied.items() if item[1] != 1][:5]


def check_ledgers(site: Site) -> None:
    """Check that every event log is whole and dense, every database sound, and nobody crashed."""
    for controller in site.controllers:
        log = events(controller.nib)
        assert first_fault(log) is None, f"{controller.name}: {first_fault(log)}"
        assert [event.seq for event in log] == list(range(1, len(log) + 1))
        assert controller.nib.integrity_faults() == ()
        text = controller.log.read_text(errors="replace")
        assert "crashed" not in text, f"{controller.name}: {text[text.index('crashed') - 300 :]}"


def check_equal(site: Site) -> None:
    """Check that all tiers have one picture: devices, their addresses, state, and controllers."""
    pictures = [picture(controller.nib) for controller in site.controllers]
    assert pictures[0] == pictures[1] == pictures[2]
    assert {LC} <= {record.controller_id for record in site.gc.nib.controllers()}


def picture(nib: NIBReader) -> list[tuple[object, ...]]:
    return sorted(
        (d.serial, d.name, d.os_version, d.ips, d.macs, d.status, d.region, d.local_controller)
        for d in nib.all_devices()
    )


def events(nib: NIBReader, event_type: str | None = None) -> tuple[Event, ...]:
    return nib.events(limit=_ALL, event_type=event_type)


def figures(site: Site, title: str) -> str:
    """Return what became of the messages of each stream; kills lose the last moment's counts."""
    lines = [title]
    for sender, receiver in ((site.lc, site.rc), (site.rc, site.gc)):
        out, came = sender.counts()["out"], receiver.counts()["in"]
        lines.append(
            f"  {sender.name:>8} to {receiver.name:8}: messages {sender.nib.outbox_tail().seq}, "
            f"sent at least {out['sent'] + out['sent_again']}, "
            f"applied {site.applied(sender, receiver)}, "
            f"duplicates dropped {came['duplicate']}, "
            f"dropped behind a gap {came['gap']}, gaps pulled {came['pulled']}"
        )
    return "\n".join(lines)


# --- kill -9 -------------------------------------------------------------------------------------


def kill_all_in_turn(site: Site, chance: random.Random, reports: int) -> None:
    """Kill broker, local and regional controller three times each, all along the way."""
    victims: list[Part] = [site.broker, site.rc, site.lc] * KILLS_EACH
    chance.shuffle(victims)
    for number, victim in enumerate(victims):
        goal = reports * (number + chance.random()) / (len(victims) + 1)
        until(lambda goal=goal: site.applied(site.lc, site.rc) >= goal, "reports", _ARRIVE_S)  # type: ignore[misc]
        victim.kill()
        time.sleep(chance.uniform(0, 1))
        victim.start()


@pytest.mark.attack(26, 31, 32)
@pytest.mark.parametrize("has_url", [True, False], ids=["listening", "behind-nat"])
def test_reports_survive_kills_of_broker_local_and_regional_controller(
    seeded: random.Random, tell: Tell, *, has_url: bool
) -> None:
    with running_site(has_url=has_url) as site:
        if has_url:
            until(lambda: is_open(site.listens["local"]), "the local controller's port")
        site.want(REPORTS)
        kill_all_in_turn(site, seeded, REPORTS)
        await_arrival(site, REPORTS)
        port = "an open port" if has_url else "no open port"
        tell(figures(site, f"{REPORTS} reports, {KILLS_EACH * 3} kills, {port}"))
        assert is_open(site.listens["local"]) is has_url
        check_each_applied_once(site, 1, REPORTS)
        check_ledgers(site)
        check_equal(site)


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


# --- an older backup -----------------------------------------------------------------------------


def test_each_tier_restored_from_an_older_backup_ends_with_the_same_picture(
    tmp_path: Path, tell: Tell
) -> None:
    with running_site() as site:
        made = more(site, 0, 8)
        for controller in site.controllers:
            backup = tmp_path / controller.name
            controller.back_up(backup)
            made = more(site, made, 10)
            controller.restore(backup)
            await_equal(site, made)
            made = more(site, made, 5)
            check_each_applied_once(site, made - 4, made)
            check_equal(site)
        tell(figures(site, "Each tier restored once from an older backup"))
        check_ledgers(site)
        restarted = {c.name: len(events(c.nib, "STREAM_RESTARTED")) for c in site.controllers}
        assert restarted == {"global": 0, "regional": 1, "local": 1}


def more(site: Site, made: int, reports: int) -> int:
    """Make so many more reports and wait until they are everywhere; returns how many there are."""
    site.want(made + reports)
    await_arrival(site, made + reports)
    return made + reports


def await_equal(site: Site, reports: int) -> None:
    """Wait until nothing is under way any more and all tiers have one picture."""
    await_arrival(site, reports)
    until(lambda: len({str(picture(c.nib)) for c in site.controllers}) == 1, "one picture", 120)


# --- 72 hours ------------------------------------------------------------------------------------

HOURS = 72
CUT_AT_H = 70
"""Certificates are for 168 hours and due for renewal at 84 ± 10 %: while the site is cut off."""


def fake_clock(hours: int) -> dict[str, str]:
    """Return the environment of processes for which it is so many hours later."""
    library = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
    assert library is not None, "libfaketime is not installed: tools/apt-packages.txt names it"
    # Python waits by the monotonic clock, which must be the kernel's.
    return {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).with_name("later")), str(REPOSITORY)]),
        "LD_PRELOAD": str(library),
        "FAKETIME": f"+{hours}h",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def set_clocks(site: Site, hours: int) -> None:
    """Start every process anew at a later hour; a cut link stays cut."""
    parts = [part for part in site.parts if part.process is not None]
    for part in parts:
        part.kill()
        part.env = fake_clock(hours)
        part.launch()
    for part in parts:
        until(part.is_serving, f"{part.name} to serve at hour {hours}", 90)


@pytest.mark.attack(39, 43)
def test_a_site_cut_off_for_72_hours_comes_back_by_itself_with_everything(
    tell: Tell,
) -> None:
    with running_site(has_url=False, env=fake_clock(0)) as site:
        made = more(site, 0, 15)
        set_clocks(site, CUT_AT_H)
        site.link.kill()
        for hours in (0, HOURS // 2, HOURS):
            if hours:
                set_clocks(site, CUT_AT_H + hours)
            made += 15
            site.want(made)
            until(
                lambda made=made: made_up_reports.recorded(site.lc.nib) >= made,  # type: ignore[misc]
                "reports of a site that is alone",
                120,
            )
        assert site.applied(site.lc, site.rc) < site.lc.nib.outbox_tail().seq
        until_h = not_after(site.lc)
        site.link.start()
        await_arrival(site, made)
        tell(figures(site, f"Cut off for {HOURS} simulated hours"))
        check_each_applied_once(site, 1, made)
        check_ledgers(site)
        check_equal(site)
        until(lambda: not_after(site.lc) > until_h, "the next certificate", 120)


def not_after(controller: Controller) -> datetime:
    return TlsIdentity(controller.folder / "state" / "tls").not_after
