"""Which findings are one device."""

from hypothesis import given
from hypothesis import strategies as st

from pdsno.domain.observations import Facts, Sighting
from pdsno.domain.resolve import resolve
from tests.unit.domain.builders import facts, interface, mac, observe, sighting


def test_a_router_with_many_macs_and_addresses_is_one_device() -> None:
    router = facts(
        "10.255.0.1",
        interface("lo", None, "10.255.0.1/32"),
        interface("eth1", mac(1), "10.0.0.1/30"),
        interface("eth2", mac(2), "10.0.0.5/30"),
    )
    (found,) = observe(
        router, sighting("10.0.0.1"), sighting("10.0.0.5", mac(2)), sighting("10.255.0.1")
    )
    assert found.macs == (mac(1), mac(2))
    assert found.ips == ("10.0.0.1", "10.0.0.5", "10.255.0.1")
    assert found.management_ip == "10.255.0.1"


def test_snmp_and_ssh_of_one_router_at_two_of_its_addresses_are_one_device() -> None:
    ports = (interface("eth1", mac(1), "10.0.0.1/30"), interface("eth2", mac(2), "10.0.0.5/30"))
    (found,) = observe(facts("10.0.0.1", *ports), facts("10.0.0.5", *ports, source="ssh"))
    assert len(found.facts) == 2


def test_a_host_with_two_addresses_is_one_device() -> None:
    (found,) = observe(sighting("10.0.0.12", mac(1)), sighting("10.0.0.112", mac(1)))
    assert found.ips == ("10.0.0.112", "10.0.0.12")


def test_two_hosts_that_answer_for_one_address_stay_two_devices() -> None:
    found = observe(
        sighting("10.0.0.9", mac(1)), sighting("10.0.0.9", mac(2)), sighting("10.0.0.9")
    )
    assert sorted(d.macs for d in found) == [(mac(1),), (mac(2),)]


def test_a_shared_virtual_router_mac_does_not_merge_two_routers() -> None:
    vrrp = "00:00:5e:00:01:0a"
    one = facts("10.0.0.2", interface("eth1", mac(1), "10.0.0.2/24"), interface("v", vrrp))
    two = facts("10.0.0.3", interface("eth1", mac(2), "10.0.0.3/24"), interface("v", vrrp))
    assert len(observe(one, two)) == 2


def test_an_anycast_address_on_two_routers_does_not_merge_them() -> None:
    one = facts("10.0.0.2", interface("e", mac(1), "10.0.0.2/24", "10.9.9.9/32"))
    two = facts("10.0.0.3", interface("e", mac(2), "10.0.0.3/24", "10.9.9.9/32"))
    assert len(observe(one, two)) == 2


def test_a_stranger_answering_arp_for_a_routers_address_is_another_device() -> None:
    router = facts("10.0.0.1", interface("eth1", mac(1), "10.0.0.1/24", "10.0.0.7/24"))
    found = observe(router, sighting("10.0.0.7", mac(9)))
    assert sorted(d.macs for d in found) == [(mac(1),), (mac(9),)]


def test_loopback_addresses_of_the_host_do_not_count_as_addresses() -> None:
    ports = (interface("lo", None, "127.0.0.1/8"), interface("e", mac(1), "10.0.0.2/24"))
    (found,) = observe(facts("10.0.0.2", *ports))
    assert found.ips == ("10.0.0.2",)


_numbers = st.integers(min_value=1, max_value=5)
_sightings = st.builds(
    lambda ip, m: sighting(f"10.0.0.{ip}", mac(m) if m else None),
    _numbers,
    st.none() | _numbers,
)
_facts = st.builds(
    lambda ip, m: facts(f"10.0.0.{ip}", interface("e", mac(m), f"10.0.0.{ip}/24")),
    _numbers,
    _numbers,
)


@given(st.lists(_sightings | _facts, max_size=12), st.randoms())
def test_order_and_repetition_of_findings_do_not_matter(
    findings: list[Sighting | Facts], random: object
) -> None:
    shuffled = findings * 2
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    def devices(items: list[Sighting | Facts]) -> set[tuple[tuple[str, ...], tuple[str, ...]]]:
        return {(d.macs, d.ips) for d in observe(*items)}

    assert devices(findings) == devices(shuffled)


@given(st.lists(_sightings, max_size=12))
def test_without_facts_no_device_has_two_macs_and_no_sighting_is_lost(
    findings: list[Sighting],
) -> None:
    found = resolve("zone-A", findings, [])
    assert all(len(d.macs) <= 1 for d in found)
    assert sum(len(d.sightings) for d in found) == len(findings)
