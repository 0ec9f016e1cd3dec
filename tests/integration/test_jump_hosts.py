"""Devices behind a jump host: a real sshd stands between, the ssh_config leads through it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import pytest

from pdsno.discovery import observe as observe_module
from pdsno.discovery.observe import observe
from pdsno.discovery.query import QueryLimits
from pdsno.discovery.sweep.run import TargetSweep
from pdsno.discovery.targets import Target, hosts_of, plan_targets
from pdsno.domain.observations import Method, Outcome, Probe, SweepResult
from pdsno.southbound.access import DeviceAccess
from pdsno.southbound.credentials import Credentials, SnmpV2cCredential, SshCredential
from pdsno.southbound.known_hosts import KnownHosts
from pdsno.southbound.platforms import DETECTION_COMMAND, frr
from pdsno.southbound.ssh import SshAnswer, SshQuerier
from pdsno.southbound.ssh_transport import SshOptions
from tests.integration.devices import FakeDevice, fake_device, free_port, sshd, username
from tests.unit.southbound.recorded import recorded_outputs

FRR = recorded_outputs("frr_router")
INNER = ("127.77.0.1", "127.77.0.2")
CONFIG = """
Host 127.77.0.*
  HostName 127.0.0.1
  ProxyJump {way}
Host bastion second
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {key}
"""


@dataclass(frozen=True)
class Bastion:
    """The jump host."""

    port: int
    key: Path
    folder: Path

    def config(self, folder: Path, way: str = "bastion", key: str | None = None) -> Path:
        path = folder / "ssh_config"
        text = CONFIG.format(way=way, port=self.port, user=username(), key=key or self.key)
        path.write_text(text)
        return path

    def log_ins(self) -> int:
        return (self.folder / "sshd.log").read_text().count("Accepted publickey")


@pytest.fixture(scope="module")
def bastion(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bastion]:
    folder = tmp_path_factory.mktemp("bastion")
    with sshd(folder) as (port, key):
        yield Bastion(port=port, key=key, folder=folder)


@pytest.fixture
def device() -> Iterator[FakeDevice]:
    with fake_device(lambda line: FRR.get(line, "% Unknown command")) as found:
        yield found


def login(port: int) -> SshCredential:
    return SshCredential(name="ops", username="ops", password="right", port=port)


def ask(
    config: Path, port: int, *addresses: str, known_hosts: KnownHosts | None = None
) -> dict[str, SshAnswer]:
    credentials = Credentials(ssh=(login(port),), ssh_config=config)
    with DeviceAccess(credentials, known_hosts=known_hosts) as access:
        return SshQuerier(access, options=SshOptions(login_timeout_s=5.0)).query(addresses)


def test_devices_behind_a_jump_host_are_read_over_one_connection_to_it(
    bastion: Bastion, device: FakeDevice, tmp_path: Path
) -> None:
    before = bastion.log_ins()
    answers = ask(bastion.config(tmp_path), device.port, *INNER)
    for address in INNER:
        assert answers[address].probe.outcome is Outcome.ANSWERED, answers[address].probe
        facts = answers[address].facts
        assert facts is not None
        assert (facts.name, facts.address) == ("leaf1", address)
    assert bastion.log_ins() - before == 1
    assert set(device.lines) == {DETECTION_COMMAND, *frr.PLATFORM.commands}


def test_a_chain_of_jump_hosts_is_gone_in_order(
    bastion: Bastion, device: FakeDevice, tmp_path: Path
) -> None:
    before = bastion.log_ins()
    answer = ask(bastion.config(tmp_path, "bastion,second"), device.port, INNER[0])[INNER[0]]
    assert answer.probe.outcome is Outcome.ANSWERED, answer.probe
    assert bastion.log_ins() - before == 2


def test_what_fails_at_the_jump_host_or_behind_it_is_told_apart(
    bastion: Bastion, tmp_path: Path
) -> None:
    def probe(config: Path, port: int) -> Probe:
        return ask(config, port, INNER[0])[INNER[0]].probe

    closed = probe(bastion.config(tmp_path), free_port())
    assert closed.outcome in (Outcome.REFUSED, Outcome.UNREACHABLE)
    assert "jump host bastion" in closed.detail
    foreign = bastion.folder / "host_key"  # no key of any user
    refused = probe(bastion.config(tmp_path, key=str(foreign)), free_port())
    assert refused.outcome is Outcome.UNREACHABLE
    assert refused.detail == "jump host bastion: authentication failed"
    gone = probe(bastion.config(tmp_path, way=f"root@127.0.0.1:{free_port()}"), free_port())
    assert gone.outcome is Outcome.UNREACHABLE
    assert gone.detail.startswith("jump host 127.0.0.1:")


def test_a_jump_host_that_shows_another_key_is_told_nothing(
    bastion: Bastion, device: FakeDevice, tmp_path: Path
) -> None:
    pins = KnownHosts(tmp_path / "known_hosts")
    config = bastion.config(tmp_path)
    assert ask(config, device.port, INNER[0], known_hosts=pins)[INNER[0]].facts is not None
    ours, theirs = (tmp_path / "known_hosts").read_text().splitlines()
    assert ours.startswith(f"[127.0.0.1]:{bastion.port} ")
    assert theirs.startswith(f"[{INNER[0]}]:{device.port} ")
    (tmp_path / "known_hosts").write_text(
        f"[127.0.0.1]:{bastion.port} {theirs.split(None, 1)[1]}\n"
    )
    before, lines = bastion.log_ins(), list(device.lines)
    probe = ask(config, device.port, INNER[0], known_hosts=pins)[INNER[0]].probe
    assert probe.outcome is Outcome.UNREACHABLE
    assert "jump host bastion: host key changed" in probe.detail
    assert (bastion.log_ins(), device.lines) == (before, lines)


def nobody_answers(targets: Sequence[Target], *_: object, **__: object) -> tuple[TargetSweep, ...]:
    """A sweep of a network that this machine has no way into; it sends nothing."""
    silent = (Probe(method=Method.ICMP, outcome=Outcome.SILENT),)
    return tuple(
        TargetSweep(
            target=target,
            result=SweepResult(
                subnet=target.subnet,
                sightings=(),
                probed=(target.subnet,),
                duration_s=0.1,
                methods=(Method.ICMP,),
                is_complete=True,
            ),
            probes=dict.fromkeys(hosts_of([target.network], target.network), silent),
        )
        for target in targets
    )


def test_a_device_that_only_its_jump_host_reaches_is_found_by_a_look(
    bastion: Bastion, device: FakeDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observe_module, "sweep_targets", nobody_answers)
    config = bastion.config(tmp_path)
    config.write_text(config.read_text().replace("127.77.0.*", "127.77.0.1 127.77.0.2"))
    snmp = SnmpV2cCredential(name="ro", community="x", port=free_port())
    credentials = Credentials(snmp=(snmp,), ssh=(login(device.port),), ssh_config=config)
    with DeviceAccess(credentials) as access:
        seen = observe(
            plan_targets(["127.77.0.0/29"], exclude=["127.77.0.2/32"]),
            namespace="lab",
            access=access,
            query=True,
            limits=QueryLimits(rate_pps=None, ssh=SshOptions(login_timeout_s=5.0)),
            stop=Event(),
        )
    assert [(f.address, f.name) for f in seen.facts] == [("127.77.0.1", "leaf1")]
    queried = {
        (o.address, p.method, p.outcome)
        for o in seen.outcomes
        for p in o.probes
        if p.method is not Method.ICMP
    }
    assert queried == {("127.77.0.1", Method.SSH, Outcome.ANSWERED)}
