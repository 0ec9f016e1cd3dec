"""Agents that are slow, strange or hostile: the query ends in time and says what happened."""

import time
from dataclasses import replace

import pytest

from pdsno.domain.observations import Outcome
from pdsno.southbound.credentials import SnmpV2cCredential
from pdsno.southbound.snmp import SnmpAnswer, SnmpQuerier
from pdsno.southbound.snmp_session import SnmpOptions
from tests.integration.snmp_agents import (
    GET_BULK,
    NO_SUCH_NAME,
    READS,
    TOO_BIG,
    OddAgent,
    oid,
    system,
)

HOST = "127.0.0.1"
FAST = SnmpOptions(timeout_s=0.3, walk_timeout_s=0.5, requests_per_s=2000.0, max_rows=500)


def ask(agent: OddAgent, options: SnmpOptions = FAST) -> SnmpAnswer:
    querier = SnmpQuerier(
        [SnmpV2cCredential(name="ro", community="public", port=agent.port)], options=options
    )
    answer = querier.identify([HOST])[HOST]
    return answer if answer.identity is None else querier.collect([answer.identity])[HOST]


def port_names(answer: SnmpAnswer) -> list[str]:
    assert answer.facts is not None, answer.probe
    return [interface.name for interface in answer.facts.interfaces]


def test_a_well_behaved_agent_is_read_whole() -> None:
    with OddAgent() as agent:
        answer = ask(agent)
    assert answer.probe.outcome is Outcome.ANSWERED
    assert answer.probe.detail == "credential ro"
    assert port_names(answer) == ["port1", "port2"]
    assert agent.kinds == {"GetRequestPDU", GET_BULK}


def test_one_request_is_under_way_and_no_more_go_out_than_are_allowed_per_second() -> None:
    options = replace(FAST, requests_per_s=25.0)
    with OddAgent() as agent:
        assert ask(agent, options).facts is not None
    assert agent.overlaps == 0
    spans = [b - a for a, b in zip(agent.asked, agent.asked[25:], strict=False)]
    assert len(agent.asked) > 40, "enough to measure a rate"
    assert min(spans) > 0.9, "any 26 requests take a second"


@pytest.mark.parametrize("status", [NO_SUCH_NAME, TOO_BIG])
def test_an_agent_without_getbulk_is_walked_row_by_row(status: int) -> None:
    with OddAgent(fault=lambda kind, _most: status if kind == GET_BULK else 0) as agent:
        answer = ask(agent)
    assert port_names(answer) == ["port1", "port2"]
    assert agent.kinds <= READS, "whatever it refuses, nobody writes"


def test_an_agent_whose_answers_get_too_big_is_asked_for_less_at_a_time() -> None:
    with OddAgent(fault=lambda _kind, most: TOO_BIG if most > 4 else 0) as agent:
        answer = ask(agent)
    assert port_names(answer) == ["port1", "port2"]


@pytest.mark.attack(50)
def test_a_table_without_end_is_cut_and_the_probe_says_so() -> None:
    arp = oid("1.3.6.1.2.1.4.22.1.2")
    with OddAgent(endless=arp) as agent:
        answer = ask(agent)
    assert port_names(answer) == ["port1", "port2"]
    assert "arp not read: 1.3.6.1.2.1.4.22.1.2 cut after 500 rows" in answer.probe.detail


def test_an_agent_that_speaks_version_1_only_is_told_apart_from_silence() -> None:
    with OddAgent(versions=(0,)) as agent:
        answer = ask(agent)
    assert answer.probe.outcome is Outcome.NOT_SUPPORTED
    assert "SNMPv1 only" in answer.probe.detail
    with OddAgent(versions=()) as agent:
        assert ask(agent).probe.outcome is Outcome.TIMEOUT


def test_a_community_that_may_see_nothing_is_no_success() -> None:
    with OddAgent(rows={}) as agent:
        answer = ask(agent)
    assert answer.probe.outcome is Outcome.AUTHENTICATION_FAILED


def test_an_agent_150_ms_away_is_read_whole() -> None:
    with OddAgent(delay_s=0.15) as agent:
        answer = ask(agent)
    assert answer.probe.detail == "credential ro"
    assert port_names(answer) == ["port1", "port2"]


def test_at_the_deadline_what_was_read_is_used_and_the_probe_names_the_rest() -> None:
    options = replace(FAST, timeout_s=2.0, device_deadline_s=2.5)
    with OddAgent(delay_s=0.12) as agent:
        started = time.monotonic()
        answer = ask(agent, options)
    assert time.monotonic() - started < 6
    assert port_names(answer) == ["port1", "port2"]
    assert "the rest not read: timeout, not done after 2.5 s" in answer.probe.detail


def test_an_agent_that_falls_silent_keeps_what_it_told_before() -> None:
    with OddAgent(rows=system(name="fading"), mute_beneath=oid("1.3.6.1.2.1.4")) as agent:
        answer = ask(agent)
    assert answer.facts is not None
    assert answer.facts.name == "fading"
    assert port_names(answer) == ["port1", "port2"]
    assert "addresses not read: no answer" in answer.probe.detail


def test_an_error_in_the_middle_of_a_table_does_not_pass_for_its_end() -> None:
    rows = system()
    descr, kind = "1.3.6.1.2.1.2.2.1.2", "1.3.6.1.2.1.2.2.1.3"
    rows |= {oid(f"{descr}.{n}"): f"port{n}".encode() for n in range(1, 61)}
    rows |= {oid(f"{kind}.{n}"): 6 for n in range(1, 61)}
    asked = []

    def fails_at_the_second_page(request: str, most: int) -> int:
        asked.append(most)
        return TOO_BIG if request == GET_BULK and most > 4 and len(asked) % 2 == 0 else 0

    with OddAgent(rows=rows, fault=fails_at_the_second_page) as agent:
        answer = ask(agent)
    assert len(port_names(answer)) == 60
