"""Labs for the lab tests: each is taken down whatever happens, and its files are temporary."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pdsno.lab.runner import Lab
from tests.lab.lab_support import LabMaker


@pytest.fixture(autouse=True)
def lab_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the inventories that `up` writes out of the working directory."""
    monkeypatch.setenv("CLAB_LABDIR_BASE", str(tmp_path))
    return tmp_path


@pytest.fixture
def small_lab(tmp_path: Path) -> Iterator[LabMaker]:
    """Write topologies of two nodes; takes down every lab made from them."""
    maker = LabMaker(tmp_path)
    yield maker
    for path in maker.made:
        Lab(path).down()
