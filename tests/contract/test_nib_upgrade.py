"""A NIB of an earlier release, on every database: upgraded, interrupted, and the way back."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, text

from pdsno.domain.anomalies.entities import Anomaly, Kind, Severity, Status
from pdsno.domain.entities import FieldSource, Interface
from pdsno.domain.errors import OperationError
from pdsno.nib import NIBStore, migrate
from pdsno.nib.care import NIBPlace
from pdsno.nib.check import faults
from pdsno.nib.codec import device_row, interface_rows
from pdsno.nib.codec_items import device_item
from pdsno.nib.codec_records import anomaly_row
from pdsno.nib.database import Database
from pdsno.nib.place import open_database
from pdsno.nib.restoring import restore
from pdsno.nib.schema import devices, interfaces
from pdsno.nib.schema_operators import metadata
from pdsno.nib.schema_records import anomalies
from tests.contract.nib_suite import (
    POSTGRES,
    STORED,
    T0,
    Store,
    device,
    event,
    later,
    name_of,
    put,
    router,
)
from tests.postgres import postgres

FIRST = "0001"
FILLING = """
INSERT INTO streams VALUES (1, 'stream-1', 7, '2025-03-01T12:00:00.000000Z');
INSERT INTO devices VALUES ('dev_1', 3, 'spine1', 'active', 'router', NULL, NULL, NULL, 'zone-A',
  'zone-A', 'lc', '2025-03-01T12:00:00.000000Z', '2025-03-01T12:00:00.000000Z', 0, 'spine1',
  '{"ips": ["10.1.0.1"], "macs": []}');
INSERT INTO interfaces VALUES ('dev_1', 'eth1', NULL, 'up', 'up', 1500, NULL, NULL,
  '["10.1.0.1/24"]');
INSERT INTO addresses VALUES ('dev_1', '10.1.0.1', '40a010001')
"""
UPGRADER = """
import sys, time
from alembic import command
from pdsno.nib import NIBStore

upgrade = command.upgrade

def half(*args):
    upgrade(*args)
    print("in the middle", flush=True)
    time.sleep(60)

command.upgrade = half
NIBStore(sys.argv[1])
"""


@pytest.fixture(params=STORED, ids=name_of)
def store(request: pytest.FixtureRequest) -> Store:
    assert isinstance(request.param, Store)
    return request.param


@pytest.fixture
def empty(store: Store, tmp_path: Path) -> str:
    """The place of a database without tables."""
    if store is POSTGRES:
        return postgres().url(postgres().empty_database())
    return store.place(tmp_path)


@pytest.fixture
def old(empty: str) -> str:
    """A NIB of the first release."""
    fill(empty)
    return empty


@contextmanager
def database(place: str) -> Iterator[Database]:
    held = open_database(place)
    try:
        yield held
    finally:
        held.close()


def fill(place: str) -> None:
    with database(place) as held, closing(held.writer()) as connection, connection.begin():
        upgrade(connection, FIRST)
        for statement in FILLING.split(";"):
            connection.exec_driver_sql(statement)


def upgrade(connection: Connection, revision: str) -> None:
    settings = Config(attributes={"connection": connection})
    settings.set_main_option("script_location", "pdsno.nib:migrations")
    command.upgrade(settings, revision)


def test_migrations_lead_to_the_schema_of_the_code(empty: str) -> None:
    with database(empty) as held, closing(held.writer()) as connection, connection.begin():
        upgrade(connection, "head")
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []
    with NIBStore(empty) as nib, nib.transaction() as tx:
        assert tx.append_event(event()).seq == 1


def test_events_are_append_only_in_what_was_migrated_and_what_was_created(
    old: str, store: Store, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for place in (old, store.place(other)):
        with NIBStore(place) as nib, nib.transaction() as tx:
            tx.append_event(event())
            tx.append_event(event())
        for change in ("UPDATE events SET subject = 'x'", "DELETE FROM events WHERE seq = 1"):
            with database(place) as held, closing(held.writer()) as connection:
                with pytest.raises(Exception, match="append-only"):
                    connection.execute(text(change))
                connection.rollback()
                connection.execute(text("UPDATE sequences SET value = value"))
        with NIBStore(place) as nib:
            assert len(nib.events()) == 2


def test_an_old_nib_keeps_what_it_has(old: str) -> None:
    with NIBStore(old) as nib:
        (held,) = nib.all_devices()
        assert (held.name, held.version, held.ips) == ("spine1", 3, ("10.1.0.1",))
        assert nib.device_items().items == (device_item(held),)
        assert nib.outbox_tail().seq == 7
        assert faults(nib) == ()


def test_anomalies_of_before_are_sorted_by_the_times_of_their_documents(empty: str) -> None:
    rows = [
        Anomaly(
            anomaly_id=f"anom_{n}", kind=Kind.NEW_DEVICE, severity=Severity.WARNING, subject="ü",
            region=None, found_by="lc", key=str(n), first_seen=T0, opened_at=later(n % 2),
            last_seen=later(n / 4), status=Status.CLOSED, closed_at=later(9),
        )
        for n in (1, 2, 3)
    ]  # fmt: skip
    with database(empty) as held, closing(held.writer()) as connection, connection.begin():
        upgrade(connection, "0007")
        for row in map(anomaly_row, rows):
            old = {name: row[name] for name in row.keys() - {"opened_at", "last_seen"}}
            connection.execute(insert(anomalies).values(old))
    with NIBStore(empty) as nib:
        assert nib.anomalies().items == tuple(rows)
        newest = nib.anomalies(order="-last_seen").items
        assert [row.anomaly_id for row in newest] == ["anom_3", "anom_2", "anom_1"]
        assert nib.anomalies(order="opened_at").items[0] == rows[1]
        with nib.transaction() as tx:
            assert tx.forget_anomalies(closed_before=later(10)) == 3


def test_devices_of_before_are_listed_as_they_are(empty: str) -> None:
    port = Interface(name='e"2', mtu=0, description="ü\n", ips=("10.0.0.1/8",), vrf="x")
    ports = (port, Interface(name="eth10"))
    whole = replace(router("dev_0001"), first_seen=T0.replace(microsecond=0), interfaces=ports)
    sources = {"notes": "operator", "macs": "snmp", "location": "operator"}
    told = {name: FieldSource(source=source, at=T0) for name, source in sources.items()}
    known = [
        replace(whole, provenance=told, notes='"last_seen":""', tags=("\x7f\u2028",)),
        *(device(f"dev_{n:04}", name=f"n{n}") for n in range(2, 1003)),
    ]
    with database(empty) as held, closing(held.writer()) as connection, connection.begin():
        upgrade(connection, "0010")
        for one in known:
            connection.execute(insert(devices).values(device_row(one) | {"version": 7}))
            for row in interface_rows(one):
                connection.execute(insert(interfaces).values(row))
    with NIBStore(empty) as nib:
        assert nib.device_items(limit=2000).items == tuple(
            device_item(replace(one, version=7)) for one in known
        )
        assert faults(nib) == ()


@pytest.mark.attack(31)
def test_a_kill_in_the_middle_of_an_upgrade_leaves_the_nib_of_before(old: str) -> None:
    running = subprocess.Popen(
        [sys.executable, "-c", UPGRADER, old], stdout=subprocess.PIPE, text=True
    )
    with running:
        try:
            assert running.stdout is not None
            assert "in the middle\n" in running.stdout
        finally:
            running.send_signal(signal.SIGKILL)
    with database(old) as held, closing(held.reader()) as connection:
        assert migrate.revision_of(connection, held.where) == FIRST
    with NIBStore(old) as nib:
        assert len(nib.all_devices()) == 1
        assert faults(nib) == ()


# --- the way back, of a file -----------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "nib.db"
    fill(str(path))
    return path


def test_an_upgrade_copies_the_file_first_and_that_is_the_way_back(path: Path) -> None:
    with NIBStore(path) as nib:
        put(nib, device("dev_new"))
    copy = path.with_name(f"nib.db.schema-{FIRST}")
    assert copy.stat().st_mode & 0o777 == 0o600
    with database(str(copy)) as held, closing(held.reader()) as connection:
        assert migrate.revision_of(connection, held.where) == FIRST
    restore(NIBPlace(url=str(path)), copy, now=T0, actor="test")
    with NIBStore(path) as nib:
        assert [d.device_id for d in nib.all_devices()] == ["dev_1"]


def test_without_room_for_the_copy_nothing_is_upgraded(path: Path) -> None:
    path.with_name(f"nib.db.schema-{FIRST}.part").mkdir()
    with pytest.raises(OperationError, match=r"cannot write the copy .*nib\.db\.schema-0001"):
        NIBStore(path)
    with database(str(path)) as held, closing(held.reader()) as connection:
        assert migrate.revision_of(connection, held.where) == FIRST


def test_a_new_nib_and_one_at_head_are_not_copied(tmp_path: Path) -> None:
    for _ in range(2):
        NIBStore(tmp_path / "nib.db").close()
    assert [file.name for file in tmp_path.iterdir()] == ["nib.db"]
