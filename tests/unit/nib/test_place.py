"""Where a NIB may be kept, and what its files look like."""

import os
import stat
from pathlib import Path

import pytest

from pdsno.domain.errors import InputError, OperationError
from pdsno.nib import NIBStore


def test_memory_has_two_names() -> None:
    for name in ("memory://", ":memory:"):
        with NIBStore(name) as nib:
            assert nib.all_devices() == ()
            assert nib.integrity_faults() == ()


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("{}", "nib.db"),
        ("{}", "a b?c#d%20.db"),
        ("{}", "file:x.db"),
        ("sqlite:///{}", "nib.db"),
        ("sqlite:///{}", "a b#d%20.db"),
    ],
)
def test_a_path_is_taken_literally(tmp_path: Path, form: str, name: str) -> None:
    NIBStore(form.format(tmp_path / name)).close()
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_a_path_object_and_a_relative_path_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    NIBStore(Path("a.db")).close()
    NIBStore("sqlite:///b.db").close()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.db", "b.db"]


def test_files_and_new_folders_are_for_the_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "var" / "lib" / "nib.db"
    before = os.umask(0)
    try:
        with NIBStore(path) as nib:
            with nib.transaction() as tx:
                tx.next_number("a")
            files = list(path.parent.iterdir())
            assert len(files) == 3, "the file, its -wal and its -shm"
            assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    finally:
        os.umask(before)
    for folder in (path.parent, path.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.attack(63)
@pytest.mark.parametrize(
    "place",
    [
        "",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///nib.db?mode=ro",
        "sqlite://host/nib.db",
        "mysql://user:secret@db/pdsno",
        "nib\0.db",
    ],
)
def test_any_other_place_is_refused_and_shows_no_password(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="give a file path") as error:
        NIBStore(place)
    assert "secret" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.attack(63)
@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("postgresql+psycopg://user:secret@db", "names no database"),
        ("postgresql://user:secret@db:port/pdsno", "cannot be read"),
        ("postgresql+psycopg://user:secret@db/pdsno?sslmod=require", "parameter 'sslmod'"),
    ],
)
def test_an_unfit_url_of_postgresql_is_refused_before_anything_is_asked(
    place: str, why: str
) -> None:
    with pytest.raises(InputError, match=why) as error:
        NIBStore(place)
    assert "secret" not in str(error.value)


def test_a_folder_is_no_place(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        NIBStore(tmp_path)


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OperationError, match=r"cannot open the NIB .*Not a directory"):
        NIBStore(tmp_path / "file" / "nib.db")
