import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdsno.discovery.oui import vendor_of
from pdsno.discovery.targets import hosts_of, inside, plan_targets, prefixes_without
from pdsno.domain.errors import InputError


def test_targets_keep_their_order_and_a_subnet_inside_another_is_asked_once() -> None:
    targets = plan_targets(["10.2.0.0/24", "10.1.0.0/24", "10.2.0.128/25", "10.1.0.0/24"])
    assert [t.subnet for t in targets] == ["10.2.0.0/24", "10.1.0.0/24"]


def test_exclusions_are_given_to_the_subnets_that_they_touch() -> None:
    targets = plan_targets(["10.1.0.0/24", "10.2.0.0/24"], exclude=["10.1.0.7/32", "10.9.0.0/16"])
    assert [t.exclude for t in targets] == [("10.1.0.7/32",), ()]


def test_passive_subnets_are_given_to_the_targets_that_they_touch() -> None:
    (target,) = plan_targets(
        ["10.1.0.0/24"], exclude=["2001:db8::/32"], passive_only=["10.1.0.0/28", "10.2.0.0/24"]
    )
    assert (target.passive_only, target.exclude) == (("10.1.0.0/28",), ())


def test_the_hosts_inside_prefixes_are_those_of_the_subnet_only() -> None:
    found = inside(NET, ["10.0.0.252/30", "10.0.0.254/32", "10.0.1.0/24"])
    assert found == ["10.0.0.252", "10.0.0.253", "10.0.0.254"]
    assert inside(NET, []) == []


@pytest.mark.parametrize(
    ("subnet", "complaint"),
    [
        ("10.0.0.0", None),
        ("nonsense", "is not a subnet"),
        ("10.0.0.1/24", "did you mean 10.0.0.0/24"),
        ("10.0.0.0/15", "use --force"),
        ("2001:db8::/120", "IPv6"),
    ],
)
def test_what_is_no_subnet_to_sweep_is_refused(subnet: str, complaint: str | None) -> None:
    if complaint is None:
        assert plan_targets([subnet])[0].subnet == "10.0.0.0/32"
        return
    with pytest.raises(InputError, match=complaint):
        plan_targets([subnet])


def test_force_allows_more_than_a_slash_16() -> None:
    assert plan_targets(["10.0.0.0/15"], force=True)[0].subnet == "10.0.0.0/15"


@pytest.mark.parametrize(
    ("subnet", "count", "first"),
    [
        ("192.0.2.0/24", 254, "192.0.2.1"),
        ("192.0.2.0/30", 2, "192.0.2.1"),
        ("192.0.2.0/31", 2, "192.0.2.0"),
        ("192.0.2.9/32", 1, "192.0.2.9"),
    ],
)
def test_network_and_broadcast_addresses_are_no_hosts(subnet: str, count: int, first: str) -> None:
    network = ipaddress.IPv4Network(subnet)
    hosts = hosts_of([network], network)
    assert (len(hosts), hosts[0]) == (count, first)


NET = ipaddress.IPv4Network("10.0.0.0/24")


@given(st.sets(st.integers(0, 255), max_size=12), st.sets(st.integers(0, 7), max_size=3))
def test_what_is_left_is_the_subnet_minus_exactly_the_holes(
    singles: set[int], blocks: set[int]
) -> None:
    holes = [f"10.0.0.{n}/32" for n in singles] + [f"10.0.0.{n * 32}/27" for n in blocks]
    left = {str(ip) for part in prefixes_without(NET, holes) for ip in part}
    gone = {str(ip) for hole in holes for ip in ipaddress.IPv4Network(hole)}
    assert left == {str(ip) for ip in NET} - gone


def test_a_hole_larger_than_the_subnet_leaves_nothing() -> None:
    assert prefixes_without(NET, ["10.0.0.0/16"]) == ()


def test_vendors_come_from_the_registered_prefix() -> None:
    assert vendor_of("b8:27:eb:00:00:01") == "Raspberry Pi Foundation"
    assert vendor_of("ba:27:eb:00:00:01") is None, "locally administered"
    assert vendor_of("00:00:00:00:00:01") is not None
    assert vendor_of("fc:ff:ff:00:00:01") is None, "not registered"
