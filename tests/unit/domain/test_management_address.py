"""By which address a device is known: one that is its own, and tomorrow as well."""

from dataclasses import replace

from pdsno.domain.observations import Facts
from tests.unit.domain.builders import interface, mac, sighting
from tests.unit.domain.life_cycle_site import LifeSite, gear


def test_an_anycast_address_that_another_device_answers_today_moves_nobody() -> None:
    def leaf(number: int, at: str | None = None) -> Facts:
        ports = (
            interface("eth1", mac(number), f"10.0.0.{number}/24"),
            interface("lo0", None, "10.9.9.9/32"),
        )
        return replace(gear(number, ports=ports), address=at or f"10.0.0.{number}")

    site = LifeSite()
    both = (leaf(1), leaf(2), sighting("10.9.9.9"))
    assert site.cycle(*both, leaf(1, "10.9.9.9")) == ["DEVICE_APPEARED"] * 2
    assert {d.management_ip for d in site.devices.values()} == {"10.0.0.1", "10.0.0.2"}
    assert site.cycle(*both, leaf(2, "10.9.9.9")) == []
    assert site.cycle(*both, leaf(1, "10.9.9.9")) == []


def test_a_device_that_was_managed_at_an_anycast_address_moves_once_to_its_own() -> None:
    service = interface("lo0", None, "10.9.9.9/32")
    alone = gear(1, ports=(interface("eth1", mac(11), "10.0.0.1/24"), service))
    other = gear(2, ports=(interface("eth1", mac(21), "10.0.0.2/24"), service))
    site = LifeSite()
    site.cycle(replace(alone, address="10.9.9.9"), sighting("10.0.0.1", mac(11)))
    assert site.only.management_ip == "10.9.9.9"
    found = (replace(alone, address="10.9.9.9"), other, sighting("10.0.0.1", mac(11)))
    assert site.cycle(*found) == ["DEVICE_APPEARED", "DEVICE_MOVED"]
    assert site.named("r1").management_ip == "10.0.0.1"
    assert site.cycle(*found) == []


def test_routers_that_take_turns_at_a_virtual_address_stay_managed_at_their_own() -> None:
    own = [sighting(f"10.0.0.{n}", mac(10 * n + 1)) for n in (1, 2)]
    virtual = sighting("10.0.0.254", "00:00:5e:00:01:01")
    site = LifeSite()
    for master, backup in ((1, 2), (2, 1), (1, 2)):
        site.cycle(replace(gear(master), address="10.0.0.254"), gear(backup), *own, virtual)
        assert site.named(f"r{master}").management_ip == f"10.0.0.{master}"
        assert site.named(f"r{backup}").management_ip == f"10.0.0.{backup}"
    assert not {"DEVICE_MOVED", "DEVICES_MERGED"} & {event.event_type for event in site.events}
