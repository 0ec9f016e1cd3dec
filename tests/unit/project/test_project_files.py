"""What the project's own files promise."""

import re
import tomllib
from pathlib import Path

import pytest

from tools.check_sizes import MAX_LINES, oversized

ROOT = Path(__file__).resolve().parents[3]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
EXTRA_ONLY = {"scapy", "netmiko", "nornir", "gufo-snmp"}


def locked(path: Path) -> dict[str, str]:
    """Return each locked requirement (`name==version`) with the text up to the next."""
    entries = re.split(r"^(?=\S)", path.read_text(), flags=re.MULTILINE)
    return {entry.split(" ")[0]: entry for entry in entries if entry.strip()}


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_locked_package_has_a_version_and_hashes(path: Path) -> None:
    entries = locked(path)
    assert len(entries) > 5
    for name, entry in entries.items():
        assert re.fullmatch(r"[a-z0-9-]+==[\w.]+", name)
        assert "--hash=sha256:" in entry


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_locks_name_no_index_and_no_place(path: Path) -> None:
    assert not re.search(r"://|file:|index|find-links|@ ", path.read_text())


def test_the_locks_agree_where_they_overlap() -> None:
    shared = [ROOT / "requirements" / name for name in ("runtime.txt", "dev.txt")]
    first, second = [{n.partition("==")[0]: n for n in locked(path)} for path in shared]
    assert {name: first[name] for name in first if name in second} == {
        name: second[name] for name in second if name in first
    }


def test_the_locks_cover_what_the_project_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["local"]]
    names = {re.split(r"[>=]", item)[0].lower() for item in declared}
    assert names <= {name.partition("==")[0] for name in locked(ROOT / "requirements/runtime.txt")}


def test_a_global_controller_needs_no_library_of_a_local_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert not EXTRA_ONLY & {re.split(r"[>=]", item)[0] for item in project["dependencies"]}


def test_a_module_over_the_limit_is_found(tmp_path: Path) -> None:
    (tmp_path / "fits.py").write_text("x = 1\n" * MAX_LINES)
    assert oversized(tmp_path) == []
    (tmp_path / "big.py").write_text("x = 1\n" * (MAX_LINES + 1))
    assert oversized(tmp_path) == [(tmp_path / "big.py", MAX_LINES + 1)]
