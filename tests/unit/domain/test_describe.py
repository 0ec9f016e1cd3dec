"""What a device is said to be when not everybody tells everything every time."""

from dataclasses import replace

import pytest

from pdsno.domain.anomalies.host_keys import host_key_events
from pdsno.domain.observations import AddressOutcome, Method, Outcome, Probe
from pdsno.domain.table_ownership import merge_interfaces
from tests.unit.domain.builders import NOW, Site, facts, interface, mac, sighting

FULL = facts(
    "10.0.0.1",
    replace(interface("eth1", mac(1), "10.0.0.1/24"), description="to core", mtu=9000),
    replace(interface("eth2", mac(2), "10.9.0.1/24"), vrf="red", description="to customer"),
    name="r1",
    source="ssh",
)
POOR = facts(
    "10.0.0.1",
    interface("eth1", mac(1), "10.0.0.1/24"),
    interface("eth2", mac(2), "10.9.0.1/24"),
    name="r1",
)


def test_a_device_has_the_addresses_of_its_vrfs_too() -> None:
    site = Site()
    site.cycle(FULL)
    assert site.only.ips == ("10.0.0.1", "10.9.0.1")
    assert [i.vrf for i in site.only.interfaces] == [None, "red"]


def test_what_one_source_does_not_tell_of_an_interface_another_does() -> None:
    (first, second) = merge_interfaces([POOR.interfaces, FULL.interfaces])
    assert (first.description, first.mtu, second.vrf) == ("to core", 9000, "red")


def test_a_port_that_an_agent_calls_by_its_old_name_is_one_port() -> None:
    old = (interface("eth1", mac(1)), replace(interface("eth2", mac(2)), mtu=9000))
    new = (interface("eth1", mac(1)), interface("inside", mac(2)))
    assert merge_interfaces([new, old]) == (new[0], replace(new[1], mtu=9000))


@pytest.mark.parametrize(
    ("better", "lesser"),
    [
        (["eth1"], ["eth1", "br0"]),  # the lesser knows both names
        (["eth1", "br0"], ["vlan1"]),  # several ports have the MAC
        (["eth1"], ["br0", "vlan1"]),
    ],
)
def test_ports_that_share_a_mac_are_not_taken_for_one(better: list[str], lesser: list[str]) -> None:
    tables = [[interface(name, mac(1)) for name in names] for names in (better, lesser)]
    assert {i.name for i in merge_interfaces(tables)} == {*better, *lesser}


def test_a_cycle_in_which_only_the_lesser_source_tells_changes_nothing() -> None:
    site = Site()
    site.cycle(FULL, POOR)
    assert site.cycle(POOR).events == ()
    assert site.cycle(POOR).events == ()
    assert site.only.interfaces[1].vrf == "red"


def test_what_the_same_source_no_longer_tells_is_gone() -> None:
    site = Site()
    site.cycle(FULL)
    bare = replace(FULL, interfaces=POOR.interfaces)
    changes = site.cycle(bare).events[0].data["changes"]["interfaces"]
    # A VRF stays: most sources do not tell them.
    assert changes["eth2"] == {"description": ["to customer", None]}


def test_a_description_removed_from_one_interface_is_gone_by_any_source() -> None:
    site = Site()
    site.cycle(FULL)
    one = (replace(POOR.interfaces[0], description="to core"), POOR.interfaces[1])
    site.cycle(replace(POOR, interfaces=one))
    assert site.only.interfaces[1].description is None


def test_a_table_that_was_cut_before_its_addresses_loses_none() -> None:
    site = Site()
    site.cycle(POOR)
    cut = facts("10.0.0.1", interface("eth1", mac(1)), interface("eth2", mac(2)), name="r1")
    assert site.cycle(cut).events == ()
    assert site.only.ips == ("10.0.0.1", "10.9.0.1")


def test_an_interface_that_is_gone_takes_its_mac_and_address_along() -> None:
    site = Site()
    site.cycle(POOR)
    site.cycle(replace(POOR, interfaces=POOR.interfaces[:1]))
    assert (site.only.macs, site.only.ips) == ((mac(1),), ("10.0.0.1",))


TWO = facts(
    "10.0.0.1",
    interface("eth1", mac(1), "10.0.0.1/30"),
    interface("eth2", mac(2), "10.0.0.5/30"),
    name="r1",
)


def test_the_management_address_does_not_wander_between_addresses_that_answer() -> None:
    site = Site()
    site.cycle(replace(TWO, address="10.0.0.5"), sighting("10.0.0.1"), sighting("10.0.0.5"))
    assert site.only.management_ip == "10.0.0.5"
    assert site.cycle(TWO, sighting("10.0.0.1"), sighting("10.0.0.5")).events == ()
    assert site.only.management_ip == "10.0.0.5"


def test_a_loopback_that_answers_becomes_the_management_address() -> None:
    site = Site()
    site.cycle(TWO)
    loopback = interface("lo0", None, "10.0.0.9/32")
    site.cycle(replace(TWO, interfaces=(*TWO.interfaces, loopback)), sighting("10.0.0.9"))
    assert site.only.management_ip == "10.0.0.9"
    site.cycle(replace(TWO, interfaces=(*TWO.interfaces, loopback)), sighting("10.0.0.9"))
    assert site.only.management_ip == "10.0.0.9"


def test_a_server_that_no_longer_tells_is_managed_where_it_answers() -> None:
    site = Site()
    site.cycle(facts("10.0.0.1", interface("eth0", mac(1), "10.0.0.1/24"), name="db1"))
    moved = site.cycle(sighting("10.0.0.7", mac(1)))
    assert site.only.management_ip == "10.0.0.7"
    assert "DEVICE_MOVED" in [event.event_type for event in moved.events]


def outcome(address: str, result: Outcome) -> AddressOutcome:
    probe = Probe(method=Method.SSH, outcome=result, detail="SHA256:b, known is SHA256:a")
    return AddressOutcome(namespace="zone-A", address=address, probes=(probe,))


def test_a_changed_host_key_is_told_when_it_begins() -> None:
    now = [outcome("10.0.0.1", Outcome.HOST_KEY_CHANGED), outcome("10.0.0.2", Outcome.ANSWERED)]

    def told(before: list[AddressOutcome]) -> list[tuple[str, str]]:
        events = host_key_events(
            before,
            now,
            owners={("zone-A", "10.0.0.1"): "dev_1"},
            actor="lc",
            region="zone-A",
            now=NOW,
        )
        return [(event.event_type, event.subject) for event in events]

    assert told([]) == [("SSH_HOST_KEY_CHANGED", "dev_1")]
    assert told([outcome("10.0.0.1", Outcome.TIMEOUT)]) == [("SSH_HOST_KEY_CHANGED", "dev_1")]
    assert told(now) == []
