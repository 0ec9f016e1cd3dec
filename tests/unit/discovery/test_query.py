import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from pdsno.discovery import query_ports, query_snmp, query_ssh
from pdsno.discovery.ledger import Ledger
from pdsno.discovery.query import Candidate, query_all
from pdsno.discovery.sweep.pacing import Pacer
from pdsno.discovery.sweep.tcp import TcpSweep
from pdsno.domain.entities import Interface
from pdsno.domain.observations import AddressOutcome, Announcement, Facts, Method, Outcome, Probe
from pdsno.southbound.access import DeviceAccess
from pdsno.southbound.credentials import Credentials, SnmpV2cCredential, SshCredential
from pdsno.southbound.hints import PlatformHint
from pdsno.southbound.mibs.system import ENGINE_ID, SYS_NAME, parse_system
from pdsno.southbound.snmp import SnmpAnswer, SnmpIdentity
from pdsno.southbound.ssh import SshAnswer

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SNMP = SnmpV2cCredential(name="ro", community="x")
SSH = SshCredential(name="ops", username="ops", password="x")


@dataclass
class Machine:
    """A device of a made-up network."""

    name: str
    ips: tuple[str, ...]
    macs: tuple[str, ...] = ()
    engine: str = ""
    snmp: bool = True
    ssh: Outcome = Outcome.ANSWERED
    hears: tuple[Announcement, ...] = ()

    def facts(self, source: str, address: str) -> Facts:
        first = Interface(name="eth0", ips=tuple(f"{ip}/24" for ip in self.ips))
        rest = (Interface(name=f"eth{n}", mac=mac) for n, mac in enumerate(self.macs, start=1))
        return Facts(
            source=source,
            address=address,
            at=NOW,
            name=self.name,
            interfaces=(first, *rest),
            announcements=self.hears,
        )


@dataclass
class Network:
    """Answers in place of SNMP and SSH, and remembers who was asked."""

    at: dict[str, Machine]
    walked: list[str] = field(default_factory=list)
    logged_in: list[str] = field(default_factory=list)
    hints: dict[str, str] = field(default_factory=dict)

    def with_hints(self, hints: Mapping[str, PlatformHint]) -> "Network":
        self.hints |= {address: hint.platform for address, hint in hints.items()}
        return self

    def identify(
        self, addresses: Sequence[str], on_done: Callable[[SnmpAnswer], None]
    ) -> dict[str, SnmpAnswer]:
        answers = {address: self._identity(address) for address in addresses}
        for answer in answers.values():
            on_done(answer)
        return answers

    def _identity(self, address: str) -> SnmpAnswer:
        machine = self.at.get(address)
        if machine is None or not machine.snmp:
            silent = Probe(method=Method.SNMP, outcome=Outcome.TIMEOUT)
            return SnmpAnswer(address=address, probe=silent)
        varbinds = {SYS_NAME: machine.name.encode(), ENGINE_ID: machine.engine.encode()}
        identity = SnmpIdentity(address=address, credential=SNMP, system=parse_system(varbinds))
        probe = Probe(method=Method.SNMP, outcome=Outcome.ANSWERED)
        return SnmpAnswer(address=address, probe=probe, identity=identity)

    def collect(
        self, identities: Sequence[SnmpIdentity], on_done: Callable[[SnmpAnswer], None]
    ) -> dict[str, SnmpAnswer]:
        answers = {}
        for identity in identities:
            address = identity.address
            self.walked.append(address)
            probe = Probe(method=Method.SNMP, outcome=Outcome.ANSWERED)
            facts = self.at[address].facts("snmp", address)
            answers[address] = SnmpAnswer(address=address, probe=probe, facts=facts)
            on_done(answers[address])
        return answers

    def query(
        self, addresses: Sequence[str], _on_done: Callable[[SshAnswer], None]
    ) -> dict[str, SshAnswer]:
        answers = {}
        for address in addresses:
            self.logged_in.append(address)
            outcome = self.at[address].ssh
            facts = self.at[address].facts("ssh", address) if outcome is Outcome.ANSWERED else None
            probe = Probe(method=Method.SSH, outcome=outcome)
            answers[address] = SshAnswer(address=address, probe=probe, facts=facts)
        return answers


def ask(
    monkeypatch: pytest.MonkeyPatch, network: Network, candidates: Sequence[Candidate]
) -> Ledger:
    def open_ports(addresses: Sequence[str], **_: object) -> TcpSweep:
        ports = {
            (a, 22): Outcome.ANSWERED if a in network.at else Outcome.REFUSED for a in addresses
        }
        return TcpSweep(ports=ports)

    monkeypatch.setattr(query_snmp, "SnmpQuerier", lambda *_, **__: network)
    monkeypatch.setattr(query_ssh, "SshQuerier", lambda *_, hints, **__: network.with_hints(hints))
    monkeypatch.setattr(query_ports, "sweep_tcp", open_ports)
    stop = threading.Event()
    with DeviceAccess(Credentials(snmp=(SNMP,), ssh=(SSH,))) as access:
        return query_all(candidates, access, stop=stop, pacer=Pacer(None, stop))


def candidates(*addresses: str) -> list[Candidate]:
    return [Candidate(address=a) for a in addresses]


def test_a_router_with_three_addresses_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    router = Machine("r1", ("10.0.0.1", "10.0.1.1", "10.255.0.1"), engine="e1")
    network = Network(dict.fromkeys(router.ips, router))
    answers = ask(monkeypatch, network, candidates(*router.ips))
    assert network.walked == ["10.0.0.1"]
    assert network.logged_in == ["10.0.0.1"]
    assert [f.source for f in answers.facts] == ["snmp", "ssh"]
    assert [(p.method, p.outcome, p.detail) for p in answers.probes_of("10.255.0.1")] == [
        (Method.SNMP, Outcome.ANSWERED, "queried at 10.0.0.1"),
        (Method.SSH, Outcome.ANSWERED, "queried at 10.0.0.1"),
    ]


def test_machines_that_share_a_cloned_engine_id_are_both_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    twins = [Machine("vm", (ip,), engine="same") for ip in ("10.0.0.1", "10.0.0.2")]
    network = Network({m.ips[0]: m for m in twins})
    answers = ask(monkeypatch, network, candidates("10.0.0.1", "10.0.0.2"))
    assert sorted(network.walked) == ["10.0.0.1", "10.0.0.2"]
    assert len(answers.facts) == 4


def test_an_address_that_another_machine_really_has_is_asked_although_it_is_claimed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    claimer = Machine("a", ("10.0.0.1", "10.0.0.2"), macs=("02:00:00:00:00:0a",), engine="a")
    holder = Machine("b", ("10.0.0.2",), macs=("02:00:00:00:00:0b",), engine="b")
    network = Network({"10.0.0.1": claimer, "10.0.0.2": holder})
    seen = [
        Candidate(address="10.0.0.1", macs=frozenset({"02:00:00:00:00:0a"})),
        Candidate(address="10.0.0.2", macs=frozenset({"02:00:00:00:00:0b"})),
    ]
    ask(monkeypatch, network, seen)
    assert network.walked == ["10.0.0.1", "10.0.0.2"]
    assert network.logged_in == ["10.0.0.1", "10.0.0.2"]


def test_a_device_that_only_speaks_ssh_is_logged_into_and_silence_is_on_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = Network({"10.0.0.1": Machine("s", ("10.0.0.1",), snmp=False)})
    answers = ask(monkeypatch, network, candidates("10.0.0.1", "10.0.0.9"))
    assert network.logged_in == ["10.0.0.1"]
    record = AddressOutcome(
        namespace="", address="10.0.0.9", probes=tuple(answers.probes_of("10.0.0.9"))
    )
    assert record.summary == "SNMP timeout; SSH refused"


def test_who_answers_no_snmp_is_asked_as_what_its_neighbour_hears_that_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = Announcement(address="10.0.0.2", text="Cisco IOS Software, C2960 Software")
    access = Machine("sw1", ("10.0.0.1",), engine="e", hears=(told,))
    closed = Machine("sw2", ("10.0.0.2",), snmp=False)
    network = Network({"10.0.0.1": access, "10.0.0.2": closed})
    ask(monkeypatch, network, candidates("10.0.0.1", "10.0.0.2"))
    assert network.hints == {"10.0.0.2": "cisco_ios"}


def test_where_the_log_in_failed_other_addresses_of_the_device_are_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    router = Machine("r1", ("10.0.0.1", "10.0.1.1"), engine="e", ssh=Outcome.SESSION_CLOSED)
    network = Network(dict.fromkeys(router.ips, router))
    answers = ask(monkeypatch, network, candidates(*router.ips))
    assert network.logged_in == ["10.0.0.1", "10.0.1.1"]
    assert answers.probes_of("10.0.0.1")[-1].outcome is Outcome.SESSION_CLOSED
