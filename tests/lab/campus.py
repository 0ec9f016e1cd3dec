"""The campus lab with a local controller: cycles, and what its NIB says after each."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pdsno.domain.entities import Device, Endpoint, Event, Link
from pdsno.domain.observations import AddressOutcome
from pdsno.lab.runner import Lab
from pdsno.nib import NIBStore

ROOT = Path(__file__).resolve().parents[2]
TOPOLOGY = Path(__file__).parent / "topologies" / "campus" / "campus.clab.yml"
CREDENTIALS = """
snmp:
  - {name: campus-snmp, version: 2c, community: pdsno-ro}
ssh:
  - {name: campus-ssh, username: ops, password: pdsno-lab}
"""
LAN, SECOND, VLAN10, VLAN20 = "10.50.0.0/26", "10.60.0.0/27", "10.10.0.0/27", "10.20.0.0/27"

_CYCLE_S = 120
_BOOKKEEPING = {"DISCOVERY_STARTED", "DISCOVERY_COMPLETED"}


@dataclass
class Site:
    """A local controller on a node of the lab, with a folder of its own for its NIB."""

    lab: Lab
    folder: Path
    node: str = "lc"
    policy: dict[str, Any] = field(default_factory=dict)
    _seen: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        credentials = self.folder / "credentials.yml"
        if not credentials.exists():
            credentials.write_text(CREDENTIALS)
            credentials.chmod(0o600)

    def cycle(self, **policy: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of LocalPolicy
        """Run one cycle under the site's policy, changed by what is given."""
        order = {
            "controller_id": "local_cntl_campus_1",
            "subnets": [LAN],
            "rate_pps": 1000,
            "miss_limit": 2,
            "login_rate_per_min": 6000,
            **self.policy,
            **policy,
        }
        (self.folder / "order.json").write_text(json.dumps(order))
        with self.nib() as nib:
            newest = nib.events(newest_first=True, limit=1)
            self._seen = newest[0].seq if newest else 0
        script = Path(__file__).with_name("cycle_in_node.py")
        network = f"--net=/proc/{self.lab.init_pid(self.node)}/ns/net"
        done = subprocess.run(
            ["nsenter", network, sys.executable, str(script), str(self.folder)],
            capture_output=True,
            text=True,
            check=False,
            timeout=_CYCLE_S,
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )
        assert done.returncode == 0, done.stderr
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return result

    @contextmanager
    def nib(self) -> Iterator[NIBStore]:
        store = NIBStore(self.folder / "nib.db")
        try:
            yield store
        finally:
            store.close()

    def events(self) -> list[Event]:
        """Return what the last cycle wrote of devices and links, less its beginning and end."""
        return [e for e in self._new_events() if not e.event_type.startswith("ANOMALY_")]

    def anomalies(self) -> set[tuple[str, str]]:
        """Return what the last cycle wrote of anomalies: (event type, kind)."""
        told = (e for e in self._new_events() if e.event_type.startswith("ANOMALY_"))
        return {(event.event_type, str(event.data["kind"])) for event in told}

    def _new_events(self) -> list[Event]:
        with self.nib() as nib:
            found = nib.events(after_seq=self._seen, limit=1000)
        return [event for event in found if event.event_type not in _BOOKKEEPING]

    def event_types(self) -> list[str]:
        return sorted(event.event_type for event in self.events())

    def devices(self) -> dict[str, Device]:
        """Return devices by name, else by management address."""
        with self.nib() as nib:
            found = nib.all_devices()
        return {d.name or d.management_ip or d.device_id: d for d in found}

    def endpoints(self) -> dict[str, Endpoint]:
        """Return endpoints by MAC."""
        with self.nib() as nib:
            return {e.mac or e.ips[0]: e for e in nib.endpoints(limit=1000).items}

    def links(self) -> dict[tuple[str, ...], Link]:
        """Return links by `name:interface` of both ends, sorted."""
        with self.nib() as nib:
            found = nib.links(limit=1000).items
        return {
            tuple(sorted(f"{end.device}:{end.interface}" for end in (link.a, link.b))): link
            for link in found
        }

    def outcomes(self) -> dict[str, AddressOutcome]:
        with self.nib() as nib:
            return {o.address: o for o in nib.address_outcomes()[1]}

    def run(self, node: str, *argv: str, check: bool = True) -> str:
        """Run a command in a node."""
        return run_in(self.lab, node, *argv, check=check)


def run_in(lab: Lab, node: str, *argv: str, check: bool = True) -> str:
    done = lab.exec(node, argv)
    assert done.returncode == 0 or not check, f"{node}: {' '.join(argv)}: {done.stderr}"
    return done.stdout


def shell(lab: Lab, node: str, lines: Sequence[str]) -> None:
    """Run lines of shell in a node; the first that fails ends it."""
    run_in(lab, node, "sh", "-euc", "\n".join(lines))


@contextmanager
def campus(folder: Path) -> Iterator[Lab]:
    """Bring the lab up; a copy of the file, so that what `up` writes stays in `folder`."""
    for item in TOPOLOGY.parent.iterdir():
        (folder / item.name).write_text(item.read_text())
    lab = Lab(folder / TOPOLOGY.name)
    try:
        lab.up()
        yield lab
    finally:
        lab.down()
