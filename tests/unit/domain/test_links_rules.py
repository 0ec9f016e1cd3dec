"""Which links neighbour tables show, whatever the ports and neighbours are called in them."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdsno.domain.entities import Device, DeviceStatus, Interface, Link, LinkStatus, Neighbor
from pdsno.domain.links import count_nameless, derive_links
from tests.unit.domain.builders import device, interface, later, mac, neighbor

PORTS = ("GigabitEthernet0/1", "GigabitEthernet0/2", "GigabitEthernet0/3")
CONFIRMED, CLAIMED, CONFLICT = LinkStatus.CONFIRMED, LinkStatus.CLAIMED, LinkStatus.CONFLICT


def switch(
    number: int, *neighbors: Neighbor, ports: Iterable[Interface] = (), **values: object
) -> Device:
    """`sw1`, with chassis ID `mac(100)` and a MAC on each of its ports."""
    own = tuple(ports) or tuple(
        interface(name, mac(100 * number + n)) for n, name in enumerate(PORTS, start=1)
    )
    known: dict[str, object] = {
        "name": f"sw{number}",
        "namespace": "zone-A",
        "chassis_id": mac(100 * number),
        "macs": tuple(sorted(i.mac for i in own if i.mac)),
        "ips": (f"10.0.0.{number}",),
        "interfaces": own,
        "neighbors": neighbors,
    }
    return device(f"dev_{number}", **{**known, **values})


def hears(local: str, number: int, port: str | None, **values: object) -> Neighbor:
    return neighbor(
        local, f"sw{number}", port, **{"remote_chassis_id": mac(100 * number), **values}
    )


def shape(links: Iterable[Link]) -> list[tuple[str, str]]:
    """Links as `sw1:Gi0/1-sw2:Gi0/2`, with their status."""

    def end(side: object) -> str:
        port = (side.interface or "?").replace("GigabitEthernet", "Gi")  # type: ignore[attr-defined]
        return f"{side.device or '?'}:{port}"  # type: ignore[attr-defined]

    return sorted(("-".join(sorted((end(k.a), end(k.b)))), k.status.value) for k in links)


# --- one port, several neighbours ------------------------------------------------------------


def test_several_neighbours_on_one_port_are_no_conflict() -> None:
    """Three switches on one that does not speak LLDP: each hears both others."""
    links = derive_links(
        switch(n, *(hears(PORTS[0], m, PORTS[0]) for m in (1, 2, 3) if m != n)) for n in (1, 2, 3)
    )
    assert [link.status for link in links] == [CONFIRMED] * 3


def test_a_phone_with_a_pc_behind_it_is_no_conflict() -> None:
    links = derive_links(
        [
            switch(
                1,
                neighbor(PORTS[0], "phone", "port1", remote_chassis_id=mac(7)),
                neighbor(PORTS[0], "pc", "eth0", remote_chassis_id=mac(8)),
            )
        ]
    )
    assert shape(links) == [("pc:eth0-sw1:Gi0/1", "claimed"), ("phone:port1-sw1:Gi0/1", "claimed")]


def test_who_only_listens_on_a_shared_segment_is_no_conflict() -> None:
    links = derive_links(
        [
            switch(1, hears(PORTS[0], 2, PORTS[0]), hears(PORTS[0], 3, PORTS[0])),
            switch(2, hears(PORTS[0], 3, PORTS[0])),
            switch(3, hears(PORTS[0], 2, PORTS[0])),
        ]
    )
    assert sorted(link.status for link in links) == [CLAIMED, CLAIMED, CONFIRMED]


def test_an_end_that_hears_only_somebody_unknown_contradicts() -> None:
    links = derive_links(
        [
            switch(1, hears(PORTS[0], 2, PORTS[0])),
            switch(2, hears(PORTS[0], 9, PORTS[0])),
        ]
    )
    assert shape(links) == [("sw1:Gi0/1-sw2:Gi0/1", "conflict"), ("sw2:Gi0/1-sw9:Gi0/1", "claimed")]


def test_an_end_that_names_another_port_of_ours_contradicts() -> None:
    links = derive_links(
        [
            switch(1, hears(PORTS[0], 2, PORTS[0])),
            switch(2, hears(PORTS[0], 1, PORTS[1])),
        ]
    )
    assert {link.status for link in links} == {CLAIMED, CONFLICT}


def test_two_links_between_two_switches_stay_two() -> None:
    links = derive_links(
        [
            switch(1, hears(PORTS[0], 2, PORTS[0]), hears(PORTS[1], 2, PORTS[1])),
            switch(2, hears(PORTS[0], 1, PORTS[0]), hears(PORTS[1], 1, PORTS[1])),
        ]
    )
    assert [link.status for link in links] == [CONFIRMED, CONFIRMED]


def test_neighbours_of_sub_interfaces_are_on_the_port() -> None:
    ports = (interface("ge-0/0/0", mac(201)), interface("ge-0/0/0.0", None, "10.9.0.1/30"))
    links = derive_links(
        [
            switch(1, hears(PORTS[0], 2, "ge-0/0/0.0")),
            switch(2, hears("ge-0/0/0", 1, "Gi0/1"), ports=ports),
        ]
    )
    assert shape(links) == [("sw1:Gi0/1-sw2:ge-0/0/0", "confirmed")]


# --- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "told",
    [
        "Gi0/2",
        "Gig 0/2",
        "gigabitethernet0/2",
        "GigabitEthernet0/2",
        mac(202).upper(),
        mac(202).replace(":", "-"),
        "to sw1",
    ],
)
def test_a_port_is_known_by_any_of_its_names(told: str) -> None:
    ports = (
        interface(PORTS[0], mac(201)),
        replace(interface(PORTS[1], mac(202)), description="to sw1"),
    )
    links = derive_links(
        [switch(1, hears(PORTS[0], 2, told)), switch(2, hears(PORTS[1], 1, PORTS[0]), ports=ports)]
    )
    assert shape(links) == [("sw1:Gi0/1-sw2:Gi0/2", "confirmed")]


def test_a_port_told_by_its_index_is_known_from_the_other_end() -> None:
    links = derive_links(
        [switch(1, hears(PORTS[0], 2, "513")), switch(2, hears(PORTS[2], 1, PORTS[0]))]
    )
    assert shape(links) == [("sw1:Gi0/1-sw2:Gi0/3", "confirmed")]


def test_two_ends_that_both_tell_an_index_are_one_link_if_there_is_only_one() -> None:
    links = derive_links([switch(1, hears(PORTS[0], 2, "513")), switch(2, hears(PORTS[2], 1, "7"))])
    assert shape(links) == [("sw1:Gi0/1-sw2:Gi0/3", "confirmed")]


def test_of_two_links_with_indexes_at_both_ends_none_is_guessed() -> None:
    links = derive_links(
        [
            switch(1, hears(PORTS[0], 2, "513"), hears(PORTS[1], 2, "514")),
            switch(2, hears(PORTS[0], 1, "7"), hears(PORTS[1], 1, "8")),
        ]
    )
    assert {link.status for link in links} == {CLAIMED}


def test_a_mac_that_several_ports_have_names_none_of_them() -> None:
    ports = tuple(interface(name, mac(200)) for name in PORTS)
    links = derive_links([switch(1, hears(PORTS[0], 2, mac(200))), switch(2, ports=ports)])
    assert shape(links) == [(f"sw1:Gi0/1-sw2:{mac(200)}", "claimed")]


# --- who is meant ----------------------------------------------------------------------------


def test_an_entry_that_names_nobody_makes_no_link_and_is_counted() -> None:
    teller = switch(
        1,
        hears(PORTS[0], 2, PORTS[0]),
        neighbor(PORTS[1], None, None),
        neighbor(PORTS[1], "", "Gi0/9", remote_management_ip="0.0.0.0"),
    )
    assert shape(derive_links([teller])) == [("sw1:Gi0/1-sw2:Gi0/1", "claimed")]
    assert count_nameless([teller]) == 2


@pytest.mark.parametrize("chassis", ["00:00:00:00:00:00", "00:00:5E:00:01:01"])
def test_a_chassis_id_that_several_devices_have_by_design_names_nobody(chassis: str) -> None:
    entries = (
        neighbor(PORTS[0], None, PORTS[0], remote_chassis_id=chassis),
        neighbor(PORTS[1], "sw3", PORTS[0], remote_chassis_id=chassis),
    )
    devices = [switch(1, *entries), switch(2, chassis_id=chassis.lower()), switch(3)]
    assert shape(derive_links(devices)) == [("sw1:Gi0/2-sw3:Gi0/1", "claimed")]
    assert count_nameless(devices) == 1


def test_an_empty_name_is_never_that_of_another_port_s_neighbour() -> None:
    nameless = neighbor(PORTS[1], "", PORTS[0], remote_chassis_id=mac(777))
    links = derive_links([switch(1, hears(PORTS[0], 2, PORTS[0]), nameless), switch(2)])
    assert shape(links) == [
        (f"{mac(777)}:Gi0/1-sw1:Gi0/2", "claimed"),
        ("sw1:Gi0/1-sw2:Gi0/1", "claimed"),
    ]


def test_lldp_and_cdp_of_one_neighbour_are_one_link_by_lldp() -> None:
    cdp = neighbor(
        PORTS[0], "sw2.example.net(FOC1)", "Gi0/2", remote_management_ip="10.0.0.2", protocol="cdp"
    )
    lldp = hears(PORTS[0], 2, "513")
    (link,) = derive_links([switch(1, lldp, cdp), switch(2)])
    assert (link.source, shape([link])) == ("lldp", [("sw1:Gi0/1-sw2:Gi0/2", "claimed")])


def test_lldp_and_cdp_of_an_unknown_neighbour_are_one_ghost() -> None:
    cdp = neighbor(PORTS[0], "sw9.example.net", "Gi0/2", protocol="cdp")
    lldp = hears(PORTS[0], 9, mac(902))
    (link,) = derive_links([switch(1, cdp, lldp)])
    assert (link.source, shape([link])) == ("lldp", [("sw1:Gi0/1-sw9:Gi0/2", "claimed")])


def test_a_chassis_id_that_is_the_mac_of_one_devices_port_names_it() -> None:
    (link,) = derive_links(
        [
            switch(1, neighbor(PORTS[0], None, PORTS[0], remote_chassis_id=mac(203))),
            switch(2, chassis_id=None),
        ]
    )
    assert {link.a.device_id, link.b.device_id} == {"dev_1", "dev_2"}


def test_a_chassis_id_that_two_peers_share_is_told_apart_by_name() -> None:
    (link,) = derive_links(
        [
            switch(1, neighbor(PORTS[0], "sw3", PORTS[0], remote_chassis_id=mac(999))),
            switch(2, chassis_id=mac(999)),
            switch(3, chassis_id=mac(999)),
        ]
    )
    assert {link.a.device_id, link.b.device_id} == {"dev_1", "dev_3"}


def test_an_address_out_of_the_box_does_not_make_a_stranger_a_device() -> None:
    """192.168.1.1 is ours, and what every switch of that make announces."""
    entry = neighbor(
        PORTS[0], "unset", "7", remote_chassis_id=mac(777), remote_management_ip="192.168.1.1"
    )
    (link,) = derive_links([switch(1, entry), switch(2, ips=("192.168.1.1",))])
    assert None in (link.a.device_id, link.b.device_id)


def test_a_short_name_of_another_site_is_not_ours() -> None:
    teller = switch(1, neighbor(PORTS[0], "sw2", PORTS[0], protocol="cdp"))
    far = switch(2, namespace="zone-B")
    (link,) = derive_links([teller, far])
    assert None in (link.a.device_id, link.b.device_id)
    full = switch(1, neighbor(PORTS[0], "sw2.b.example", PORTS[0], protocol="cdp"))
    (link,) = derive_links([full, replace(far, name="sw2.b.example")])
    assert {link.a.device_id, link.b.device_id} == {"dev_1", "dev_2"}


def test_what_is_there_stands_before_what_is_gone() -> None:
    old = switch(2, status=DeviceStatus.INACTIVE)
    new = switch(3, name="sw2", chassis_id=None)
    (link,) = derive_links([switch(1, neighbor(PORTS[0], "sw2", PORTS[0])), old, new])
    assert {link.a.device_id, link.b.device_id} == {"dev_1", "dev_3"}


def test_what_an_inactive_device_heard_is_past_and_who_was_missed_still_counts() -> None:
    teller = switch(1, hears(PORTS[0], 2, PORTS[0]))
    assert len(derive_links([replace(teller, missed=2), switch(2)])) == 1
    assert derive_links([replace(teller, status=DeviceStatus.INACTIVE), switch(2)]) == ()


def test_a_link_was_seen_when_the_later_of_its_tellers_was() -> None:
    (link,) = derive_links(
        [
            switch(1, hears(PORTS[0], 2, PORTS[0]), last_seen=later(1)),
            switch(2, hears(PORTS[0], 1, PORTS[0]), last_seen=later(9)),
        ]
    )
    assert link.last_seen == later(9)


# --- properties ------------------------------------------------------------------------------

ENTRIES = st.builds(
    Neighbor,
    local_interface=st.sampled_from([*PORTS, "Gi0/1", ""]),
    remote_name=st.sampled_from([None, "", "sw1", "sw2", "sw3", "SW3.example", "sw9", "switch"]),
    remote_interface=st.sampled_from(
        [None, *PORTS, "Gi0/1", "513", "7", mac(101), mac(203), "x.1"]
    ),
    remote_chassis_id=st.sampled_from([None, mac(100), mac(200), mac(301), mac(900), "local"]),
    remote_management_ip=st.sampled_from([None, "10.0.0.1", "10.0.0.3", "fe80::1", "?"]),
    protocol=st.sampled_from(["lldp", "cdp"]),
)


@given(
    st.lists(st.lists(ENTRIES, max_size=5), min_size=4, max_size=4),
    st.randoms(use_true_random=False),
)
def test_order_and_repetition_of_what_is_told_do_not_matter(
    tables: list[list[Neighbor]], chance: object
) -> None:
    devices = [switch(n, *entries) for n, entries in enumerate(tables, start=1)]
    expected = derive_links(devices)
    shuffled = []
    for known in devices:
        entries = [*known.neighbors, *known.neighbors[:2]]
        chance.shuffle(entries)  # type: ignore[attr-defined]
        shuffled.append(replace(known, neighbors=tuple(entries)))
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert derive_links(shuffled) == expected
    assert derive_links(devices) == expected
    assert len({link.link_id for link in expected}) == len(expected)


@given(st.lists(st.lists(ENTRIES, max_size=5), min_size=4, max_size=4))
def test_only_what_both_ends_tell_is_confirmed(tables: list[list[Neighbor]]) -> None:
    devices = [switch(n, *entries) for n, entries in enumerate(tables, start=1)]
    tellers = {d.device_id for d in devices if d.neighbors}
    for link in derive_links(devices):
        ends = {link.a.device_id, link.b.device_id}
        assert ends & tellers
        if link.status is CONFIRMED:
            assert ends <= tellers
