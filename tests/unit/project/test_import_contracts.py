"""The contracts of pyproject.toml, shown to bite: each on a small package that breaks it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SKELETON = ("domain", "nib", "discovery", "discovery/sweep", "lab", "node", "api", "southbound")

ALLOWED = {
    "discovery/sweep/arp.py": "import scapy.all\n",
    "communication/mqtt_client.py": "import paho.mqtt.client\n",
    "communication/rest_server.py": "import fastapi\n",
    "nib/sql.py": "import sqlalchemy\nimport pdsno.domain\n",
    "southbound/ssh.py": "import netmiko\n",
    "node/compose.py": "import pdsno.api\nimport pdsno.settings\n",
    "settings.py": "import yaml\n",
    **{
        f"integrations/{name}.py": "import json\n"
        for name in ("ansible_variables", "inventory_names", "nib_rest", "platform_names")
    },
}
VIOLATIONS = {
    "layers": {"nib/upwards.py": "import pdsno.api\n"},
    "layers (siblings)": {"nib/sideways.py": "import pdsno.discovery\n"},
    "layers (settings)": {"api/reads.py": "import pdsno.settings\n"},
    "layers (a package without a place)": {"utils/__init__.py": "\n"},
    "lab-alone": {"lab/peeks.py": "import pdsno.nib\n"},
    "domain-pure": {"domain/table.py": "import pydantic\n"},
    "scapy": {"discovery/cycle.py": "import scapy.all\n"},
    "paho": {"node/mqtt.py": "import paho.mqtt.client\n"},
    "fastapi": {"node/web.py": "import fastapi\n"},
    "sqlalchemy": {"api/rows.py": "import sqlalchemy\n"},
    "carried": {"integrations/nib_rest.py": "import requests\n"},
    "nornir": {"discovery/ssh.py": "import netmiko\n"},
}


def lint(folder: Path, files: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Lay out a package `pdsno` with these files and run lint-imports on it."""
    for name in (*SKELETON, *(str(Path(name).parent) for name in files)):
        package = folder / "pdsno" / name
        package.mkdir(parents=True, exist_ok=True)
    for package in [folder / "pdsno", *(p for p in folder.rglob("pdsno/**/") if p.is_dir())]:
        (package / "__init__.py").touch()
    for name, text in files.items():
        (folder / "pdsno" / name).write_text(text)
    (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    return subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_layout_as_designed_keeps_every_contract(tmp_path: Path) -> None:
    done = lint(tmp_path, ALLOWED)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("case", VIOLATIONS)
def test_a_forbidden_import_breaks_its_contract(tmp_path: Path, case: str) -> None:
    done = lint(tmp_path, ALLOWED | VIOLATIONS[case])
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 broken" in done.stdout
