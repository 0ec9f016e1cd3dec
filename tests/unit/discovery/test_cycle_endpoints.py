"""Endpoints through cycles: found by sweeps and tables, never devices, never alarms."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pdsno.domain.entities import Interface
from pdsno.domain.observations import ArpEntry, Method, Outcome
from pdsno.domain.ports import EndpointFilter
from tests.unit.discovery.cycle_site import NOW, CycleSite, asked, mac, router, switch
from tests.unit.domain.builders import mac as burnt_in
from tests.unit.domain.builders import neighbor, sighting

# --- devices and endpoints -------------------------------------------------------------------


def test_a_host_that_was_asked_and_told_nothing_is_an_endpoint(site: CycleSite) -> None:
    result = site.cycle(sighting("10.0.0.7", mac(7)))
    assert site.nib.all_devices() == ()
    assert (site.only.mac, site.only.ips, site.only.sources) == (mac(7), ("10.0.0.7",), ("arp",))
    assert site.news() == []
    assert (result.devices_seen, result.endpoints_seen, result.endpoints_new) == (0, 1, 1)


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome.AUTHENTICATION_FAILED,
        Outcome.PARSER_FAILED,
        Outcome.NOT_SUPPORTED,
        Outcome.SESSION_CLOSED,
        Outcome.FAILED,
        Outcome.HOST_KEY_CHANGED,
        Outcome.NOT_TRIED,
    ],
)
def test_a_management_service_that_could_not_be_read_makes_a_device(
    site: CycleSite, outcome: Outcome
) -> None:
    site.cycle(sighting("10.0.0.7", mac(7)), outcomes=[asked("10.0.0.7", outcome)])
    assert not site.endpoints
    assert "DEVICE_APPEARED" in site.news()


@pytest.mark.parametrize("seen", [burnt_in(7), mac(7), None])
def test_where_nobody_can_be_asked_whatever_answers_is_a_device(
    site: CycleSite, seen: str | None
) -> None:
    site.cycle(sighting("10.0.0.7", seen), outcomes=[])
    assert len(site.nib.all_devices()) == 1
    assert not site.endpoints


def test_telephones_for_which_there_are_no_credentials_are_no_devices(site: CycleSite) -> None:
    site.authority = replace(site.authority, credentials=("switches",))
    for day in range(3):
        phones = [sighting(f"10.0.0.{n}", mac(100 * day + n)) for n in range(1, 31)]
        site.cycle(*phones, outcomes=[])
    assert site.nib.all_devices() == ()
    assert len(site.endpoints) == 90
    assert site.news() == []
    site.cycle(sighting("10.0.0.40", burnt_in(40)), outcomes=[])
    assert [device.macs for device in site.nib.all_devices()] == [(burnt_in(40),)]


def test_a_known_endpoint_stays_one_when_nobody_asks_it(site: CycleSite) -> None:
    site.cycle(sighting("10.0.0.7", mac(7)))
    site.cycle(sighting("10.0.0.7", mac(7)), outcomes=[])
    assert site.nib.all_devices() == ()


def test_a_cycle_that_was_cut_short_makes_no_devices_of_those_it_did_not_reach(
    site: CycleSite,
) -> None:
    site.cycle(
        sighting("10.0.0.7", mac(7)),
        outcomes=[asked("10.0.0.7", Outcome.NOT_TRIED)],
        is_complete=False,
    )
    assert site.nib.all_devices() == ()
    assert site.events()[-1].event_type == "DISCOVERY_INTERRUPTED"


def test_whom_policy_forbids_to_ask_is_an_endpoint(site: CycleSite) -> None:
    passive = asked("10.0.0.7", Outcome.PASSIVE_ONLY, Method.ARP)
    site.cycle(sighting("10.0.0.7", mac(7)), outcomes=[passive])
    assert site.only.mac == mac(7)


def test_a_device_that_is_silent_today_stays_a_device(site: CycleSite) -> None:
    site.cycle(sighting("10.0.0.1", mac(1)), router())
    site.cycle(sighting("10.0.0.1", mac(1)))
    assert len(site.nib.all_devices()) == 1
    assert not site.endpoints
    assert site.news() == ["DEVICE_APPEARED"]


def test_an_endpoint_that_tells_about_itself_is_a_device_and_no_endpoint_any_more(
    site: CycleSite,
) -> None:
    site.cycle(sighting("10.0.0.1", mac(1)))
    site.cycle(sighting("10.0.0.1", mac(1)), router())
    assert not site.endpoints
    assert site.news() == ["DEVICE_APPEARED"]


def test_a_retired_device_whose_mac_is_still_about_is_an_endpoint(site: CycleSite) -> None:
    sw = switch(1, ("p1", 7))
    site.cycle(sighting("10.0.0.7", mac(7)), sw, outcomes=[])
    for _ in range(site.local.miss_limit):
        site.cycle(sw)
    assert not site.endpoints
    site.cycle(sw, at=NOW + timedelta(days=91))
    assert site.only.mac == mac(7)
    assert site.news()[-1] == "DEVICE_RETIRED"


# --- tables ----------------------------------------------------------------------------------


def test_hosts_of_a_vlan_without_our_leg_are_found_with_address_and_port(site: CycleSite) -> None:
    site.cycle(
        router(
            ArpEntry(ip="10.9.0.50", mac=mac(50)),
            ArpEntry(ip="2001:db8::50", mac=mac(50)),
            ArpEntry(ip="10.9.0.1", mac=mac(2)),
            ArpEntry(ip="10.9.0.9", mac="00:00:00:00:00:00"),
            ArpEntry(ip="10.9.0.254", mac="00:00:5e:00:01:01"),
        ),
        switch(1, ("p5", 50), ("up", 1)),
    )
    found = site.only
    assert found.ips == ("10.9.0.50", "2001:db8::50")
    assert found.sources == ("arp-table", "mac-table")
    assert found.attachment is not None
    assert (found.attachment.device, found.attachment.interface) == ("sw1", "p5")
    assert found.attachment.vlan == 20
    (device,) = [d for d in site.nib.all_devices() if d.name == "sw1"]
    assert found.attachment.device_id == device.device_id


def test_a_mac_that_only_a_switch_knows_is_an_endpoint_without_an_address(site: CycleSite) -> None:
    site.cycle(switch(1, ("p5", 50)))
    assert (site.only.mac, site.only.ips) == (mac(50), ())


def test_the_edge_port_wins_over_the_trunk(site: CycleSite) -> None:
    site.cycle(switch(1, ("p7", 50)), switch(2, ("p1", 50), uplink="up"))
    assert site.only.attachment is not None
    assert (site.only.attachment.device, site.only.attachment.interface) == ("sw2", "p1")


def test_an_address_in_a_vrf_is_in_a_namespace_of_its_own(site: CycleSite) -> None:
    site.cycle(
        router(
            ArpEntry(ip="10.9.0.50", mac=mac(50)),
            ArpEntry(ip="10.9.0.50", mac=mac(51), vrf="blue"),
        )
    )
    assert {(e.namespace, e.mac) for e in site.endpoints} == {
        ("zone-A", mac(50)),
        ("zone-A/blue", mac(51)),
    }


def test_the_vrf_in_which_a_router_answers_us_is_ours(site: CycleSite) -> None:
    told = replace(
        router(ArpEntry(ip="10.0.0.50", mac=mac(50), vrf="mgmt")),
        interfaces=(Interface(name="eth1", mac=mac(1), ips=("10.0.0.1/24",), vrf="mgmt"),),
    )
    site.cycle(told)
    assert site.only.namespace == "zone-A"


def test_a_host_over_a_router_gets_the_mac_that_the_router_knows(site: CycleSite) -> None:
    table = router(ArpEntry(ip="10.0.0.50", mac=mac(50)))
    known = []
    for findings in ([], [table], []):
        site.cycle(sighting("10.0.0.50"), *findings)
        known.append(site.only.mac)
    assert known == [None, mac(50), mac(50)]


def test_a_fresh_sighting_outweighs_an_old_table(site: CycleSite) -> None:
    site.cycle(sighting("10.0.0.50", mac(51)), router(ArpEntry(ip="10.0.0.50", mac=mac(50))))
    assert {(e.mac, e.ips) for e in site.endpoints} == {(mac(51), ("10.0.0.50",))}
    assert "ADDRESS_CONFLICT" not in site.news()


def test_a_router_that_answers_for_a_whole_lan_has_none_of_its_addresses(site: CycleSite) -> None:
    table = [ArpEntry(ip=f"10.9.0.{n}", mac=mac(50)) for n in range(10, 30)]
    site.cycle(router(*table))
    assert not site.endpoints


def test_macs_and_addresses_of_devices_are_no_endpoints(site: CycleSite) -> None:
    table = [
        ArpEntry(ip="10.0.0.101", mac=mac(101)),
        ArpEntry(ip="10.0.0.101", mac=mac(77)),
    ]
    site.cycle(router(*table), switch(1, ("p1", 1), ("p2", 2)))
    assert not site.endpoints


# --- history ---------------------------------------------------------------------------------


def test_a_new_address_by_dhcp_is_a_sighting_and_no_event(site: CycleSite) -> None:
    site.cycle(sighting("10.0.0.7", mac(7)))
    site.cycle(sighting("10.0.0.8", mac(7)))
    assert site.only.ips == ("10.0.0.8",)
    assert site.news() == []
    seen = site.nib.endpoint_sightings(site.only.endpoint_id)
    assert [s.ip for s in seen] == ["10.0.0.8", "10.0.0.7"]


def test_an_address_where_nobody_looked_stays(site: CycleSite) -> None:
    site.cycle(sighting("10.0.0.7", mac(7)))
    site.cycle(sighting("10.0.1.7", mac(7)), covered=["10.0.1.0/24"])
    assert site.only.ips == ("10.0.0.7", "10.0.1.7")


def test_temporary_ipv6_addresses_go_when_the_router_knows_others(site: CycleSite) -> None:
    for number in range(10):
        site.cycle(router(ArpEntry(ip=f"2001:db8::{number + 1:x}", mac=mac(50))))
    assert site.only.ips == ("2001:db8::a",)


def test_a_quiet_host_keeps_its_port_and_one_that_moved_to_nowhere_does_not(
    site: CycleSite,
) -> None:
    site.cycle(sighting("10.0.0.50", mac(50)), switch(1, ("p5", 50), ("p6", 60)))
    site.cycle(sighting("10.0.0.50", mac(50)), switch(1, ("p6", 60)))
    (found,) = site.nib.endpoints(EndpointFilter(mac=mac(50))).items
    assert found.attachment is not None
    moved = switch(1, ("p6", 60), ("p9", 50), ("p9", 101))
    heard = (neighbor("p9", "r1"),)
    site.cycle(sighting("10.0.0.50", mac(50)), router(), replace(moved, neighbors=heard))
    (found,) = site.nib.endpoints(EndpointFilter(mac=mac(50))).items
    assert found.attachment is None


def test_a_host_that_moved_is_at_its_new_port(site: CycleSite) -> None:
    site.cycle(switch(1, ("p5", 50)))
    site.cycle(switch(1, ("p6", 50)))
    assert site.only.attachment is not None
    assert site.only.attachment.interface == "p6"
    assert len(site.nib.endpoint_sightings(site.only.endpoint_id)) == 2
    assert site.news() == ["DEVICE_APPEARED"]


def test_a_silent_host_that_keeps_its_mac_is_a_device(site: CycleSite) -> None:
    site.cycle(sighting("10.0.0.7", burnt_in(7)), sighting("10.0.0.8", mac(8)))
    assert [device.macs for device in site.nib.all_devices()] == [(burnt_in(7),)]
    assert site.only.mac == mac(8)


def test_a_random_mac_is_forgotten_sooner(site: CycleSite) -> None:
    fixed = router(ArpEntry(ip="10.9.0.8", mac=burnt_in(8)))
    site.cycle(sighting("10.0.0.7", mac(7)), fixed)
    assert len(site.endpoints) == 2
    site.cycle(at=NOW + timedelta(days=8))
    assert site.only.mac == burnt_in(8)
    site.cycle(at=NOW + timedelta(days=31))
    assert not site.endpoints
