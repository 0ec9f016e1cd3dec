"""The schema of the code, that of the migrations, and that of a file are one."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from pdsno.domain.errors import OperationError
from pdsno.nib import NIBStore, migrate
from pdsno.nib.schema import metadata


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


def test_migrations_lead_to_the_schema_of_the_code(path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}")
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection)
            assert compare_metadata(context, metadata) == []
    finally:
        engine.dispose()


def test_triggers_and_table_options_are_those_of_the_code(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "created.db"
    engine = create_engine(f"sqlite:///{other}")
    try:
        metadata.create_all(engine)
    finally:
        engine.dispose()
    migrated = objects(path)
    assert migrated == objects(other)
    assert {"events_no_update", "events_no_delete", "events_next_only"} <= migrated.keys()
    tables = [sql for sql in migrated.values() if sql.startswith("CREATE TABLE")]
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
