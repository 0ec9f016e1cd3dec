from typing import Any

import pytest

from pdsno.domain.errors import OperationError
from pdsno.lab.verify import (
    Comparison,
    LinkEnd,
    SeenDevice,
    SeenLink,
    Truth,
    TruthDevice,
    compare,
)


def truth_device(name: str, region: str, mac: str, *addresses: str) -> TruthDevice:
    return TruthDevice(
        name=name, region=region, macs=frozenset({mac}), addresses=frozenset(addresses)
    )


TRUTH = Truth(
    devices=(
        truth_device("r1", "A", "aa:00:00:00:00:01", "10.0.0.1", "10.0.1.1"),
        truth_device("r2", "A", "aa:00:00:00:00:02", "10.0.0.2"),
        truth_device("h-a", "A", "aa:00:00:00:00:0a", "192.168.50.10"),
        truth_device("h-b", "B", "aa:00:00:00:00:0b", "192.168.50.10"),
    ),
    links=frozenset(
        {
            frozenset(
                {LinkEnd(device="r1", interface="eth1"), LinkEnd(device="r2", interface="eth1")}
            )
        }
    ),
)


def device(device_id: str, **fields: object) -> SeenDevice:
    return SeenDevice.from_json({"device_id": device_id, "status": "active", **fields})


def link(a: tuple[str, str], b: tuple[str, str], status: str = "confirmed") -> SeenLink:
    return SeenLink.from_json(
        {
            "link_id": "l",
            "status": status,
            "a": {"device_id": a[0], "interface": a[1]},
            "b": {"device_id": b[0], "interface": b[1]},
        }
    )


R1 = device("d1", name="r1", macs=["AA:00:00:00:00:01"])
R2 = device("d2", name="r2", interfaces=[{"name": "eth1", "mac": "aa:00:00:00:00:02"}])
HA = device("d3", macs=["aa:00:00:00:00:0a"], ips=["192.168.50.10"])
HB = device("d4", macs=["aa:00:00:00:00:0b"], ips=["192.168.50.10"])
ALL = [R1, R2, HA, HB]
CABLE = link(("d1", "eth1"), ("d2", "eth1"))


def with_devices(*devices: SeenDevice) -> Comparison:
    return compare(TRUTH, devices, [])


def test_a_true_picture_has_no_difference() -> None:
    found = compare(TRUTH, ALL, [CABLE])
    assert found.is_equal
    assert (found.devices_expected, found.devices_found) == (4, 4)
    assert (found.links_expected, found.links_found) == (1, 1)


def test_an_empty_nib_misses_everything() -> None:
    found = compare(TRUTH, [], [])
    assert not found.is_equal
    assert found.devices_missing == ("h-a", "h-b", "r1", "r2")
    assert found.links_missing == ("r1:eth1 - r2:eth1",)


def test_one_node_recorded_twice_is_a_duplicate() -> None:
    again = device("d9", ips=["10.0.1.1"])
    found = with_devices(*ALL, again)
    assert found.devices_duplicated == ("r1",)
    assert (found.devices_found, found.devices_extra) == (4, ())


def test_two_nodes_merged_into_one_leave_one_missing() -> None:
    merged = device("d3", macs=["aa:00:00:00:00:0a", "aa:00:00:00:00:0b"])
    found = with_devices(R1, R2, merged)
    assert len(found.devices_missing) == 1


def test_an_invented_device_is_extra() -> None:
    invented = device("d9", macs=["ee:00:00:00:00:01"], ips=["10.0.0.99"])
    found = with_devices(*ALL, invented)
    assert len(found.devices_extra) == 1
    assert "10.0.0.99" in found.devices_extra[0]


def test_a_wrong_mac_at_a_right_address_is_extra() -> None:
    wrong = device("d1", macs=["ee:00:00:00:00:01"], ips=["10.0.0.1"])
    found = with_devices(wrong, R2, HA, HB)
    assert found.devices_missing == ("r1",)
    assert len(found.devices_extra) == 1


def test_an_inactive_device_is_neither_found_nor_extra() -> None:
    gone = SeenDevice.from_json({"device_id": "d9", "status": "inactive", "ips": ["10.0.0.99"]})
    old = SeenDevice.from_json({"device_id": "d1", "status": "inactive", "ips": ["10.0.0.1"]})
    found = with_devices(old, gone, R2, HA, HB)
    assert (found.devices_missing, found.devices_extra) == (("r1",), ())


def test_the_address_of_two_nodes_is_told_apart_by_region_or_name() -> None:
    by_region = device("d3", ips=["192.168.50.10"], region="B")
    assert "h-b" not in with_devices(by_region).devices_missing
    by_name = device("d3", ips=["192.168.50.10"], name="h-a")
    assert "h-a" not in with_devices(by_name).devices_missing
    neither = device("d3", ips=["192.168.50.10"])
    assert len(with_devices(neither).devices_extra) == 1


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (link(("d1", "eth2"), ("d2", "eth1")), "r1:eth2 - r2:eth1"),
        (link(("d1", "eth1"), ("d3", "eth1")), "h-a:eth1 - r1:eth1"),
        (link(("d1", "eth1"), ("unknown", "eth1")), "r1:eth1 - unknown:eth1"),
        (link(("d1", "eth1"), ("d2", "eth1"), "conflict"), "r1:eth1 - r2:eth1"),
    ],
)
def test_a_wrong_link_is_extra_and_the_right_one_missing(wrong: SeenLink, text: str) -> None:
    found = compare(TRUTH, ALL, [wrong])
    assert found.links_extra == (text,)
    assert found.links_missing == ("r1:eth1 - r2:eth1",)


def test_a_link_recorded_twice_is_extra_whichever_way_round() -> None:
    reverse = link(("d2", "eth1"), ("d1", "eth1"))
    found = compare(TRUTH, ALL, [CABLE, reverse])
    assert found.links_found == 1
    assert found.links_extra == ("r1:eth1 - r2:eth1 (recorded twice)",)


@pytest.mark.parametrize("item", [{}, {"device_id": "x"}, {"device_id": "x", "status": "active",
                                                         "interfaces": [1]}])  # fmt: skip
def test_a_malformed_device_is_an_error_not_a_difference(item: dict[str, Any]) -> None:
    with pytest.raises(OperationError, match="malformed device"):
        SeenDevice.from_json(item)


def test_the_json_has_the_agreed_names() -> None:
    assert list(compare(TRUTH, ALL, [CABLE]).to_json()) == [
        "devices_expected", "devices_found", "devices_missing", "devices_extra",
        "devices_duplicated", "links_expected", "links_found", "links_missing", "links_extra",
    ]  # fmt: skip
