"""The commands of README and tutorial do what they say: each block is run, or says why not."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import pdsno
from tests.acceptance.conftest import StandingDemo
from tests.acceptance.support import REPOSITORY, environment, passable_folder, until
from tests.integration.namespaces import Site, site_with_hosts

pytestmark = pytest.mark.lab

_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_YAML = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INSTALL = "in a clone that nobody installed yet"
DEMO, UP, TIERS = "beside a demo", "on a site, up in the background", "on a site, in one shell"
WATCH = "beside a demo, in a terminal of its own"
INVENTORY = "beside a demo, and shows all of its routers"

# Each block of each page, by its first line.
RUN = {
    "README.md": {
        ".venv/bin/pdsno nib devices                     # what there is": DEMO,
        "TOKEN=$(.venv/bin/pdsno lab exec gc -- pdsno api-token create --name me --role viewer)": (
            DEMO
        ),
        "sudo .venv/bin/pdsno discover 192.0.2.0/24": UP,
        "sudo .venv/bin/pdsno up --subnet 192.0.2.0/24 --credentials credentials.yml": UP,
    },
    "docs/tutorial.md": {
        "python3 -m venv .venv": INSTALL,
        "pdsno nib devices": DEMO,
        "pdsno topology": DEMO,
        "pdsno nib devices --region zone-B --type router": DEMO,
        "pdsno lab exec lc-a -- pdsno nib probes": DEMO,
        "pdsno lab exec lc-a -- pdsno discover 10.10.10.0/28 --query "
        "--credentials /run/pdsno/credentials.yml": DEMO,
        "pdsno lab exec gc -- pdsno policy show -o yaml": DEMO,
        "pdsno lab exec rc-b -- pdsno controller block local_cntl_zone-B_1": DEMO,
        "pdsno lab verify two-regions": DEMO,
        "pdsno nib watch --type 'DEVICE_*' --type 'LINK_*'": WATCH,
        "pdsno lab exec leaf1 -- ip link set eth3 mtu 1500": WATCH,
        "pdsno nib history leaf1 --field interfaces": WATCH,
        "pdsno lab exec gc -- pdsno doctor": DEMO,
        "pdsno discover 192.0.2.0/24": UP,
        "(umask 077; cat > credentials.yml) <<'END'": UP,
        "pdsno up --subnet 192.0.2.0/24 --credentials credentials.yml": UP,
        "pdsno nib devices#2": UP,
        "mkdir -p tiers && cd tiers": TIERS,
        "pdsno controller run --role global --settings global.yml 2> global.log &": TIERS,
        "cat > policy.yml <<'END'": TIERS,
        "umask 077": TIERS,
        "pdsno api-token create --name me --role viewer --save http://127.0.0.1:8080 "
        "--socket global.sock": TIERS,
        "pdsno controller list --socket global.sock": TIERS,
        "kill %1 %2 %3": TIERS,
        "pdsno nib diff --since 1d": UP,
    },
    "docs/how-to/inventories.md": {
        "(umask 077; pdsno lab exec gc -- pdsno api-token create --name inventory "
        "--role viewer \\": INVENTORY,
        "ansible-doc -t inventory pdsno.nib.nib": DEMO,
        "cat > show_version.py <<'END'": INVENTORY,
    },
}
NOT_RUN = {
    "README.md": {
        "make demo": "installs packages; test_demo.py runs the `pdsno demo` behind it",
        "make test": "is what runs this test",
    },
    "docs/tutorial.md": {
        "tools/install.sh apt tools/apt-packages.txt": (
            "installs packages; test_demo.py runs the `pdsno demo` behind it"
        ),
        "export PATH=$PWD/.venv/bin:$PATH": "the shells here have such a PATH",
    },
    "docs/how-to/inventories.md": {},
}


def blocks(page: str) -> dict[str, str]:
    """Return a page's sh blocks by their first line; a repeated one has its number behind."""
    found: dict[str, str] = {}
    for text in _BLOCK.findall((REPOSITORY / page).read_text()):
        first = text.splitlines()[0]
        number = sum(1 for key in found if key.partition("#2")[0] == first) + 1
        found[first if number == 1 else f"{first}#{number}"] = text
    return found


def pages_with(kind: str) -> list[str]:
    """Return the pages that have a block to run in a setting."""
    return [page for page, kinds in RUN.items() if kind in kinds.values()]


def of_kind(page: str, kind: str) -> list[str]:
    """Return the blocks to run in one setting, in order."""
    return [text for first, text in blocks(page).items() if RUN[page].get(first) == kind]


@pytest.fixture
def clone() -> Iterator[Path]:
    """Make a folder like a clone whose `make` has run: .venv/bin/pdsno, and sudo beside it."""
    with passable_folder() as folder:
        programs = folder / ".venv" / "bin"
        programs.mkdir(parents=True)
        code = "import sys; from pdsno.cli.main import main; sys.exit(main())"
        python = shlex.join([sys.executable, "-c", code])
        said = {"pdsno": f'exec {python} "$@"', "sudo": 'exec "$@"'}
        for name in ("ansible-doc", "ansible-inventory", "python"):
            said[name] = f'exec {Path(sys.executable).with_name(name)} "$@"'
        for name, text in said.items():
            (programs / name).write_text(f"#!/bin/sh\n{text}\n")
            (programs / name).chmod(0o755)
        (folder / ".config").symlink_to(os.environ["XDG_CONFIG_HOME"])
        yield folder


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Make the network that the pages call 192.0.2.0/24."""
    with site_with_hosts(tmp_path, "192.0.2.0/24", hosts=3) as made:
        yield made


def shell_environment(clone: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    path = f"{clone / '.venv' / 'bin'}:{os.environ['PATH']}"
    return environment({"PATH": path, "HOME": str(clone), **(more or {})})


def run_block(
    text: str, clone: Path, *, site: Site | None = None, env: Mapping[str, str] | None = None
) -> str:
    """Run a block as a person does, line after line; any failure is one.

    Into files, not pipes: what is left in the background would hold these open, and a line that
    fails in front of it would look like one that hangs.
    """
    inside = ["ip", "netns", "exec", site.here.name] if site else []
    status: int | str
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        try:
            status = subprocess.run(
                [*inside, "bash", "-euo", "pipefail", "-m", "-c", text],
                cwd=clone,
                env=shell_environment(clone, env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                timeout=240,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired as error:
            status = str(error)
        out.seek(0)
        err.seek(0)
        said, complained = out.read(), err.read()
    if status != 0:
        pytest.fail(f"{text}\n{status}\n{said}\n{complained}\n{_logs(clone)}", pytrace=False)
    return said


def _logs(clone: Path) -> str:
    """Return what the programs that a block left in the background said last."""
    return "\n".join(f"{log}:\n{log.read_text()[-3000:]}" for log in clone.rglob("*.log"))


def test_the_tutorial_installs_all_of_it_by_pip(tmp_path: Path) -> None:
    (block,) = of_kind("docs/tutorial.md", INSTALL)
    make_venv, *others = block.splitlines()
    for name in ("pdsno", "requirements"):
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=_NO_CACHES)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, tmp_path)
    in_clone(make_venv, tmp_path)
    (libraries,) = (tmp_path / ".venv").glob("lib/python3*/site-packages")
    # `make test` has just installed the same lock by the same hashes, which takes a minute: pip
    # finds it there, and only compares the versions.
    (libraries / "lent.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    assert in_clone("\n".join(others), tmp_path).splitlines()[-1] == f"pdsno {pdsno.__version__}"
    files = {path.relative_to(tmp_path) for path in (tmp_path / "pdsno").rglob("*.*")}
    assert {path for path in files if not (libraries / path).exists()} == set()


_NO_CACHES = shutil.ignore_patterns("__pycache__")


def in_clone(text: str, folder: Path) -> str:
    """Run commands in a folder as in a terminal that knows no PDSNO yet; any failure is one."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    base = Path(sys.base_prefix) / "bin"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder,
        env={"PATH": f"{base}:{os.defpath}", "HOME": str(folder), "PIP_NO_COMPILE": "1", **kept},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("page", RUN)
def test_every_block_is_run_or_says_why_not(page: str) -> None:
    listed = {**RUN[page], **NOT_RUN[page]}
    assert set(blocks(page)) == set(listed)


@pytest.mark.parametrize("page", pages_with(DEMO))
def test_what_is_shown_beside_a_demo_works(
    page: str, clone: Path, standing_demo: StandingDemo
) -> None:
    for text in of_kind(page, DEMO):
        said = run_block(of_lab(text, standing_demo), clone, env=lab_environment(standing_demo))
        assert said.strip(), text


def of_lab(text: str, demo: StandingDemo) -> str:
    """Return a block for the lab that stands here."""
    here = text.replace("172.30.30.", f"{demo.lab.network}.").replace("two-regions", demo.lab.name)
    return here.replace("lab exec ", f"lab exec --lab {demo.lab.name} ")


def lab_environment(demo: StandingDemo) -> dict[str, str]:
    return {"PDSNO_API": demo.lab.api, "CLAB_LABDIR_BASE": str(demo.folder)}


def test_the_tutorial_s_change_is_told_as_it_happens(
    clone: Path, standing_demo: StandingDemo
) -> None:
    watch, change, look_back = of_kind("docs/tutorial.md", WATCH)
    env = lab_environment(standing_demo)
    seen = clone / "seen"
    with seen.open("wb") as out:
        watching = subprocess.Popen(
            [*shlex.split(watch), "--cursor-file", "place"],
            cwd=clone,
            env=shell_environment(clone, env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        until((clone / "place").exists, "the watch to have begun")
        run_block(of_lab(change, standing_demo), clone, env=env)
        until(lambda: "eth3 mtu 9500 -> 1500" in seen.read_text(), "the change", 120)
        watching.send_signal(signal.SIGINT)
        assert watching.wait(timeout=30) == 0, seen.read_text()
    finally:
        watching.kill()
        watching.wait()
        told = run_block(of_lab(look_back, standing_demo), clone, env=env)
    *lines, last = seen.read_text().splitlines()
    (changed,) = [line for line in lines if "eth3 mtu 9500 -> 1500" in line]
    assert changed.split()[1:3] == ["DEVICE_CHANGED", "leaf1"]
    assert last.startswith("stopped; go on with --after ")
    history, _, difference = told.partition("b-r1")
    assert {"eth3", "9500", "1500"} <= set(re.split(r"[^a-z0-9]+", history))
    assert "spine1" in difference


def test_ansible_and_nornir_reach_every_router_of_the_demo_by_its_nib(
    clone: Path, standing_demo: StandingDemo
) -> None:
    routers = {"b-r1", "b-r2", "leaf1", "leaf2", "spine1", "spine2"}
    graph, versions = (
        run_block(of_lab(text, standing_demo), clone, env=lab_environment(standing_demo))
        for text in of_kind("docs/how-to/inventories.md", INVENTORY)
    )
    of_frr = graph.partition("@platform_frr:")[2].partition("@")[0]
    assert set(re.findall(r"--([\w-]+)$", of_frr, re.MULTILINE)) == routers
    lines = versions.splitlines()
    assert {line.split()[0] for line in lines} == routers
    assert all(re.fullmatch(r"(\S+) FRRouting [\d.]+ \(\1\) on .*", line) for line in lines)
    for without_ca in (
        "sed -i '/^ca:/d' pdsno.yml; ! ansible-inventory -i pdsno.yml --list 2>&1",
        "sed -i '/\"ca\":/d' show_version.py; ! python show_version.py 2>&1",
    ):
        said = run_block(without_ca, clone)
        assert "CERTIFICATE_VERIFY_FAILED" in said, said
        assert "by ca or PDSNO_CA" in said, said


def test_the_tutorial_s_picture_is_of_the_lab(clone: Path, standing_demo: StandingDemo) -> None:
    drawn = run_block("pdsno topology --unicode", clone, env=lab_environment(standing_demo))
    assert drawn.startswith("spine1  router")
    assert "├─ eth" in drawn
    for name in ("spine2", "leaf1", "b-r1"):
        assert f"  {name}  " in drawn


def test_the_tutorial_s_claims_about_the_demo_hold(
    clone: Path, standing_demo: StandingDemo
) -> None:
    lab = standing_demo.lab
    in_lc = f"pdsno lab exec --lab {lab.name} lc-a --"
    probes = run_block(f"{in_lc} pdsno nib probes -o csv", clone)
    (ignores_ping,) = [line for line in probes.splitlines() if ",10.10.10.11," in line]
    assert "answered ARP" in ignores_ping
    query = "pdsno query 10.10.10.1 --credentials /run/pdsno/credentials.yml -o json"
    assert '"leaf1"' in run_block(f"{in_lc} {query}", clone)


@pytest.mark.parametrize("page", pages_with(UP))
def test_what_is_shown_for_a_network_of_one_s_own_works(page: str, clone: Path, site: Site) -> None:
    for text in _YAML.findall((REPOSITORY / page).read_text()):
        (clone / "credentials.yml").write_text(text)
    env = {"XDG_STATE_HOME": str(clone / "state")}
    said: list[str] = []
    background: subprocess.Popen[bytes] | None = None
    log = clone / "up.log"
    try:
        for whole in of_kind(page, UP):
            text = whole.replace("192.0.2.0/24", "192.0.2.0/28")  # quicker
            if " up --subnet" in text:
                words = f"{text.strip()} --state-dir {clone / 'site'} --rate 500"
                background = start(words, clone, site, log)
                until(lambda: "summary_taken_in" in log.read_text(), "a report at the top", 60)
            else:
                said.append(run_block(text, clone, site=site, env=env))
        assert background is not None
        devices = run_block("pdsno nib devices -o csv", clone, site=site)
        background.send_signal(signal.SIGINT)
        assert background.wait(timeout=30) == 0, log.read_text()
    finally:
        if background is not None and background.poll() is None:
            background.kill()
            background.wait()
    for address in ("192.0.2.11", "192.0.2.12", "192.0.2.13"):
        assert address in said[0]
        assert address in devices, log.read_text()
        if page == "docs/tutorial.md":
            assert address in said[-1], "it is new since yesterday"


def start(text: str, clone: Path, site: Site, log: Path) -> "subprocess.Popen[bytes]":
    """Start a command that stays."""
    command = ["ip", "netns", "exec", site.here.name, *shlex.split(text)]
    with log.open("wb") as out:
        return subprocess.Popen(
            [word for word in command if word != "sudo"],
            cwd=clone,
            env=shell_environment(clone),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )


def test_the_tutorial_s_tiers_of_their_own_work(clone: Path, site: Site) -> None:
    # One shell for all blocks: they share its folder and its background jobs.
    said = run_block("\n".join(of_kind("docs/tutorial.md", TIERS)), clone, site=site)
    for wanted in ("global_cntl_1", "regional_cntl_zone-A_1", "local_cntl_zone-A_1"):
        assert wanted in said
    for address in ("192.0.2.11", "192.0.2.12", "192.0.2.13"):
        assert address in said
    assert not (clone / "tiers" / "regional.token").exists()
    assert not (clone / "tiers" / "local.token").exists()
    until(lambda: not site.here.pids(), "all three to have ended")
