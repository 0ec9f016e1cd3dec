"""What nobody foresaw with one device is on its record, and ends nothing else."""

import pytest
from nornir.core.inventory import Host

from pdsno.domain.observations import Method, Outcome, Probe
from pdsno.southbound.access import DeviceAccess
from pdsno.southbound.credentials import Credentials, SnmpV2cCredential, SshCredential
from pdsno.southbound.snmp import SnmpAnswer, SnmpQuerier
from pdsno.southbound.ssh import SshAnswer, SshQuerier

HOSTS = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
BAD = "10.0.0.2"


def test_a_crash_at_one_ssh_device_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(_: SshQuerier, host: Host) -> SshAnswer:
        if host.name == BAD:
            raise ZeroDivisionError
        return SshAnswer(
            address=host.name, probe=Probe(method=Method.SSH, outcome=Outcome.ANSWERED)
        )

    monkeypatch.setattr(SshQuerier, "_ask", ask)
    login = SshCredential(name="ops", username="ops", password="x")
    answers = SshQuerier(DeviceAccess(Credentials(ssh=(login,)))).query(HOSTS)
    assert [answers[h].probe.outcome for h in HOSTS] == [
        Outcome.ANSWERED,
        Outcome.FAILED,
        Outcome.ANSWERED,
    ]
    assert answers[BAD].probe.detail == "ZeroDivisionError"


def test_a_crash_at_one_snmp_agent_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    async def identify(_: SnmpQuerier, address: str) -> SnmpAnswer:
        if address == BAD:
            raise ZeroDivisionError
        probe = Probe(method=Method.SNMP, outcome=Outcome.TIMEOUT)
        return SnmpAnswer(address=address, probe=probe)

    monkeypatch.setattr(SnmpQuerier, "_identify", identify)
    answers = SnmpQuerier([SnmpV2cCredential(name="ro", community="x")]).identify(HOSTS)
    assert [answers[h].probe.outcome for h in HOSTS] == [
        Outcome.TIMEOUT,
        Outcome.FAILED,
        Outcome.TIMEOUT,
    ]
