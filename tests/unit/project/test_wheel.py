"""The wheel: PDSNO, Nornir's plugins, and the collection where Ansible looks for it."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.integrations.ansible_runs import run

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]
COLLECTION = "ansible_collections/pdsno/nib"
CARRIED = ("ansible_variables", "inventory_names", "nib_rest", "platform_names")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as opened:
        yield opened


def test_nornir_finds_its_plugins_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    (name,) = [name for name in wheel.namelist() if name.endswith("/entry_points.txt")]
    lines = wheel.read(name).decode().splitlines()
    own = lines[lines.index("[nornir.plugins.inventory]") + 1 :]
    assert {line.partition(" =")[0] for line in own} >= {"PDSNOAnsibleInventory", "PDSNOInventory"}


@pytest.mark.parametrize("name", CARRIED)
def test_the_collection_carries_what_both_share_as_a_file(
    wheel: zipfile.ZipFile, name: str
) -> None:
    carried = wheel.getinfo(f"{COLLECTION}/plugins/module_utils/{name}.py")
    own = (ROOT / "pdsno" / "integrations" / f"{name}.py").read_bytes()
    assert wheel.read(carried) == own
    assert wheel.read(f"pdsno/integrations/{name}.py") == own


def test_ansible_finds_the_collection_of_a_wheel_from_any_folder(
    wheel: zipfile.ZipFile, tmp_path: Path
) -> None:
    site_packages = tmp_path / "site-packages"
    wheel.extractall(
        site_packages, [name for name in wheel.namelist() if name.startswith(COLLECTION)]
    )
    (site_packages / "pdsno.py").write_text("raise ImportError('PDSNO is not installed here')\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = run(
        elsewhere, "ansible-doc", "-t", "inventory", "-j", "pdsno.nib.nib",
        env={"PYTHONPATH": str(site_packages)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["pdsno.nib.nib"]
    assert Path(told["doc"]["filename"]).is_relative_to(site_packages)
