from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from pdsno.discovery.ledger import Findings, Found, Ledger, counts, swept
from pdsno.domain.entities import DeviceType
from pdsno.domain.observations import AddressOutcome, Facts, Method, Outcome, Probe, Sighting

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def probe(method: Method, outcome: Outcome, detail: str = "") -> Probe:
    return Probe(method=method, outcome=outcome, detail=detail)


def sighting(address: str, segment: str | None = None) -> Sighting:
    mac = "02:00:00:00:00:01"
    return Sighting(address=address, mac=mac, method=Method.ARP, at=NOW, segment=segment)


def record(*probes: Probe) -> AddressOutcome:
    return AddressOutcome(namespace="", address="10.0.0.1", probes=probes)


ARP_ANSWERED = probe(Method.ARP, Outcome.ANSWERED)
ARP_SILENT = probe(Method.ARP, Outcome.SILENT)


@pytest.mark.parametrize(
    ("probes", "expected"),
    [
        ([ARP_ANSWERED], {"answered": 1}),
        ([ARP_SILENT], {"silent": 1}),
        (
            [ARP_ANSWERED, probe(Method.SNMP, Outcome.TIMEOUT)],
            {"answered": 1, "SNMP timeout": 1},
        ),
        (
            [ARP_ANSWERED, probe(Method.SSH, Outcome.NOT_TRIED, "credential ops rests")],
            {"answered": 1, "SSH not tried": 1},
        ),
        ([probe(Method.ARP, Outcome.EXCLUDED, "by policy")], {"excluded": 1}),
        ([probe(Method.ICMP, Outcome.PASSIVE_ONLY)], {"passive only": 1}),
        ([probe(Method.ICMP, Outcome.NOT_TRIED, "deadline")], {"not tried": 1}),
        # Asked twice by one method and failed twice: one address.
        (
            [ARP_SILENT, *[probe(Method.SSH, Outcome.AUTHENTICATION_FAILED)] * 2],
            {"silent": 1, "SSH authentication failed": 1},
        ),
    ],
)
def test_each_address_counts_once_by_what_it_did_and_once_by_each_failure(
    probes: Sequence[Probe], expected: dict[str, int]
) -> None:
    assert counts([record(*probes)]) == expected


def test_a_host_is_news_once_and_so_is_each_account_of_itself() -> None:
    news: list[Found] = []
    ledger = Ledger(on_found=news.append)
    ledger.see(sighting("10.0.0.1"))
    ledger.see(sighting("10.0.0.1", segment="eth1"))
    facts = Facts(source="snmp", address="10.0.0.1", at=NOW, device_type=DeviceType.ROUTER)
    ledger.probe("10.0.0.1", probe(Method.SNMP, Outcome.ANSWERED), facts)
    assert [(n.sighting is not None, n.facts is not None) for n in news] == [
        (True, False),
        (False, True),
    ]
    # What is known better later holds.
    assert [s.segment for s in ledger.findings().sightings] == ["eth1"]


def test_a_later_account_of_a_sweep_replaces_the_earlier_and_keeps_the_queries() -> None:
    ledger = Ledger()
    ledger.sweep({"10.0.0.1": [ARP_SILENT]})
    ledger.probe("10.0.0.1", probe(Method.SNMP, Outcome.TIMEOUT))
    ledger.sweep({"10.0.0.1": [ARP_ANSWERED]})
    assert [p.outcome for p in ledger.probes_of("10.0.0.1")] == [Outcome.ANSWERED, Outcome.TIMEOUT]


def test_records_are_ordered_by_number_and_ipv4_comes_first() -> None:
    ledger = Ledger()
    for address in ("2001:db8::1", "10.0.0.10", "10.0.0.9"):
        ledger.probe(address, ARP_SILENT)
    assert [o.address for o in ledger.outcomes("x")] == ["10.0.0.9", "10.0.0.10", "2001:db8::1"]


def test_what_an_earlier_look_had_not_tried_is_open_again() -> None:
    kept = Findings(
        sightings=(sighting("10.0.0.1"),),
        probes={
            "10.0.0.1": (ARP_ANSWERED, probe(Method.SNMP, Outcome.NOT_TRIED, "stopped")),
            "10.0.0.2": (probe(Method.ARP, Outcome.NOT_TRIED, "stopped"),),
        },
    )
    ledger = Ledger(kept)
    assert ledger.is_seen("10.0.0.1")
    assert not ledger.was_asked("10.0.0.1", Method.SNMP)
    assert not ledger.is_known("10.0.0.2")
    assert swept(kept.probes) == {"10.0.0.1"}


def test_silence_on_a_network_that_was_away_is_no_answer() -> None:
    assert swept({"10.0.0.1": [probe(Method.ICMP, Outcome.UNREACHABLE)]}) == set()
