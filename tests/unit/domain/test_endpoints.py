"""What an endpoint is, how it is called, and that the order of findings does not matter."""

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pdsno.domain.endpoint_history import MOST_SIGHTINGS, merge_endpoint, merge_views
from pdsno.domain.endpoints import (
    MOST_ADDRESSES,
    Look,
    SeenEndpoint,
    endpoint_id,
    endpoint_ids_of,
    endpoints_of,
    is_random_mac,
)
from pdsno.domain.entities import Attachment, Endpoint
from pdsno.domain.observations import ArpEntry, Facts, MacTableEntry
from tests.unit.domain.builders import NOW, device, facts, interface, later, mac, observe, sighting

PORT = Attachment(device_id="dev_sw", device="sw", interface="p1", vlan=10)


def look(*findings: Facts, strangers: int = 0) -> Look:
    """What a cycle saw with one router and one switch that are known."""
    router = device("dev_r", namespace="zone-A", macs=(mac(1),), ips=("10.0.0.1",))
    switch = device("dev_sw", namespace="zone-A", macs=(mac(2),), ips=("10.0.0.2",), name="sw")
    seen = [sighting(f"10.0.0.{n}", mac(n)) for n in range(50, 50 + strangers)]
    return Look(
        namespace="zone-A",
        region="zone-A",
        local_controller="lc",
        now=NOW,
        strangers=observe(*seen),
        facts=findings,
        devices=(router, switch),
        tellers={"10.0.0.1": router, "10.0.0.2": switch},
        answered=frozenset({"10.0.0.1", "10.0.0.2"}),
        vendor_of=lambda _: "Acme",
    )


def endpoint(*ips: str, number: int = 7, **values: object) -> Endpoint:
    known = Endpoint(
        endpoint_id=endpoint_id("zone-A", mac(number), None),
        namespace="zone-A",
        mac=mac(number),
        ips=ips,
        local_controller="lc",
        sources=("arp",),
        first_seen=NOW,
        last_seen=NOW,
    )
    return replace(known, **values)  # type: ignore[arg-type]


def seen(*ips: str) -> SeenEndpoint:
    at = later(10)
    return SeenEndpoint(endpoint=endpoint(*ips, first_seen=at, last_seen=at))


def nobody_looked(_namespace: str, _ip: str) -> bool:
    return False


def everybody_looked(_namespace: str, _ip: str) -> bool:
    return True


def test_the_id_follows_from_namespace_and_mac_else_from_the_address() -> None:
    one = endpoint_id("zone-A", mac(1), "10.0.0.1")
    assert one == endpoint_id("zone-A", mac(1), "10.0.0.2")
    assert one != endpoint_id("zone-B", mac(1), None)
    assert endpoint_id("zone-A", None, "10.0.0.1") != endpoint_id("zone-B", None, "10.0.0.1")
    assert len(one) == 35
    assert one.startswith("ep_")


def test_a_locally_administered_mac_is_random_and_has_no_vendor() -> None:
    assert is_random_mac("da:a1:19:00:00:01")
    assert not is_random_mac(mac(1))
    found = look(
        facts("10.0.0.1", arp=(ArpEntry(ip="10.0.0.9", mac="da:a1:19:00:00:01"),)), strangers=1
    )
    vendors = {s.endpoint.mac: s.endpoint.vendor for s in endpoints_of(found).items}
    assert vendors == {"da:a1:19:00:00:01": None, mac(50): "Acme"}


def test_a_device_may_have_been_an_endpoint_by_each_mac_and_address_in_each_namespace() -> None:
    told = (
        replace(interface("eth1", mac(1), "10.0.0.1/24")),
        replace(interface("eth2", mac(2), "10.9.0.1/24"), vrf="blue"),
    )
    router = device(
        namespace="zone-A", macs=(mac(1), mac(2)), ips=("10.0.0.1", "10.9.0.1"), interfaces=told
    )
    found = endpoint_ids_of(router)
    assert endpoint_id("zone-A", mac(2), None) in found
    assert endpoint_id("zone-A/blue", mac(2), None) in found
    assert endpoint_id("zone-A", None, "10.0.0.1") in found
    assert endpoint_id("zone-A/blue", None, "10.9.0.1") in found
    assert endpoint_id("zone-A", None, "10.9.0.1") not in found


@given(st.integers(0, 10_000))
def test_order_and_repetition_of_findings_do_not_matter(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - the same findings for the same seed
    arp = [
        ArpEntry(
            ip=f"10.{rng.randint(0, 1)}.0.{rng.randint(40, 60)}",
            mac=mac(rng.randint(0, 60)),
            vrf=rng.choice([None, None, "blue"]),
        )
        for _ in range(30)
    ]
    table = [
        MacTableEntry(mac=mac(rng.randint(0, 60)), vlan=10, interface=f"p{rng.randint(1, 5)}")
        for _ in range(20)
    ]

    def told() -> Look:
        findings = [facts("10.0.0.1", arp=tuple(arp)), facts("10.0.0.2", mac_table=tuple(table))]
        rng.shuffle(findings)
        found = look(*findings, strangers=5)
        strangers = list(found.strangers)
        rng.shuffle(strangers)
        return replace(found, strangers=tuple(strangers))

    once = endpoints_of(told())
    arp += rng.sample(arp, 10)
    table += rng.sample(table, 10)
    rng.shuffle(arp)
    rng.shuffle(table)
    assert endpoints_of(told()) == once
    keys = [(s.endpoint.namespace, s.endpoint.mac) for s in once.items if s.endpoint.mac]
    assert len(keys) == len(set(keys))
    assert not {mac(1), mac(2)} & {key[1] for key in keys}


# --- from cycle to cycle ---------------------------------------------------------------------


def test_an_unchanged_endpoint_only_has_a_longer_sighting() -> None:
    merged = merge_endpoint(endpoint("10.0.0.7"), seen("10.0.0.7"), everybody_looked)
    assert not merged.is_changed
    assert not merged.is_new
    assert (merged.endpoint.first_seen, merged.endpoint.last_seen) == (NOW, later(10))
    assert [(s.ip, s.last_seen) for s in merged.sightings] == [("10.0.0.7", later(10))]


def test_an_address_that_is_not_shown_goes_only_where_somebody_looked() -> None:
    known = endpoint("10.0.0.7", "10.0.0.8")
    gone = merge_endpoint(known, seen("10.0.0.8"), everybody_looked)
    kept = merge_endpoint(known, seen("10.0.0.8"), nobody_looked)
    assert gone.endpoint.ips == ("10.0.0.8",)
    assert gone.is_changed
    assert kept.endpoint.ips == ("10.0.0.7", "10.0.0.8")
    assert [s.ip for s in kept.sightings] == ["10.0.0.8"]


def test_addresses_are_bounded_and_the_present_ones_stay() -> None:
    many = tuple(sorted(f"2001:db8::{n:x}" for n in range(1, MOST_ADDRESSES + 1)))
    merged = merge_endpoint(endpoint(*many), seen("10.0.0.7"), nobody_looked)
    assert len(merged.endpoint.ips) == MOST_ADDRESSES
    assert "10.0.0.7" in merged.endpoint.ips


def test_a_port_stays_while_no_switch_says_otherwise() -> None:
    known = endpoint(attachment=PORT)
    quiet = merge_endpoint(known, seen(), nobody_looked)
    on_trunk = replace(seen(), switches=frozenset({"dev_sw"}))
    elsewhere = replace(seen(), switches=frozenset({"dev_other"}))
    assert quiet.endpoint.attachment == PORT
    assert merge_endpoint(known, on_trunk, nobody_looked).endpoint.attachment is None
    assert merge_endpoint(known, elsewhere, nobody_looked).endpoint.attachment == PORT


def test_each_port_of_a_mac_at_two_places_is_written_down() -> None:
    other = replace(PORT, device_id="dev_b", device="b")
    both = replace(seen("10.0.0.7"), places=(PORT, other))
    merged = merge_endpoint(None, both, nobody_looked)
    assert [(s.ip, s.attachment) for s in merged.sightings] == [
        ("10.0.0.7", None),
        (None, PORT),
        (None, other),
    ]
    assert len(merged.sightings) < MOST_SIGHTINGS


@given(st.permutations(range(3)))
def test_of_several_views_the_latest_counts_in_any_order(order: list[int]) -> None:
    views = [
        endpoint(f"10.0.0.{n}", local_controller=f"lc{n}", last_seen=later(n)) for n in range(3)
    ]
    merged: Endpoint | None = None
    for number in order:
        merged = merge_views(merged, views[number])
    assert merged == replace(views[2], first_seen=NOW)
