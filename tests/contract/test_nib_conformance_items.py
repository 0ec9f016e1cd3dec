"""Items of devices say what the devices say, over every store: filters, orders, pages."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import TypeAdapter
from sqlalchemy import text

from pdsno.api.answers import DeviceItem
from pdsno.api.answers import device_item as documented
from pdsno.domain.entities import Device, FieldSource, Interface, Pin
from pdsno.domain.errors import InputError
from pdsno.domain.ports import EVERY_DEVICE, DeviceFilter, Page
from pdsno.nib import NIBStore
from pdsno.nib.check import faults
from pdsno.nib.place import open_database
from tests.contract.nib_suite import STORED, T0, Store, device, later, name_of, put, router

_TYPE = TypeAdapter(DeviceItem)


def told(page: Page[Device]) -> list[str]:
    return [_TYPE.dump_json(documented(one)).decode() for one in page.items]


def odd() -> Iterator[Device]:
    """Devices whose text and times are the hardest to write as JSON."""
    names = ('x","version":1,"last_seen":"\n"', '"quoted" \\ \x01\x7f\u2028', "Zürich-⚡", "", None)
    whole = T0.replace(microsecond=0)
    for number, name in enumerate(names):
        ports = (
            Interface(name="eth10", description=name, ips=("10.0.0.1/24", "fe80::1%eth0")),
            Interface(name='e"2', mtu=0, speed_mbps=10**12),
        )
        yield device(
            f"odd_{number}",
            name=name,
            region="zone-B",
            interfaces=ports,
            first_seen=whole,
            last_seen=T0 + timedelta(microseconds=number),
            tags=("a", "ü"),
            notes="line\nline",
            provenance={"name": FieldSource(source="operator", at=whole)},
            pins={"name": Pin(value=name or "x", by="alice", at=whole)},
        )


@pytest.fixture
def filled(nib: NIBStore) -> NIBStore:
    put(nib, router(), *odd(), device("bare"))
    return nib


@pytest.mark.parametrize(
    "where",
    [
        EVERY_DEVICE,
        DeviceFilter(region="zone-B"),
        DeviceFilter(mac="02:00:00:00:00:02"),
        DeviceFilter(ip="10.1.0.0/16"),
        DeviceFilter(q="spine"),
        DeviceFilter(name="nobody"),
    ],
    ids=str,
)
def test_an_item_is_the_json_of_its_device(filled: NIBStore, where: DeviceFilter) -> None:
    assert list(filled.device_items(where).items) == told(filled.devices(where))


@pytest.mark.parametrize("order", [None, "-device_id", "name", "-name", "region"])
def test_pages_of_items_are_the_pages_of_devices(filled: NIBStore, order: str | None) -> None:
    after = None
    for _ in range(4):
        page = filled.devices(limit=2, after=after, order=order)
        found = filled.device_items(limit=2, after=after, order=order)
        assert (list(found.items), found.next_after) == (told(page), page.next_after)
        after = page.next_after
        if after is None:
            return
    pytest.fail("the pages do not end")


def test_a_senseless_question_for_items_is_refused(nib: NIBStore) -> None:
    with pytest.raises(InputError):
        nib.device_items(limit=0)
    with pytest.raises(InputError):
        nib.device_items(order="notes")


def test_a_transaction_shows_what_it_has_put(nib: NIBStore) -> None:
    (stored,) = put(nib, router())
    with nib.transaction() as change:
        now = replace(stored, name="renamed")
        change.put_device(now, expected_version=1)
        (item,) = map(json.loads, change.device_items().items)
    assert (item["name"], item["version"]) == ("renamed", 2)


def test_times_of_items_are_in_utc(nib: NIBStore) -> None:
    local = datetime.fromisoformat("2026-03-01T01:30:00.000001+02:00")
    put(nib, device(first_seen=local, last_seen=local))
    (item,) = map(json.loads, nib.device_items().items)
    assert item["first_seen"] == item["last_seen"] == "2026-02-28T23:30:00.000001Z"


def test_an_item_moves_with_its_device(nib: NIBStore) -> None:
    (stored,) = put(nib, router())
    with nib.transaction() as change:
        change.touch_devices(["dev_1"], later(1))
    assert list(nib.device_items().items) == told(nib.devices())
    with nib.transaction() as change:
        change.put_device(replace(stored, interfaces=()), expected_version=1)
        change.touch_devices(["dev_1"], later(2))
    assert list(nib.device_items().items) == told(nib.devices())


def test_of_two_interfaces_with_one_name_an_item_shows_what_is_stored(nib: NIBStore) -> None:
    twice = tuple(Interface(name=name, mtu=n) for n, name in enumerate(("b", "a", "b")))
    put(nib, device(interfaces=twice))
    assert list(nib.device_items().items) == told(nib.devices())


def test_of_a_device_that_is_gone_nothing_is_shown(nib: NIBStore) -> None:
    put(nib, device("dev_1"), device("dev_2"), device("dev_3"))
    with nib.transaction() as change:
        change.absorb_device("dev_1", "dev_2")
        change.retire_device("dev_3")
    assert [json.loads(one)["device_id"] for one in nib.device_items().items] == ["dev_2"]
    assert faults(nib) == ()


@pytest.mark.parametrize("store", STORED, ids=name_of)
def test_a_device_without_its_item_is_a_fault(store: Store, tmp_path: Path) -> None:
    with store.open(tmp_path) as nib:
        put(nib, device("dev_1"))
        held = open_database(store.place(tmp_path))
        with closing(held.writer()) as connection, connection.begin():
            connection.execute(text("DELETE FROM device_items"))
        held.close()
        (fault,) = faults(nib)
        assert "devices" in fault
