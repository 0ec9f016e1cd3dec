"""What users of endpoints, of the ledger and of the metrics rely on."""

from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pdsno.domain.entities import DeviceStatus, Link, LinkEnd, LinkStatus
from pdsno.nib import NIBStore
from tests.unit.api.serving import (
    NOW,
    Api,
    cycle,
    device,
    endpoint,
    put,
    seen,
)

# --- endpoints -------------------------------------------------------------------------------


@pytest.fixture
def phones(memory_nib: NIBStore) -> None:
    random = endpoint(
        4,
        mac="02:00:00:00:00:04",
        is_random_mac=True,
        attachment=None,
        vendor=None,
        last_seen=NOW + timedelta(hours=1),
    )
    with memory_nib.transaction() as change:
        change.put_endpoints(
            [endpoint(1), endpoint(2), endpoint(3, namespace="zone-A/red"), random]
        )
        later = NOW + timedelta(hours=1)
        change.put_endpoint_sightings([seen(1), seen(1, ip="10.1.20.77", last_seen=later)])


def ids(items: list[dict[str, object]]) -> list[str]:
    return [str(item["endpoint_id"]) for item in items]


@pytest.mark.usefixtures("phones")
def test_an_endpoint_says_where_it_is_plugged_in(api: Api) -> None:
    assert api.items("endpoints", limit=1)[0] == {
        "endpoint_id": "ep_0001",
        "namespace": "zone-A",
        "mac": "00:50:56:00:00:01",
        "ips": ["10.1.20.1"],
        "vendor": "Acme",
        "is_random_mac": False,
        "region": "zone-A",
        "local_controller": "local_cntl_zone-A_1",
        "attachment": {
            "device_id": "dev_0001",
            "device": "spine1",
            "interface": "eth3",
            "vlan": 20,
        },
        "sources": ["arp-table", "mac-table"],
        "first_seen": "2026-03-01T12:00:00.250000Z",
        "last_seen": "2026-03-01T12:00:00.250000Z",
    }


@pytest.mark.usefixtures("phones")
def test_endpoints_come_in_pages(api: Api) -> None:
    every = ["ep_0001", "ep_0002", "ep_0003", "ep_0004"]
    assert ids(list(api.walk("endpoints", limit=1))) == every


@pytest.mark.usefixtures("phones")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"namespace": "zone-A/red"}, [3]),
        ({"mac": "0050.5600.0002"}, [2]),
        ({"ip": "10.1.20.2/31"}, [2, 3]),
        ({"device_id": "dev_0001", "interface": "eth3", "vlan": 20}, [1, 2, 3]),
        ({"device_id": "dev_0002"}, []),
        ({"is_random_mac": "true"}, [4]),
        ({"seen_since": "2026-03-01T12:30:00Z"}, [4]),
        ({"seen_since": "2026-03-01T13:30:00+01:00"}, [4]),
        ({"vendor": "Acme", "q": "ETH3"}, [1, 2, 3]),
        ({"region": "zone-B"}, []),
        ({"local_controller": "local_cntl_zone-A_1"}, [1, 2, 3, 4]),
    ],
)
def test_endpoints_are_found_by_their_filters(
    api: Api, query: dict[str, object], found: list[int]
) -> None:
    assert ids(api.items("endpoints", **query)) == [f"ep_{number:04}" for number in found]


@pytest.mark.usefixtures("phones")
def test_one_endpoint_shows_its_history_latest_first(api: Api) -> None:
    found = api.get("endpoints/ep_0001")
    assert [sighting["ip"] for sighting in found["sightings"]] == ["10.1.20.77", "10.1.20.1"]
    assert found["sightings"][0] == {
        "ip": "10.1.20.77",
        "attachment": {
            "device_id": "dev_0001",
            "device": "spine1",
            "interface": "eth3",
            "vlan": 20,
        },
        "source": "arp-table",
        "first_seen": "2026-03-01T12:00:00.250000Z",
        "last_seen": "2026-03-01T13:00:00.250000Z",
    }
    assert api.get("endpoints/ep_0004")["sightings"] == []


# --- the ledger ------------------------------------------------------------------------------


def test_before_the_first_cycle_the_ledger_is_empty(api: Api) -> None:
    assert api.get("probes/cycles") == {"items": [], "next_cursor": None}


def test_the_ledger_says_who_allowed_what_newest_first(api: Api, memory_nib: NIBStore) -> None:
    with memory_nib.transaction() as change:
        for number in range(5):
            change.put_cycle(cycle(f"cycle-{number}"), [], keep_cycles=5)
    found = list(api.walk("probes/cycles", limit=2))
    assert [item["cycle_id"] for item in found] == [f"cycle-{n}" for n in (4, 3, 2, 1, 0)]
    assert found[0]["authority"] == {
        "source": "policy 0.3",
        "requested_by": "alice",
        "rate_pps": 50.0,
        "exclude": ["10.1.0.7/32"],
        "passive_only": [],
        "crawl": [],
        "query": True,
        "credentials": ["ro"],
    }
    assert found[0]["counts"] == {"answered": 1, "silent": 1}
    assert found[0]["interruptions"] == [{"reason": "link lost", "where": "eth1", "detail": ""}]


def test_pages_of_the_ledger_go_on_when_newer_cycles_come(api: Api, memory_nib: NIBStore) -> None:
    def put_cycle(cycle_id: str) -> None:
        with memory_nib.transaction() as change:
            change.put_cycle(cycle(cycle_id), [], keep_cycles=4)

    for number in range(4):
        put_cycle(f"cycle-{number}")
    fresh = iter(("new-1", "new-2"))
    found = [
        c["cycle_id"] for c in api.walk("probes/cycles", lambda: put_cycle(next(fresh)), limit=2)
    ]
    # Two more came, and pushed the two oldest out.
    assert found == ["cycle-3", "cycle-2", "cycle-1"]


# --- metrics ---------------------------------------------------------------------------------


def scraped(api: Api) -> dict[tuple[str, str], float]:
    """Return the samples of a scrape by name and label value."""
    answer = api.ask("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    return {
        (sample.name, "".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_a_scrape_of_an_empty_nib_shows_zeroes_and_no_cycle(api: Api) -> None:
    samples = scraped(api)
    assert samples["pdsno_devices", "active"] == samples["pdsno_links", "conflict"] == 0
    assert samples["pdsno_endpoints", ""] == samples["pdsno_outbox_waiting_messages", ""] == 0
    assert not [name for name, _ in samples if "cycle" in name or "probe" in name]


def test_a_scrape_shows_what_the_nib_holds(api: Api, memory_nib: NIBStore) -> None:
    put(memory_nib, device(1), device(2), device(3, status=DeviceStatus.INACTIVE))
    a, b = (LinkEnd(device_id=f"dev_000{n}", device=None, interface="e") for n in (1, 2))
    link = Link(link_id="l", a=a, b=b, source="lldp", status=LinkStatus.CLAIMED, last_seen=NOW)
    with memory_nib.transaction() as change:
        change.replace_links([link])
        change.put_endpoints([endpoint(1), endpoint(2)])
        change.enqueue("DISCOVERY_REPORT", {})
        change.put_cycle(cycle("old", counts={"refused": 9}), [], keep_cycles=2)
        change.put_cycle(cycle("new", counts={"answered": 7, "SSH timeout": 2}), [], keep_cycles=2)
    samples = scraped(api)
    assert samples["pdsno_devices", "active"] == 2
    assert samples["pdsno_devices", "inactive"] == 1
    assert samples["pdsno_links", "claimed"] == 1
    assert samples["pdsno_links", "confirmed"] == 0
    assert samples["pdsno_endpoints", ""] == 2
    assert samples["pdsno_outbox_waiting_messages", ""] == 1
    assert samples["pdsno_probe_outcomes", "answered"] == 7
    assert samples["pdsno_probe_outcomes", "SSH timeout"] == 2
    assert ("pdsno_probe_outcomes", "refused") not in samples
    assert samples["pdsno_cycle_duration_seconds", ""] == 12.5
    assert samples["pdsno_cycle_finished_timestamp_seconds", ""] == NOW.timestamp()


def test_a_nib_that_cannot_be_read_is_no_scrape_of_zeroes(api: Api, memory_nib: NIBStore) -> None:
    memory_nib.close()
    assert "NIB cannot be read" in api.problem("/metrics", 503)
