"""Network namespaces for tests: made by name, taken down by name, with everything in them."""

import ctypes
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from ipaddress import ip_network
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_HOSTS_DIR = Path("/etc/netns")
_BROKER = """\
listener 1883 127.0.0.1
allow_anonymous true
"""


def until(
    is_so: Callable[[], object],
    what: str,
    *,
    timeout_s: float = 20.0,
    tell: Callable[[], str] = str,
) -> None:
    """Wait for a state; fail naming it and whatever `tell` has to say."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > deadline:
            raise AssertionError(f"in {timeout_s:.0f} s not seen: {what}\n{tell()}")
        time.sleep(0.05)


def ip(*args: str) -> None:
    subprocess.run(["ip", *args], check=True, capture_output=True, text=True)


def enter(namespace: str) -> None:
    """Move the calling thread, and threads that it starts, into a network namespace."""
    descriptor = os.open(f"/run/netns/{namespace}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(descriptor, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
    finally:
        os.close(descriptor)


class Namespace:
    """One network namespace."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._started: list[subprocess.Popen[bytes]] = []
        ip("netns", "add", name)
        ip("-n", name, "link", "set", "lo", "up")

    def run(
        self, *argv: str, timeout_s: float = 30.0, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside."""
        return subprocess.run(
            ["ip", "netns", "exec", self.name, *argv],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            input=stdin,
            check=False,
        )

    def start(self, *argv: str, log: Path) -> "subprocess.Popen[bytes]":
        """Start a long-running command inside; it dies with the namespace."""
        with log.open("ab") as out:
            process = subprocess.Popen(
                ["ip", "netns", "exec", self.name, *argv],
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
            )
        self._started.append(process)
        return process

    def inside(self, call: Callable[[], T]) -> T:
        """Run a call of this process inside, in a thread of its own."""
        with ThreadPoolExecutor(1, initializer=enter, initargs=(self.name,)) as pool:
            return pool.submit(call).result()

    def ip(self, *args: str) -> None:
        ip("-n", self.name, *args)

    def pids(self) -> list[int]:
        done = subprocess.run(
            ["ip", "netns", "pids", self.name], capture_output=True, text=True, check=False
        )
        return [int(pid) for pid in done.stdout.split()]

    def close(self) -> None:
        """Kill what runs inside, by process ID, and remove the namespace."""
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self._started:
            process.wait()
        until(lambda: not self.pids(), f"{self.name} to be empty")
        with suppress(subprocess.CalledProcessError):
            ip("netns", "del", self.name)


class Site:
    """A namespace `here`, cabled to a namespace with hosts, each host an address of its own MAC."""

    def __init__(self, here: Namespace, there: Namespace) -> None:
        self.here = here
        self.there = there

    def run(
        self, *argv: str, timeout_s: float = 30.0, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        return self.here.run(*argv, timeout_s=timeout_s, stdin=stdin)


@contextmanager
def site_with_hosts(
    folder: Path, subnet: str, *, hosts: int, broker: bool = False, first: int = 11
) -> Iterator[Site]:
    """Make a site; with `broker`, a mosquitto answers there as mqtt.local:1883."""
    tag = secrets.token_hex(3)
    here, there = Namespace(f"t{tag}-here"), Namespace(f"t{tag}-there")
    names = _HOSTS_DIR / here.name
    try:
        _cable(here, there, subnet, range(first, first + hosts))
        names.mkdir(parents=True)
        (names / "hosts").write_text("127.0.0.1 localhost mqtt.local\n")
        if broker:
            _start_broker(here, folder)
        yield Site(here, there)
    finally:
        here.close()
        there.close()
        shutil.rmtree(names, ignore_errors=True)


def _cable(here: Namespace, there: Namespace, subnet: str, numbers: Sequence[int]) -> None:
    """Wire both by a veth; hosts are macvlans on its far end, so each has a MAC of its own."""
    network = ip_network(subnet)
    here.ip("link", "add", "eth1", "type", "veth", "peer", "name", "wire", "netns", there.name)
    here.ip("addr", "add", f"{network[2]}/{network.prefixlen}", "dev", "eth1")
    here.ip("link", "set", "eth1", "up")
    there.ip("link", "set", "wire", "up")
    for number in numbers:
        host = f"h{number}"
        # A MAC that the hardware keeps: one that the kernel made up would pass for a telephone's.
        mac = f"3c:ec:ef:00:00:{number:02x}"
        kind = ("type", "macvlan", "mode", "bridge")
        there.ip("link", "add", "link", "wire", host, "address", mac, *kind)
        there.ip("addr", "add", f"{network[number]}/{network.prefixlen}", "dev", host)
        there.ip("link", "set", host, "up")
        for knob, value in (("arp_ignore", "1"), ("arp_announce", "2"), ("rp_filter", "0")):
            done = there.run("sysctl", "-qw", f"net.ipv4.conf.{host}.{knob}={value}")
            assert done.returncode == 0, done.stderr
    # The cable's own end must not answer ARP for the hosts behind it.
    for knob in ("all.arp_ignore=1", "all.rp_filter=0"):
        done = there.run("sysctl", "-qw", f"net.ipv4.conf.{knob}")
        assert done.returncode == 0, done.stderr


def _start_broker(here: Namespace, folder: Path) -> None:
    settings = folder / "mosquitto.conf"
    settings.write_text(_BROKER)
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    assert program, "mosquitto is not installed"
    here.start(program, "-c", str(settings), log=folder / "mosquitto.log")

    def listens() -> bool:
        return "127.0.0.1:1883" in here.run("ss", "-Hltn").stdout

    until(listens, "mosquitto to listen")


def interfaces_of(namespace: Namespace) -> list[dict[str, object]]:
    """Return `ip -j addr` of a namespace."""
    found: list[dict[str, object]] = json.loads(namespace.run("ip", "-j", "addr").stdout)
    return found
