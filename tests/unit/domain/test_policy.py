"""What a sound policy is: limits of numbers, prefixes, namespaces, and one prober for each host."""

import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdsno.domain.errors import InputError
from pdsno.domain.policy import LocalPolicy, Policy, RegionPolicy, check_policy, space_of
from pdsno.domain.scan_windows import ScanWindow


def local(name: str, *subnets: str, **fields: Any) -> LocalPolicy:  # noqa: ANN401
    return LocalPolicy(controller_id=name, subnets=subnets, **fields)


def policy(*locals_: LocalPolicy, region: str = "a", **fields: Any) -> Policy:  # noqa: ANN401
    return Policy(regions=(RegionPolicy(region=region, local_controllers=locals_, **fields),))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"interval_s": 1}, "interval_s must be at least 5"),
        ({"rate_pps": 0}, "rate_pps must be at least 1"),
        ({"miss_limit": 0}, "miss_limit must be at least 1"),
        ({"deadline_s": 5}, "deadline_s must be at least 10"),
        ({"login_rate_per_min": 0}, "login_rate_per_min must be at least 1"),
        ({"snmp_requests_per_s": 0}, "snmp_requests_per_s must be at least 1"),
        ({"keep_cycles": 0}, "keep_cycles must be at least 1"),
        ({"keep_cycles": 1001}, "keep_cycles must be at most 1000"),
        ({"retire_after_days": 0}, "retire_after_days"),
        ({"endpoint_days": -1}, "endpoint_days"),
        ({"random_mac_days": 0}, "random_mac_days"),
        ({"brake_percent": 101}, "brake_percent must be at most 100"),
        ({"brake_from": 0}, "brake_from"),
        ({"namespace": "a/b"}, "'a/b' is no namespace"),
        ({"namespace": "a b"}, "no namespace"),
        ({"exclude": ("10.0.0.1/24",)}, "did you mean 10.0.0.0/24"),
        ({"passive_only": ("all",)}, "'all' is not a subnet"),
        ({"crawl": ("10.0.0.0/33",)}, "not a subnet"),
        ({"windows": (ScanWindow(start="8", end="9"),)}, "x: '8' is not a time of day"),
    ],
)
def test_what_is_out_of_range_is_named_with_its_controller(
    fields: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        check_policy(policy(local("x", "10.0.0.0/24", **fields)))


def test_prefixes_that_are_not_swept_may_be_large_and_ipv6() -> None:
    wide = local("x", exclude=("10.0.0.0/8",), crawl=("2001:db8::/32",), passive_only=("::/0",))
    check_policy(policy(wide))


def test_a_controller_that_stands_twice_is_refused() -> None:
    with pytest.raises(InputError, match="x stands twice"):
        check_policy(policy(local("x", "10.0.0.0/24"), local("x", "10.0.1.0/24")))


@pytest.mark.parametrize(
    "other",
    [
        local("y", "10.0.0.128/25"),
        local("y", "10.9.0.0/24", crawl=("10.0.0.0/8",)),
        local("y", crawl=("10.0.0.0/24",)),
    ],
)
def test_what_one_sweeps_nobody_else_sweeps_or_crawls(other: LocalPolicy) -> None:
    mine = local("x", "10.0.0.0/24", crawl=("10.0.0.0/16",))
    with pytest.raises(InputError, match="one host is for one controller"):
        check_policy(policy(mine, other))
    elsewhere = replace(other, namespace="lab")
    check_policy(policy(mine, elsewhere))


def test_namespaces_that_two_regions_share_are_one_space() -> None:
    def two(second: str) -> Policy:
        one = policy(local("x", "10.0.0.0/24"), namespace="campus").regions
        return Policy(
            regions=(*one, *policy(local("y", second), region="b", namespace="campus").regions)
        )

    with pytest.raises(InputError, match="overlap in namespace 'campus'"):
        check_policy(two("10.0.0.0/25"))
    check_policy(two("10.0.1.0/24"))


def test_two_regions_of_one_namespace_do_not_admit_controllers_for_the_same_prefix() -> None:
    def two(namespace: str) -> Policy:
        return Policy(
            regions=tuple(
                RegionPolicy(region=name, namespace=namespace, prefixes=("10.0.0.0/16",))
                for name in "ab"
            )
        )

    with pytest.raises(InputError, match="of region b overlap in namespace"):
        check_policy(two("campus"))
    check_policy(two(""))


def test_the_namespace_of_targets_is_the_controllers_else_the_regions() -> None:
    region = RegionPolicy(region="a", namespace="campus")
    assert space_of(region, local("x")) == "campus"
    assert space_of(region, local("x", namespace="lab")) == "lab"
    assert space_of(RegionPolicy(region="a"), local("x")) == "a"


@given(
    st.lists(
        st.tuples(st.sampled_from("xyz"), st.integers(0, 255), st.integers(24, 32)), max_size=8
    )
)
def test_an_overlap_of_two_controllers_is_found_wherever_it_is(
    wanted: list[tuple[str, int, int]],
) -> None:
    blocks = [(name, number >> (32 - size), size) for name, number, size in wanted]
    hosts: dict[str, set[int]] = {"x": set(), "y": set(), "z": set()}
    subnets: dict[str, list[str]] = {"x": [], "y": [], "z": []}
    for name, block, size in blocks:
        first = block << (32 - size)
        hosts[name] |= set(range(first, first + (1 << (32 - size))))
        subnets[name].append(f"10.0.0.{first}/{size}")
    is_apart = not (hosts["x"] & hosts["y"] | hosts["x"] & hosts["z"] | hosts["y"] & hosts["z"])
    made = policy(*(local(name, *subnets[name]) for name in "xyz"))
    if is_apart:
        assert check_policy(made) == made
    else:
        with pytest.raises(InputError, match="overlap"):
            check_policy(made)


def test_a_policy_of_ten_thousand_subnets_is_checked_within_seconds() -> None:
    many = [local(f"lc-{i}", *(f"10.{i}.{j}.0/24" for j in range(100))) for i in range(100)]
    started = time.process_time()  # by CPU: others may be at work
    check_policy(policy(*many))
    assert time.process_time() - started < 5
