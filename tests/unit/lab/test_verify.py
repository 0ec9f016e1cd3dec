"""The verdict on a NIB by a lab: the semantics and names of `pdsno lab verify`."""

from typing import Any

import pytest

from pdsno.domain.compare import Picture
from pdsno.domain.entities import Device, DeviceStatus, Link, LinkEnd, LinkStatus
from pdsno.domain.expectation import Expectation, ExpectedDevice, ExpectedLink
from pdsno.domain.expectation import LinkEnd as End
from pdsno.lab.verify import LabVerdict, judge
from tests.unit.domain.builders import NOW


def node(name: str, region: str, mac: str, *addresses: str) -> ExpectedDevice:
    return ExpectedDevice(
        name=name,
        region=region,
        macs=frozenset({mac}),
        addresses=frozenset(addresses),
        is_exact=True,
        is_host=True,
    )


TRUTH = Expectation(
    source="lab",
    devices=(
        node("r1", "A", "aa:00:00:00:00:01", "10.0.0.1", "10.0.1.1"),
        node("r2", "A", "aa:00:00:00:00:02", "10.0.0.2"),
        node("h-a", "A", "aa:00:00:00:00:0a", "192.168.50.10"),
        node("h-b", "B", "aa:00:00:00:00:0b", "192.168.50.10"),
    ),
    links=(
        ExpectedLink(
            ends=frozenset({End(device="r1", interface="eth1"), End(device="r2", interface="eth1")})
        ),
    ),
)


def device(device_id: str, **fields: Any) -> Device:  # noqa: ANN401 - any field of a device
    return Device(**{"device_id": device_id, "first_seen": NOW, "last_seen": NOW, **fields})


def link(a: tuple[str, str], b: tuple[str, str], status: LinkStatus = LinkStatus.CONFIRMED) -> Link:
    ends = [LinkEnd(device_id=end[0], device=None, interface=end[1]) for end in (a, b)]
    return Link(link_id="l", a=ends[0], b=ends[1], source="lldp", status=status, last_seen=NOW)


R1 = device("d1", name="r1", macs=("aa:00:00:00:00:01",))
R2 = device("d2", name="r2", macs=("aa:00:00:00:00:02",))
HA = device("d3", macs=("aa:00:00:00:00:0a",), ips=("192.168.50.10",))
HB = device("d4", macs=("aa:00:00:00:00:0b",), ips=("192.168.50.10",))
ALL = [R1, R2, HA, HB]
CABLE = link(("d1", "eth1"), ("d2", "eth1"))


def with_devices(*devices: Device) -> LabVerdict:
    return judge(TRUTH, Picture(devices=devices))


def test_a_true_picture_has_no_difference() -> None:
    found = judge(TRUTH, Picture(devices=ALL, links=[CABLE]))
    assert found.is_equal
    assert (found.devices_expected, found.devices_found) == (4, 4)
    assert (found.links_expected, found.links_found) == (1, 1)


def test_an_empty_nib_misses_everything() -> None:
    found = with_devices()
    assert not found.is_equal
    assert found.devices_missing == ("h-a", "h-b", "r1", "r2")
    assert found.links_missing == ("r1:eth1 - r2:eth1",)


def test_one_node_recorded_twice_is_a_duplicate() -> None:
    found = with_devices(*ALL, device("d9", ips=("10.0.1.1",)))
    assert found.devices_duplicated == ("r1",)
    assert (found.devices_found, found.devices_extra) == (4, ())


def test_two_nodes_merged_into_one_leave_one_missing() -> None:
    merged = device("d3", macs=("aa:00:00:00:00:0a", "aa:00:00:00:00:0b"))
    assert len(with_devices(R1, R2, merged).devices_missing) == 1


def test_an_invented_device_is_extra() -> None:
    found = with_devices(*ALL, device("d9", macs=("ee:00:00:00:00:01",), ips=("10.0.0.99",)))
    assert found.devices_extra == ("d9 (10.0.0.99, d9)",)


def test_a_wrong_mac_at_a_right_address_is_extra() -> None:
    wrong = device("d1", macs=("ee:00:00:00:00:01",), ips=("10.0.0.1",))
    found = with_devices(wrong, R2, HA, HB)
    assert found.devices_missing == ("r1",)
    assert len(found.devices_extra) == 1


def test_an_inactive_device_is_neither_found_nor_extra() -> None:
    gone = device("d9", status=DeviceStatus.INACTIVE, ips=("10.0.0.99",))
    old = device("d1", status=DeviceStatus.INACTIVE, ips=("10.0.0.1",))
    found = with_devices(old, gone, R2, HA, HB)
    assert (found.devices_missing, found.devices_extra) == (("r1",), ())


def test_the_address_of_two_nodes_is_told_apart_by_region_or_name() -> None:
    by_region = device("d3", ips=("192.168.50.10",), region="B")
    assert "h-b" not in with_devices(by_region).devices_missing
    by_name = device("d3", ips=("192.168.50.10",), name="h-a")
    assert "h-a" not in with_devices(by_name).devices_missing
    neither = device("d3", ips=("192.168.50.10",))
    assert len(with_devices(neither).devices_extra) == 1


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (link(("d1", "eth2"), ("d2", "eth1")), "r1:eth2 - r2:eth1"),
        (link(("d1", "eth1"), ("d3", "eth1")), "h-a:eth1 - r1:eth1"),
        (link(("d1", "eth1"), ("unknown", "eth1")), "r1:eth1 - unknown:eth1"),
        (link(("d1", "eth1"), ("d2", "eth1"), LinkStatus.CONFLICT), "r1:eth1 - r2:eth1"),
    ],
)
def test_a_wrong_link_is_extra_and_the_right_one_missing(wrong: Link, text: str) -> None:
    found = judge(TRUTH, Picture(devices=ALL, links=[wrong]))
    assert found.links_extra == (text,)
    assert found.links_missing == ("r1:eth1 - r2:eth1",)


def test_a_link_recorded_twice_is_extra_whichever_way_round() -> None:
    reverse = link(("d2", "eth1"), ("d1", "eth1"))
    found = judge(TRUTH, Picture(devices=ALL, links=[CABLE, reverse]))
    assert found.links_found == 1
    assert found.links_extra == ("r1:eth1 - r2:eth1 (recorded twice)",)


def test_the_json_has_the_agreed_names() -> None:
    assert list(judge(TRUTH, Picture(devices=ALL, links=[CABLE])).to_json()) == [
        "devices_expected", "devices_found", "devices_missing", "devices_extra",
        "devices_duplicated", "links_expected", "links_found", "links_missing", "links_extra",
    ]  # fmt: skip
