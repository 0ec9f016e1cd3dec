"""Equal addresses in several namespaces: VRFs, regions, out-of-band networks."""

from dataclasses import replace

import pytest

from pdsno.domain.addresses import (
    base_ips,
    device_places,
    facts_ips,
    loopback_addresses,
    own_ips,
    vrf_namespace,
)
from pdsno.domain.coverage import coverage_of
from pdsno.domain.describe import describe
from pdsno.domain.entities import Device, Interface
from pdsno.domain.evidence import EvidenceKind
from pdsno.domain.identifiers import (
    engine_made_of,
    identifying_engine,
    identifying_name,
    identifying_serial,
    is_identifying_mac,
    is_software_interface,
)
from pdsno.domain.judgement import judge
from pdsno.domain.matching import match
from pdsno.domain.observations import Facts, ObservedDevice
from pdsno.domain.profiles import of_device, of_facts, of_observed
from tests.unit.domain.builders import Site, device, facts, interface, mac, observe, sighting
from tests.unit.domain.identity_base import World
from tests.unit.domain.identity_world import make_world, score


def inside(vrf: str, name: str, own: str | None, *ips: str) -> Interface:
    return Interface(name=name, mac=own, ips=ips, vrf=vrf)


def provider(number: int, vrf: str = "red", *, source: str = "ssh") -> Facts:
    own = interface("e1", mac(number), f"10.9.0.{number}/24")
    vlan = inside(vrf, "e1.100", mac(number), "10.0.0.1/24")
    return facts(f"10.9.0.{number}", own, vlan, source=source, name=f"pe{number}")


@pytest.mark.parametrize("vrfs", [("red", "blue"), ("red", "red")])
def test_one_address_in_the_vrfs_of_two_routers_joins_nobody(vrfs: tuple[str, str]) -> None:
    found = observe(provider(1, vrfs[0]), provider(2, vrfs[1]), sighting("10.0.0.1"))
    assert sorted(d.ips for d in found) == [
        ("10.0.0.1",),
        ("10.0.0.1", "10.9.0.1"),
        ("10.0.0.1", "10.9.0.2"),
    ]


def test_a_host_that_answers_at_an_address_of_some_vrf_is_not_the_router() -> None:
    site = Site(covered=["10.0.0.0/8"])
    for findings in (
        (provider(1), sighting("10.0.0.1")),
        (provider(1), facts("10.0.0.1", name="host")),
        (provider(1),),
        (sighting("10.0.0.1"), sighting("10.9.0.1")),
    ):
        site.cycle(*findings)
        assert len(site.devices) == 2


def test_the_same_address_outside_of_a_vrf_is_the_router() -> None:
    site = Site(covered=["10.0.0.0/8"])
    plain = replace(provider(1), interfaces=(
        interface("e1", mac(1), "10.9.0.1/24"), interface("e1.100", mac(1), "10.0.0.1/24"),
    ))  # fmt: skip
    site.cycle(plain, sighting("10.0.0.1"))
    assert site.only.ips == ("10.0.0.1", "10.9.0.1")


def test_what_one_source_knows_of_vrfs_holds_for_the_other() -> None:
    flat = replace(
        provider(1, source="snmp"),
        interfaces=tuple(replace(i, vrf=None) for i in provider(1).interfaces),
    )
    assert len(observe(flat, provider(1), sighting("10.0.0.1"))) == 2
    assert len(observe(flat, sighting("10.0.0.1"))) == 1
    site = Site(covered=["10.0.0.0/8"])
    site.cycle(provider(1), sighting("10.0.0.1"))
    site.cycle(flat, sighting("10.0.0.1"))
    assert len(site.devices) == 2


def test_a_router_reached_in_band_and_in_its_management_vrf_is_one_device() -> None:
    ports = (
        interface("e1", mac(1), "10.0.0.1/24"),
        interface("lo0", None, "10.255.0.1/32"),
        inside("mgmt", "mgmt0", mac(2), "192.0.2.1/24"),
    )
    site = Site(covered=["10.0.0.0/8", "192.0.2.0/24"])
    in_band = facts("10.255.0.1", *ports, name="r1")
    out_of_band = facts("192.0.2.1", *ports, name="r1", source="ssh")
    for findings in ((in_band, out_of_band), (out_of_band,), (in_band,),
                     (sighting("192.0.2.1", mac(2)),)):  # fmt: skip
        site.cycle(*findings)
        assert len(site.devices) == 1
    (found,) = observe(in_band, out_of_band)
    assert of_observed(found).told_ips == {"10.0.0.1", "10.255.0.1", "192.0.2.1"}


def test_a_router_with_each_interface_in_a_vrf_is_one_at_both_its_addresses() -> None:
    ports = (inside("a", "e1", mac(1), "10.0.0.1/24"), inside("b", "e2", mac(2), "10.0.1.1/24"))
    assert len(observe(facts("10.0.0.1", *ports), facts("10.0.1.1", *ports))) == 1


def test_an_address_that_answers_stays_one_s_own_though_its_interface_is_in_a_vrf() -> None:
    findings = (
        facts("10.0.0.1", inside("red", "e1", None)),
        facts("10.0.0.2", interface("e1", None, "10.0.0.1")),
    )
    site = Site(covered=["10.0.0.0/8"])
    for _ in range(3):
        site.cycle(*findings)
        assert len(site.devices) == 1


def test_addresses_are_told_with_their_namespace() -> None:
    told = provider(1)
    assert facts_ips(told) == {"10.9.0.1"}
    assert own_ips(told) == {"10.0.0.1", "10.9.0.1"}
    assert of_facts("zone-A", told).vrf_ips == {("zone-A/red", "10.0.0.1")}
    assert facts_ips(replace(told, address="10.0.0.1")) == {"10.0.0.1", "10.9.0.1"}
    assert (vrf_namespace("zone-A", "red"), vrf_namespace("zone-A", None)) == (
        "zone-A/red",
        "zone-A",
    )


def test_the_addresses_of_a_known_device_have_namespaces() -> None:
    known = device(
        namespace="zone-A",
        ips=("10.0.0.1", "10.9.0.1", "10.9.0.77", "192.0.2.1"),
        management_ip="192.0.2.1",
        interfaces=(
            interface("e1", mac(1), "10.9.0.1/24"),
            inside("red", "e2", mac(2), "10.0.0.1/24"),
            inside("mgmt", "m0", mac(3), "192.0.2.1/24"),
        ),
    )
    assert base_ips(known) == {"10.9.0.1", "10.9.0.77", "192.0.2.1"}
    assert device_places(known) == {("zone-A", ip) for ip in base_ips(known)} | {
        ("zone-A/red", "10.0.0.1")
    }


def test_loopbacks_are_known_by_their_names() -> None:
    names = ("lo", "Loopback0", "lo0.0", "LoopBack 1", "system", "lom1", "local", "eth0")
    ports = [Interface(name=n, ips=(f"10.0.0.{k}/32",)) for k, n in enumerate(names, start=1)]
    assert loopback_addresses(ports) == {f"10.0.0.{k}" for k in range(1, 6)}


# --- several regions -------------------------------------------------------------------------


def as_device(observed: ObservedDevice, number: int) -> Device:
    return describe(
        observed,
        None,
        device_id=f"dev_{observed.namespace}_{number:05}",
        region=observed.namespace,
        local_controller="lc",
        coverage=coverage_of(observed.namespace, []),
        vendor_of=lambda _: None,
    )


def test_equal_addresses_in_two_regions_are_two_devices() -> None:
    (one,) = observe(facts("10.0.0.1", name="gw"), namespace="zone-A")
    (other,) = observe(facts("10.0.0.1", name="gw"), namespace="zone-B")
    (again,) = observe(facts("10.0.0.1", name="gw"), namespace="zone-A")
    profiles = [of_device(as_device(d, 1), is_past=False) for d in (one, other, again)]
    assert not judge(profiles[0], profiles[1]).is_same
    assert judge(profiles[0], profiles[2]).is_same


@pytest.mark.parametrize("values", [{"serial": "FOC1", "vendor": "cisco"}, {}])
def test_a_router_that_two_regions_reach_at_different_addresses_is_one(
    values: dict[str, str],
) -> None:
    ports = (interface("e1", mac(1), "10.0.0.1/24"), interface("e2", mac(2), "10.7.0.1/24"))
    (one,) = observe(facts("10.0.0.1", *ports, name="border", **values), namespace="zone-A")
    (other,) = observe(facts("10.7.0.1", *ports, name="border", **values), namespace="zone-B")
    a, b = (of_device(as_device(d, 1), is_past=False) for d in (one, other))
    assert judge(a, b).is_same


def test_who_answers_inside_of_a_vrf_is_the_router_that_tells_it() -> None:
    (router,) = observe(provider(1), namespace="zone-A")
    (customer_side,) = observe(sighting("10.0.0.1"), namespace="zone-A/red")
    (elsewhere,) = observe(sighting("10.0.0.1"), namespace="zone-A/blue")
    told = of_device(as_device(router, 1), is_past=False)
    assert judge(told, of_observed(customer_side)).is_same
    assert not judge(told, of_observed(elsewhere)).is_same


def test_two_regions_with_equal_addresses_share_nothing_but_their_border_routers() -> None:
    worlds = {
        space: make_world(seed=seed, devices=500, findings=2000, maker=seed)
        for seed, space in enumerate(("zone-A", "zone-B"), start=1)
    }
    ports = [interface(f"e{n}", f"00:22:00:00:00:{n:02x}", f"10.200.0.{n}/24") for n in range(1, 4)]
    for number, world in enumerate(worlds.values(), start=1):
        world.told("border", f"10.200.0.{number}", *ports, name="border", serial="FOC1BORDER")
    sides = [_devices(world, space) for space, world in worlds.items()]
    profiles = [[of_device(d, is_past=False) for d in side] for side in sides]
    joined = [m for m in match(sides[0], profiles[0], profiles[1]) if m.known and m.new]
    assert [[d.name for d in m.known] for m in joined] == [["border"]]
    assert [sides[1][n].name for m in joined for n in m.new] == ["border"]


def _devices(world: World, space: str) -> list[Device]:
    found = observe(*world.findings, namespace=space)
    assert score(world, found).merges == ()
    return [as_device(d, n) for n, d in enumerate(found)]


# --- what is born with its value -------------------------------------------------------------


@pytest.mark.parametrize(
    "engine",
    [
        None,
        "80",
        "800000090300000000000000",  # a MAC of zeros
        "8000000903" + "00005e00010a",  # that of a virtual router
        "80000009017f000001",
        "8000000904" + b"localhost".hex(),
        "8000000905" + "00" * 8,
    ],
)
def test_engine_ids_that_many_agents_have_identify_nobody(engine: str | None) -> None:
    assert identifying_engine(engine) is None


@pytest.mark.parametrize(
    ("engine", "made_of"),
    [
        ("8000000903001122330001", mac(1)),
        ("80000009030011223300010000", mac(1)),
        ("80000009010a000001", "10.0.0.1"),
        ("80001f888012345678", None),
        ("000000090300112233000100", None),  # RFC 1910 knew no formats
    ],
)
def test_engine_ids_are_compared_and_taken_apart(engine: str, made_of: str | None) -> None:
    assert identifying_engine(engine.upper()) == engine
    assert engine_made_of(engine) == made_of


def test_an_engine_id_made_of_a_shared_chassis_id_says_nothing_new() -> None:
    chassis = mac(500)
    engine = "8000000903" + chassis.replace(":", "")
    values = {"chassis_id": chassis, "engine_id": engine, "name": "core"}
    one, other = (of_facts("z", facts(f"10.0.0.{n}", **values)) for n in (1, 2))
    verdict = judge(one, other)
    assert not verdict.is_same
    (weight,) = (e.weight for e in verdict.evidence if e.kind is EvidenceKind.ENGINE_ID)
    assert weight < 30


@pytest.mark.parametrize(
    "text",
    [None, "", "  ", "-", "0", "00000000", "FFFF-FFFF", "0xffffffff", "..........", "XXXXXXXX",
     "0123456789", "1234567890", "0123456789ABCDEF", "ABCDEFGHIJ", "To be filled by O.E.M.",
     "Default string", "N/A", "(none)", "S/N", "SN:", "Not Specified", "Not_Available",
     "BSS-0123456789", "System Serial Number", "03000200-0400-0500-0006-000700080009"],
)  # fmt: skip
def test_what_makers_put_where_there_is_no_serial_is_none(text: str | None) -> None:
    assert identifying_serial(text) is None


@pytest.mark.parametrize("text", ["FOC1234X0AB", "CZ-12 34", "A1", "0012345", "2102350", "abc1"])
def test_serials_are_compared_without_case_and_blanks_around_them(text: str) -> None:
    assert identifying_serial(f" {text.upper()} ") == text.casefold()


@pytest.mark.parametrize("text", [None, "", "Switch", "localhost.localdomain", "Router.", "(none)"])
def test_names_that_devices_are_born_with_are_none(text: str | None) -> None:
    assert identifying_name(text) is None


@pytest.mark.parametrize(
    "mac_text",
    ["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:80:c2:00:00:0e", "00:00:5e:00:01:07",
     "00:00:5e:00:02:07", "00:00:0c:07:ac:01", "00:00:0c:9f:f0:01", "00:05:73:a0:00:01",
     "00:07:b4:00:01:01", "00:1b:17:00:01:10", "00:1c:73:00:00:99"],
)  # fmt: skip
def test_macs_that_several_devices_have_by_design_stand_for_none(mac_text: str) -> None:
    assert not is_identifying_mac(mac_text)
    assert is_identifying_mac(mac(1))


@pytest.mark.parametrize(
    "name",
    ["veth12ab", "kube-ipvs0", "cali01234567890", "vmnet8", "lxc7f", "vEthernet (Default Switch)",
     "br-0123456789ab", "cilium_host", "docker_gwbridge", "tap0a1b2c3d-4e"],
)  # fmt: skip
def test_plumbing_of_containers_names_no_device(name: str) -> None:
    assert is_software_interface(name)


@pytest.mark.parametrize("name", ["eth0", "vEthernet (LAN)", "br0", "Vlan10", "vmbr0", "lo", "te1"])
def test_ports_of_the_host_itself_do(name: str) -> None:
    assert not is_software_interface(name)
