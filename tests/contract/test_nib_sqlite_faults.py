"""What may happen to a NIB's file: crash, full disk, tampering, damage, somebody else's lock."""

import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pdsno.domain.errors import OperationError, TransientError
from pdsno.nib import NIBStore, sqlite_file
from pdsno.nib.check import faults
from tests.contract.nib_suite import device, event, put, router
from tests.disks import remount, small_disk

CRASHING_WRITER = """
import sys, time
from tests.contract.nib_suite import device, event
from pdsno.nib import NIBStore

nib = NIBStore(sys.argv[1])
for n in range(20):
    with nib.transaction() as tx:
        tx.put_device(device(f"dev_{n:02}"), expected_version=None)
        tx.append_event(event(f"dev_{n:02}"))
        tx.enqueue("REPORT", {"n": n})
        tx.next_number("id")
with nib.transaction() as tx:
    tx.next_number("id")
    for n in range(6000):
        tx.put_device(device(f"lost_{n:04}", model="x" * 1000), expected_version=None)
        tx.append_event(event(f"lost_{n:04}"))
    tx.all_devices()
    print("in the middle", flush=True)
    time.sleep(60)
"""

FILLING_WRITER = """
import resource, sys
from tests.contract.nib_suite import device, event
from pdsno.domain.errors import OperationError
from pdsno.nib import NIBStore

nib = NIBStore(sys.argv[1])
with nib.transaction() as tx:
    tx.put_device(device("dev_before"), expected_version=None)
    tx.append_event(event())
resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, resource.RLIM_INFINITY))
try:
    with nib.transaction() as tx:
        for n in range(3000):
            tx.put_device(device(f"lost_{n}", model="x" * 1000), expected_version=None)
except OperationError as error:
    print(error)
print(len(nib.all_devices()))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
with nib.transaction() as tx:
    tx.put_device(device("dev_after"), expected_version=None)
    tx.append_event(event())
nib.close()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "nib.db"


@pytest.fixture
def nib(path: Path) -> Iterator[NIBStore]:
    with NIBStore(path) as opened:
        yield opened


def one_line(error: pytest.ExceptionInfo[OperationError], path: Path) -> str:
    """Return the text of an error that is fit for an operator."""
    text = str(error.value)
    assert "\n" not in text
    assert str(path) in text
    return text


# --- crash and full disk ---------------------------------------------------------------------


@pytest.mark.attack(31)
def test_a_kill_in_the_middle_of_a_transaction_loses_only_that_transaction(path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", CRASHING_WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    with writer:
        try:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "in the middle\n"
            spilled = path.with_name("nib.db-wal").stat().st_size
        finally:
            writer.send_signal(signal.SIGKILL)
    assert spilled > 1_000_000, "the transaction had not reached the file: the test shows nothing"
    with NIBStore(path) as nib:
        assert [d.device_id for d in nib.all_devices()] == [f"dev_{n:02}" for n in range(20)]
        assert [e.seq for e in nib.events()] == list(range(1, 21))
        assert [row.seq for row in nib.outbox()] == list(range(1, 21))
        assert faults(nib) == ()
        with nib.transaction() as tx:
            assert tx.next_number("id") == 21


@pytest.mark.attack(34)
def test_a_file_that_cannot_grow_is_one_clear_line_and_loses_nothing(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FILLING_WRITER, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    message, held = done.stdout.splitlines()
    assert str(path) in message
    assert "free space" in message
    assert held == "1"
    with NIBStore(path) as nib:
        assert [d.device_id for d in nib.all_devices()] == ["dev_after", "dev_before"]
        assert faults(nib) == ()


def test_a_refused_statement_ends_the_transaction_even_if_the_caller_goes_on(
    path: Path, nib: NIBStore
) -> None:
    """As after a full disk: what would be written afterwards would stand alone."""
    put(nib, device("dev_0"))
    with closing(sqlite3.connect(path)) as raw:
        raw.execute(
            "CREATE TRIGGER no_tokens BEFORE INSERT ON sequences"
            " BEGIN SELECT RAISE(ROLLBACK, 'gone'); END"
        )
    with pytest.raises(OperationError, match="rolled back after"):
        _swallow(nib)
    assert [d.device_id for d in nib.all_devices()] == ["dev_0"]


def _swallow(nib: NIBStore) -> None:
    with nib.transaction() as tx:
        tx.put_device(device("dev_1"), expected_version=None)
        with pytest.raises(OperationError, match="gone"):
            tx.next_number("a")
        with pytest.raises(OperationError, match="rolled back after"):
            tx.put_device(device("dev_2"), expected_version=None)


# --- tampering -------------------------------------------------------------------------------

TAMPERING = {
    "update": "UPDATE events SET subject = 'x' WHERE seq = 2",
    "delete": "DELETE FROM events WHERE seq = 2",
    "delete-all": "DELETE FROM events",
    "replace": "INSERT OR REPLACE INTO events SELECT 2, event_type, 'x', actor, at, region, data,"
    " previous_hash, hash FROM events WHERE seq = 2",
    "out-of-order": "INSERT INTO events SELECT 9, event_type, 'x', actor, at, region, data,"
    " previous_hash, hash FROM events WHERE seq = 2",
}


@pytest.mark.attack(36)
@pytest.mark.parametrize("statement", TAMPERING.values(), ids=TAMPERING)
def test_tampering_with_events_is_refused(path: Path, nib: NIBStore, statement: str) -> None:
    with nib.transaction() as tx:
        written = [tx.append_event(event(f"dev_{n}")) for n in range(3)]
    # A connection as the sqlite3 shell makes it: none of our pragmas.
    with closing(sqlite3.connect(path)) as raw:
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            raw.execute(statement)
        # The same hands may write what is no event: it was not the file that refused.
        raw.execute("INSERT INTO sequences VALUES ('control', 1)")
        raw.commit()
    assert list(nib.events()) == written
    assert faults(nib) == ()


@pytest.mark.attack(36)
def test_tampering_past_the_triggers_breaks_the_chain(path: Path, nib: NIBStore) -> None:
    with nib.transaction() as tx:
        for n in range(3):
            tx.append_event(event(f"dev_{n}"))
    assert faults(nib) == ()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("DROP TRIGGER events_no_update")
        raw.execute("UPDATE events SET subject = 'x' WHERE seq = 2")
        raw.commit()
    assert faults(nib) == ("event 2: content was altered",)


# --- files that are no NIB, or not any more --------------------------------------------------


def test_a_file_that_is_no_database_is_one_clear_line(path: Path) -> None:
    path.write_text("this is not a database, it only looks long enough to be one\n" * 100)
    with pytest.raises(OperationError, match="is not a SQLite database") as error:
        NIBStore(path)
    one_line(error, path)
    assert path.read_text().startswith("this is not a database")


def test_a_database_of_somebody_else_is_refused_and_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(OperationError, match="not a NIB") as error:
        NIBStore(path)
    one_line(error, path)
    with closing(sqlite3.connect(path)) as raw:
        tables = raw.execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == [("recipes",)]


@pytest.mark.attack(35)
def test_a_truncated_file_is_one_clear_line(path: Path) -> None:
    with NIBStore(path) as nib:
        put(nib, *(device(f"dev_{n:04}", model="x" * 500) for n in range(500)))
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size // 2)
    with pytest.raises(OperationError, match="is damaged") as error:
        NIBStore(path)
    assert "restore a backup" in one_line(error, path)


@pytest.mark.attack(35)
def test_a_damaged_page_is_one_clear_line_when_it_is_read(path: Path) -> None:
    with NIBStore(path) as nib:
        put(nib, *(device(f"dev_{n:04}", model="x" * 500) for n in range(500)))
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * (size // 4))
    with NIBStore(path) as nib:
        with pytest.raises(OperationError, match="is damaged") as error:
            nib.all_devices()
        one_line(error, path)
        assert faults(nib) != ()


@pytest.mark.attack(33)
def test_a_lock_of_another_process_is_transient(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "_BUSY_TIMEOUT_S", 0.1)
    with NIBStore(path) as nib, closing(sqlite3.connect(path, isolation_level=None)) as other:
        put(nib, router())
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TransientError, match="locked by another process") as error:
            put(nib, device("dev_2"))
        one_line(error, path)
        assert len(nib.all_devices()) == 1
        other.execute("ROLLBACK")
        put(nib, device("dev_2"))
        assert len(nib.all_devices()) == 2


@pytest.mark.attack(34)
def test_running_out_of_file_descriptors_is_one_clear_line(path: Path) -> None:
    with NIBStore(path) as nib:
        put(nib, router())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(OperationError) as error:
            NIBStore(path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    one_line(error, path)
    with NIBStore(path) as nib:
        assert len(nib.all_devices()) == 1


@pytest.mark.attack(34)
@pytest.mark.lab
def test_a_full_disk_is_one_clear_line_and_loses_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path, "1m") as disk:
        path = disk / "nib.db"
        with NIBStore(path) as nib:
            put(nib, device("dev_before"))
            with pytest.raises(TransientError, match="the disk is full") as error:
                put(nib, *(device(f"lost_{n}", model="x" * 1000) for n in range(3000)))
            one_line(error, path)
            assert [d.device_id for d in nib.all_devices()] == ["dev_before"]
            remount(disk, "size=16m")
            put(nib, device("dev_after"))
            assert len(nib.all_devices()) == 2
            assert faults(nib) == ()


@pytest.mark.attack(34)
@pytest.mark.lab
def test_a_file_system_that_turns_read_only_is_one_clear_line_and_loses_nothing(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path, "16m") as disk:
        path = disk / "nib.db"
        with NIBStore(path) as nib:
            put(nib, device("dev_before"))
        remount(disk, "ro")
        with pytest.raises(OperationError, match="Read-only file system") as error:
            NIBStore(path)
        one_line(error, path)
        remount(disk, "rw")
        with NIBStore(path) as nib:
            put(nib, device("dev_after"))
            assert len(nib.all_devices()) == 2
            assert faults(nib) == ()
