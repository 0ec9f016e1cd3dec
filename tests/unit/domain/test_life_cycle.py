"""What happens in a network, and what exactly the NIB says of it: these events and no other."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pdsno.domain.diff import Brake
from pdsno.domain.entities import DeviceStatus
from pdsno.domain.observations import Facts, ObservedDevice
from tests.unit.domain.builders import facts, interface, mac, sighting
from tests.unit.domain.life_cycle_site import LifeSite, gear, hears

PAIR = (gear(1, hears("eth2", 2, "eth2")), gear(2, hears("eth2", 1, "eth2")))


def pair() -> LifeSite:
    """Two routers with a link between them, known since one cycle."""
    site = LifeSite()
    assert site.cycle(*PAIR) == ["DEVICE_APPEARED", "DEVICE_APPEARED", "LINK_APPEARED"]
    assert site.cycle(*PAIR) == []
    return site


def test_an_unplugged_host_is_inactive_after_the_limit_and_returns_as_itself() -> None:
    site = LifeSite()
    host = sighting("10.0.0.5", mac(1))
    assert site.cycle(host) == ["DEVICE_APPEARED"]
    was = site.only.device_id
    assert [site.cycle() for _ in range(5)] == [[], [], ["DEVICE_INACTIVE"], [], []]
    assert site.last("DEVICE_INACTIVE").data["missed"] == 3
    assert site.cycle(host) == ["DEVICE_RETURNED"]
    assert (site.only.device_id, site.only.status, site.only.missed) == (was, "active", 0)


def test_cycles_that_do_not_ask_for_a_host_count_no_miss() -> None:
    site = LifeSite(miss_limit=1)
    site.cycle(sighting("10.0.0.5", mac(1)))
    assert [site.cycle(covered=["10.0.0.128/25"]) for _ in range(5)] == [[]] * 5
    assert (site.only.status, site.only.missed) == (DeviceStatus.ACTIVE, 0)
    assert site.cycle() == ["DEVICE_INACTIVE"]


def test_a_router_that_reboots_between_two_cycles_is_only_missed() -> None:
    site = pair()
    assert site.cycle(PAIR[0]) == []
    assert len(site.links) == 1
    assert site.cycle(*PAIR) == []
    assert len(site.devices) == 2


def test_a_router_that_is_off_for_long_takes_its_link_down_and_brings_it_back() -> None:
    site = pair()
    alone = gear(1)
    assert site.cycle(alone) == ["LINK_CHANGED"]
    assert site.last("LINK_CHANGED").data["status"] == ["confirmed", "claimed"]
    assert site.cycle(alone) == []
    assert site.cycle(alone) == ["DEVICE_INACTIVE", "LINK_GONE"]
    assert site.cycle(*PAIR) == ["DEVICE_RETURNED", "LINK_APPEARED"]


def test_a_host_with_another_address_has_moved() -> None:
    site = LifeSite()
    site.cycle(sighting("10.0.0.5", mac(1)))
    assert site.cycle(sighting("10.0.0.6", mac(1))) == ["DEVICE_MOVED"]
    told = site.last("DEVICE_MOVED").data
    assert told["from"] == {"management_ip": "10.0.0.5"}
    assert told["to"] == {"management_ip": "10.0.0.6"}


def test_a_router_in_another_subnet_tells_both_subnets() -> None:
    site = LifeSite(covered=["10.0.0.0/16"])
    site.cycle(gear(1))
    ports = (interface("eth1", mac(11), "10.0.7.9/25"), interface("eth2", mac(12)))
    elsewhere = replace(gear(1, ports=ports), address="10.0.7.9")
    assert site.cycle(elsewhere) == ["DEVICE_CHANGED", "DEVICE_MOVED"]
    assert site.last("DEVICE_MOVED").data["from"]["subnet"] == "10.0.0.0/24"
    assert site.last("DEVICE_MOVED").data["to"]["subnet"] == "10.0.7.0/25"
    assert site.last("DEVICE_CHANGED").data["changes"] == {
        "interfaces": {"eth1": {"ips": [["10.0.0.1/24"], ["10.0.7.9/25"]]}}
    }


def test_an_address_that_another_device_has_now_is_the_others() -> None:
    site = LifeSite()
    site.cycle(sighting("10.0.0.5", mac(1)), sighting("10.0.0.6", mac(2)))
    first = min(site.devices)
    moved = [sighting("10.0.0.5", mac(2))]
    assert [site.cycle(*moved) for _ in range(4)] == [
        ["DEVICE_MOVED"],
        [],
        ["DEVICE_INACTIVE"],
        [],
    ]
    assert (site.devices[first].ips, site.devices[first].management_ip) == ((), None)
    assert site.last("DEVICE_INACTIVE").data["management_ip"] == "10.0.0.5"
    kinds = site.cycle(*moved, sighting("10.0.0.7", mac(1)))
    assert kinds == ["DEVICE_CHANGED", "DEVICE_RETURNED"]
    assert site.devices[first].management_ip == "10.0.0.7"


def test_a_replaced_card_changes_the_device_and_makes_no_new_one() -> None:
    site = LifeSite()
    site.cycle(gear(1))
    ports = (interface("eth1", mac(99), "10.0.0.1/24"), interface("eth2", mac(12)))
    assert site.cycle(gear(1, ports=ports)) == ["DEVICE_CHANGED"]
    changes = site.last("DEVICE_CHANGED").data["changes"]
    assert changes["interfaces"] == {"eth1": {"mac": [mac(11), mac(99)]}}
    assert changes["macs"] == [[mac(11)], [mac(99)]]


def test_a_replaced_card_of_a_router_without_a_serial_changes_the_router() -> None:
    site = LifeSite()
    site.cycle(gear(1, serial=None))
    ports = (interface("eth1", mac(99), "10.0.0.1/24"), interface("eth2", mac(12)))
    assert site.cycle(gear(1, serial=None, ports=ports)) == ["DEVICE_CHANGED"]


def server(number: int, **values: object) -> Facts:
    """A server with one card and no serial: name, host key and engine are all it tells."""
    port = interface("eth0", mac(number), "10.0.0.8/24")
    known: dict[str, object] = {
        "name": "db1",
        "ssh_host_key": "ssh-ed25519 SHA256:k",
        "engine_id": "8000aa",
    }
    return facts("10.0.0.8", port, **{**known, **values})  # type: ignore[arg-type]


def test_a_replaced_only_card_of_a_server_changes_the_server() -> None:
    site = LifeSite()
    site.cycle(server(1))
    assert site.cycle(server(2)) == ["DEVICE_CHANGED"]
    assert site.only.macs == (mac(2),)


def test_two_hosts_at_one_address_stay_two_and_none_is_merged() -> None:
    site = LifeSite()
    hosts = [sighting("10.0.0.5", mac(1)), sighting("10.0.0.5", mac(2))]
    assert site.cycle(*hosts) == ["DEVICE_APPEARED", "DEVICE_APPEARED"]
    assert [site.cycle(*hosts) for _ in range(3)] == [[]] * 3
    assert [site.cycle(hosts[n % 2]) for n in range(4)] == [[]] * 4
    assert sorted(d.macs for d in site.devices.values()) == [(mac(1),), (mac(2),)]


def test_one_mac_at_two_routers_makes_neither_the_other() -> None:
    site = LifeSite()
    twins = [
        gear(1, ports=(interface("eth1", mac(500), "10.0.0.1/24"), interface("eth2", mac(12)))),
        gear(2, ports=(interface("eth1", mac(500), "10.0.0.2/24"), interface("eth2", mac(22)))),
    ]
    assert site.cycle(*twins) == ["DEVICE_APPEARED", "DEVICE_APPEARED"]
    assert [site.cycle(*twins) for _ in range(2)] == [[], []]
    assert {d.name: d.macs for d in site.devices.values()} == {
        "r1": (mac(12), mac(500)),
        "r2": (mac(22), mac(500)),
    }


def test_a_renamed_interface_is_renamed_and_its_link_changes_with_it() -> None:
    site = pair()
    ports = (interface("eth1", mac(11), "10.0.0.1/24"), interface("uplink", mac(12)))
    renamed = gear(1, hears("uplink", 2, "eth2"), ports=ports)
    other = gear(2, hears("eth2", 1, "uplink"))
    assert site.cycle(renamed, other) == ["DEVICE_CHANGED", "LINK_CHANGED"]
    assert site.last("DEVICE_CHANGED").data["changes"] == {
        "interfaces": {"uplink": {"renamed": ["eth2", "uplink"]}}
    }
    assert site.last("LINK_CHANGED").data["was"] != site.last("LINK_CHANGED").subject


def test_lldp_off_at_one_end_leaves_a_claimed_link_and_changes_no_device() -> None:
    site = pair()
    mute = (gear(1), PAIR[1])
    assert site.cycle(*mute) == ["LINK_CHANGED"]
    assert site.last("LINK_CHANGED").data["status"] == ["confirmed", "claimed"]
    assert site.cycle(*mute) == []
    assert site.cycle(gear(1), gear(2)) == ["LINK_GONE"]


def test_a_query_that_fails_for_a_cycle_says_nothing() -> None:
    site = pair()
    assert site.cycle(PAIR[0], sighting("10.0.0.2", mac(21))) == []
    assert len(site.links) == 1
    assert site.cycle(*PAIR) == []


NEW_SWITCH = gear(
    1,
    serial="SN9",
    chassis_id=mac(90),
    engine_id="800000099999",
    ports=(interface("eth1", mac(91), "10.0.0.1/24"), interface("eth2", mac(92))),
)


def test_a_switch_replaced_under_the_same_name_and_address_is_another_device() -> None:
    site = LifeSite()
    site.cycle(gear(1))
    old = site.only.device_id
    assert [site.cycle(NEW_SWITCH) for _ in range(4)] == [
        ["DEVICE_APPEARED"],
        [],
        ["DEVICE_INACTIVE"],
        [],
    ]
    assert site.devices[old].status is DeviceStatus.INACTIVE
    assert (site.devices[old].ips, site.devices[old].management_ip) == ((), None)
    assert site.named("r1").serial == "SN9"
    assert site.named("r1").ips == ("10.0.0.1",)


def test_a_switch_replaced_after_the_old_one_was_inactive_does_not_bring_it_back() -> None:
    site = LifeSite()
    site.cycle(gear(1))
    old = site.only.device_id
    assert [site.cycle() for _ in range(3)][-1] == ["DEVICE_INACTIVE"]
    assert site.cycle(NEW_SWITCH) == ["DEVICE_APPEARED"]
    assert [site.cycle(NEW_SWITCH) for _ in range(2)] == [[], []]
    assert site.devices[old].status is DeviceStatus.INACTIVE


def test_a_neighbours_link_goes_from_the_old_switch_to_the_new_one() -> None:
    site = pair()
    new = replace(NEW_SWITCH, neighbors=(hears("eth2", 2, "eth2"),))
    heard = replace(hears("eth2", 1, "eth2"), remote_chassis_id=mac(90))
    kinds = site.cycle(new, gear(2, heard))
    assert kinds == ["DEVICE_APPEARED", "LINK_APPEARED", "LINK_CHANGED"]
    assert site.cycle(new, gear(2, heard)) == []
    assert site.cycle(new, gear(2, heard)) == ["DEVICE_INACTIVE", "LINK_GONE"]
    (link,) = site.links
    assert (link.status, site.named("r1").device_id in (link.a.device_id, link.b.device_id)) == (
        "confirmed",
        True,
    )


def test_a_swapped_stack_member_changes_the_stack() -> None:
    stack = tuple(interface(f"Gi{m}/0/{p}", mac(100 * m + p)) for m in (1, 2, 3) for p in (1, 2, 3))
    vlan = interface("Vlan1", mac(10), "10.0.0.1/24")
    site = LifeSite()
    site.cycle(gear(1, ports=(vlan, *stack)))
    swapped = tuple(
        interface(f"Gi3/0/{p}", mac(900 + p)) if i.name == f"Gi3/0/{p}" else i
        for i in stack
        for p in (int(i.name[-1]),)
    )
    assert site.cycle(gear(1, ports=(vlan, *swapped), serial="SN77")) == ["DEVICE_CHANGED"]
    changes = site.last("DEVICE_CHANGED").data["changes"]
    assert changes["serial"] == ["SN1", "SN77"]
    assert set(changes["interfaces"]) == {"Gi3/0/1", "Gi3/0/2", "Gi3/0/3"}


def test_a_device_that_comes_back_elsewhere_has_returned_and_moved() -> None:
    site = LifeSite(miss_limit=1)
    site.cycle(sighting("10.0.0.5", mac(1)))
    site.cycle()
    assert site.cycle(sighting("10.0.0.9", mac(1))) == ["DEVICE_MOVED", "DEVICE_RETURNED"]


# --- retirement ------------------------------------------------------------------------------


def test_a_device_is_forgotten_when_it_was_inactive_for_long_enough() -> None:
    site = LifeSite(miss_limit=1, retire_after=timedelta(days=90))
    site.cycle(gear(1))
    old = site.only.device_id
    assert site.cycle(after=timedelta(days=200)) == ["DEVICE_INACTIVE"]
    assert site.cycle(after=timedelta(days=89)) == []
    assert site.cycle(after=timedelta(days=2)) == ["DEVICE_RETIRED"]
    assert site.delta is not None
    assert site.delta.retired == (old,)
    told = site.last("DEVICE_RETIRED")
    assert (told.subject, told.data["serial"], told.data["macs"][0]) == (old, "SN1", mac(11))
    assert site.devices == {}


def test_a_device_that_returned_begins_its_absence_anew() -> None:
    site = LifeSite(miss_limit=1, retire_after=timedelta(days=90))
    site.cycle(gear(1))
    site.cycle()
    site.cycle(gear(1), after=timedelta(days=80))
    assert "status" not in site.only.provenance
    assert site.cycle(after=timedelta(days=20)) == ["DEVICE_INACTIVE"]
    assert site.cycle(after=timedelta(days=20)) == []


# --- strangers -------------------------------------------------------------------------------


def tells_nothing(observed: ObservedDevice) -> bool:
    return not observed.facts


def test_a_stranger_becomes_no_device_and_no_event() -> None:
    site = LifeSite(is_stranger=tells_nothing)
    assert site.cycle(gear(1), sighting("10.0.0.50", mac(50))) == ["DEVICE_APPEARED"]
    assert site.delta is not None
    assert [item.ips for item in site.delta.strangers] == [("10.0.0.50",)]


def test_a_known_device_that_tells_nothing_today_is_no_stranger() -> None:
    site = LifeSite(is_stranger=tells_nothing)
    site.cycle(gear(1))
    assert site.cycle(sighting("10.0.0.1", mac(11))) == []
    assert site.delta is not None
    assert site.delta.strangers == ()
    assert (site.only.missed, site.only.name) == (0, "r1")


# --- the brake -------------------------------------------------------------------------------

HOSTS = [sighting(f"10.0.0.{n}", mac(n)) for n in range(1, 21)]


def crowd() -> LifeSite:
    site = LifeSite(miss_limit=2, brake=Brake(percent=50, from_count=10))
    site.cycle(*HOSTS)
    return site


def active(site: LifeSite) -> int:
    return sum(d.status is DeviceStatus.ACTIVE for d in site.devices.values())


@pytest.mark.attack(47)
def test_a_mass_disappearance_is_held_and_told_once() -> None:
    site = crowd()
    rest = HOSTS[:8]
    held = [site.cycle(*rest) for _ in range(4)]
    assert held == [[], ["DISAPPEARANCE_HELD"], [], []]
    assert active(site) == 20
    assert site.delta is not None
    assert site.delta.held == 12
    told = site.last("DISAPPEARANCE_HELD").data
    assert (told["missing"], told["asked"], told["percent"]) == (12, 20, 60)
    assert len(told["names"]) == 5


def test_more_that_go_missing_while_it_is_held_are_held_without_another_event() -> None:
    site = crowd()
    for _ in range(2):
        site.cycle(*HOSTS[:8])
    assert [site.cycle(*HOSTS[:6]) for _ in range(3)] == [[], [], []]
    assert active(site) == 20


def test_devices_that_were_held_and_come_back_were_never_gone() -> None:
    site = crowd()
    for _ in range(3):
        site.cycle(*HOSTS[:8])
    assert site.cycle(*HOSTS) == []
    assert all(d.missed == 0 for d in site.devices.values())
    assert [site.cycle(*HOSTS[:8]) for _ in range(2)] == [[], ["DISAPPEARANCE_HELD"]]


def test_an_operator_accepts_what_was_held() -> None:
    site = crowd()
    for _ in range(3):
        site.cycle(*HOSTS[:8])
    kinds = site.cycle(*HOSTS[:8], accept_missing=True, requested_by="ann")
    assert kinds == ["DEVICE_INACTIVE"] * 12 + ["DISAPPEARANCE_ACCEPTED"]
    assert site.last("DISAPPEARANCE_ACCEPTED").data["requested_by"] == "ann"
    assert active(site) == 8
    assert site.cycle(*HOSTS[:8]) == []


@pytest.mark.parametrize(("there", "expected"), [(10, 10), (11, 9)])
def test_half_of_the_devices_or_few_of_them_may_go_at_once(there: int, expected: int) -> None:
    site = crowd()
    site.cycle(*HOSTS[:there])
    assert site.cycle(*HOSTS[:there]) == ["DEVICE_INACTIVE"] * expected


def test_few_devices_are_not_held() -> None:
    site = LifeSite(miss_limit=1, brake=Brake(percent=50, from_count=10))
    site.cycle(*HOSTS[:9])
    assert site.cycle() == ["DEVICE_INACTIVE"] * 9


def test_accepting_where_nothing_is_held_is_an_ordinary_cycle() -> None:
    site = crowd()
    assert site.cycle(*HOSTS, accept_missing=True, requested_by="ann") == []
