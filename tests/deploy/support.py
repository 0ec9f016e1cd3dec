"""Ansible, the hosts and what they tell, for the deployment test."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
BIN = REPOSITORY / ".venv/bin"
HOSTS = {"gc": "global", "rc-a": "regional", "lc-a": "local", "rc-b": "regional", "lc-b": "local"}
OLD_VERSION = "0.0.9"
_SOURCES = ("pdsno", "playbooks", "requirements", "tools", "pyproject.toml", "README.md", "LICENSE")
_RECAP = re.compile(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)\s", re.MULTILINE)
_BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)


def run(
    argv: list[str],
    *,
    timeout_s: float = 120,
    env: dict[str, str] | None = None,
    stdin: str = "",
) -> str:
    """Return what a command wrote; fail with all of it if it failed."""
    path = {"PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(
        argv, cwd=REPOSITORY, env=os.environ | path | (env or {}),
        input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{' '.join(argv)}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def until(what: str, is_there: Callable[[], object], timeout_s: float = 120) -> None:
    """Poll for a state; a command that fails meanwhile only is not there yet."""
    deadline = time.monotonic() + timeout_s
    last: object = "nothing"
    while time.monotonic() < deadline:
        try:
            last = is_there()
        except (AssertionError, subprocess.TimeoutExpired) as error:
            last = error
        else:
            if last:
                return
        time.sleep(0.5)
    raise AssertionError(f"waited {timeout_s} s in vain for {what}: {last}")


def hosts_script(*arguments: str) -> str:
    return run([str(REPOSITORY / "lab/hosts/hosts.sh"), *arguments], timeout_s=400)


def build_bundles(folder: Path) -> tuple[Path, Path]:
    """Return bundles of the release before and of this one.

    Before is the last tag; without one it is this tree under a lower version.
    """
    new = Path(run(["tools/bundle.sh", str(folder)], timeout_s=600).strip())
    before = folder / "before"
    tags = subprocess.run(
        ["git", "describe", "--tags", "--abbrev=0"],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if tags.returncode == 0:
        before.mkdir()
        archive = run(["git", "archive", "--output", str(folder / "tag.tar"), tags.stdout.strip()])
        assert archive == ""
        run(["tar", "-xf", str(folder / "tag.tar"), "-C", str(before)])
        shutil.copy(REPOSITORY / "tools/bundle.sh", before / "tools/bundle.sh")
    else:
        for name in _SOURCES:
            source = REPOSITORY / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            before.mkdir(exist_ok=True)
            copy(source, before / name)
        package = before / "pdsno/__init__.py"
        text, count = re.subn(
            r'__version__ = ".*"', f'__version__ = "{OLD_VERSION}"', package.read_text()
        )
        assert count == 1
        package.write_text(text)
    for name in (".venv", "build"):
        (before / name).symlink_to(REPOSITORY / name)
    return Path(run([str(before / "tools/bundle.sh"), str(folder)], timeout_s=600).strip()), new


def documented(heading: str) -> list[str]:
    """Return the commands that docs/deploy.md shows below a heading."""
    text = (REPOSITORY / "docs/deploy.md").read_text()
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    commands = [line for block in _BLOCK.findall(section) for line in block.splitlines() if line]
    assert commands, f"docs/deploy.md has no commands below '{heading}'"
    return commands


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """The lab's hosts with what was done to them."""

    old: Path
    new: Path
    log: list[str] = field(default_factory=list)

    def ansible(self, command: str, bundle: Path) -> dict[str, int]:
        """Run a command that the documentation shows; returns each host's number of changes."""
        assert command.startswith("ansible-playbook "), command
        started = time.monotonic()
        output = run(command.split(), timeout_s=1200, env={"PDSNO_BUNDLE": str(bundle)})
        self.log.append(f"{time.monotonic() - started:5.0f} s  {command}")
        found = {host: int(changed) for host, changed in _RECAP.findall(output)}
        assert found, output
        assert "eyJ" not in output, "a token shows in the output of ansible-playbook"
        return found

    def on(self, host: str, command: str, *, timeout_s: float = 60) -> str:
        """Return what a command writes as root of a host."""
        script = REPOSITORY / "lab/hosts/hosts.sh"
        return run(
            [str(script), "ssh", host, "sudo", "sh", "-s"], timeout_s=timeout_s, stdin=command
        )

    def ask(self, host: str, command: str) -> Any:  # noqa: ANN401 - JSON
        """Return what `pdsno` on a host says in JSON."""
        return json.loads(self.on(host, f"pdsno {command} -o json"))

    def cycles_not_at_the_top(self) -> dict[str, int]:
        """Return completed discoveries of the local controllers that the top did not apply once.

        The newest one of each may be under way.
        """
        events = "nib events --limit 1000 --newest-first --type"
        applied = [e["subject"] for e in self.ask("gc", f"{events} DISCOVERY_SUMMARY_APPLIED")]
        made = [
            event["subject"]
            for host, tier in HOSTS.items()
            if tier == "local"
            for event in self.ask(host, f"{events} DISCOVERY_COMPLETED")[1:]
        ]
        assert made
        return {cycle: applied.count(cycle) for cycle in made if applied.count(cycle) != 1}

    def is_ready(self, host: str) -> bool:
        """Ask a controller's own machine for /health/ready."""
        return "200" in self.on(host, READY[HOSTS[host]])


_CURL = (
    "python3 -c 'import ssl, urllib.request as u; "
    'print(u.urlopen("{url}", context=ssl._create_unverified_context()).status)\''
)
READY = {
    tier: _CURL.format(url=f"{base}/api/v1/health/ready")
    for tier, base in {
        "global": "https://172.30.40.10:8080",
        "regional": "http://127.0.0.1:8080",
        "local": "http://127.0.0.1:8080",
    }.items()
}


def left_behind() -> list[str]:
    """Return what a lab of hosts that is down should not have left on this machine."""
    found = [
        str(path)
        for path in (Path("/run/pdsno-lab-hosts"), Path("/run/pdsno-lab/hosts"))
        if path.exists()
    ]
    found += [str(path) for path in Path("/sys/fs/cgroup").glob("**/pdsno-lab-hosts")]
    found += [name for name in os.listdir("/sys/class/net") if "pdsno-hosts" in name]  # noqa: PTH208
    found += [str(path) for path in Path("/run/netns").glob("clab-hosts-*")]
    found += [line for line in Path("/proc/mounts").read_text().splitlines() if "lab-hosts" in line]
    return found
