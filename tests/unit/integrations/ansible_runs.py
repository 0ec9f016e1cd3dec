"""Runs Ansible's own programs as a user does, in a folder of the test's own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

PROGRAMS = Path(sys.executable).parent
STRICT = {"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1"}


def environment(folder: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment in which nothing of whoever runs the tests counts."""
    return {
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}", "HOME": str(folder), "LC_ALL": "C.UTF-8",
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"), "ANSIBLE_NOCOLOR": "1", **(more or {}),
    }  # fmt: skip


def run(
    folder: Path, program: str, *args: str, env: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run one of Ansible's programs to its end."""
    return subprocess.run(
        [str(PROGRAMS / program), *args],
        cwd=folder,
        env=environment(folder, env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
