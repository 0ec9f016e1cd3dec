"""What lab tests share: small topologies, the command line, what a lab may not leave."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

NAME = "pdsno-test"
SMALL = """
name: {name}
mgmt: {{network: {network}, ipv4-subnet: {subnet}}}
topology:
  defaults: {{kind: linux, image: pdsno-node}}
  nodes:
    a: {a}
    b: {{}}
  links:
    - endpoints: ["a:eth1", "b:eth1"]
"""


class LabMaker:
    """Writes topologies of two nodes with one cable."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.made: list[Path] = []

    def __call__(
        self,
        name: str = NAME,
        *,
        network: str = NAME,
        subnet: str = "172.29.70.0/24",
        a: str = "{}",
    ) -> Path:
        path = self._folder / f"{name}.clab.yml"
        path.write_text(SMALL.format(name=name, network=network, subnet=subnet, a=a))
        self.made.append(path)
        return path


def pdsno_argv(*words: str) -> list[str]:
    code = "import sys; from pdsno.cli.main import main; sys.exit(main())"
    return [sys.executable, "-c", code, *words]


def pdsno(*words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run `pdsno` as a user does."""
    return subprocess.run(
        pdsno_argv(*words), input=stdin, capture_output=True, text=True, check=False, timeout=120
    )


def _is_of_a_test_lab(process: Path) -> bool:
    try:
        environment = (process / "environ").read_bytes()
    except OSError:
        return False
    return b"LAB_NODE_DIR=/run/pdsno-lab/" + NAME.encode() in environment


def traces() -> list[str]:
    """List what test labs left on the machine: nothing after `down`."""
    routes = subprocess.run(["ip", "-4", "route"], capture_output=True, text=True, check=True)
    namespaces = Path("/run/netns")
    return [
        *(path.name for path in namespaces.glob(f"*{NAME}*")),
        *(path.name for path in Path("/sys/class/net").glob(f"br-{NAME}*")),
        *(line for line in routes.stdout.splitlines() if line.startswith("172.29.7")),
        *(str(path) for path in Path("/run/pdsno-lab").glob(f"*{NAME}*")),
        *(path.name for path in Path("/proc").glob("[0-9]*") if _is_of_a_test_lab(path)),
    ]


def poll(check: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
    """Wait until a state is reached."""
    deadline = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.05)


def is_there(path: Path) -> bool:
    return os.path.lexists(path)
