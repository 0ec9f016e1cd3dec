"""What may happen to a NIB on PostgreSQL: nobody there, no right, a restart under load, a rival."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from pdsno.domain.entities import Event
from pdsno.domain.errors import InputError, OperationError, TransientError
from pdsno.nib import NIBStore, postgres_server
from pdsno.nib.check import faults
from tests.contract.nib_suite import device, event, put
from tests.postgres import PostgresRig, postgres

pytestmark = pytest.mark.integration


@pytest.fixture
def rig() -> PostgresRig:
    return postgres()


@pytest.fixture
def url(rig: PostgresRig, tmp_path: Path) -> str:
    return rig.database(tmp_path)


@pytest.fixture
def nib(url: str) -> Iterator[NIBStore]:
    with NIBStore(url) as opened:
        yield opened


def refusal(place: str, kind: type[Exception] = OperationError, **options: Path) -> str:
    """Return the one line with which a NIB is not opened."""
    with pytest.raises(kind) as error:
        NIBStore(place, **options)
    text = str(error.value)
    assert "\n" not in text
    return text


# --- what an operator got wrong --------------------------------------------------------------


def test_nobody_at_the_address_is_transient(tmp_path: Path) -> None:
    text = refusal(f"postgresql+psycopg://u@/nib?host={tmp_path}", TransientError)
    assert "is PostgreSQL running there" in text
    text = refusal("postgresql+psycopg://u:hidden@127.0.0.1:1/nib", TransientError)
    assert "cannot be reached" in text
    assert "hidden" not in text


def test_a_missing_database_or_role_names_the_command_that_makes_it(rig: PostgresRig) -> None:
    assert "createdb -E UTF8" in refusal(rig.url("nowhere"))
    assert "createuser" in refusal(rig.url("postgres", user="nobody_here"))


@pytest.fixture
def guarded(rig: PostgresRig, url: str) -> Iterator[str]:
    """The URL of a NIB whose role must give a password."""
    database = url.partition("@/")[2].partition("?")[0]
    rig.execute("CREATE ROLE guarded LOGIN SUPERUSER PASSWORD 'sesame'")
    with rig.admission("local all guarded scram-sha-256"):
        yield rig.url(database, user="guarded")
    rig.execute("DROP ROLE guarded")


def test_a_password_is_read_from_its_file_and_never_shown(guarded: str, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("sesame\n")
    file.chmod(0o600)
    with NIBStore(guarded, password_file=file) as nib:
        put(nib, device())
    file.write_text("wrong-one\n")
    text = refusal(guarded, password_file=file)
    assert "refuses the password of this role" in text
    assert "wrong-one" not in text
    assert "wrong-two" not in refusal(guarded.replace("guarded@", "guarded:wrong-two@"))
    assert "wants a password" in refusal(guarded)
    file.chmod(0o640)
    assert f"chmod 600 {file}" in refusal(guarded, InputError, password_file=file)
    file.unlink()
    assert "cannot read" in refusal(guarded, InputError, password_file=file)


def test_a_password_in_the_url_opens_and_is_not_in_what_errors_name(
    rig: PostgresRig, guarded: str
) -> None:
    with NIBStore(guarded.replace("guarded@", "guarded:sesame@")) as nib:
        put(nib, device())
        rig.stop()
        with pytest.raises(TransientError) as error:
            nib.all_devices()
        rig.start()
        assert "guarded@" in str(error.value)
        assert "sesame" not in str(error.value)


def test_a_server_that_is_too_old_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    NIBStore(url).close()
    monkeypatch.setattr(postgres_server, "_OLDEST", 99)
    assert "needs 99 or newer" in refusal(url)


def test_a_database_that_would_lose_or_garble_is_refused(rig: PostgresRig) -> None:
    ascii_only = "TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'"
    rig.execute(f"CREATE DATABASE ascii {ascii_only}")
    rig.execute("CREATE DATABASE hasty TEMPLATE template0")
    rig.execute("ALTER DATABASE hasty SET synchronous_commit = off")
    try:
        assert "has encoding SQL_ASCII: create the database with" in refusal(rig.url("ascii"))
        assert "synchronous_commit is off" in refusal(rig.url("hasty"))
    finally:
        rig.execute("DROP DATABASE ascii WITH (FORCE)")
        rig.execute("DROP DATABASE hasty WITH (FORCE)")


def test_a_database_of_somebody_else_is_refused_and_left_alone(rig: PostgresRig) -> None:
    name = rig.empty_database()
    rig.execute("CREATE TABLE recipes (name text)", name)
    assert "is a database, but not a NIB" in refusal(rig.url(name))
    with psycopg.connect(rig.conninfo(name)) as raw:
        tables = raw.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        assert tables.fetchall() == [("recipes",)]


def test_a_role_without_rights_is_told_which(rig: PostgresRig, url: str) -> None:
    NIBStore(url).close()
    rig.execute("CREATE ROLE guest LOGIN")
    try:
        assert "may not be used by this role" in refusal(url.replace("postgres@", "guest@"))
    finally:
        rig.execute("DROP ROLE guest")


def test_a_schema_of_its_own_holds_a_nib_of_its_own(rig: PostgresRig, url: str) -> None:
    with NIBStore(url) as nib:
        put(nib, device())
    database = url.partition("@/")[2].partition("?")[0]
    rig.execute("CREATE SCHEMA region_b", database)
    try:
        with NIBStore(f"{url}&options=-csearch_path%3Dregion_b") as other:
            assert other.all_devices() == ()
    finally:
        rig.execute("DROP SCHEMA region_b CASCADE", database)


# --- rivals and restarts ---------------------------------------------------------------------


def test_the_lock_of_another_process_is_transient_and_readers_go_on(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_server, "_LOCK_TIMEOUT_MS", 100)
    with NIBStore(url) as one, NIBStore(url) as other:
        with one.transaction() as tx:
            tx.put_device(device(), expected_version=None)
            tx.all_devices()
            with pytest.raises(TransientError, match="being written by another process"):
                put(other, device("dev_2"))
            assert other.all_devices() == ()
        put(other, device("dev_2"))
        assert len(one.all_devices()) == 2


def test_a_value_that_no_column_takes_is_an_input_error(nib: NIBStore) -> None:
    with pytest.raises(InputError, match="cannot store this value"):
        put(nib, device(missed=2**70))
    put(nib, device(missed=2**62))


def test_a_restart_between_two_calls_is_not_noticed(rig: PostgresRig, nib: NIBStore) -> None:
    put(nib, device("dev_1"))
    rig.stop()
    with pytest.raises(TransientError, match="is PostgreSQL running there"):
        put(nib, device("dev_2"))
    rig.start()
    put(nib, device("dev_2"))
    assert len(nib.all_devices()) == 2


def _wait_for_messages(nib: NIBStore, seq: int) -> None:
    deadline = time.monotonic() + 60
    while nib.outbox_tail().seq < seq:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _all_events(nib: NIBStore) -> list[Event]:
    found = list(nib.events(limit=1000))
    while more := nib.events(after_seq=found[-1].seq, limit=1000):
        found += more
    return found


class Writers:
    """Threads that write, each a device with its event and message, until told to stop."""

    def __init__(self, nib: NIBStore, count: int) -> None:
        self._nib = nib
        self._stop = threading.Event()
        self._warm = threading.Barrier(count + 1)
        self.failures: list[Exception] = []
        self._pool = ThreadPoolExecutor(count)
        self._running = [self._pool.submit(self._write, number) for number in range(count)]

    def _write(self, number: int) -> set[str]:
        kept = set()
        n = 0
        while not self._stop.is_set():
            n += 1
            name = f"dev_{number}_{n}"
            try:
                with self._nib.transaction() as tx:
                    tx.put_device(device(name), expected_version=None)
                    tx.append_event(event(name))
                    tx.enqueue("REPORT", {"device": name})
            except Exception as error:  # noqa: BLE001 - the test looks at it
                self.failures.append(error)
                self._stop.wait(0.05)
            else:
                kept.add(name)
            if n == 5:
                self._warm.wait(timeout=30)
        return kept

    def wait_until_warm(self) -> None:
        self._warm.wait(timeout=30)

    def stop(self) -> set[str]:
        """Return what was acknowledged."""
        self._stop.set()
        acknowledged = {name for writer in self._running for name in writer.result(timeout=30)}
        self._pool.shutdown()
        return acknowledged


@pytest.mark.attack(31)
def test_a_crash_under_load_loses_nothing_that_was_acknowledged(
    rig: PostgresRig, nib: NIBStore
) -> None:
    writers = Writers(nib, 3)
    try:
        writers.wait_until_warm()
        for is_gentle in (True, False):
            rig.stop(gently=is_gentle)
            rig.start()
            _wait_for_messages(nib, nib.outbox_tail().seq + 10)
    finally:
        acknowledged = writers.stop()
    assert writers.failures, "nobody noticed the restart: the test shows nothing"
    assert {type(error) for error in writers.failures} == {TransientError}
    assert not [error for error in writers.failures if "\n" in str(error)]
    held = {found.device_id for found in nib.all_devices()}
    assert acknowledged <= held
    # What broke in the middle of its commit may be there; then it is there as a whole.
    assert {e.subject for e in _all_events(nib)} == held
    assert nib.outbox_tail().seq == len(held)
    assert faults(nib) == ()
