"""The one rule of comparison: who is who, what differs, and with what evidence."""

from typing import Any

import pytest

from pdsno.domain.compare import Comparison, Finding, Kind, Picture, compare
from pdsno.domain.entities import (
    Device,
    DeviceStatus,
    Endpoint,
    FieldSource,
    Interface,
    Link,
    LinkEnd,
    LinkStatus,
    Neighbor,
)
from pdsno.domain.expectation import (
    Expectation,
    ExpectedDevice,
    ExpectedInterface,
    ExpectedLink,
    Presence,
)
from pdsno.domain.expectation import LinkEnd as End
from tests.unit.domain.builders import NOW


def expected(name: str, **values: Any) -> ExpectedDevice:  # noqa: ANN401 - any field
    return ExpectedDevice(name=name, place=f"file:{name}", **values)


def seen(device_id: str, **values: Any) -> Device:  # noqa: ANN401 - any field
    default: dict[str, Any] = {"first_seen": NOW, "last_seen": NOW, "sources": ("ssh",)}
    return Device(device_id=device_id, **default | values)


def host(mac: str | None, *ips: str, region: str = "") -> Endpoint:
    return Endpoint(
        endpoint_id=f"ep_{mac or ips[0]}", namespace="", mac=mac, ips=ips, region=region,
        sources=("arp-table",), first_seen=NOW, last_seen=NOW,
    )  # fmt: skip


def compared(
    wanted: list[ExpectedDevice],
    devices: list[Device],
    **picture: Any,  # noqa: ANN401 - any field of a picture
) -> Comparison:
    return compare(Expectation(source="file", devices=tuple(wanted)),
                   Picture(devices=devices, **picture))  # fmt: skip


def only(found: Comparison) -> Finding:
    assert len(found.findings) == 1, found.findings
    return found.findings[0]


# --- who is who ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "device"),
    [
        (expected("SW1"), seen("d1", name="sw1.example.net")),
        (expected("sw1.example.net"), seen("d1", name="sw1")),
        (expected("other", aliases=("clab-lab-sw1",)), seen("d1", name="clab-lab-sw1")),
        (expected("x", is_named=False, serial="FOC1"), seen("d1", serial=" foc1 ")),
        (
            expected("x", is_named=False, macs=frozenset({"00:50:56:00:00:01"})),
            seen("d1", interfaces=(Interface(name="e1", mac="00:50:56:00:00:01"),)),
        ),
        (expected("10.0.0.1", management_ip="10.0.0.1"), seen("d1", ips=("10.0.0.1",))),
        (
            expected("10.0.0.1", management_ip="10.0.0.1"),
            seen("d1", name="r1", interfaces=(Interface(name="e1", ips=("10.0.0.1/24",)),)),
        ),
    ],
)
def test_a_device_is_found_by_whatever_both_show(wanted: ExpectedDevice, device: Device) -> None:
    assert compared([wanted], [device]).is_equal


@pytest.mark.parametrize(
    ("wanted", "device"),
    [
        (expected("sw1.a.example"), seen("d1", name="sw1.b.example")),
        (expected("switch"), seen("d1", name="Switch")),
        (expected("x", serial="0000"), seen("d1", serial="0000")),
        (
            expected("x", macs=frozenset({"00:00:5e:00:01:0a"})),
            seen("d1", macs=("00:00:5e:00:01:0a",)),
        ),
        (
            expected("x", region="A", management_ip="10.0.0.1"),
            seen("d1", region="B", ips=("10.0.0.1",)),
        ),
    ],
)
def test_what_identifies_nobody_makes_no_match(wanted: ExpectedDevice, device: Device) -> None:
    found = compared([wanted], [device])
    assert [one.kind for one in found.findings] == [Kind.MISSING, Kind.UNEXPECTED]


def test_a_swapped_box_is_the_same_device_with_another_serial() -> None:
    wanted = [
        expected("sw1", management_ip="10.0.0.1", serial="AAA1"),
        expected("sw2", management_ip="10.0.0.2", serial="BBB2"),
    ]
    devices = [
        seen("d1", name="sw1", ips=("10.0.0.1",), serial="BBB2"),
        seen("d2", name="sw2", ips=("10.0.0.2",), serial="AAA1"),
    ]
    found = compared(wanted, devices)
    assert [(one.name, one.field, one.expected, one.found) for one in found.findings] == [
        ("sw1", "serial", "AAA1", "BBB2"),
        ("sw2", "serial", "BBB2", "AAA1"),
    ]


def test_a_renamed_device_is_different_not_missing() -> None:
    wanted = expected("sw1", management_ip="10.0.0.1", serial="AAA1")
    found = only(compared([wanted], [seen("d1", name="sw9", ips=("10.0.0.1",), serial="AAA1")]))
    assert (found.kind, found.field, found.found) == (Kind.DIFFERENT, "name", "sw9")
    assert "serial AAA1" in found.evidence


def test_equal_chances_are_said_not_guessed() -> None:
    found = compared([expected("sw1")], [seen("d1", name="sw1"), seen("d2", name="sw1.example")])
    one = only(found)
    assert (one.kind, one.found) == (Kind.AMBIGUOUS, "d1, d2")
    assert found.devices_found == 0


def test_records_of_which_each_has_another_of_its_addresses_are_the_device_in_pieces() -> None:
    wanted = expected("sw1", addresses=frozenset({"10.0.0.1", "10.0.1.1"}))
    found = compared([wanted], [seen("d1", ips=("10.0.0.1",)), seen("d2", ips=("10.0.1.1",))])
    assert (found.devices_found, found.repeated) == (1, {"d2": "sw1"})


def test_more_evidence_decides_between_two_of_a_name() -> None:
    wanted = expected("sw1", management_ip="10.0.0.2")
    devices = [seen("d1", name="sw1"), seen("d2", name="sw1", ips=("10.0.0.2",))]
    one = only(compared([wanted], devices))
    assert (one.kind, one.record) == (Kind.UNEXPECTED, "d1")
    assert "looks like sw1 too" in one.evidence


def test_order_does_not_matter() -> None:
    wanted = [expected("sw1", serial="AAA1"), expected("sw2"), expected("r1")]
    devices = [seen("d1", name="sw2", serial="AAA1"), seen("d2", name="sw2"), seen("d3")]
    found = compared(wanted, devices)
    assert compared(wanted[::-1], devices[::-1]) == found


# --- missing, with the reason ----------------------------------------------------------------


def test_what_vanished_is_missing_with_when_it_was_last_there() -> None:
    gone = seen("d1", name="sw1", status=DeviceStatus.INACTIVE)
    one = only(compared([expected("sw1")], [gone]))
    assert (one.kind, one.record, one.last_seen) == (Kind.MISSING, "d1", NOW)
    assert "inactive" in one.evidence


def test_not_probed_is_not_absent() -> None:
    wanted = expected("sw1", management_ip="10.9.0.1")
    nowhere = only(compared([wanted], [], probed={"lc1": ["10.1.0.0/16"]}))
    assert "no controller probes 10.9.0.1" in nowhere.evidence
    looked = only(compared([wanted], [], probed={"lc1": ["10.9.0.0/24"], "lc2": ["fd00::/64"]}))
    assert looked.evidence == "10.9.0.1 is probed by lc1"
    unknown = only(compared([wanted], []))
    assert unknown.evidence == "nothing of 10.9.0.0/24 is on record: perhaps nobody looks there"
    near = compared([wanted], [seen("d1", ips=("10.9.0.2",))]).of(Kind.MISSING)[0]
    assert near.evidence == "of 10.9.0.0/24 others are on record, 10.9.0.1 is not"


def test_a_host_may_be_an_endpoint_a_switch_may_not() -> None:
    there = [host("00:50:56:00:00:01", "10.0.0.1")]
    server = expected("srv", management_ip="10.0.0.1", is_host=True)
    assert compared([server], [], endpoints=there).is_equal
    switch = expected("sw", management_ip="10.0.0.1")
    one = only(compared([switch], [], endpoints=there))
    assert (one.kind, one.field) == (Kind.DIFFERENT, "record")
    assert one.told_by == "arp-table"


def test_merged_records_are_evidence_of_what_is_missing() -> None:
    macs = "00:50:56:00:00:01", "00:50:56:00:00:02"
    wanted = [expected("a", macs=frozenset({macs[0]})), expected("b", macs=frozenset({macs[1]}))]
    found = compared(wanted, [seen("d1", name="a", macs=macs)])
    missing = found.of(Kind.MISSING)
    assert [one.name for one in missing] == ["b"]
    assert "d1 (matched with a) has the same MAC" in missing[0].evidence


@pytest.mark.parametrize(
    ("presence", "is_there", "kinds"),
    [
        (Presence.MAY, False, []),
        (Presence.MAY, True, []),
        (Presence.MUST_NOT, False, []),
        (Presence.MUST_NOT, True, [Kind.DIFFERENT]),
        (Presence.MUST, False, [Kind.MISSING]),
    ],
)
def test_what_is_planned_may_be_absent_what_is_offline_must_be(
    presence: Presence, is_there: bool, kinds: list[Kind]
) -> None:
    devices = [seen("d1", name="sw1")] if is_there else []
    found = compared([expected("sw1", presence=presence, status="offline")], devices)
    assert [one.kind for one in found.findings] == kinds


# --- different, with who told it -------------------------------------------------------------


def fields(wanted: ExpectedDevice, device: Device) -> dict[str | None, tuple[Any, Any]]:
    found = compared([wanted], [device])
    assert {one.kind for one in found.findings} <= {Kind.DIFFERENT}
    return {one.field: (one.expected, one.found) for one in found.findings}


def test_a_difference_names_field_teller_and_time() -> None:
    told = {"serial": FieldSource(source="snmp", at=NOW)}
    device = seen("d1", name="r1", serial="B2", provenance=told)
    one = only(compared([expected("r1", serial="A1")], [device]))
    assert (one.field, one.told_by, one.last_seen, one.place) == ("serial", "snmp", NOW, "file:r1")


def test_scalars_are_compared_with_sense() -> None:
    wanted = expected(
        "r1", vendor="Cisco", model="C9300-48P", platform="linux", region="Zone-A", serial="ab1"
    )
    alike = seen("d1", name="R1", vendor="Cisco Systems, Inc.", model="c9300 48p (rev 2)",
                 platform="frr", region="zone-a", serial="AB1")  # fmt: skip
    assert fields(wanted, alike) == {}
    other = seen("d1", name="r1", vendor="Arista", model="DCS-7050", platform="arista_eos",
                 region="zone-b", serial="xy9")  # fmt: skip
    assert fields(wanted, other).keys() == {"vendor", "model", "platform", "region", "serial"}


def test_what_was_not_told_is_counted_not_different() -> None:
    wanted = expected("r1", serial="A1", model="M", interfaces=(ExpectedInterface(name="e1"),))
    found = compared([wanted], [seen("d1", name="r1")])
    assert found.is_equal
    assert found.not_told == {"interfaces": 1, "model": 1, "serial": 1}


def test_interfaces_are_compared_under_any_spelling() -> None:
    port = ExpectedInterface(
        name="Gi0/1", mac="00:50:56:00:00:01", ips=("10.0.0.1/24",), is_enabled=True
    )
    same = Interface(
        name="GigabitEthernet0/1", mac="00:50:56:00:00:01", ips=("10.0.0.1/24",), admin_status="up"
    )
    wanted = expected("r1", interfaces=(port,))
    assert fields(wanted, seen("d1", name="r1", interfaces=(same,))) == {}
    other = Interface(
        name="GigabitEthernet0/1", mac="00:50:56:00:00:02", ips=("10.0.0.1/25",),
        admin_status="down",
    )  # fmt: skip
    assert fields(wanted, seen("d1", name="r1", interfaces=(other,))) == {
        "interfaces.GigabitEthernet0/1.mac": ("00:50:56:00:00:01", "00:50:56:00:00:02"),
        "interfaces.GigabitEthernet0/1.ips": ("10.0.0.1/24", "10.0.0.1/25"),
        "interfaces.GigabitEthernet0/1.enabled": ("enabled", "admin_status down"),
    }
    moved = (
        Interface(name="GigabitEthernet0/1", mac="00:50:56:00:00:01"),
        Interface(name="GigabitEthernet0/2", ips=("10.0.0.1/24",)),
    )
    one = only(compared([wanted], [seen("d1", name="r1", interfaces=moved)]))
    assert "10.0.0.1 is on GigabitEthernet0/2" in one.evidence
    gone = (Interface(name="GigabitEthernet0/2"),)
    assert fields(wanted, seen("d1", name="r1", interfaces=gone)) == {
        "interfaces.Gi0/1": ("an interface", "none")
    }


def test_an_address_too_many_is_different_only_where_all_are_written_down() -> None:
    ports = (Interface(name="e1", ips=("10.0.0.1/24", "10.0.0.9/24", "fe80::1/64")),)
    device = seen("d1", name="r1", interfaces=ports)
    wanted = expected("r1", addresses=frozenset({"10.0.0.1"}))
    assert fields(wanted, device) == {}
    all_told = expected("r1", addresses=frozenset({"10.0.0.1"}), tells_addresses=True)
    assert fields(all_told, device) == {"ips": (None, "10.0.0.9")}


# --- links -----------------------------------------------------------------------------------


def cable(a: str, b: str, *, is_told: bool = True) -> ExpectedLink:
    ends = (End(device=one.partition(":")[0], interface=one.partition(":")[2]) for one in (a, b))
    return ExpectedLink(ends=frozenset(ends), place="file:9", is_told=is_told)


def link(a: tuple[str, str], b: tuple[str, str]) -> Link:
    ends = [LinkEnd(device_id=end[0], device=None, interface=end[1]) for end in (a, b)]
    return Link(link_id="l1", a=ends[0], b=ends[1], source="lldp", status=LinkStatus.CLAIMED,
                last_seen=NOW)  # fmt: skip


def with_links(links: list[ExpectedLink] | None, *found: Link) -> Comparison:
    devices = tuple(expected(name) for name in ("r1", "r2"))
    told = tuple(links) if links is not None else None
    wanted = Expectation(source="file", devices=devices, links=told)
    heard = Neighbor(local_interface="e1", remote_name="r7", remote_interface="e9")
    one = seen(
        "d1", name="r1", neighbors=(heard,), interfaces=(Interface(name="e1", oper_status="up"),)
    )
    return compare(wanted, Picture(devices=[one, seen("d2", name="r2")], links=found))


def test_a_source_that_says_nothing_of_links_finds_none_unexpected() -> None:
    assert with_links(None, link(("d1", "e1"), ("d2", "e1"))).is_equal


def test_a_link_is_found_under_any_spelling_of_its_ports() -> None:
    found = with_links([cable("r1:Et1", "r2:Gi0/1")],
                       link(("d2", "GigabitEthernet0/1"), ("d1", "Ethernet1")))  # fmt: skip
    assert found.is_equal
    assert (found.links_expected, found.links_found) == (1, 1)


def test_a_missing_link_says_what_its_ends_hear() -> None:
    one = only(with_links([cable("r1:e1", "r2:e1")]))
    assert (one.kind, one.name, one.place) == (Kind.MISSING, "r1:e1 - r2:e1", "file:9")
    assert "r1:e1 is up, hears r7 e9" in one.evidence
    assert "r2 told no interfaces" in one.evidence


def test_a_link_of_a_silent_host_may_be_absent_and_may_be_there() -> None:
    wanted = [cable("r1:e1", "r2:e1", is_told=False)]
    assert with_links(wanted).is_equal
    assert with_links(wanted, link(("d1", "e1"), ("d2", "e1"))).is_equal


def test_a_link_to_an_unexpected_device_is_unexpected() -> None:
    one = only(with_links([], link(("d1", "e1"), ("d9", "e1"))))
    assert (one.kind, one.what, one.told_by) == (Kind.UNEXPECTED, "link", "lldp")
    assert one.evidence == "d9 is not expected"
