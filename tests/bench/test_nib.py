"""How fast a NIB is on each database: what comes in, and what the store alone does.

Rivals run interleaved in the same process on the same data: ratios count, absolutes do not.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pdsno.communication.payloads import read
from pdsno.domain.entities import Device, FieldSource, Interface
from pdsno.domain.identifiers import new_message_id
from pdsno.domain.jsonable import jsonable
from pdsno.domain.messages import DiscoveryReport, Message, MessageType
from pdsno.domain.reports import as_snapshot, in_parts, is_first_of_stream, may_jump
from pdsno.intake.inbox import Intake, take_in
from pdsno.intake.reports import ReportIntake
from pdsno.nib import NIBStore
from pdsno.nib.codec import address_rows, device_row, interface_rows
from pdsno.nib.codec_items import item_row
from tests.contract.nib_suite import POSTGRES, SQLITE, T0, Store, name_of
from tests.postgres import postgres

INGESTED = 1000
ALONE = 10_000
REPORTER = "local_cntl_zone-A_1"
STORES = (SQLITE, POSTGRES)


pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(autouse=True)
def _empty_databases() -> Iterator[None]:
    yield
    postgres().release()


def device(number: int, **values: Any) -> Device:  # noqa: ANN401 - any field of a device
    """A switch as SNMP tells of it: a name, a serial, two ports, an address."""
    octets = number.to_bytes(4, "big")
    mac = "02:00:" + octets.hex(":")
    ip = ".".join(("10", *(str(octet) for octet in octets[1:])))
    ports = (
        Interface(name="Ethernet1", mac=mac, oper_status="up", mtu=1500, speed_mbps=10_000),
        Interface(name="Management1", ips=(f"{ip}/8",), oper_status="up"),
    )
    default: dict[str, Any] = {
        "device_id": f"dev_{number:08}",
        "name": f"switch-{number}",
        "vendor": "Arista",
        "model": "DCS-7050",
        "platform": "arista_eos",
        "os_version": "4.30",
        "serial": f"SN{number:08}",
        "device_type": "switch",
        "region": "zone-A" if number % 2 else "zone-B",
        "namespace": "zone-A",
        "local_controller": REPORTER,
        "management_ip": ip,
        "macs": (mac,),
        "ips": (ip,),
        "interfaces": ports,
        "sources": ("snmp",),
        "provenance": {"name": FieldSource(source="snmp", at=T0)},
        "first_seen": T0,
        "last_seen": T0,
    }
    return Device(**default | values)


# --- the whole way in ------------------------------------------------------------------------


def message(seq: int, devices: Sequence[Device]) -> Message:
    """Return what the codec gives on: a message whose signature and envelope were checked."""
    report = DiscoveryReport(
        cycle_id=f"cycle-{seq}",
        region="zone-A",
        local_controller=REPORTER,
        started_at=T0,
        finished_at=T0,
        coverage=(),
        devices=tuple(devices),
    )
    return Message(
        message_id=new_message_id(),
        message_type=MessageType.DISCOVERY_REPORT,
        sender_id=REPORTER,
        recipient_id="regional_cntl_zone-A_1",
        timestamp=T0,
        payload=jsonable(report),
        stream_id="stream",
        seq=seq,
    )


def ingest(nib: NIBStore, told: Message) -> None:
    """Do what a regional controller does with a report, from the message to the commit."""
    report = read(told, DiscoveryReport)
    intake = ReportIntake("regional_cntl_zone-A_1")

    def apply(tx: Any) -> None:  # noqa: ANN401 - a transaction
        summary = intake.apply(tx, told.sender_id, report).summary(report)
        if is_first_of_stream(tx):
            summary = as_snapshot(tx, summary)
        for part in in_parts(summary):
            tx.enqueue(MessageType.DISCOVERY_SUMMARY, part)

    done, _ = take_in(nib, told, apply, is_snapshot=may_jump(report))
    assert done is Intake.APPLIED


@pytest.mark.parametrize("batch", [10, 100, 500])
@pytest.mark.parametrize("store", STORES, ids=name_of)
def test_devices_a_second_over_the_whole_way_in(store: Store, batch: int, tmp_path: Path) -> None:
    count = min(INGESTED, batch * 20)
    speeds, costs = [], []
    with store.open(tmp_path) as nib:
        seq = 0
        for version in ("4.30", "4.31"):
            told = []
            for start in range(0, count, batch):
                seq += 1
                devices = [device(n, os_version=version) for n in range(start, start + batch)]
                told.append(message(seq, devices))
            started, busy = time.perf_counter(), time.process_time()
            for one in told:
                ingest(nib, one)
            speeds.append(count / (time.perf_counter() - started))
            costs.append((time.process_time() - busy) / count * 1e6)
        assert sum(nib.counts().devices.values()) == count
        assert nib.events(limit=1, newest_first=True)[0].seq == 2 * count
    print(
        f"\n{store.name}, {batch} a message: {speeds[0]:.0f} new, {speeds[1]:.0f} changed /s; "
        f"{costs[0]:.0f} and {costs[1]:.0f} us of our CPU for each"
    )
    assert min(speeds) > 5


# --- the store alone -------------------------------------------------------------------------


def bare(path: Path, devices: Sequence[Device]) -> float:
    """Return the seconds in which sqlite3 writes the same rows, made before, in one transaction."""
    tables = {
        "devices": [device_row(d) | {"version": 1} for d in devices],
        "device_items": [item_row(d) for d in devices],
        "interfaces": [row for d in devices for row in interface_rows(d)],
        "macs": [{"device_id": d.device_id, "mac": mac} for d in devices for mac in d.macs],
        "addresses": [row for d in devices for row in address_rows(d)],
    }
    rows = {
        name: (list(found[0]), [tuple(map(_stored, row.values())) for row in found])
        for name, found in tables.items()
    }
    NIBStore(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA synchronous=FULL")
        started = time.perf_counter()
        raw.execute("BEGIN IMMEDIATE")
        for name, (columns, values) in rows.items():
            places = ",".join("?" * len(columns))
            raw.executemany(
                f"INSERT INTO {name} ({','.join(columns)}) VALUES ({places})",  # noqa: S608
                values,
            )
        raw.execute("COMMIT")
        return time.perf_counter() - started


def _stored(value: object) -> object:
    return value.isoformat() if hasattr(value, "isoformat") else value


def test_the_store_alone_beside_executemany(tmp_path: Path) -> None:
    devices = [device(number) for number in range(ALONE)]
    took: dict[str, list[float]] = {"bare": [], "insert": [], "update": [], "postgresql": []}
    for turn in range(3):
        folder = tmp_path / str(turn)
        folder.mkdir()
        took["bare"].append(bare(folder / "bare.db", devices))
        for store, name in ((SQLITE, "insert"), (POSTGRES, "postgresql")):
            with store.open(folder) as nib:
                took[name].append(timed(partial(put_all, nib, devices, None)))
                if store is SQLITE:
                    newer = [replace(d, os_version="5") for d in devices]
                    took["update"].append(timed(partial(put_all, nib, newer, 1)))
    print(f"\n{ALONE} devices with two interfaces in one transaction:")
    least = min(took["bare"])
    for name, seconds in took.items():
        print(f"  {name}: {ALONE / min(seconds):.0f}/s, {least / min(seconds):.2f} of bare")


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def put_all(nib: NIBStore, devices: Sequence[Device], version: int | None) -> None:
    with nib.transaction() as tx:
        for one in devices:
            tx.put_device(one, expected_version=version)
