"""One look over all of them at once: it ends in time, and the ledger says what happened."""

import ipaddress
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from pdsno.discovery.ledger import counts
from pdsno.discovery.observe import Observations, observe
from pdsno.discovery.query import QueryLimits
from pdsno.discovery.targets import plan_targets
from pdsno.domain.observations import AddressOutcome, Facts, Method, Outcome, Probe, StopReason
from pdsno.southbound.access import DeviceAccess
from pdsno.southbound.credentials import Credentials, SnmpV2cCredential, SshCredential
from pdsno.southbound.login_limits import LoginLimiter
from pdsno.southbound.platforms import DETECTION_COMMAND, frr, platform_named
from pdsno.southbound.snmp_session import SnmpOptions
from pdsno.southbound.ssh_transport import SshOptions
from tests.integration.devices import daemon, free_port, wait_for
from tests.integration.snmp_agents import READS
from tests.integration.strange_devices import (
    PASSWORD,
    USERNAME,
    ChangingPrompt,
    SnmpDevice,
    SshDevice,
    mute_port,
    ssh_device,
)
from tests.unit.southbound.recorded import recorded_outputs

pytestmark = [pytest.mark.integration, pytest.mark.timeout(150)]

FRR = recorded_outputs("frr_router")
SUBNET = "127.66.0.0/28"
NAMES = (
    *("normal", "far", "slow_snmp", "five_sessions", "prompt", "banner", "other_address"),
    *("no_rights", "endless", "mute", "reset", "nothing"),
)
AT = {name: f"127.66.0.{number}" for number, name in enumerate(NAMES, start=1)}
IOS = platform_named("cisco_ios")
VERSION = Path(__file__).parents[1] / "unit/southbound/fixtures" / IOS.name / "show_version.txt"
ALLOWED = {
    DETECTION_COMMAND,
    *(c for p in (frr.PLATFORM, IOS) for c in (*p.session_commands, *p.commands)),
}


@dataclass(frozen=True)
class Site:
    """The network: the ports, and the devices with a shell by name."""

    ssh_port: int
    snmp_port: int
    shells: dict[str, SshDevice]
    agents: list[SnmpDevice]


def reply(line: str) -> str:
    return FRR.get(line, "% Unknown command")


def denied(line: str) -> str:
    """A Cisco switch whose AAA lets this user see the version, and does not know `enable`."""
    if line in IOS.session_commands:
        return ""
    if line == DETECTION_COMMAND:
        return VERSION.read_text("utf-8").replace("\n", "\r\n")
    return "% Authorization failed."


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    ssh_port, snmp_port, hidden = free_port(), free_port(), free_port()
    strange: dict[str, dict[str, object]] = {
        "normal": {},
        "five_sessions": {"most_sessions": 5},
        "prompt": {"prompt": ChangingPrompt(changes_after=2)},
        "banner": {"banner": "All your keys are belong to us.\r\n" * 2000},
        "no_rights": {"prompt": lambda: "leaf1> "},
        "endless": {"endless_at": DETECTION_COMMAND},
        "reset": {"reset_at": frr.PLATFORM.commands[-1]},
    }
    agents: list[SnmpDevice] = []
    with ExitStack() as stack:
        shells = {
            name: stack.enter_context(
                ssh_device(AT[name], ssh_port, denied if name == "no_rights" else reply, **how)
            )
            for name, how in strange.items()
        }
        shells["far"] = stack.enter_context(ssh_device("127.0.0.1", hidden, reply))
        link = Path(__file__).with_name("slow_link.py")
        command = [sys.executable, str(link), AT["far"], "75", f"{ssh_port}=127.0.0.1:{hidden}"]
        log = tmp_path_factory.mktemp("far") / "slow_link.log"
        stack.enter_context(daemon(command, log))
        wait_for(lambda: _listens(AT["far"], ssh_port), "the slow link listens")
        stack.enter_context(mute_port(AT["mute"], ssh_port))
        for name, how_slow in (("normal", 0.0), ("far", 0.15), ("slow_snmp", 0.7)):
            agents.append(stack.enter_context(SnmpDevice(AT[name], snmp_port, delay_s=how_slow)))
        two_faced = SnmpDevice(AT["other_address"], snmp_port, answers_from="127.66.0.33")
        agents.append(stack.enter_context(two_faced))
        yield Site(ssh_port=ssh_port, snmp_port=snmp_port, shells=shells, agents=agents)


def _listens(address: str, port: int) -> bool:
    table = Path("/proc/net/tcp").read_text()
    number = int.from_bytes(ipaddress.IPv4Address(address).packed, sys.byteorder)
    return f"{number:08X}:{port:04X} 00000000:0000 0A" in table


def look(site: Site, limits: QueryLimits) -> tuple[Observations, float]:
    credentials = Credentials(
        snmp=(SnmpV2cCredential(name="ro", community="x", port=site.snmp_port),),
        ssh=(SshCredential(name="ops", username=USERNAME, password=PASSWORD, port=site.ssh_port),),
    )
    started = time.monotonic()
    with DeviceAccess(credentials, logins=LoginLimiter(per_minute=6000)) as access:
        seen = observe(
            plan_targets([SUBNET]),
            namespace="lab",
            access=access,
            query=True,
            limits=limits,
            stop=threading.Event(),
        )
    return seen, time.monotonic() - started


def record_of(seen: Observations, name: str) -> AddressOutcome:
    return next(o for o in seen.outcomes if o.address == AT[name])


def probe_of(seen: Observations, name: str, method: Method) -> Probe:
    return next(p for p in record_of(seen, name).probes if p.method is method)


def facts_of(seen: Observations, name: str, source: str) -> Facts | None:
    return next((f for f in seen.facts if (f.address, f.source) == (AT[name], source)), None)


@pytest.fixture(scope="module")
def patient(site: Site) -> tuple[Observations, float]:
    limits = QueryLimits(
        rate_pps=None,
        snmp=SnmpOptions(device_deadline_s=15.0),
        ssh=SshOptions(login_timeout_s=5.0, read_timeout_s=5.0, session_timeout_s=15.0),
        deadline_s=50.0,
    )
    return look(site, limits)


@pytest.mark.attack(50)
def test_the_whole_look_ends_in_time_and_says_something_of_every_address(
    patient: tuple[Observations, float],
) -> None:
    seen, took_s = patient
    assert took_s < 50
    assert seen.is_complete, seen.notes
    assert not seen.interruptions
    assert [o.address for o in seen.outcomes] == [f"127.66.0.{n}" for n in range(1, 15)]
    assert all(outcome.probes for outcome in seen.outcomes)
    assert counts(seen.outcomes)["answered"] == 14


def test_the_normal_device_among_them_is_complete(patient: tuple[Observations, float]) -> None:
    seen, _ = patient
    by_ssh, by_snmp = facts_of(seen, "normal", "ssh"), facts_of(seen, "normal", "snmp")
    assert by_ssh is not None
    assert by_snmp is not None
    assert (by_ssh.name, by_ssh.platform, len(by_ssh.interfaces)) == ("leaf1", "frr", 5)
    assert by_snmp.name == f"agent-{AT['normal']}"
    assert record_of(seen, "normal").summary == ("answered ICMP, SNMP, SSH")


@pytest.mark.attack(49)
@pytest.mark.parametrize("name", ["far", "five_sessions", "prompt", "banner"])
def test_what_is_only_odd_is_read_whole(name: str, patient: tuple[Observations, float]) -> None:
    seen, _ = patient
    facts = facts_of(seen, name, "ssh")
    assert facts is not None, record_of(seen, name).summary
    assert (facts.name, len(facts.interfaces)) == ("leaf1", 5)
    assert probe_of(seen, name, Method.SSH).outcome is Outcome.ANSWERED


@pytest.mark.parametrize("name", ["far", "slow_snmp", "other_address"])
def test_a_slow_agent_and_one_with_two_addresses_tell_what_they_have(
    name: str, patient: tuple[Observations, float]
) -> None:
    seen, _ = patient
    facts = facts_of(seen, name, "snmp")
    assert facts is not None, record_of(seen, name).summary
    assert facts.name == f"agent-{AT[name]}"


@pytest.mark.parametrize(
    ("name", "outcome", "word"),
    [
        ("no_rights", Outcome.ANSWERED, "authorization failed"),
        ("endless", Outcome.FAILED, "output"),
        ("mute", Outcome.TIMEOUT, "no SSH banner"),
        ("reset", Outcome.SESSION_CLOSED, "command"),
        ("nothing", Outcome.REFUSED, ""),
    ],
)
def test_what_cannot_be_read_is_on_record_with_the_reason(
    name: str, outcome: Outcome, word: str, patient: tuple[Observations, float]
) -> None:
    probe = probe_of(patient[0], name, Method.SSH)
    assert probe.outcome is outcome, probe
    assert word in probe.detail


def test_each_device_had_one_session_and_heard_only_listed_commands(
    site: Site, patient: tuple[Observations, float]
) -> None:
    assert patient[0].facts
    for name, shell in site.shells.items():
        assert shell.sessions == 1, name
        assert shell.refused == 0, name
        assert set(shell.lines) <= ALLOWED, name
        assert len(shell.lines) == len(set(shell.lines)), name


def test_each_agent_was_only_read(site: Site, patient: tuple[Observations, float]) -> None:
    assert patient[0].facts
    for agent in site.agents:
        assert agent.kinds
        assert agent.kinds <= READS


@pytest.mark.attack(50)
def test_at_its_deadline_a_look_ends_and_says_of_whom_it_did_not_come_to(site: Site) -> None:
    limits = QueryLimits(rate_pps=None, deadline_s=4.0)
    seen, took_s = look(site, limits)
    assert took_s < 4.0 + 5.0
    assert not seen.is_complete
    assert [i.reason for i in seen.interruptions] == [StopReason.DEADLINE]
    assert len(seen.outcomes) == 14
    left = counts(seen.outcomes)
    assert left["answered"] == 14
    unread = [
        p.detail
        for o in seen.outcomes
        for p in o.probes
        if p.outcome in (Outcome.NOT_TRIED, Outcome.TIMEOUT) and "deadline" in p.detail
    ]
    assert unread, [o.summary for o in seen.outcomes]
