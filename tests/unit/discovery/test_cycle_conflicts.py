"""What contradicts itself, and what of a cycle goes up."""

from dataclasses import replace

import pytest

from pdsno.domain.observations import Facts, MacTableEntry, Sighting
from tests.unit.discovery.cycle_site import CycleSite, mac, router, switch
from tests.unit.domain.builders import mac as burnt_in
from tests.unit.domain.builders import sighting

# --- conflicts -------------------------------------------------------------------------------


def both(address: str, *numbers: int) -> list[Sighting]:
    return [sighting(address, mac(number)) for number in numbers]


def test_two_macs_at_one_address_are_told_once_while_it_lasts(site: CycleSite) -> None:
    for _ in range(4):
        site.cycle(*both("10.0.0.7", 7, 8))
    (event,) = site.events("ADDRESS_CONFLICT")
    assert event.subject == "zone-A/10.0.0.7"
    assert [h["mac"] for h in event.data["holders"]] == [mac(7), mac(8)]


def test_a_conflict_that_comes_back_after_days_is_told_again(site: CycleSite) -> None:
    site.local = replace(site.local, keep_cycles=2)
    site.cycle(*both("10.0.0.7", 7, 8))
    for _ in range(3):
        site.cycle(sighting("10.0.0.7", mac(7)))
    site.cycle(*both("10.0.0.7", 7, 8))
    assert len(site.events("ADDRESS_CONFLICT")) == 2


def test_an_address_given_to_the_next_host_is_no_conflict(site: CycleSite) -> None:
    site.cycle(sighting("10.0.0.7", mac(7)))
    site.cycle(sighting("10.0.0.7", mac(8)))
    assert site.news() == []


def test_a_device_whose_address_somebody_else_takes_is_in_conflict(site: CycleSite) -> None:
    site.cycle(sighting("10.0.0.1", mac(1)), router())
    site.cycle(*both("10.0.0.1", 1, 9), router())
    site.cycle(*both("10.0.0.1", 1, 9), router())
    assert site.news() == ["DEVICE_APPEARED", "ADDRESS_CONFLICT"]


def test_a_router_that_answers_for_others_is_in_no_conflict(site: CycleSite) -> None:
    site.cycle(*both("10.0.0.50", 1, 50), sighting("10.0.0.1", mac(1)), router())
    assert site.news() == ["DEVICE_APPEARED"]


def test_a_virtual_router_s_mac_is_in_no_conflict(site: CycleSite) -> None:
    virtual = sighting("10.0.0.254", "00:00:5e:00:01:01")
    site.cycle(virtual, sighting("10.0.0.254", mac(7)))
    assert site.events("ADDRESS_CONFLICT") == []


def test_one_mac_at_two_ports_is_told_when_it_lasts_and_only_once(site: CycleSite) -> None:
    found = (switch(1, ("p1", 50), ("p7", 102)), switch(2, ("p1", 50), uplink="up"))
    site.cycle(*found)
    assert site.events("MAC_DUPLICATED") == []
    for _ in range(3):
        site.cycle(*found)
    (event,) = site.events("MAC_DUPLICATED")
    assert event.data["ports"] == ["sw1 p1", "sw2 p1"]


def test_a_telephone_that_walks_while_tables_are_read_is_no_duplicate(site: CycleSite) -> None:
    first, second = ("p1", 50), ("p1", 50)
    near, far = switch(1, ("p7", 102)), switch(2, uplink="up")
    site.cycle(switch(1, first, ("p7", 102)), switch(2, second, uplink="up"))
    site.cycle(near, switch(2, second, uplink="up"))
    site.cycle(switch(1, first, ("p7", 102)), far)
    assert site.events("MAC_DUPLICATED") == []


def test_one_mac_on_two_segments_with_two_addresses_is_told_once(site: CycleSite) -> None:
    one = replace(sighting("10.0.0.7", mac(7)), segment="eth1")
    other = replace(sighting("10.0.0.200", mac(7)), segment="eth2")
    for _ in range(3):
        site.cycle(one, other)
    (event,) = site.events("MAC_DUPLICATED")
    assert event.data["segments"] == {"eth1": ["10.0.0.7"], "eth2": ["10.0.0.200"]}


def test_a_burnt_in_mac_on_two_segments_is_told_once_as_well(site: CycleSite) -> None:
    one = replace(sighting("10.0.0.7", burnt_in(7)), segment="eth1")
    other = replace(sighting("10.0.0.200", burnt_in(7)), segment="eth2")
    for _ in range(3):
        site.cycle(one, other)
    assert len(site.events("MAC_DUPLICATED")) == 1


def test_a_burnt_in_mac_at_two_ports_is_told_once_as_well(site: CycleSite) -> None:
    def also(told: Facts) -> Facts:
        entry = MacTableEntry(mac=burnt_in(7), vlan=20, interface="p1")
        return replace(told, mac_table=(*told.mac_table, entry))

    host = sighting("10.0.0.7", burnt_in(7))
    for _ in range(4):
        site.cycle(host, also(switch(1, ("p7", 102))), also(switch(2, ("p2", 9), uplink="up")))
    assert len(site.events("MAC_DUPLICATED")) == 1


def test_a_host_on_several_vlans_of_one_cable_is_no_duplicate(site: CycleSite) -> None:
    one = replace(sighting("10.0.0.7", mac(7)), segment="eth1.10")
    other = replace(sighting("10.0.0.200", mac(7)), segment="eth1.20")
    site.cycle(one, other)
    assert site.news() == []


# --- what goes up ----------------------------------------------------------------------------


def test_only_what_changed_travels_whole(site: CycleSite) -> None:
    site.cycle(sighting("10.0.0.7", mac(7)), sighting("10.0.0.8", mac(8)))
    site.cycle(sighting("10.0.0.7", mac(7)), sighting("10.0.0.9", mac(8)))
    first, second = site.reports()
    assert first.is_full
    assert {e.mac for e in first.endpoints} == {mac(7), mac(8)}
    assert [e.mac for e in second.endpoints] == [mac(8)]
    known = {e.mac: e.endpoint_id for e in site.endpoints}
    assert second.endpoints_seen == (known[mac(7)],)


def test_the_ledger_keeps_the_authority_and_the_counts(site: CycleSite) -> None:
    site.cycle(sighting("10.0.0.7", mac(7)))
    (record,) = site.nib.cycles()
    assert record.authority.source == "policy 1.1"
    assert record.counts == {"answered": 1, "SSH timeout": 1}
    assert site.events()[-1].data["endpoints"] == 1


def test_a_cycle_that_cannot_be_written_whole_is_not_written_at_all(
    site: CycleSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("pdsno.discovery.cycle.relink", broken)
    with pytest.raises(OSError, match="disk full"):
        site.cycle(sighting("10.0.0.7", mac(7)), router())
    assert (site.endpoints, site.nib.all_devices(), site.events()) == ((), (), [])
    assert site.reports() == []


def test_links_that_come_and_go_are_events(site: CycleSite) -> None:
    site.cycle(switch(1), switch(2, uplink="up"))
    site.cycle(switch(1), replace(switch(2), neighbors=()))
    assert [e.event_type for e in site.events("LINK_APPEARED", "LINK_GONE")] == [
        "LINK_APPEARED",
        "LINK_GONE",
    ]
