"""What users of the lists rely on: items, filters, pages."""

import threading
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from pdsno.api.answers import DeviceItem
from pdsno.domain.entities import (
    Device,
    DeviceStatus,
    DeviceType,
    FieldSource,
    Interface,
    Link,
    LinkEnd,
    LinkStatus,
    Neighbor,
)
from pdsno.domain.identifiers import Role
from pdsno.nib import NIBStore
from tests.unit.api.serving import (
    NOW,
    Api,
    controller,
    device,
    event,
    put,
    served,
)

SPINE = device(
    1,
    name="spine1",
    device_type=DeviceType.ROUTER,
    vendor="FRRouting",
    model="x86",
    platform="linux_frr",
    os_version="8.4",
    serial="SN-1",
    region="zone-A",
    namespace="zone-A",
    local_controller="local_cntl_zone-A_1",
    management_ip="10.1.0.1",
    macs=("00:50:56:aa:bb:01",),
    ips=("10.1.0.1", "10.255.0.1"),
    interfaces=(Interface(name="eth1", mac="00:50:56:aa:bb:01", ips=("10.1.0.1/24",), mtu=1500),),
    sources=("arp", "snmp"),
    chassis_id="00:50:56:aa:bb:01",
    neighbors=(Neighbor(local_interface="eth1", remote_name="leaf1"),),
    provenance={"name": FieldSource(source="snmp", at=NOW)},
)
HOST = device(
    2,
    device_type=DeviceType.ENDPOINT,
    status=DeviceStatus.INACTIVE,
    vendor="Dell Inc.",
    platform="linux",
    region="zone-B",
    namespace="vrf-blue",
    local_controller="local_cntl_zone-B_1",
    management_ip="10.1.0.1",
    macs=("f0:1f:af:00:00:02",),
    ips=("10.1.0.1", "2001:db8::2"),
)
DEVICE_FIELDS = [f.name for f in fields(DeviceItem)]
INTERFACE_FIELDS = [f.name for f in fields(Interface)]


@pytest.fixture
def api(memory_nib: NIBStore) -> Iterator[Api]:
    put(memory_nib, SPINE, HOST)
    with served(memory_nib) as running:
        yield running


@pytest.fixture(scope="module")
def two_devices() -> Iterator[Api]:
    """Serve a NIB that nobody changes."""
    with NIBStore("memory://") as store:
        put(store, SPINE, HOST)
        with served(store) as running:
            yield running


def ids(items: list[dict[str, object]]) -> list[object]:
    return [item["device_id"] for item in items]


# --- devices ---------------------------------------------------------------------------------


def test_a_device_in_the_list_has_exactly_the_documented_fields(api: Api) -> None:
    spine, host = api.items("devices")
    # Written out: users' programs read these names.
    assert list(spine) == [
        "device_id", "name", "status", "device_type", "vendor", "model", "platform", "os_version",
        "serial", "region", "namespace", "local_controller", "management_ip", "macs", "ips",
        "interfaces", "sources", "first_seen", "last_seen", "version", "notes", "tags", "site",
        "location", "pinned",
    ]  # fmt: skip
    assert list(host) == list(spine)
    assert list(spine["interfaces"][0]) == [
        "name", "mac", "ips", "oper_status", "admin_status", "mtu", "speed_mbps", "description",
        "vrf",
    ]  # fmt: skip
    assert spine["status"] == "active"
    assert spine["device_type"] == "router"
    assert spine["ips"] == ["10.1.0.1", "10.255.0.1"]
    assert spine["last_seen"] == "2026-03-01T12:00:00.250000Z"
    assert spine["version"] == 1
    assert host["name"] is None


def test_a_device_alone_also_tells_neighbors_and_provenance(api: Api) -> None:
    found = api.get("devices/dev_0001")
    assert list(found) == [*DEVICE_FIELDS, "chassis_id", "neighbors", "provenance"]
    assert found["chassis_id"] == "00:50:56:aa:bb:01"
    assert found["neighbors"][0]["remote_name"] == "leaf1"
    told = {"source": "snmp", "at": "2026-03-01T12:00:00.250000Z", "pinned": False}
    assert found["provenance"]["name"] == told


def test_an_id_that_was_merged_away_shows_the_device_that_absorbed_it(
    api: Api, memory_nib: NIBStore
) -> None:
    with memory_nib.transaction() as change:
        change.absorb_device("dev_0002", "dev_0001")
    assert api.get("devices/dev_0002")["device_id"] == "dev_0001"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("region", "zone-A", ["dev_0001"]),
        ("namespace", "vrf-blue", ["dev_0002"]),
        ("status", "inactive", ["dev_0002"]),
        ("device_type", "router", ["dev_0001"]),
        ("vendor", "Dell Inc.", ["dev_0002"]),
        ("platform", "linux_frr", ["dev_0001"]),
        ("name", "spine1", ["dev_0001"]),
        ("serial", "SN-1", ["dev_0001"]),
        ("local_controller", "local_cntl_zone-B_1", ["dev_0002"]),
        ("mac", "00:50:56:aa:bb:01", ["dev_0001"]),
        ("mac", "0050.56AA.BB01", ["dev_0001"]),
        ("mac", "00-50-56-AA-BB-01", ["dev_0001"]),
        ("ip", "10.255.0.1", ["dev_0001"]),
        ("ip", "10.1.0.1", ["dev_0001", "dev_0002"]),
        ("ip", "10.255.0.0/24", ["dev_0001"]),
        ("ip", "2001:db8::/64", ["dev_0002"]),
        ("ip", "10.1.0.2", []),
        ("q", "SPINE", ["dev_0001"]),
        ("q", "f0:1f:af", ["dev_0002"]),
        ("q", "%", []),
        ("q", "nowhere", []),
    ],
)
def test_each_filter_finds_what_it_names_and_nothing_else(
    two_devices: Api, name: str, value: str, expected: list[str]
) -> None:
    assert ids(two_devices.items("devices", **{name: value})) == expected


def test_all_conditions_must_hold(two_devices: Api) -> None:
    assert ids(two_devices.items("devices", ip="10.1.0.1", region="zone-B")) == ["dev_0002"]
    assert two_devices.items("devices", ip="10.255.0.1", region="zone-B") == []


# --- pages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["memory", "sqlite"])
def test_pages_are_complete_without_gaps_or_repeats_while_devices_arrive(
    backend: str, tmp_path: Path
) -> None:
    with (
        NIBStore("memory://" if backend == "memory" else tmp_path / "nib.sqlite") as nib,
        served(nib) as api,
    ):
        seen, there = _walk_while_devices_arrive(api, nib)
    assert seen == sorted(seen)
    assert len(seen) == len(set(seen))
    assert there <= set(seen)


def _walk_while_devices_arrive(api: Api, nib: NIBStore) -> tuple[list[str], set[str]]:
    there = [device(number) for number in range(10, 60)]
    put(nib, *there)
    stop = threading.Event()

    def arrive() -> None:
        for number in range(1000, 1400):
            if stop.is_set():
                return
            # In front of, between and behind those that the pages go through.
            put(nib, device(number, device_id=f"dev_{number % 70:04}_{number}"))

    writer = threading.Thread(target=arrive)
    writer.start()
    try:
        seen = [item["device_id"] for item in api.walk("devices", limit=7)]
    finally:
        stop.set()
        writer.join()
    return seen, {item.device_id for item in there}


def test_the_last_page_is_full_and_names_no_other(two_devices: Api) -> None:
    assert two_devices.get("devices", limit=2)["next_cursor"] is None
    assert two_devices.get("devices", limit=1)["next_cursor"] is not None


def test_a_page_may_have_another_size_than_the_one_before(api: Api, memory_nib: NIBStore) -> None:
    put(memory_nib, *(device(number) for number in range(10, 15)))
    first = api.get("devices", limit=2)
    rest = api.get("devices", limit=1000, cursor=first["next_cursor"])
    assert ids(first["items"] + rest["items"]) == ids(api.items("devices"))


def test_a_list_has_a_hundred_items_unless_told_otherwise(api: Api, memory_nib: NIBStore) -> None:
    put(memory_nib, *(device(number) for number in range(10, 160)))
    assert len(api.items("devices")) == 100
    assert len(api.items("devices", limit=1000)) == 152


# --- interfaces and links --------------------------------------------------------------------


def test_interfaces_name_the_device_that_has_them(api: Api, memory_nib: NIBStore) -> None:
    ports = tuple(Interface(name=f"e{number}") for number in range(5))
    put(memory_nib, device(3, name="leaf1", region="zone-A", interfaces=ports))
    found = list(api.walk("interfaces", limit=2))
    assert [(item["device"], item["name"]) for item in found] == [
        ("spine1", "eth1"),
        *(("leaf1", f"e{number}") for number in range(5)),
    ]
    assert list(found[0]) == ["device_id", "device", "region", *INTERFACE_FIELDS]
    assert found[0]["ips"] == ["10.1.0.1/24"]
    assert len(api.items("interfaces", device_id="dev_0003")) == 5
    assert api.items("interfaces", device_id="dev_0002") == []


def link(link_id: str, a: Device, b: Device | None, status: LinkStatus) -> Link:
    far = LinkEnd(device_id=b.device_id if b else None, device=b.name if b else "x", interface="e2")
    near = LinkEnd(device_id=a.device_id, device=a.name, interface="e1")
    return Link(link_id=link_id, a=near, b=far, source="lldp", status=status, last_seen=NOW)


def test_links_are_found_by_either_end_and_by_status(api: Api, memory_nib: NIBStore) -> None:
    confirmed = link("link_1", SPINE, HOST, LinkStatus.CONFIRMED)
    with memory_nib.transaction() as change:
        change.replace_links([confirmed, link("link_2", SPINE, None, LinkStatus.CLAIMED)])
    both = list(api.walk("links", limit=1))
    assert both[0] == {
        "link_id": "link_1",
        "a": {"device_id": "dev_0001", "device": "spine1", "interface": "e1"},
        "b": {"device_id": "dev_0002", "device": None, "interface": "e2"},
        "source": "lldp",
        "status": "confirmed",
        "last_seen": "2026-03-01T12:00:00.250000Z",
    }
    assert [item["link_id"] for item in both] == ["link_1", "link_2"]
    assert api.items("links", status="claimed") == both[1:]
    assert api.items("links", device_id="dev_0002") == both[:1]
    assert api.items("links", device_id="dev_0001") == both


# --- controllers, events, probes -------------------------------------------------------------


def test_controllers_show_neither_keys_nor_certificates(api: Api, memory_nib: NIBStore) -> None:
    known = [
        controller("local_cntl_zone-A_1", Role.LOCAL, "zone-A"),
        controller("regional_cntl_zone-A_1", Role.REGIONAL, "zone-A"),
        controller("regional_cntl_zone-B_1", Role.REGIONAL, "zone-B"),
    ]
    with memory_nib.transaction() as change:
        for record in known:
            change.put_controller(record, expected_version=None)
    found = list(api.walk("controllers", limit=1))
    assert [item["controller_id"] for item in found] == [one.controller_id for one in known]
    assert [item["is_delegated"] for item in found] == [False, True, True]
    text = api.ask("controllers").text
    assert "chain of" not in text
    assert "key-of-" not in text
    assert [i["region"] for i in api.items("controllers", role="regional", region="zone-B")] == [
        "zone-B"
    ]


@pytest.fixture
def log(memory_nib: NIBStore) -> None:
    with memory_nib.transaction() as change:
        for number in range(1, 8):
            kind = "DEVICE_APPEARED" if number % 2 else "DEVICE_CHANGED"
            change.append_event(event(kind, f"dev_{number}", "zone-A" if number < 5 else None))


def seqs(items: object) -> list[int]:
    assert isinstance(items, list)
    return [item["seq"] for item in items]


@pytest.mark.usefixtures("log")
def test_events_come_in_order_or_newest_first_and_in_pages(api: Api) -> None:
    assert seqs(api.items("events")) == [1, 2, 3, 4, 5, 6, 7]
    assert seqs(list(api.walk("events", limit=3))) == [1, 2, 3, 4, 5, 6, 7]
    newest = list(api.walk("events", limit=3, newest_first=True))
    assert seqs(newest) == [7, 6, 5, 4, 3, 2, 1]
    assert newest[-1]["data"] == {"why": ["seen", 1]}
    assert newest[0]["previous_hash"] == newest[1]["hash"]


@pytest.mark.usefixtures("log")
def test_after_means_a_higher_number_in_both_orders(api: Api) -> None:
    assert seqs(list(api.walk("events", limit=2, after=3))) == [4, 5, 6, 7]
    assert seqs(list(api.walk("events", limit=2, after=3, newest_first=True))) == [7, 6, 5, 4]
    assert api.items("events", after=7) == []


@pytest.mark.usefixtures("log")
def test_events_are_found_by_type_subject_and_region(api: Api) -> None:
    assert seqs(list(api.walk("events", limit=1, type="DEVICE_CHANGED"))) == [2, 4, 6]
    assert seqs(api.items("events", subject="dev_5")) == [5]
    assert seqs(api.items("events", region="zone-A", type="DEVICE_APPEARED")) == [1, 3]
