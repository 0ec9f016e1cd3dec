import ipaddress

import pytest

from pdsno.discovery.sweep.choose import NO_RAW, Abilities, methods_for, segments_of
from pdsno.discovery.sweep.interfaces import LocalAddress
from pdsno.discovery.targets import Target
from pdsno.domain.errors import InputError
from pdsno.domain.observations import Method


def own(address: str, interface: str = "eth1", *, can_arp: bool = True) -> LocalAddress:
    entry = ipaddress.IPv4Interface(address)
    return LocalAddress(
        interface=interface,
        mac="02:00:00:00:00:01",
        address=str(entry.ip),
        network=entry.network,
        can_arp=can_arp,
    )


ROOT = Abilities(can_arp=True, can_ping=True)
USER = Abilities(can_arp=False, can_ping=True)
NOBODY = Abilities(can_arp=False, can_ping=False)


def test_a_subnet_on_our_lan_is_asked_from_our_address_in_it() -> None:
    mine = [own("10.0.0.2/24"), own("192.168.50.2/24")]
    (segment,) = segments_of(Target(subnet="192.168.50.0/24"), mine)
    assert segment.source == mine[1]
    assert len(segment.addresses) == 253
    assert "192.168.50.2" not in segment.addresses, "our own address is not asked"


def test_a_target_that_is_larger_than_our_lan_is_split() -> None:
    local, routed = segments_of(Target(subnet="10.0.0.0/23"), [own("10.0.0.2/24")])
    assert local.is_local
    assert not routed.is_local
    assert len(local.addresses) == 253
    # 10.0.1.0 may be a host of a subnet that we cannot see; 10.0.1.255 is the target's broadcast.
    assert routed.addresses[0] == "10.0.1.0"
    assert routed.addresses[-1] == "10.0.1.254"


def test_part_of_our_lan_has_hosts_at_its_ends() -> None:
    (segment,) = segments_of(Target(subnet="10.0.0.64/28"), [own("10.0.0.2/24")])
    assert segment.addresses[0] == "10.0.0.64"
    assert len(segment.addresses) == 16


def test_exclusions_are_never_asked_and_not_covered() -> None:
    target = Target(subnet="10.0.0.0/28", exclude=("10.0.0.8/29",))
    (segment,) = segments_of(target, [own("10.0.0.2/28")])
    assert segment.addresses == tuple(f"10.0.0.{n}" for n in (1, 3, 4, 5, 6, 7))
    assert not any(ipaddress.ip_address("10.0.0.9") in p for p in segment.prefixes)


def test_a_target_that_is_excluded_whole_leaves_nothing_to_ask() -> None:
    assert segments_of(Target(subnet="10.0.0.0/28", exclude=("10.0.0.0/8",)), []) == ()


def test_an_interface_without_arp_is_no_lan() -> None:
    mine = [own("127.0.0.1/8", "lo", can_arp=False)]
    (segment,) = segments_of(Target(subnet="127.0.0.0/30"), mine)
    assert not segment.is_local


def test_an_unknown_interface_is_refused_with_those_that_exist() -> None:
    with pytest.raises(InputError, match=r"'eth9' is not up .*eth1"):
        segments_of(Target(subnet="10.0.0.0/24"), [own("10.0.0.2/24")], "eth9")


def test_a_named_interface_is_used_even_without_an_address_there_and_it_is_noted() -> None:
    (segment,) = segments_of(Target(subnet="10.9.0.0/30"), [own("10.0.0.2/24")], "eth1")
    assert segment.is_local
    assert "no address in 10.9.0.0/30" in segment.notes[0]


@pytest.mark.parametrize(
    ("is_local", "can", "wanted", "expected"),
    [
        (True, ROOT, (), (Method.ARP, Method.ICMP)),
        (False, ROOT, (), (Method.ICMP,)),
        (True, USER, (), (Method.ICMP, Method.TCP, Method.NEIGHBOUR_TABLE)),
        (True, NOBODY, (), (Method.TCP, Method.NEIGHBOUR_TABLE)),
        (False, NOBODY, (), (Method.TCP,)),
        (True, ROOT, (Method.ARP,), (Method.ARP,)),
        (False, ROOT, (Method.TCP,), (Method.TCP,)),
        (False, ROOT, (Method.ICMP, Method.TCP), (Method.ICMP, Method.TCP)),
        (True, ROOT, (Method.ICMP,), (Method.ICMP, Method.NEIGHBOUR_TABLE)),
    ],
)
def test_methods_follow_from_the_place_the_rights_and_the_wish(
    is_local: bool, can: Abilities, wanted: tuple[Method, ...], expected: tuple[Method, ...]
) -> None:
    mine = [own("10.0.0.2/24")] if is_local else []
    (segment,) = segments_of(Target(subnet="10.0.0.0/24"), mine)
    methods, notes = methods_for(segment, can, frozenset(wanted))
    assert methods == expected
    assert (NO_RAW in notes) == (is_local and not can.can_arp and not wanted)


def test_arp_alone_behind_a_router_is_not_possible_and_says_so() -> None:
    (segment,) = segments_of(Target(subnet="10.0.0.0/24"), [])
    methods, notes = methods_for(segment, ROOT, frozenset({Method.ARP}))
    assert methods == ()
    assert "not on a LAN of this machine" in notes[0]
