"""The system as a user meets it: commands, terminals, and what a lab may not leave behind."""

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
LAB_FOLDER = REPOSITORY / "lab"
RUN_DIR = Path("/run/pdsno-lab")
AS_A_USER = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
"""Put before a command: it runs as user 1000 without any capability (setpriv cannot be used where
the interpreter lies below /root)."""

_MAIN = "import sys; from pdsno.cli.main import main; sys.exit(main())"


def pdsno_argv(*words: str) -> list[str]:
    """Return the command line of `pdsno`, of this tree, by this interpreter."""
    return [sys.executable, "-c", _MAIN, *words]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the tests' environment without what would steer PDSNO."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PDSNO_")}
    path = os.pathsep.join([str(REPOSITORY), *filter(None, [kept.get("PYTHONPATH")])])
    return {**kept, "PYTHONPATH": path, **(extra or {})}


def pdsno(
    *words: str,
    prefix: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_s: float = 120.0,
) -> subprocess.CompletedProcess[str]:
    """Run `pdsno` to its end; `prefix` stands before it (`ip netns exec ...`)."""
    return subprocess.run(
        [*prefix, *pdsno_argv(*words)],
        env=environment(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def error_line(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line that a failed command wrote last; logs and stages may stand before."""
    lines = done.stderr.strip().splitlines()
    assert "Traceback" not in done.stderr, done.stderr
    errors = [line for line in lines if line.startswith("pdsno: error: ")]
    assert len(errors) == 1, done.stderr
    assert lines[-1] == errors[0], done.stderr
    return errors[0].removeprefix("pdsno: error: ")


def until(holds: Callable[[], object], what: str, timeout_s: float = 30.0) -> None:
    """Wait for a state; fail naming it."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"in {timeout_s:.0f} s not seen: {what}"
        time.sleep(0.05)


@contextmanager
def passable_folder() -> Iterator[Path]:
    """Make a folder that mosquitto, which does not stay root, can pass through; pytest's cannot."""
    folder = Path(tempfile.mkdtemp(prefix="pdsno-accept-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


class Terminal:
    """A program on a terminal of its own. What it writes is kept as text."""

    def __init__(self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            argv, stdin=slave, stdout=slave, stderr=slave, env=env, cwd=cwd, start_new_session=True
        )
        os.close(slave)
        self._chunks: list[bytes] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with suppress(OSError, ValueError):
            while True:
                if select.select([self._master], [], [], 0.2)[0]:
                    self._chunks.append(os.read(self._master, 65536))

    @property
    def text(self) -> str:
        """Everything written so far."""
        return b"".join(self._chunks).decode(errors="replace")

    def press_ctrl_c(self) -> None:
        """Interrupt the foreground processes, as the terminal does."""
        os.killpg(self.process.pid, signal.SIGINT)

    def shows(self, text: str, timeout_s: float = 90.0) -> None:
        """Wait until a text was written; fails at once if the program has ended without it."""

        def is_there() -> bool:
            if text in self.text:
                return True
            assert self.process.poll() is None, f"ended without {text!r}:\n{self.text[-3000:]}"
            return False

        until(is_there, f"{text!r} on the terminal", timeout_s)

    def hang_up(self) -> None:
        """Close the terminal under the program."""
        os.killpg(self.process.pid, signal.SIGHUP)
        self._close()

    def close(self) -> None:
        """End what still runs, the hard way."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._close()

    def _close(self) -> None:
        with suppress(OSError):
            os.close(self._master)


@contextmanager
def on_terminal(*words: str, cwd: Path, env: Mapping[str, str] | None = None) -> Iterator[Terminal]:
    """Run `pdsno` on a terminal; killed at the end if it still runs."""
    terminal = Terminal(pdsno_argv(*words), env={**environment(env), "TERM": "xterm"}, cwd=cwd)
    try:
        yield terminal
    finally:
        terminal.close()


class LabCopy:
    """A copy of the two-region lab with a name and a management network of its own."""

    def __init__(self, folder: Path, name: str, third_octet: int) -> None:
        self.name = name
        self.folder = folder
        self.network = f"172.30.{third_octet}"
        shutil.copytree(LAB_FOLDER, folder, dirs_exist_ok=True)
        self.topology = folder / "two-regions.clab.yml"
        self.replace("name: two-regions", f"name: {name}")
        self.replace("network: pdsno-mgmt", f"network: {name}")
        for path in (self.topology, *folder.glob("two-regions/*/*.yml")):
            path.write_text(path.read_text().replace("172.30.30.", f"{self.network}."))

    def replace(self, old: str, new: str) -> None:
        """Change the topology file."""
        text = self.topology.read_text()
        assert text.count(old) == 1, old
        self.topology.write_text(text.replace(old, new))

    @property
    def api(self) -> str:
        """The global controller's."""
        return f"https://{self.network}.10:8080"

    def traces(self) -> list[str]:
        """List what there is of the lab on this machine: nothing after its end."""
        return traces(self.name, self.network, self.folder)

    def down(self) -> None:
        """Take it away whatever state it is in."""
        done = pdsno("lab", "down", str(self.topology))
        assert done.returncode == 0, done.stderr


def traces(name: str, network: str, folder: Path) -> list[str]:
    """List namespaces, processes, interfaces, routes, mounts and files of a lab."""
    routes = subprocess.run(["ip", "-4", "route"], capture_output=True, text=True, check=True)
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True)
    mounts = Path("/proc/self/mounts").read_text()
    return [
        *(path.name for path in Path("/run/netns").glob(f"clab-{name}-*")),
        *(line for line in routes.stdout.splitlines() if line.startswith(network)),
        *(line for line in links.stdout.splitlines() if name in line),
        *(line for line in mounts.splitlines() if f"/{name}/" in line or f"clab-{name}-" in line),
        *(str(path) for path in RUN_DIR.glob(f"*{name}*")),
        *(str(path) for path in folder.glob("clab-*")),
        *(path.name for path in Path("/proc").glob("[0-9]*") if _belongs(path, name)),
    ]


def _belongs(process: Path, lab: str) -> bool:
    try:
        return f"LAB_NODE_DIR={RUN_DIR / lab}/".encode() in (process / "environ").read_bytes()
    except OSError:
        return False
