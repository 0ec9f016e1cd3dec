"""Looking after a NIB, by the command line: check, backup, restore, prune, and its upgrade."""

import io
import json
import sqlite3
import threading
from contextlib import closing, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest

from pdsno.cli.main import main
from pdsno.domain.ports import NIBTransaction
from pdsno.nib import NIBStore
from pdsno.nib.check import faults
from tests.contract.nib_suite import (
    POSTGRES,
    SQLITE,
    STORED,
    Store,
    controller,
    cycle,
    device,
    endpoint,
    event,
    later,
    link,
    name_of,
    put,
    router,
    seen,
    token,
)


@pytest.fixture(params=STORED, ids=name_of)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a NIB is that holds something of everything."""
    store = request.param
    assert isinstance(store, Store)
    where = store.place(tmp_path)
    with NIBStore(where) as nib, nib.transaction() as tx:
        fill(tx)
    return where


def fill(tx: NIBTransaction) -> None:
    tx.put_device(router(), expected_version=None)
    tx.put_device(device("dev_sw"), expected_version=None)
    tx.put_endpoints([endpoint()])
    tx.put_endpoint_sightings([seen()])
    tx.replace_links([link("l1", "dev_1", "dev_sw")])
    tx.put_controller(controller(), expected_version=None)
    tx.put_token(token("t"))
    tx.put_cycle(cycle("c1"), (), keep_cycles=3)
    for number in range(5):
        tx.append_event(event(f"dev_{number}", at=later(number * 86400)))
        tx.enqueue("REPORT", {"n": number})
    assert [tx.next_number("id") for _ in range(3)] == [1, 2, 3]


class Result(NamedTuple):
    code: int
    out: str
    err: str


def run(*args: str) -> Result:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(["nib", *args])
    return Result(code, out.getvalue(), err.getvalue())


def done(*args: str) -> Result:
    result = run(*args)
    assert result.code == 0, result
    return result


def refused(*args: str, code: int = 1) -> str:
    """Return the one line with which a command fails."""
    result = run(*args)
    assert (result.code, result.out) == (code, ""), result
    assert result.err.count("\n") == 1
    return result.err


def content(place: str | Path) -> dict[str, object]:
    with NIBStore(place) as nib:
        return {
            "devices": nib.all_devices(),
            "endpoints": nib.endpoints().items,
            "sightings": nib.endpoint_sightings("ep_1"),
            "links": nib.links().items,
            "controllers": nib.controllers(),
            "tokens": nib.tokens(),
            "cycles": nib.cycles(),
            "events": nib.events(),
            "outbox": nib.outbox(),
            "tail": nib.outbox_tail(),
        }


# --- backup ----------------------------------------------------------------------------------


def test_a_backup_is_a_nib_of_its_own_with_everything(place: str, tmp_path: Path) -> None:
    target = tmp_path / "backup.sqlite"
    done("backup", "--nib", place, str(target))
    assert target.stat().st_mode & 0o777 == 0o600
    assert content(target) == content(place)
    assert (
        "sound: 2 devices, 1 endpoints, events up to 5" in done("check", "--nib", str(target)).err
    )


def test_a_backup_never_replaces_a_file_and_needs_a_nib(place: str, tmp_path: Path) -> None:
    target = tmp_path / "backup.sqlite"
    target.write_text("precious")
    assert "exists already" in refused("backup", "--nib", place, str(target), code=2)
    assert target.read_text() == "precious"
    text = refused("backup", "--nib", str(tmp_path / "none"), str(tmp_path / "other"), code=2)
    assert "there is no NIB at" in text
    assert not (tmp_path / "none").exists()
    assert [file.name for file in tmp_path.iterdir() if "part" in file.name] == []


@pytest.mark.attack(31)
def test_a_nib_that_is_copied_while_it_is_written_is_whole(place: str, tmp_path: Path) -> None:
    stop = threading.Event()
    started = threading.Event()
    with NIBStore(place) as nib:

        def write() -> None:
            n = 100
            while not stop.is_set():
                n += 1
                with nib.transaction() as tx:
                    tx.put_device(device(f"dev_{n}"), expected_version=None)
                    tx.append_event(event(f"dev_{n}"))
                    tx.enqueue("REPORT", {"device": n})
                started.set()

        writer = threading.Thread(target=write)
        writer.start()
        try:
            assert started.wait(timeout=30)
            for number in range(3):
                done("backup", "--nib", place, str(tmp_path / f"copy-{number}"))
        finally:
            stop.set()
            writer.join(timeout=30)
    for number in range(3):
        with NIBStore(tmp_path / f"copy-{number}") as copy:
            assert faults(copy) == ()
            devices = sum(copy.counts().devices.values())
            assert copy.outbox_tail().seq == devices - 2 + 5
            assert copy.events(limit=1, newest_first=True)[0].seq == devices - 2 + 5


# --- restore ---------------------------------------------------------------------------------


def restored(place: str, backup: Path) -> None:
    done("restore", "--nib", place, str(backup))


def test_a_restored_nib_is_what_was_backed_up_on_a_stream_of_its_own(
    place: str, tmp_path: Path
) -> None:
    backup = tmp_path / "backup.sqlite"
    done("backup", "--nib", place, str(backup))
    before = content(place)
    with NIBStore(place) as nib, nib.transaction() as tx:
        tx.retire_device("dev_1")
        tx.append_event(event("gone"))
        assert tx.next_number("id") == 4
    restored(place, backup)
    after = content(place)
    same = ("devices", "endpoints", "sightings", "links", "controllers", "tokens", "cycles")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    with NIBStore(place) as nib:
        assert nib.outbox_tail().stream_id not in str(before["tail"])
        assert nib.outbox() == ()
        told = nib.events(newest_first=True)[0]
        assert (told.seq, told.event_type) == (6, "NIB_RESTORED")
        assert faults(nib) == ()
        with nib.transaction() as tx:
            assert tx.next_number("id") == 5, "a number that was given out came again"


def test_a_nib_in_use_is_not_restored(place: str, tmp_path: Path) -> None:
    backup = tmp_path / "backup.sqlite"
    done("backup", "--nib", place, str(backup))
    with NIBStore(place) as nib:
        put(nib, device("dev_new"))
        text = refused("restore", "--nib", place, str(backup))
        assert "is in use: stop its controller first" in text
        assert nib.device("dev_new") is not None
        put(nib, device("dev_newer"))
    restored(place, backup)
    with NIBStore(place) as nib:
        assert nib.device("dev_new") is None


def test_a_backup_with_a_flaw_is_refused_and_nothing_changes(place: str, tmp_path: Path) -> None:
    backup = tmp_path / "backup.sqlite"
    done("backup", "--nib", place, str(backup))
    sound = content(place)
    flip_event(backup)
    text = refused("restore", "--nib", place, str(backup))
    assert "event 2: content was altered: nothing was changed" in text
    assert str(backup) in text
    backup.write_text("this is no database, it is only long enough to be one\n" * 100)
    assert "is not a SQLite database" in refused("restore", "--nib", place, str(backup))
    assert content(place) == sound


def flip_event(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("DROP TRIGGER events_no_update")
        raw.execute("UPDATE events SET data = replace(data, 'spine1', 'spine2') WHERE seq = 2")


@pytest.mark.integration
def test_a_nib_moves_from_a_file_to_postgresql_and_back(tmp_path: Path) -> None:
    file, server = SQLITE.place(tmp_path), POSTGRES.place(tmp_path)
    with NIBStore(file) as nib, nib.transaction() as tx:
        fill(tx)
    before = content(file)
    restored(server, Path(file))
    assert content(server)["devices"] == before["devices"]
    back = tmp_path / "back.sqlite"
    done("backup", "--nib", server, str(back))
    assert content(back) == content(server)


# --- of a file alone -------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "nib.sqlite"
    with NIBStore(path) as nib, nib.transaction() as tx:
        fill(tx)
    return path


def test_a_damaged_nib_is_replaced_and_kept_aside(path: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup.sqlite"
    done("backup", "--nib", str(path), str(backup))
    path.write_bytes(b"\xff" * path.stat().st_size)
    path.with_name("nib.sqlite-wal").write_bytes(b"\xff" * 5000)
    restored(str(path), backup)
    with NIBStore(path) as nib:
        assert faults(nib) == ()
        assert len(nib.all_devices()) == 2
    (aside,) = path.parent.glob("nib.sqlite.before-*")
    assert aside.read_bytes().startswith(b"\xff\xff")


@pytest.mark.attack(36)
def test_check_finds_a_flipped_byte_in_an_event(path: Path) -> None:
    assert "sound" in done("check", "--nib", str(path)).err
    flip_event(path)
    result = run("check", "--nib", str(path), "-o", "json")
    assert result.code == 1
    assert json.loads(result.out) == [{"fault": "event 2: content was altered"}]


def test_check_finds_rows_that_hang_on_nothing(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("DELETE FROM devices WHERE device_id = 'dev_1'")
    found = json.loads(run("check", "--nib", str(path), "-o", "json").out)
    lines = [row["fault"] for row in found]
    assert "macs: 2 rows whose device_id is not in devices, as dev_1" in lines
    assert "links: 1 rows whose a_device_id is not in devices, as dev_1" in lines


def test_care_neither_makes_nor_upgrades_a_nib(path: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE alembic_version SET version_num = '0003'")
    for command in (["check"], ["backup", str(tmp_path / "b")], ["prune", "--older-than", "1d"]):
        text = refused(*command, "--nib", str(path))
        assert "start its controller once, which upgrades it" in text
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT version_num FROM alembic_version").fetchall() == [("0003",)]


def test_which_nib_is_said_once_and_without_a_password(path: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.yml"
    settings.write_text(f"role: global\nnib: {{url: {path.name}}}\n")
    assert "sound" in done("check", "--settings", str(settings)).err
    assert run("check").code == 2
    assert run("check", "--nib", str(path), "--settings", str(settings)).code == 2
    text = refused("check", "--nib", "postgresql+psycopg://u:hidden@db/nib", code=2)
    assert "--password-file" in text
    assert "hidden" not in text


# --- retention -------------------------------------------------------------------------------


def test_old_events_go_and_what_stays_is_verified(place: str) -> None:
    dry = done("prune", "--nib", place, "--older-than", "1d", "--dry-run", "-o", "json")
    assert json.loads(dry.out) == {"events": 4, "through_seq": 4, "history": 0, "dry_run": True}
    with NIBStore(place) as nib:
        assert len(nib.events()) == 5
    gone = done("prune", "--nib", place, "--older-than", "1d", "-o", "json")
    assert json.loads(gone.out) == {"events": 4, "through_seq": 4, "history": 0, "dry_run": False}
    with NIBStore(place) as nib:
        assert [(e.seq, e.event_type) for e in nib.events()] == [
            (5, "DEVICE_APPEARED"),
            (6, "EVENTS_PRUNED"),
        ]
        assert faults(nib) == ()
        with nib.transaction() as tx:
            assert tx.append_event(event()).seq == 7
        assert faults(nib) == ()
    nothing = done("prune", "--nib", place, "--older-than", "5000w", "-o", "json")
    assert json.loads(nothing.out)["events"] == 0


def test_a_pruned_nib_is_backed_up_and_restored(place: str, tmp_path: Path) -> None:
    done("prune", "--nib", place, "--older-than", "1d")
    backup = tmp_path / "backup.sqlite"
    done("backup", "--nib", place, str(backup))
    restored(place, backup)
    with NIBStore(place) as nib:
        assert [e.seq for e in nib.events()] == [5, 6, 7]
        assert faults(nib) == ()


def test_an_age_that_is_none_is_wrong_usage(path: Path) -> None:
    for age in ("0d", "90", "d", "-1d", "90 days"):
        assert run("prune", "--nib", str(path), "--older-than", age).code == 2
