"""What a cycle changed."""

import pytest

from pdsno.domain.entities import DeviceStatus, DeviceType, NewEvent
from tests.unit.domain.builders import Site, facts, interface, later, mac, neighbor, sighting


def kinds(events: tuple[NewEvent, ...]) -> list[str]:
    return [event.event_type for event in events]


def test_a_device_seen_for_the_first_time_appears_once() -> None:
    site = Site()
    first = site.cycle(sighting("10.0.0.5", mac(1)))
    second = site.cycle(sighting("10.0.0.5", mac(1)), at=later(5))
    assert kinds(first.events) == ["DEVICE_APPEARED"]
    assert second.changed == ()
    assert second.seen == (site.only.device_id,)
    assert site.only.device_type is DeviceType.ENDPOINT


def test_a_device_is_missing_only_after_the_limit_of_covered_misses() -> None:
    site = Site(miss_limit=3)
    site.cycle(sighting("10.0.0.5", mac(1)))
    for _ in range(2):
        assert site.cycle().changed == ()
        assert site.only.status is DeviceStatus.ACTIVE
    gone = site.cycle()
    assert kinds(gone.events) == ["DEVICE_INACTIVE"]
    assert site.only.status is DeviceStatus.INACTIVE
    assert site.cycle().events == ()


def test_a_cycle_that_did_not_ask_for_a_device_counts_no_miss() -> None:
    site = Site(miss_limit=1)
    site.cycle(sighting("10.0.0.5", mac(1)))
    site.cycle(covered=["10.0.0.128/25"])
    assert site.only.status is DeviceStatus.ACTIVE
    assert site.only.missed == 0


def test_a_sighting_between_misses_starts_the_count_anew() -> None:
    site = Site(miss_limit=2)
    site.cycle(sighting("10.0.0.5", mac(1)))
    site.cycle()
    site.cycle(sighting("10.0.0.5", mac(1)))
    site.cycle()
    assert site.only.status is DeviceStatus.ACTIVE
    assert site.only.missed == 1


def test_a_device_that_comes_back_has_returned_under_its_old_id() -> None:
    site = Site(miss_limit=1)
    site.cycle(sighting("10.0.0.5", mac(1)))
    before = site.only.device_id
    site.cycle()
    back = site.cycle(sighting("10.0.0.5", mac(1)), at=later(9))
    assert kinds(back.events) == ["DEVICE_RETURNED"]
    assert site.only.device_id == before
    assert site.only.missed == 0


def test_a_host_that_changes_its_address_stays_the_same_device() -> None:
    site = Site()
    site.cycle(sighting("10.0.0.5", mac(1)))
    moved = site.cycle(sighting("10.0.0.6", mac(1)))
    assert kinds(moved.events) == ["DEVICE_MOVED"]
    assert moved.events[0].data["from"] == {"management_ip": "10.0.0.5"}
    assert site.only.management_ip == "10.0.0.6"


def test_two_hosts_that_swap_addresses_stay_two_devices() -> None:
    site = Site()
    site.cycle(sighting("10.0.0.5", mac(1)), sighting("10.0.0.6", mac(2)))
    by_mac = {d.macs: d.device_id for d in site.devices.values()}
    site.cycle(sighting("10.0.0.6", mac(1)), sighting("10.0.0.5", mac(2)))
    assert {d.macs: d.device_id for d in site.devices.values()} == by_mac


def test_another_card_at_an_old_address_is_a_new_device() -> None:
    site = Site()
    site.cycle(sighting("10.0.0.5", mac(1)))
    site.cycle(sighting("10.0.0.5", mac(2)))
    assert len(site.devices) == 2


ROUTER = facts(
    "10.0.0.1",
    interface("eth1", mac(1), "10.0.0.1/30"),
    interface("eth2", mac(2), "10.0.0.5/30"),
    name="r1",
    vendor="FRRouting",
    device_type=DeviceType.ROUTER,
    neighbors=(neighbor("eth1", "r2", "eth1"),),
)


def test_a_router_whose_query_fails_this_time_keeps_what_it_told_before() -> None:
    site = Site()
    site.cycle(ROUTER, sighting("10.0.0.1"), sighting("10.0.0.5"))
    silent = site.cycle(sighting("10.0.0.1"), sighting("10.0.0.5"), at=later(5))
    assert silent.events == ()
    assert site.only.name == "r1"
    assert site.only.device_type is DeviceType.ROUTER
    assert len(site.only.interfaces) == 2
    assert site.only.neighbors


def test_addresses_first_seen_alone_become_one_device_once_it_tells_about_itself() -> None:
    site = Site()
    site.cycle(sighting("10.0.0.1"), sighting("10.0.0.5"))
    assert len(site.devices) == 2
    oldest = min(site.devices)
    told = site.cycle(ROUTER, sighting("10.0.0.1"), sighting("10.0.0.5"))
    assert site.only.device_id == oldest
    assert [m.into_id for m in told.absorbed] == [oldest]
    assert "DEVICES_MERGED" in kinds(told.events)


def test_what_a_device_really_lost_is_cleared() -> None:
    site = Site()
    site.cycle(ROUTER)
    less = facts("10.0.0.1", interface("eth1", mac(1), "10.0.0.1/30"), name="r1", neighbors=())
    site.cycle(less)
    assert site.only.macs == (mac(1),)
    assert site.only.ips == ("10.0.0.1",)
    assert site.only.neighbors == ()


def test_a_better_ranked_source_is_not_overwritten_by_a_lesser_one() -> None:
    site = Site()
    port = interface("e", mac(1), "10.0.0.1/24")
    site.cycle(facts("10.0.0.1", port, name="from-ssh", source="ssh"))
    site.cycle(facts("10.0.0.1", port, name="from-snmp"))
    assert site.only.name == "from-ssh"
    assert site.only.provenance["name"].source == "ssh"


@pytest.mark.parametrize("serials", [("A1", "B2")])
def test_hardware_replaced_at_the_same_address_is_another_device(serials: tuple[str, str]) -> None:
    site = Site()
    for number, serial in enumerate(serials, start=1):
        port = interface("e", mac(number), "10.0.0.1/24")
        site.cycle(facts("10.0.0.1", port, name="core", serial=serial))
    assert sorted(d.serial or "" for d in site.devices.values()) == ["A1", "B2"]


def test_every_field_remembers_its_source_and_time() -> None:
    site = Site()
    site.cycle(ROUTER)
    for name in ("name", "vendor", "interfaces", "ips", "macs"):
        assert site.only.provenance[name].source == "snmp", name
