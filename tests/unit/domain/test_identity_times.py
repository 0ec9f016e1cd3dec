"""Who is who between cycles: what changes about a device, and what makes it another one."""

from dataclasses import replace

import pytest

from pdsno.domain.entities import Interface
from pdsno.domain.observations import Facts, Sighting
from tests.unit.domain.builders import Site, facts, interface, later, mac, sighting

KEY = "ssh-ed25519 SHA256:its-own"
RANDOM_MAC = "da:a1:19:00:00:{:02x}"


def seen(site: Site) -> set[tuple[str, str | None, tuple[str, ...], tuple[str, ...]]]:
    return {(d.device_id, d.name, d.macs, d.ips) for d in site.devices.values()}


def machine(number: int, address: str, **values: object) -> list[Sighting | Facts]:
    own = interface("eth0", mac(number), f"{address}/24")
    return [facts(address, own, **values), sighting(address, mac(number))]  # type: ignore[arg-type]


def test_a_device_that_tells_nothing_for_a_cycle_stays_itself() -> None:
    site = Site()
    whole = [*machine(1, "10.0.0.1", name="r1"), *machine(2, "10.0.0.2", name="r2")]
    site.cycle(*whole)
    before = set(site.devices)
    site.cycle(sighting("10.0.0.1", mac(1)), sighting("10.0.0.2"))
    site.cycle(*whole)
    assert set(site.devices) == before


def test_a_device_known_by_its_answers_stays_itself_when_it_tells_who_it_is() -> None:
    site = Site()
    site.cycle(sighting("10.0.0.1", mac(1)), sighting("10.0.0.2"), sighting("10.0.0.3", mac(3)))
    before = {d.ips: d.device_id for d in site.devices.values()}
    site.cycle(
        *machine(1, "10.0.0.1", name="by-mac"),
        facts("10.0.0.2", interface("e", mac(2), "10.0.0.2/24"), name="by-address"),
        facts("10.0.0.3", name="tells-no-interface"),
        sighting("10.0.0.3", mac(3)),
    )
    assert {d.ips: d.device_id for d in site.devices.values()} == before


def test_hosts_that_swap_their_addresses_are_who_they_were() -> None:
    site = Site()
    site.cycle(*machine(1, "10.0.0.1", name="a"), *machine(2, "10.0.0.2", name="b"))
    before = {d.name: d.device_id for d in site.devices.values()}
    site.cycle(*machine(1, "10.0.0.2", name="a"), *machine(2, "10.0.0.1", name="b"))
    assert {d.name: d.device_id for d in site.devices.values()} == before
    assert {d.name: d.ips for d in site.devices.values()} == {
        "a": ("10.0.0.2",),
        "b": ("10.0.0.1",),
    }


def test_hosts_without_facts_that_swap_their_addresses_are_who_they_were() -> None:
    site = Site()
    site.cycle(sighting("10.0.0.1", mac(1)), sighting("10.0.0.2", mac(2)))
    before = {d.macs: d.device_id for d in site.devices.values()}
    site.cycle(sighting("10.0.0.2", mac(1)), sighting("10.0.0.1", mac(2)))
    assert {d.macs: d.device_id for d in site.devices.values()} == before


def test_an_address_given_to_another_host_takes_nobody_along() -> None:
    site = Site()
    site.cycle(*machine(1, "10.0.0.1", name="a"))
    site.cycle(*machine(2, "10.0.0.1", name="b"))
    site.cycle(*machine(1, "10.0.0.7", name="a"), *machine(2, "10.0.0.1", name="b"))
    assert {d.name: (d.macs, d.ips) for d in site.devices.values()} == {
        "a": ((mac(1),), ("10.0.0.7",)),
        "b": ((mac(2),), ("10.0.0.1",)),
    }


@pytest.mark.parametrize("macs", [(mac(1), mac(2)), (RANDOM_MAC.format(1), RANDOM_MAC.format(2))])
def test_a_dhcp_address_with_another_mac_is_another_host(macs: tuple[str, str]) -> None:
    site = Site()
    for minute, who in enumerate((*macs, *macs)):
        site.cycle(sighting("10.0.0.5", who), at=later(minute))
    assert sorted(d.macs for d in site.devices.values()) == [(macs[0],), (macs[1],)]


def test_two_hosts_that_take_turns_at_one_address_stay_two() -> None:
    site = Site()
    both = (sighting("10.0.0.9", mac(1)), sighting("10.0.0.9", mac(2)))
    for turn in (both, both[:1], both[1:], both):
        site.cycle(*turn)
    assert sorted(d.macs for d in site.devices.values()) == [(mac(1),), (mac(2),)]


def test_one_mac_on_two_segments_is_two_hosts_and_stays_so() -> None:
    site = Site(covered=["10.0.0.0/16"])
    here = replace(sighting("10.0.1.5", mac(1)), segment="eth1")
    there = replace(sighting("10.0.2.5", mac(1)), segment="eth2")
    for findings in ((here, there), (here,), (there,), (there, here)):
        site.cycle(*findings)
        assert len(site.devices) == 2


def test_a_router_with_one_mac_on_both_segments_of_a_controller_is_one_device() -> None:
    site = Site(covered=["10.0.0.0/16"])
    ports = (interface("e1", mac(1), "10.0.1.1/24"), interface("e2", mac(1), "10.0.2.1/24"))
    sweep = [
        replace(sighting("10.0.1.1", mac(1)), segment="eth1"),
        replace(sighting("10.0.2.1", mac(1)), segment="eth2"),
    ]
    site.cycle(facts("10.0.1.1", *ports, name="r1"), *sweep)
    assert site.only.ips == ("10.0.1.1", "10.0.2.1")
    site.cycle(*sweep)
    assert len(site.devices) == 1


def test_an_address_behind_a_router_is_the_device_that_was_there_before() -> None:
    site = Site()
    for minute in range(3):
        site.cycle(sighting("10.0.0.9"), at=later(minute))
    assert len(site.devices) == 1


def test_an_address_behind_a_router_that_tells_another_serial_is_another_device() -> None:
    site = Site()
    site.cycle(facts("10.0.0.9", serial="FOC1", name="sw"))
    site.cycle(facts("10.0.0.9", serial="FOC2", name="sw"))
    assert {d.serial for d in site.devices.values()} == {"FOC1", "FOC2"}


def test_a_router_of_which_snmp_and_ssh_tell_different_serials_is_one() -> None:
    site = Site()
    told = [facts("10.0.0.9", serial="FXS1", name="r1", source="ssh"),
            facts("10.0.0.9", serial="FOC2", name="r1")]  # fmt: skip
    for turn in (told, told[:1], told[1:], told):
        site.cycle(*turn)
        assert len(site.devices) == 1


# --- a new card, a new box -------------------------------------------------------------------


def test_a_machine_without_a_serial_that_got_a_new_card_is_who_it_was() -> None:
    site = Site()
    site.cycle(*machine(1, "10.0.0.4", name="db1", ssh_host_key=KEY))
    site.cycle(*machine(2, "10.0.0.4", name="db1", ssh_host_key=KEY))
    assert site.only.macs == (mac(2),)


def test_the_engine_id_that_follows_from_a_card_changes_with_it() -> None:
    site = Site()
    for number in (1, 2):
        engine = "80001f8803" + mac(number).replace(":", "")
        site.cycle(*machine(number, "10.0.0.4", name="db1", ssh_host_key=KEY, engine_id=engine))
    assert site.only.macs == (mac(2),)


@pytest.mark.parametrize(
    "changed",
    [{"name": "db2"}, {"ssh_host_key": "ssh-ed25519 SHA256:new"}, {"ssh_host_key": None}],
    ids=["another name", "another key", "no key"],
)
def test_another_card_and_anything_else_is_another_machine(changed: dict[str, str | None]) -> None:
    site = Site()
    known = {"name": "db1", "ssh_host_key": KEY}
    site.cycle(*machine(1, "10.0.0.4", **known))
    site.cycle(*machine(2, "10.0.0.4", **{**known, **changed}))
    assert len(site.devices) == 2


def test_a_clone_at_the_address_of_its_model_is_not_its_model_with_a_new_card() -> None:
    image = {"name": "kiosk", "ssh_host_key": KEY}
    moved = Site()
    moved.cycle(*machine(1, "10.0.0.4", **image))
    moved.cycle(*machine(2, "10.0.0.4", **image), sighting("10.0.0.77", mac(1)))
    assert sorted(d.macs for d in moved.devices.values()) == [(mac(1),), (mac(2),)]
    several = Site()
    several.cycle(*machine(1, "10.0.0.4", **image), *machine(3, "10.0.0.6", **image))
    several.cycle(*machine(2, "10.0.0.4", **image))
    assert sorted(d.macs for d in several.devices.values()) == [(mac(1),), (mac(2),), (mac(3),)]


def test_clones_with_one_host_key_stay_as_many_as_they_are() -> None:
    site = Site()
    image = {"name": "template", "ssh_host_key": KEY, "engine_id": "80001f888012345678"}
    clones = [x for n in range(1, 6) for x in machine(n, f"10.0.0.{n}", **image)]
    for _ in range(3):
        site.cycle(*clones)
        assert len(site.devices) == 5


def cluster_member(number: int) -> list[Sighting | Facts]:
    """One of two firewalls that share MACs, name and configuration."""
    shared = [interface(f"e{n}", mac(n), f"10.1.{n}.1/24") for n in range(1, 5)]
    own = Interface(name="mgmt", mac=mac(100 + number), ips=(f"10.0.0.{number}/24",))
    return [facts(f"10.0.0.{number}", *shared, own, name="fw", serial=f"FGT{number}")]


def test_firewalls_of_one_cluster_that_are_seen_in_turns_stay_two() -> None:
    site = Site()
    for numbers in ((1,), (2,), (1, 2), (2,), (1,)):
        site.cycle(*(x for n in numbers for x in cluster_member(n)))
    assert sorted(d.serial or "" for d in site.devices.values()) == ["FGT1", "FGT2"]


def test_blades_that_tell_the_serial_of_their_chassis_stay_apart_when_one_gets_anothers_address(
) -> None:  # fmt: skip
    site = Site()
    both: list[Sighting | Facts] = [facts("10.0.0.1", serial="USE1"), sighting("10.0.0.1", mac(1)),
            facts("10.0.0.2", serial="USE1"), sighting("10.0.0.2", mac(2))]  # fmt: skip
    site.cycle(*both)
    site.cycle(facts("10.0.0.1", serial="USE1"), sighting("10.0.0.1", mac(2)))
    assert {(mac(1),), (mac(2),)} == {d.macs for d in site.devices.values()}
