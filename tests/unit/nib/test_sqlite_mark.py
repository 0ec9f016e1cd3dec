"""The number that tells whether anything was committed to a file."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pdsno.nib.sqlite_mark import StateMark


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "some file?#.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE t (n)")
    return path


def write(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("INSERT INTO t VALUES (1)")


def test_it_stays_until_somebody_commits(path: Path) -> None:
    mark = StateMark(path)
    before = mark.read()
    assert before is not None
    assert mark.read() == before
    write(path)
    after = mark.read()
    assert after not in (None, before)
    assert mark.read() == after
    mark.close()


def test_it_waits_for_no_writer_and_does_not_count_what_is_not_committed(path: Path) -> None:
    mark = StateMark(path)
    before = mark.read()
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO t VALUES (1)")
        assert mark.read() == before
        writer.execute("ROLLBACK")
    assert mark.read() == before
    mark.close()


def test_a_file_that_cannot_be_read_has_none_and_no_number_comes_again_after_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = StateMark(path)
    before = mark.read()
    monkeypatch.setattr(mark, "_connection", _Broken())
    assert mark.read() is None
    # The new connection counts from where the first one did.
    assert mark.read() not in (None, before)
    mark.close()


def test_a_file_that_is_not_there_has_none_and_is_not_made(tmp_path: Path) -> None:
    mark = StateMark(tmp_path / "none.db")
    assert mark.read() is None
    assert not (tmp_path / "none.db").exists()


def test_after_it_is_closed_there_is_none(path: Path) -> None:
    mark = StateMark(path)
    mark.read()
    mark.close()
    mark.close()
    assert mark.read() is None


class _Broken:
    def execute(self, _statement: str) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    def close(self) -> None:
        pass
