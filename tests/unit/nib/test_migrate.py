"""The schema of the code, that of the migrations, and that of a file are one."""

import json
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from pdsno.domain.chain import link_event
from pdsno.domain.entities import ControllerRecord, Interface, NewEvent
from pdsno.domain.errors import OperationError
from pdsno.domain.identifiers import Role
from pdsno.domain.ports import DeviceFilter
from pdsno.nib import NIBStore, migrate
from pdsno.nib.check import faults
from pdsno.nib.codec_log import event_row
from pdsno.nib.schema_operators import metadata
from pdsno.nib.sqlite_file import SQLiteFile

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "nib.db"
    NIBStore(path).close()
    return path


def objects(path: Path) -> dict[str, str]:
    """Return tables, indexes and triggers with the statements that made them, spaces levelled."""
    with closing(sqlite3.connect(path)) as raw:
        rows = raw.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {name: " ".join(sql.split()) for name, sql in rows if name != "alembic_version"}


@pytest.fixture
def migrated(tmp_path: Path) -> Path:
    """An empty NIB that went through every release."""
    path = tmp_path / "migrated.db"
    at_revision(path, "head")
    return path


def test_migrations_lead_to_the_schema_of_the_code(migrated: Path) -> None:
    engine = create_engine(f"sqlite:///{migrated}")
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection)
            assert compare_metadata(context, metadata) == []
    finally:
        engine.dispose()


def test_triggers_and_table_options_are_those_of_the_code(path: Path, migrated: Path) -> None:
    created = objects(path)
    assert objects(migrated) == created
    assert {"events_no_update", "events_no_delete", "events_next_only"} <= created.keys()
    tables = [sql for sql in created.values() if sql.startswith("CREATE TABLE")]
    assert [sql for sql in tables if "STRICT" not in sql] == []


def test_the_head_that_the_code_names_is_the_newest_migration() -> None:
    settings = Config()
    settings.set_main_option("script_location", "pdsno.nib:migrations")
    assert ScriptDirectory.from_config(settings).get_heads() == [migrate.HEAD]


def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
        raw.commit()
    before = objects(path)
    with pytest.raises(OperationError, match=r"schema 9999.*newer release; upgrade PDSNO") as error:
        NIBStore(path)
    assert str(path) in str(error.value)
    assert objects(path) == before


def test_a_file_at_head_is_opened_without_alembic(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def upgrade(*_: object) -> None:
        pytest.fail("nothing is to be upgraded")

    monkeypatch.setattr(migrate, "_upgrade", upgrade)
    NIBStore(path).close()


def test_an_empty_file_becomes_a_nib(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    with NIBStore(path) as nib:
        assert nib.outbox_tail().seq == 0


def test_two_that_create_one_nib_together_share_it(tmp_path: Path) -> None:
    barrier = threading.Barrier(3)

    def stream(_: int) -> str:
        barrier.wait(timeout=10)
        with NIBStore(tmp_path / "nib.db") as nib:
            return nib.outbox_tail().stream_id

    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(stream, range(3)))) == 1


# --- from one release to the next ------------------------------------------------------------


def at_revision(path: Path, revision: str) -> None:
    """Create a NIB as an older release left it."""
    database = SQLiteFile(path)
    try:
        with closing(database.writer()) as connection, connection.begin():
            settings = Config(attributes={"connection": connection})
            settings.set_main_option("script_location", "pdsno.nib:migrations")
            command.upgrade(settings, revision)
    finally:
        database.close()


_FIRST_RELEASE = """
INSERT INTO devices VALUES ('dev_1', 3, 'spine1', 'active', 'router', NULL, NULL, NULL, 'zone-A',
  'zone-A', 'lc', '2025-03-01T12:00:00Z', '2025-03-01T12:00:00Z', 0, 'spine1',
  '{"ips": ["10.1.0.1"], "macs": [], "chassis_id": "rack-1",
    "neighbors": [{"local_interface": "eth1", "remote_name": "leaf1"}]}');
INSERT INTO interfaces VALUES ('dev_1', 'eth1', NULL, 'up', 'up', 1500, NULL, NULL,
  '["10.1.0.1/24"]');
INSERT INTO addresses VALUES ('dev_1', '10.1.0.1', '40a010001');
INSERT INTO streams VALUES (1, 'stream-1', 7, '2025-03-01T12:00:00Z');
INSERT INTO cycles VALUES (1, 'cycle-1', '2025-03-01T12:00:00Z');
INSERT INTO probes VALUES (1, '40a010001', 'zone-A', '10.1.0.1', '{}');
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A NIB of the first release with one of everything that changed since."""
    path = tmp_path / "old.db"
    at_revision(path, "0001")
    event = NewEvent(event_type="DEVICE_APPEARED", subject="dev_1", actor="lc", at=NOW)
    row = event_row(link_event(event, None), "{}")
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript(_FIRST_RELEASE)
        values = [v.isoformat() if isinstance(v, datetime) else v for v in row.values()]
        raw.execute(f"INSERT INTO events ({', '.join(row)}) VALUES (?,?,?,?,?,?,?,?,?)", values)  # noqa: S608 - names of our schema
        raw.commit()
    return path


def test_a_nib_of_the_first_release_keeps_devices_events_and_stream(old: Path) -> None:
    with NIBStore(old) as nib:
        (device,) = nib.all_devices()
        assert (device.name, device.version, device.ips) == ("spine1", 3, ("10.1.0.1",))
        assert device.interfaces == (
            Interface(
                name="eth1", ips=("10.1.0.1/24",), oper_status="up", admin_status="up", mtu=1500
            ),
        )
        assert nib.devices(DeviceFilter(namespace="zone-A", ip="10.1.0.0/24")).items == (device,)
        assert [e.subject for e in nib.events()] == ["dev_1"]
        assert nib.outbox_tail().seq == 7
        assert faults(nib) == ()


def test_who_is_heard_by_devices_of_the_first_release_is_known(old: Path) -> None:
    with NIBStore(old) as nib, nib.transaction() as tx:
        assert set(tx.devices_hearing(["n:leaf1"])) == {"dev_1"}
        assert set(tx.devices_marked(["n:spine1"])) == {"dev_1"}
        assert set(tx.devices_marked(["c:rack-1"])) == {"dev_1"}
        assert set(tx.devices_marked(["i:10.1.0.1"])) == {"dev_1"}
        assert set(tx.devices_hearing(["n:spine1"])) == set()


def test_the_ledger_of_the_first_release_which_names_nobody_is_dropped(old: Path) -> None:
    with NIBStore(old) as nib:
        assert nib.cycles() == ()
        assert nib.address_outcomes() == (None, ())
        assert nib.endpoints().items == ()


def test_a_nib_that_was_upgraded_is_like_one_just_made(old: Path, path: Path) -> None:
    NIBStore(old).close()
    assert objects(old) == objects(path)
    with NIBStore(old) as nib, nib.transaction() as tx:
        (device,) = tx.all_devices()
        tx.put_device(device, expected_version=3)
        tx.retire_device("dev_1")
        assert tx.interfaces().items == ()


# --- from delegations to certificates --------------------------------------------------------

_REGIONAL = {
    "controller_id": "regional_cntl_zone-A_1",
    "role": "regional",
    "region": "zone-A",
    "status": "active",
    "public_key": "key",
    "key_id": "kid",
    "url": "http://127.0.0.1:8002",
    "subnets": ["10.1.0.0/24"],
    "hostname": "süd",
    "delegation": "signed note",
    "validated_at": "2025-03-01T12:00:00Z",
    "decided_by": "global_cntl_1",
    "version": 4,
}


def put_controller(path: Path, document: dict[str, object]) -> None:
    row = (*(document[c] for c in ("controller_id", "version", "role", "region", "status")),)
    with closing(sqlite3.connect(path)) as raw:
        raw.execute(
            "INSERT INTO controllers VALUES (?,?,?,?,?,'kid','2025-03-01T12:00:00Z',?)",
            (*row, json.dumps(document, ensure_ascii=False)),
        )
        raw.commit()


@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_controllers_of_before_lose_the_signed_note_and_nothing_else(
    tmp_path: Path, revision: str
) -> None:
    path = tmp_path / "old.db"
    at_revision(path, revision)
    local = _REGIONAL | {"controller_id": "local_cntl_zone-A_1", "role": "local"}
    put_controller(path, _REGIONAL)
    put_controller(path, local | {"delegation": None})
    with NIBStore(path) as nib:
        expected = ControllerRecord(
            controller_id="regional_cntl_zone-A_1",
            role=Role.REGIONAL,
            region="zone-A",
            public_key="key",
            key_id="kid",
            url="http://127.0.0.1:8002",
            subnets=("10.1.0.0/24",),
            hostname="süd",
            validated_at=NOW,
            decided_by="global_cntl_1",
            version=4,
        )
        assert nib.controllers(role=Role.REGIONAL) == (expected,)
        assert [c.generation for c in nib.controllers()] == [0, 0]
    with closing(sqlite3.connect(path)) as raw:
        documents = [row[0] for row in raw.execute("SELECT document FROM controllers")]
    assert [d for d in documents if "delegation" in d] == []
    assert len(documents) == 2


def test_a_field_that_a_record_no_longer_has_is_ignored(path: Path) -> None:
    put_controller(path, _REGIONAL | {"something": 1})
    with NIBStore(path) as nib:
        assert [c.controller_id for c in nib.controllers()] == ["regional_cntl_zone-A_1"]
