"""A demo that stands while several tests look at it, and copies of its lab."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.support import LabCopy, Terminal, on_terminal, passable_folder

MakeCopy = Callable[..., LabCopy]


@pytest.fixture(scope="session", autouse=True)
def _config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let commands keep API tokens in a folder of the tests' own, not in that of who runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture
def lab_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeCopy]:
    """Copy the lab under another name; taken down at the end whatever happened."""
    monkeypatch.setenv("CLAB_LABDIR_BASE", str(tmp_path))
    made: list[LabCopy] = []

    def make(name: str = "pdsno-accept", third_octet: int = 41) -> LabCopy:
        made.append(LabCopy(tmp_path / name, name, third_octet))
        return made[-1]

    yield make
    for copy in made:
        copy.down()


@pytest.fixture
def state() -> Iterator[Path]:
    """Name a state directory for `pdsno up` that is not there yet."""
    with passable_folder() as folder:
        yield folder / "state"


@dataclass(frozen=True, kw_only=True)
class StandingDemo:
    """A demo on a terminal that waits for its Ctrl-C."""

    lab: LabCopy
    terminal: Terminal
    folder: Path


@pytest.fixture(scope="session")
def standing_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandingDemo]:
    """Keep one demo up for all tests that only look; at the end Ctrl-C must leave nothing."""
    folder = tmp_path_factory.mktemp("standing")
    lab = LabCopy(folder / "lab", "pdsno-standing", 43)
    env = {"CLAB_LABDIR_BASE": str(folder), "COLUMNS": "120"}
    try:
        with on_terminal("demo", str(lab.topology), cwd=folder, env=env) as terminal:
            terminal.shows("Ctrl-C ends it", timeout_s=150)
            yield StandingDemo(lab=lab, terminal=terminal, folder=folder)
            terminal.press_ctrl_c()
            assert terminal.process.wait(timeout=40) == 0, terminal.text[-2000:]
        assert lab.traces() == []
    finally:
        lab.down()
