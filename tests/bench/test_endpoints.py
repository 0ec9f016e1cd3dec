"""Ten thousand telephones that are somebody else every day: how much a NIB keeps of them."""

import random
import sqlite3
import time
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pdsno.discovery.cycle import record_cycle
from pdsno.discovery.observe import Observations
from pdsno.domain.coverage import coverage_of
from pdsno.domain.observations import (
    AddressOutcome,
    ArpEntry,
    Authority,
    Facts,
    MacTableEntry,
    Method,
    Outcome,
    Probe,
    Sighting,
)
from pdsno.domain.policy import LocalPolicy
from pdsno.domain.ports import NIB
from pdsno.nib import NIBStore
from tests.unit.domain.builders import NOW, facts, interface, mac, neighbor

PHONES = 10_000
DAYS = 30
SWITCHES = 25
AGAIN = 10
"""Every so many days a second cycle finds each telephone where it was at the first."""
HEARD = 2_000
"""So many telephones are on a LAN that is swept, and are asked in vain; tables tell of all."""
LOCAL = LocalPolicy(controller_id="lc", subnets=("10.0.0.0/24", "10.8.0.0/16"))


def day_of_phones(rng: random.Random) -> list[tuple[str, str, int]]:
    """Return (MAC, address, switch) of every telephone today: all new, at any switch."""
    addresses = rng.sample(range(1, 60_000), PHONES)
    phones = []
    for address in addresses:
        tail = rng.randbytes(5).hex(":")
        phones.append(
            (f"da:{tail}", f"10.8.{address >> 8}.{address & 255}", rng.randrange(SWITCHES))
        )
    return phones


def network(phones: list[tuple[str, str, int]]) -> tuple[Facts, ...]:
    """Return what the router and the switches tell: one core, the others behind its ports."""
    router = facts(
        "10.0.0.1",
        interface("eth1", mac(1), "10.0.0.1/24"),
        name="router",
        serial="ROUTER-1",
        arp=tuple(ArpEntry(ip=ip, mac=phone) for phone, ip, _ in phones),
    )
    tables: list[list[MacTableEntry]] = [[] for _ in range(SWITCHES)]
    for number, (phone, _, at) in enumerate(phones):
        port = f"GigabitEthernet1/0/{number % 48 + 1}"
        tables[at].append(MacTableEntry(mac=phone, vlan=8, interface=port))
        if at:
            down = f"TenGigabitEthernet1/1/{at}"
            tables[0].append(MacTableEntry(mac=phone, vlan=8, interface=down))
    switches = (
        facts(
            f"10.0.0.{100 + number}",
            interface("Vlan1", mac(100 + number), f"10.0.0.{100 + number}/24"),
            name=f"sw{number}",
            serial=f"SWITCH-{number}",
            chassis_id=mac(100 + number),
            neighbors=(neighbor("uplink", "sw0", remote_chassis_id=mac(100)),) if number else (),
            mac_table=tuple(table),
        )
        for number, table in enumerate(tables)
    )
    return (router, *switches)


def swept(phones: list[tuple[str, str, int]]) -> tuple[tuple[Sighting, ...], list[AddressOutcome]]:
    """Return what the sweep of their LAN and the queries after it make of telephones."""
    heard = phones[:HEARD]
    probes = (
        Probe(method=Method.ARP, outcome=Outcome.ANSWERED),
        Probe(method=Method.SNMP, outcome=Outcome.TIMEOUT),
    )
    return (
        tuple(Sighting(address=ip, mac=own, method=Method.ARP, at=NOW) for own, ip, _ in heard),
        [AddressOutcome(namespace="zone-A", address=ip, probes=probes) for _, ip, _ in heard],
    )


def cycle(nib: NIB, number: int, phones: list[tuple[str, str, int]], hours: int) -> None:
    now = NOW + timedelta(hours=hours)
    sightings, outcomes = swept(phones)
    record_cycle(
        nib,
        Observations(
            sightings=tuple(replace(sighting, at=now) for sighting in sightings),
            facts=network(phones),
            outcomes=tuple(outcomes),
            coverage=coverage_of("zone-A", LOCAL.subnets),
            notes=(),
            started_at=now - timedelta(minutes=2),
            finished_at=now,
            is_complete=True,
        ),
        cycle_id=f"cycle_{number}",
        region="zone-A",
        local_controller="lc",
        subnets=LOCAL.subnets,
        authority=Authority(source="settings"),
        local=LOCAL,
        now=now,
    )
    # A parent that listens: what waits for it is not what is measured.
    with nib.transaction() as tx:
        tail = tx.outbox_tail()
        tx.confirm(tail.stream_id, tail.seq)


@pytest.mark.bench
@pytest.mark.timeout(1800)
def test_a_month_of_telephones_leaves_bounded_rows_and_no_alarms(tmp_path: Path) -> None:
    rng = random.Random(1)  # noqa: S311 - the same month each time
    path = tmp_path / "nib.db"
    nib = NIBStore(path)
    times_s: list[float] = []
    rows: list[int] = []
    for day in range(DAYS):
        phones = day_of_phones(rng)
        for hour in (8, 13) if day % AGAIN == 0 else (8,):
            started = time.perf_counter()
            cycle(nib, len(times_s), phones, day * 24 + hour)
            times_s.append(time.perf_counter() - started)
        rows.append(count(path, "endpoints"))
    kinds = Counter(event.event_type for event in nib.events(limit=1_000_000))
    placed = sum(e.attachment is not None for e in nib.endpoints(limit=1_000_000).items)
    sightings = count(path, "endpoint_sightings")
    devices = nib.all_devices()
    nib.close()
    size = sum(f.stat().st_size for f in tmp_path.iterdir()) / 1e6
    print(
        f"\n{PHONES:,} telephones, {DAYS} days, {len(times_s)} cycles: "
        f"{rows[-1]:,} endpoints ({placed:,} with a port), {sightings:,} sightings, "
        f"{size:.0f} MB; {sum(times_s) / len(times_s):.2f} s a cycle, "
        f"{max(times_s):.2f} s at most; events {dict(kinds)}"
    )
    assert max(rows) <= PHONES * (LOCAL.random_mac_days + 1)
    assert sightings <= max(rows)
    assert max(rows) == max(rows[:10])
    assert placed == rows[-1]
    assert len(devices) == SWITCHES + 1
    assert kinds.pop("DEVICE_APPEARED") == SWITCHES + 1
    assert kinds.pop("DISCOVERY_COMPLETED") == len(times_s)
    assert set(kinds) <= {"LINK_APPEARED"}


def count(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as database:
        (rows,) = database.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
    return int(rows)
