from datetime import UTC, datetime

import pytest

from pdsno.discovery import crawl as crawl_module
from pdsno.discovery.crawl import MAX_WAVES, Crawl
from pdsno.discovery.ledger import Ledger
from pdsno.discovery.scope import ProbeScope
from pdsno.domain.entities import Interface, Neighbor
from pdsno.domain.observations import ArpEntry, Facts, Outcome

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SCOPE = ProbeScope(
    subnets=("10.0.0.0/24",),
    crawl=("10.9.0.0/16",),
    exclude=("10.9.9.0/24",),
    passive_only=("10.9.8.0/24",),
)


def facts(
    address: str = "10.0.0.1",
    neighbors: tuple[str, ...] = (),
    arp: tuple[ArpEntry, ...] = (),
    ips: tuple[str, ...] = (),
) -> Facts:
    heard = tuple(
        Neighbor(local_interface=f"eth{n}", remote_management_ip=ip)
        for n, ip in enumerate(neighbors)
    )
    port = Interface(name="eth0", ips=ips)
    return Facts(
        source="snmp",
        address=address,
        at=NOW,
        name=f"r-{address}",
        interfaces=(port,),
        neighbors=heard,
        arp=arp,
    )


def entry(ip: str, vrf: str | None = None) -> ArpEntry:
    return ArpEntry(ip=ip, mac="02:00:00:00:00:07", vrf=vrf)


def addresses(crawl: Crawl, *told: Facts, ledger: Ledger | None = None) -> list[str]:
    return [c.address for c in crawl.next_wave(told, ledger or Ledger())]


def test_neighbours_are_followed_where_policy_lets_us_ask_in_a_stable_order() -> None:
    told = facts(neighbors=("10.9.0.20", "10.0.0.7", "10.9.0.3"))
    assert addresses(Crawl(SCOPE, ["10.0.0.1"]), told) == ["10.0.0.7", "10.9.0.3", "10.9.0.20"]


def test_an_address_is_given_out_once_and_what_was_asked_not_at_all() -> None:
    crawl = Crawl(SCOPE, ["10.0.0.1", "10.0.0.7"])
    told = facts(neighbors=("10.0.0.7", "10.9.0.3"))
    assert addresses(crawl, told) == ["10.9.0.3"]
    assert addresses(crawl, told) == []
    assert addresses(crawl, told, facts("10.9.0.3", neighbors=("10.9.0.4",))) == ["10.9.0.4"]


def test_arp_entries_are_followed_inside_the_targets_alone_with_their_mac() -> None:
    told = facts(arp=(entry("10.0.0.50"), entry("10.9.0.50"), entry("192.0.2.1")))
    wave = Crawl(SCOPE, ["10.0.0.1"]).next_wave([told], Ledger())
    assert [(c.address, c.macs) for c in wave] == [
        ("10.0.0.50", frozenset({"02:00:00:00:00:07"})),
    ]


def test_an_arp_entry_of_a_vrf_is_another_address_of_the_same_digits() -> None:
    crawl = Crawl(SCOPE, ["10.0.0.1"])
    assert addresses(crawl, facts(arp=(entry("10.0.0.50", vrf="customer"),))) == []
    assert addresses(crawl, facts(arp=(entry("10.0.0.50"),))) == ["10.0.0.50"]


def test_an_address_that_a_device_says_is_its_own_is_not_followed() -> None:
    told = [facts(ips=("10.0.0.99/24",)), facts("10.0.0.2", neighbors=("10.0.0.99",))]
    assert addresses(Crawl(SCOPE, ["10.0.0.1", "10.0.0.2"]), *told) == []


@pytest.mark.parametrize(
    ("address", "outcome", "reason"),
    [
        ("192.0.2.9", Outcome.NOT_TRIED, "outside of what policy allows"),
        ("10.9.9.9", Outcome.EXCLUDED, "excluded by policy"),
        ("10.9.8.9", Outcome.PASSIVE_ONLY, "passive only by policy"),
    ],
)
def test_a_neighbour_that_may_not_be_asked_is_on_record_once_with_who_named_it(
    address: str, outcome: Outcome, reason: str
) -> None:
    ledger = Ledger()
    crawl = Crawl(SCOPE, ["10.0.0.1"])
    told = facts(neighbors=(address,))
    assert addresses(crawl, told, ledger=ledger) == []
    assert addresses(crawl, told, ledger=ledger) == []
    (probe,) = ledger.probes_of(address)
    assert probe.outcome is outcome
    assert probe.detail == f"named as neighbour by r-10.0.0.1; {reason}"


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "0.0.0.0", "fe80::1", "169.254.1.1", "224.0.0.5", "not an address"]
)
def test_what_means_nothing_from_here_leaves_no_trace(address: str) -> None:
    ledger = Ledger()
    everything = ProbeScope(crawl=("0.0.0.0/0", "::/0"))
    assert addresses(Crawl(everything, []), facts(neighbors=(address,)), ledger=ledger) == []
    assert ledger.outcomes("") == ()


def test_a_wave_is_bounded_and_the_rest_comes_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crawl_module, "WAVE", 2)
    crawl = Crawl(SCOPE, [])
    told = facts(neighbors=tuple(f"10.9.0.{n}" for n in range(1, 6)))
    assert addresses(crawl, told) == ["10.9.0.1", "10.9.0.2"]
    assert addresses(crawl, told) == ["10.9.0.3", "10.9.0.4"]
    assert addresses(crawl, told) == ["10.9.0.5"]


def test_a_chain_without_end_is_left_after_some_waves_and_that_is_on_record() -> None:
    ledger = Ledger()
    crawl = Crawl(SCOPE, ["10.9.0.0"])
    told = [facts("10.9.0.0", neighbors=("10.9.0.1",))]
    for wave in range(1, MAX_WAVES + 1):
        assert addresses(crawl, *told, ledger=ledger) == [f"10.9.0.{wave}"]
        told.append(facts(f"10.9.0.{wave}", neighbors=(f"10.9.0.{wave + 1}",)))
    assert addresses(crawl, *told, ledger=ledger) == []
    (probe,) = ledger.probes_of(f"10.9.0.{MAX_WAVES + 1}")
    assert probe.outcome is Outcome.NOT_TRIED
