"""Summaries of devices say what the devices say, over every store: filters, orders, pages."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from pdsno.domain.entities import Device, FieldSource, Interface, Pin
from pdsno.domain.errors import InputError
from pdsno.domain.operator_ports import Stamp, Summary, summary_of
from pdsno.domain.ports import EVERY_DEVICE, DeviceFilter, Page
from pdsno.nib import NIBStore
from tests.contract.nib_suite import SQLITE, T0, device, put, router


def told(page: Page[Device]) -> list[object]:
    return [summary_of(one) for one in page.items]


def summed(nib: NIBStore, where: DeviceFilter = EVERY_DEVICE) -> list[Summary]:
    with nib.reading() as reader:
        stamps = reader.device_stamps(where, limit=1000).items
        found = reader.device_summaries(stamp.device_id for stamp in stamps)
        assert len(found) == len(stamps)
        return [found[stamp.device_id] for stamp in stamps]


def odd() -> Iterator[Device]:
    """Devices whose text and times are the hardest to write as JSON."""
    names = ('"quoted" \\ \x01\x7f\u2028', "Zürich-⚡", "", None)
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
def test_a_summary_is_the_json_of_its_device(filled: NIBStore, where: DeviceFilter) -> None:
    # As text: what is answered has an order, which equal dicts need not have.
    assert json.dumps(summed(filled, where)) == json.dumps(told(filled.devices(where)))


@pytest.mark.parametrize("order", [None, "-device_id", "name", "-name", "region"])
def test_pages_of_stamps_are_the_pages_of_devices(filled: NIBStore, order: str | None) -> None:
    after = None
    for _ in range(4):
        page = filled.devices(limit=2, after=after, order=order)
        found = filled.device_stamps(limit=2, after=after, order=order)
        stamps = [Stamp(one.device_id, one.version, one.last_seen) for one in page.items]
        assert (list(found.items), found.next_after) == (stamps, page.next_after)
        after = page.next_after
        if after is None:
            return
    pytest.fail("the pages do not end")


def test_more_summaries_than_one_statement_names_have_their_interfaces(nib: NIBStore) -> None:
    put(nib, *(device(f"d{n:04}", interfaces=(Interface(name=f"e{n}"),)) for n in range(501)))
    names = [one["interfaces"][0]["name"] for one in summed(nib)]
    assert names == [f"e{n}" for n in range(501)]


def test_a_senseless_question_for_stamps_is_refused(nib: NIBStore) -> None:
    with pytest.raises(InputError):
        nib.device_stamps(limit=0)
    with pytest.raises(InputError):
        nib.device_stamps(order="notes")


def test_a_transaction_sums_up_what_it_has_put(nib: NIBStore) -> None:
    (stored,) = put(nib, router())
    with nib.transaction() as change:
        now = replace(stored, name="renamed")
        change.put_device(now, expected_version=1)
        (stamp,) = change.device_stamps().items
        summary = change.device_summaries(["dev_1"])["dev_1"]
    assert (summary["name"], summary["version"], stamp.version) == ("renamed", 2, 2)


def test_what_an_earlier_release_did_not_keep_is_summed_up_as_empty(tmp_path: Path) -> None:
    with SQLITE.open(tmp_path) as nib:
        put(nib, replace(router(), notes="here", tags=("core",)))
    engine = create_engine(f"sqlite:///{SQLITE.place(tmp_path)}")
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE devices SET document = json_remove(document, '$.notes', '$.tags')")
        )
    engine.dispose()
    with SQLITE.open(tmp_path) as nib:
        (summary,) = summed(nib)
        assert (summary["notes"], summary["tags"]) == (None, [])
        assert summary == told(nib.devices())[0]


def test_times_of_summaries_are_in_utc(nib: NIBStore) -> None:
    local = datetime.fromisoformat("2026-03-01T01:30:00.000001+02:00")
    put(nib, device(last_seen=local))
    (summary,) = summed(nib)
    assert summary["last_seen"] == "2026-02-28T23:30:00.000001Z"


def test_a_stamp_is_another_once_anything_of_a_device_changed(nib: NIBStore) -> None:
    (stored,) = put(nib, router())
    (before,) = nib.device_stamps().items
    with nib.transaction() as change:
        change.touch_devices(["dev_1"], T0 + timedelta(seconds=1))
    (touched,) = nib.device_stamps().items
    with nib.transaction() as change:
        change.put_device(replace(stored, interfaces=()), expected_version=1)
    (changed,) = nib.device_stamps().items
    assert len({before, touched, changed}) == 3


def test_what_is_not_there_is_not_summed_up(nib: NIBStore) -> None:
    put(nib, device("dev_1"))
    assert list(nib.device_summaries(["dev_0", "dev_1"])) == ["dev_1"]
    assert nib.device_summaries([]) == {}
