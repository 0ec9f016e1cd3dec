# ruff: noqa: T201 - an evaluation prints what it measured
"""Serves every recording of `snmpsim-data` by snmpsim and compares what we make of it.

    .venv/bin/python -m tests.eval.snmpsim_data [NAME-PART]

Truth comes from two places: interface counts, serial numbers and neighbours from the raw
recording by plain readers that share nothing with ours; vendor, platform, version and model from
snmpsim_truth.yml, written by hand. The simulator lives in .venv-eval (`make eval`). Exit code 1
if a field is right on less than 95 % of the devices that tell it.
"""

import contextlib
import re
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from pdsno.domain.observations import Facts
from pdsno.southbound.credentials import SnmpV2cCredential
from pdsno.southbound.snmp import SnmpQuerier
from pdsno.southbound.snmp_session import SnmpOptions
from tests.eval.recordings import Recording, read, unpack

ROOT = Path(__file__).parents[2]
VENV = ROOT / ".venv-eval"
CACHE = VENV / "snmpsim"
TRUTH = Path(__file__).with_name("snmpsim_truth.yml")
GOAL = 0.95
SIMULATORS = 2
START_S = 600.0
HOST = "127.0.0.1"
# The simulator is slow Python, not a network: patience here says nothing about ours elsewhere.
OPTIONS = SnmpOptions(
    timeout_s=5.0,
    requests_per_s=2000.0,
    max_repetitions=50,
    max_rows=20_000,
    device_deadline_s=600.0,
)
SAID_BY_HAND = ("vendor", "platform", "os_version", "model")


def main() -> int:
    """Run the evaluation and print one line per field."""
    package = next(VENV.glob("lib/python3*/site-packages/snmpsim_data/data"), None)
    if package is None:
        print("snmpsim-data: skipped, .venv-eval has no simulator (make eval installs it)")
        return 0
    served = CACHE / "served"
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    names = [name for name in unpack(package, served) if wanted in name]
    truth = yaml.safe_load(TRUTH.read_text("utf-8"))
    tally = Tally()
    with simulators(served) as ports, ThreadPoolExecutor(len(ports)) as pool:
        shares = [names[first :: len(ports)] for first in range(len(ports))]
        told: dict[str, Facts | None] = {}
        for answers in pool.map(collect_all, shares, ports):
            told |= answers
    for name in names:
        judge(tally, read(served, name), told[name], truth.get(name, {}))
    return tally.report(len(names))


# --- the simulator ---------------------------------------------------------------------------


@contextlib.contextmanager
def simulators(served: Path) -> Iterator[list[int]]:
    """Run the simulators; the first builds the indexes that all use."""
    ports = [_free_port() for _ in range(SIMULATORS)]
    running: list[subprocess.Popen[bytes]] = []
    try:
        for port in ports:
            running.append(_start(served, port))
            _wait_for(port, running[-1])
        yield ports
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(timeout=10)


def _start(served: Path, port: int) -> subprocess.Popen[bytes]:
    log = (CACHE / f"simulator-{port}.log").open("wb")
    return subprocess.Popen(
        [
            VENV / "bin" / "snmpsim-command-responder",
            f"--data-dir={served}",
            f"--cache-dir={CACHE / 'index'}",
            f"--agent-udpv4-endpoint={HOST}:{port}",
            "--process-user=root",
            "--process-group=root",
            "--log-level=error",
        ],
        stdout=log,
        stderr=log,
    )


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until the simulator answers: it indexes all recordings before it listens."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        if collect("os/linux/slackware", port, timeout_s=1.0, tries=1) is not None:
            return
    raise SystemExit(f"the simulator did not start; see {CACHE}/simulator-{port}.log")


def collect_all(names: list[str], port: int) -> dict[str, Facts | None]:
    """Ask the devices of one simulator, one after the other."""
    return {name: collect(name, port) for name in names}


def collect(name: str, port: int, *, timeout_s: float = 5.0, tries: int = 2) -> Facts | None:
    """Ask the device whose community is the recording's name, as PDSNO asks any device."""
    options = replace(OPTIONS, timeout_s=timeout_s, tries=tries)
    credential = SnmpV2cCredential(name="recording", community=name, port=port)
    querier = SnmpQuerier([credential], options=options)
    answer = querier.identify([HOST])[HOST]
    if answer.identity is None:
        return None
    return querier.collect([answer.identity])[HOST].facts


# --- truth and judgement ---------------------------------------------------------------------


@dataclass(slots=True)
class Tally:
    """Right and wrong per field."""

    right: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    wrong: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(
        self, name: str, device: str, expected: object, told: object, *, is_right: bool
    ) -> None:
        if is_right:
            self.right[name] += 1
        else:
            self.wrong[name].append(f"{device}: expected {expected!r}, told {told!r}")

    def report(self, devices: int) -> int:
        """Print the shares and every miss; return the exit code."""
        print(f"snmpsim-data: {devices} recordings")
        worst = 1.0
        for name in ("answers", *SAID_BY_HAND, "serial", "interfaces", "lldp", "cdp"):
            right, wrong = self.right[name], self.wrong[name]
            told = right + len(wrong)
            share = right / told if told else 1.0
            worst = min(worst, share)
            print(f"  {name:12} {right:4} of {told:4}  {share:7.1%}")
            for line in wrong:
                print(f"      {line}")
        return 0 if worst >= GOAL else 1


def judge(tally: Tally, recording: Recording, facts: Facts | None, said: Mapping[str, str]) -> None:
    """Compare one device's facts with what its recording holds."""
    device = recording.name
    tally.add("answers", device, "an answer", None, is_right=facts is not None)
    for name in SAID_BY_HAND:
        if name in said:
            told = getattr(facts, name, None)
            tally.add(name, device, said[name], told, is_right=_same(said[name], told))
    serials = {said["serial"]} if "serial" in said else chassis_serials(recording)
    if serials:
        told = facts.serial if facts else None
        tally.add("serial", device, sorted(serials), told, is_right=told in serials)
    count = interface_count(recording)
    if count:
        told = len(facts.interfaces) if facts else 0
        tally.add("interfaces", device, count, told, is_right=told == count)
    for protocol, reader in (("lldp", lldp_neighbors), ("cdp", cdp_neighbors)):
        heard = reader(recording)
        if heard:
            told = _neighbors(facts)
            tally.add(protocol, device, heard, told, is_right=heard <= told)


def _same(expected: str, told: object) -> bool:
    return told is not None and _plain(str(told)) == _plain(str(expected))


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9.]", "", re.sub(r"^v(?=\d)", "", text.casefold()))


def _neighbors(facts: Facts | None) -> set[str]:
    found = facts.neighbors if facts else None
    told = (name for n in found or () for name in (n.remote_name, n.remote_chassis_id) if name)
    return {_host(name) for name in told}


def _host(name: str) -> str:
    return " ".join(name.partition("(")[0].split()).casefold()


def chassis_serials(recording: Recording) -> set[str]:
    """Serial numbers of rows of class chassis (3), else stack (11)."""
    classes = recording.column("1.3.6.1.2.1.47.1.1.1.1.5")
    for wanted in (b"3", b"11"):
        found = {
            recording.text(f"1.3.6.1.2.1.47.1.1.1.1.11.{index}")
            for index, kind in classes.items()
            if kind == wanted
        }
        if found - {""}:
            return found - {""}
    return set()


def interface_count(recording: Recording) -> int:
    """How many rows the ifTable has: those with a type, or a name where types are missing."""
    for column in ("1.3.6.1.2.1.2.2.1.1", "1.3.6.1.2.1.2.2.1.3", "1.3.6.1.2.1.2.2.1.2"):
        rows = recording.column(column)
        if rows:
            return len(rows)
    return 0


def lldp_neighbors(recording: Recording) -> set[str]:
    """Names of the remote systems; of those without a name their chassis ID, as a MAC."""
    names = recording.column("1.0.8802.1.1.2.1.4.1.1.9")
    kinds = recording.column("1.0.8802.1.1.2.1.4.1.1.4")
    found = set()
    for index, chassis in recording.column("1.0.8802.1.1.2.1.4.1.1.5").items():
        name = _decoded(names.get(index, b""))
        if name:
            found.add(_host(name))
        elif kinds.get(index) == b"4" and len(chassis) == 6:
            found.add(chassis.hex(":"))
    return found


def cdp_neighbors(recording: Recording) -> set[str]:
    """Names in the CDP cache."""
    names = recording.column("1.3.6.1.4.1.9.9.23.1.2.1.1.17")
    return {
        _host(_decoded(names.get(index, b"")) or _decoded(device))
        for index, device in recording.column("1.3.6.1.4.1.9.9.23.1.2.1.1.6").items()
        if _decoded(device)
    }


def _decoded(value: bytes) -> str:
    """Return a name as text; some agents give six raw octets, which are a MAC."""
    if len(value) == 6 and not (value.isascii() and value.decode("ascii").isprintable()):
        return value.hex(":")
    return value.decode("utf-8", errors="replace").strip("\0 \r\n")


if __name__ == "__main__":
    sys.exit(main())
