"""What the list of probes answers over HTTP."""

import pytest

from pdsno.nib import NIBStore
from tests.unit.api.serving import Api, cycle, outcome


def test_before_the_first_cycle_there_are_no_probes(api: Api) -> None:
    assert api.get("probes") == {"cycle_id": None, "items": [], "next_cursor": None}


@pytest.fixture
def cycles(memory_nib: NIBStore) -> None:
    with memory_nib.transaction() as change:
        for name, answered in (("cycle-1", 1), ("cycle-2", 4)):
            found = [outcome(f"10.1.0.{n}", is_answered=n <= answered) for n in range(1, 11)]
            change.put_cycle(cycle(name), found, keep_cycles=2)


@pytest.mark.usefixtures("cycles")
def test_probes_tell_of_each_address_of_the_newest_cycle(api: Api) -> None:
    page = api.get("probes", limit=2)
    assert page["cycle_id"] == "cycle-2"
    assert page["items"][0] == {
        "namespace": "zone-A",
        "address": "10.1.0.1",
        "is_answered": True,
        "summary": "answered ARP; SNMP timeout",
        "probes": [
            {"method": "arp", "outcome": "answered", "detail": "", "rtt_ms": 0.5},
            {"method": "snmp", "outcome": "timeout", "detail": "", "rtt_ms": None},
        ],
    }
    assert len(list(api.walk("probes", limit=3))) == 10


@pytest.mark.usefixtures("cycles")
def test_probes_are_found_by_cycle_address_and_answer(api: Api) -> None:
    assert len(api.items("probes", answered=True)) == 4
    assert len(list(api.walk("probes", limit=1, answered=False))) == 6
    assert len(api.items("probes", answered=True, cycle_id="cycle-1")) == 1
    assert [i["address"] for i in api.items("probes", ip="10.1.0.2/31")] == ["10.1.0.2", "10.1.0.3"]
    assert api.items("probes", namespace="vrf-blue") == []


@pytest.mark.usefixtures("cycles")
def test_pages_of_probes_stay_in_their_cycle_when_a_newer_one_comes(
    api: Api, memory_nib: NIBStore
) -> None:
    def next_cycle() -> None:
        with memory_nib.transaction() as change:
            newer = [outcome("192.0.2.1", is_answered=True)]
            change.put_cycle(cycle("cycle-3"), newer, keep_cycles=2)

    seen = [item["address"] for item in api.walk("probes", next_cycle, limit=5)]
    assert len(seen) == 10
    assert "192.0.2.1" not in seen


@pytest.mark.usefixtures("cycles")
def test_a_cycle_that_is_not_kept_is_not_found(api: Api) -> None:
    assert "'cycle-0' is not kept" in api.problem("probes?cycle_id=cycle-0", 404)
