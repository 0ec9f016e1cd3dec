import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from pdsno.domain.observations import Outcome
from pdsno.southbound.credentials import SnmpCredential, SnmpV2cCredential, SnmpV3Credential
from pdsno.southbound.snmp import SnmpAnswer, SnmpQuerier
from tests.integration.devices import COMMUNITY, V3_AUTH, V3_PRIV, V3_USER, snmpd

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with snmpd(tmp_path_factory.mktemp("snmpd")) as port:
        yield port


@pytest.fixture
def v2c(agent: int) -> SnmpV2cCredential:
    return SnmpV2cCredential(name="ro", community=COMMUNITY, port=agent)


@pytest.fixture
def v3(agent: int) -> SnmpV3Credential:
    return SnmpV3Credential(
        name="v3",
        user=V3_USER,
        auth_protocol="SHA",
        auth_password=V3_AUTH,
        priv_protocol="AES",
        priv_password=V3_PRIV,
        port=agent,
    )


def ask(*credentials: SnmpCredential, host: str = HOST) -> SnmpAnswer:
    querier = SnmpQuerier(credentials)
    answer = querier.identify([host])[host]
    if answer.identity is None:
        return answer
    return querier.collect([answer.identity])[host]


def test_a_community_that_is_known_opens_every_table(v2c: SnmpV2cCredential) -> None:
    answer = ask(v2c)
    assert answer.probe.outcome is Outcome.ANSWERED
    assert answer.probe.detail == "credential ro"
    assert answer.facts is not None
    assert answer.facts.name == "test-agent"
    assert answer.facts.platform == "linux"
    loopback = next(i for i in answer.facts.interfaces if i.name == "lo")
    assert "127.0.0.1/8" in loopback.ips
    assert loopback.oper_status == "up"
    assert answer.facts.neighbors is None, "no LLDP agent: not told"


def test_an_snmpv3_user_is_accepted(v3: SnmpV3Credential) -> None:
    answer = ask(v3)
    assert answer.probe.outcome is Outcome.ANSWERED
    assert answer.facts is not None
    assert answer.facts.name == "test-agent"


def test_the_first_accepted_credential_of_the_list_is_used(
    v2c: SnmpV2cCredential, v3: SnmpV3Credential
) -> None:
    assert ask(v3, v2c).probe.detail == "credential v3"
    wrong = replace(v3, name="old", auth_password="wrongpass1")
    assert ask(wrong, v2c).probe.detail == "credential ro"


def test_a_wrong_community_is_a_time_out_and_is_soon_over(v2c: SnmpV2cCredential) -> None:
    started = time.monotonic()
    answer = ask(replace(v2c, community="wrong"))
    assert answer.probe.outcome is Outcome.TIMEOUT
    assert answer.facts is None
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "changed", [{"auth_password": "wrongpass1"}, {"priv_password": "wrongpass1"}, {"user": "who"}]
)
def test_a_wrong_snmpv3_user_or_password_is_told_apart_from_silence(
    v3: SnmpV3Credential, changed: dict[str, str]
) -> None:
    answer = ask(replace(v3, **changed))  # type: ignore[arg-type]
    assert answer.probe.outcome is Outcome.AUTHENTICATION_FAILED
    assert "credential v3" in answer.probe.detail


def test_where_no_agent_is_the_outcome_is_a_time_out(v2c: SnmpV2cCredential) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((HOST, 0))
        port = int(silent.getsockname()[1])
        assert ask(replace(v2c, port=port)).probe.outcome is Outcome.TIMEOUT


def test_an_agent_that_hides_its_tables_still_tells_its_name(v2c: SnmpV2cCredential) -> None:
    answer = ask(replace(v2c, community="limited"))
    assert answer.probe.outcome is Outcome.ANSWERED
    assert answer.facts is not None
    assert answer.facts.name == "test-agent"
    assert answer.facts.interfaces == ()


def test_an_agent_that_answers_from_another_address_is_understood(
    v2c: SnmpV2cCredential, agent: int
) -> None:
    stop = threading.Event()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as front,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as back,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as to_agent,
    ):
        front.bind((HOST, 0))
        port = int(front.getsockname()[1])
        back.bind(("127.0.0.2", port))
        front.settimeout(0.1)
        to_agent.settimeout(2)
        to_agent.connect((HOST, agent))

        def pass_on() -> None:
            while not stop.is_set():
                try:
                    request, client = front.recvfrom(4096)
                except TimeoutError:
                    continue
                to_agent.send(request)
                back.sendto(to_agent.recv(65536), client)

        thread = threading.Thread(target=pass_on)
        thread.start()
        try:
            answer = ask(replace(v2c, port=port))
        finally:
            stop.set()
            thread.join()
    assert answer.probe.outcome is Outcome.ANSWERED
    assert "answers from 127.0.0.2" in answer.probe.detail
    assert answer.facts is not None
    assert answer.facts.interfaces


def test_a_stop_ends_waiting_for_silent_agents(v2c: SnmpV2cCredential) -> None:
    stop = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((HOST, 0))
        credential = replace(v2c, port=int(silent.getsockname()[1]))
        querier = SnmpQuerier([credential], stop=stop, parallel=1)
        threading.Timer(0.3, stop.set).start()
        started = time.monotonic()
        # One at a time, two seconds each: a minute without the stop.
        answers = querier.identify([f"127.0.0.{n}" for n in range(1, 31)])
    assert time.monotonic() - started < 10
    assert len(answers) < 30
