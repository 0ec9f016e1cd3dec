"""Links out of neighbour tables, and one device out of several reporters' claims."""

from dataclasses import replace
from datetime import datetime
from itertools import permutations

from pdsno.domain.entities import (
    Claim,
    Device,
    DeviceStatus,
    FieldSource,
    LinkStatus,
    Neighbor,
)
from pdsno.domain.links import derive_links
from pdsno.domain.merge import Find, alike, merge_claims, recognise
from pdsno.domain.ports import DeviceFilter
from tests.unit.domain.builders import NOW, device, interface, later, mac, neighbor


def same_devices(device: Device, find: Find) -> tuple[Device, ...]:
    return recognise(device, alike(device, find)).known


def router(number: int, *neighbors: Neighbor) -> Device:
    return device(
        f"dev_{number}",
        name=f"r{number}",
        namespace="zone-A",
        macs=(mac(number),),
        ips=(f"10.0.0.{number}",),
        interfaces=(interface("eth1", mac(number)),),
        neighbors=neighbors,
    )


def test_a_link_told_by_both_ends_is_one_confirmed_link() -> None:
    links = derive_links(
        [
            router(1, neighbor("eth1", "r2", "eth1", remote_chassis_id=mac(2))),
            router(2, neighbor("eth1", "r1", "eth1", remote_chassis_id=mac(1))),
        ]
    )
    (link,) = links
    assert link.status is LinkStatus.CONFIRMED
    assert {link.a.device_id, link.b.device_id} == {"dev_1", "dev_2"}


def test_a_link_told_by_one_end_is_claimed() -> None:
    (link,) = derive_links([router(1, neighbor("eth1", "r2", "eth1")), router(2)])
    assert link.status is LinkStatus.CLAIMED


def test_a_far_end_that_tells_of_somebody_else_is_a_conflict() -> None:
    links = derive_links(
        [
            router(1, neighbor("eth1", "r2", "eth1")),
            router(2, neighbor("eth1", "r3", "eth1")),
            router(3, neighbor("eth1", "r2", "eth1")),
        ]
    )
    assert sorted(link.status for link in links) == [LinkStatus.CONFIRMED, LinkStatus.CONFLICT]


def test_a_port_named_by_its_mac_is_the_interface_with_that_mac() -> None:
    (link,) = derive_links(
        [
            router(1, neighbor("eth1", "r2", mac(2).upper(), remote_chassis_id=mac(2))),
            router(2, neighbor("eth1", "r1", "eth1")),
        ]
    )
    assert link.status is LinkStatus.CONFIRMED


def test_an_unknown_neighbour_is_a_ghost_until_it_is_found() -> None:
    teller = router(1, neighbor("eth1", "r2", "eth1", remote_chassis_id=mac(2)))
    (ghost,) = derive_links([teller])
    assert None in {ghost.a.device_id, ghost.b.device_id}
    (link,) = derive_links([teller, router(2)])
    assert None not in {link.a.device_id, link.b.device_id}


def test_a_name_that_two_devices_share_does_not_resolve_a_neighbour() -> None:
    twin = replace(router(3), name="r2")
    links = derive_links([router(1, neighbor("eth1", "r2", "eth1")), router(2), twin])
    assert None in {links[0].a.device_id, links[0].b.device_id}


def claim(
    reporter: str, their_id: str, *, at: datetime = NOW, source: str = "snmp", **values: object
) -> Claim:
    provenance = {name: FieldSource(source=source, at=at) for name in values}
    theirs = device(their_id, first_seen=at, last_seen=at, provenance=provenance)
    return Claim(reporter=reporter, device_id="dev_own", device=replace(theirs, **values))  # type: ignore[arg-type]


def test_the_order_of_reports_does_not_matter() -> None:
    claims = [
        claim("rc-a", "dev_x", at=later(1), name="b-r1", region="zone-A", management_ip="10.9.0.2"),
        claim(
            "rc-b",
            "dev_y",
            at=later(2),
            source="ssh",
            name="b-r1.example",
            region="zone-B",
            management_ip="10.255.2.1",
            interfaces=(interface("lo", None, "10.255.2.1/32"),),
        ),
        claim("rc-c", "dev_z", vendor="FRRouting", region="zone-C"),
    ]
    results = {repr(merge_claims("dev_own", list(order))) for order in permutations(claims)}
    assert len(results) == 1
    merged = merge_claims("dev_own", claims)
    assert merged.name == "b-r1.example"
    assert merged.region == "zone-B"
    assert merged.vendor == "FRRouting"


def test_a_device_is_active_while_anybody_sees_it() -> None:
    gone = claim("rc-a", "dev_x", status=DeviceStatus.INACTIVE, ips=("10.0.0.1",))
    there = claim("rc-b", "dev_y", ips=("10.0.0.2",))
    assert merge_claims("dev_own", [gone, there]).status is DeviceStatus.ACTIVE
    assert merge_claims("dev_own", [gone]).status is DeviceStatus.INACTIVE


def finder(*known: Device) -> object:
    def find(where: DeviceFilter) -> list[Device]:
        return [
            d
            for d in known
            if (where.mac is None or where.mac in d.macs)
            and (where.ip is None or where.ip in d.ips)
            and (where.namespace is None or where.namespace == d.namespace)
            and (where.serial is None or where.serial == d.serial)
        ]

    return find


def test_burnt_in_macs_join_across_namespaces_and_a_shared_address_does_not() -> None:
    macs = (mac(1), mac(2))
    here = device("dev_own", namespace="zone-B", macs=macs, ips=("192.168.50.10",))
    same = device("dev_x", namespace="zone-A", macs=macs, ips=("10.0.0.1",))
    other = device("dev_y", namespace="zone-A", macs=(mac(3),), ips=("192.168.50.10",))
    assert same_devices(same, finder(here)) == (here,)  # type: ignore[arg-type]
    assert same_devices(other, finder(here)) == ()  # type: ignore[arg-type]


CLONED = "52:54:00:12:34:56"


def test_one_mac_in_two_namespaces_is_no_proof() -> None:
    here = device("dev_own", namespace="zone-B", macs=(CLONED,), ips=("192.168.50.10",))
    clone = device("dev_x", namespace="zone-A", macs=(CLONED,), ips=("10.0.0.1",))
    assert same_devices(clone, finder(here)) == ()  # type: ignore[arg-type]


def guest(device_id: str, namespace: str, management_ip: str, **values: object) -> Device:
    """A virtual router between 10.99.0.0/24 in one namespace and 10.88.0.0/24 in another."""
    ports = (
        interface("eth1", "52:54:00:00:00:01", "10.99.0.1/24"),
        interface("eth2", "52:54:00:00:00:02", "10.88.0.1/24"),
    )
    known: dict[str, object] = {
        "namespace": namespace,
        "interfaces": ports,
        "macs": tuple(p.mac for p in ports),
        "ips": ("10.88.0.1", "10.99.0.1"),
        "management_ip": management_ip,
        "chassis_id": "52:54:00:00:00:01",
        "name": "border",
    }
    return device(device_id, **{**known, **values})


def test_a_virtual_router_reached_in_two_namespaces_at_addresses_of_its_own_is_one() -> None:
    here = guest("dev_own", "zone-B", "10.88.0.1")
    assert same_devices(guest("dev_x", "zone-A", "10.99.0.1"), finder(here)) == (here,)  # type: ignore[arg-type]


def test_a_site_copied_whole_stays_two_sites() -> None:
    here = guest("dev_own", "zone-B", "10.99.0.1", engine_id="80", ssh_host_key="rsa SHA256:a")
    copy = guest("dev_x", "zone-A", "10.99.0.1", engine_id="80", ssh_host_key="rsa SHA256:a")
    assert same_devices(copy, finder(here)) == ()  # type: ignore[arg-type]


def test_a_cloned_serial_does_not_join_what_has_no_mac_in_common() -> None:
    here = device("dev_own", macs=(mac(1),), serial="FOC1234X0AB", name="a")
    clone = device("dev_x", macs=(mac(2),), serial="FOC1234X0AB", name="b")
    found = device("dev_y", macs=(mac(1),), serial="FOC1234X0AB", name="a")
    assert same_devices(clone, finder(here)) == ()  # type: ignore[arg-type]
    assert same_devices(found, finder(here)) == (here,)  # type: ignore[arg-type]


def test_an_address_joins_inside_its_namespace_when_one_side_has_no_mac() -> None:
    here = device("dev_own", namespace="zone-A", ips=("10.0.0.1",))
    told = device("dev_x", namespace="zone-A", macs=(mac(1),), ips=("10.0.0.1",))
    assert same_devices(told, finder(here)) == (here,)  # type: ignore[arg-type]


def test_two_serials_never_join() -> None:
    here = device("dev_own", macs=(mac(1),), serial="A1")
    other = device("dev_x", macs=(mac(1),), serial="B2")
    assert same_devices(other, finder(here)) == ()  # type: ignore[arg-type]
