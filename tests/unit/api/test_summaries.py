"""A page of devices is written byte for byte as its documented type would be."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pdsno.api.answers import DeviceItem, Listing
from pdsno.api.auth import Operator
from pdsno.api.summaries import WrittenDevices, listing, written
from pdsno.api.view import View
from pdsno.domain.entities import (
    Device,
    DeviceStatus,
    DeviceType,
    FieldSource,
    Interface,
    OperatorRole,
)
from pdsno.domain.operator_ports import Stamp, Summary, summary_of
from pdsno.domain.ownership import pinned
from pdsno.domain.ports import DeviceFilter
from pdsno.nib import NIBStore
from tests.unit.api.serving import NOW, device, put

_TYPE = TypeAdapter(Listing[DeviceItem])
_WORD = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_TEXT = st.none() | _WORD
_TEXTS = st.lists(_WORD, max_size=3).map(tuple)
_TIMES = st.integers(0, 2**52).map(lambda us: datetime.fromtimestamp(0, UTC) + timedelta(0, 0, us))
_NUMBERS = st.none() | st.integers(0, 2**53)
_INTERFACES: Any = st.builds(
    Interface,
    name=_WORD,
    mac=_TEXT,
    ips=_TEXTS,
    oper_status=_TEXT,
    mtu=_NUMBERS,
    speed_mbps=_NUMBERS,
    description=_TEXT,
    vrf=_TEXT,
)
_SOURCES = st.builds(FieldSource, source=st.sampled_from(["operator", "snmp"]), at=_TIMES)
_DEVICES: Any = st.builds(
    Device,
    device_id=st.just("dev_1"),
    name=_TEXT,
    status=st.sampled_from(DeviceStatus),
    device_type=st.sampled_from(DeviceType),
    vendor=_TEXT,
    model=_TEXT,
    region=_WORD,
    management_ip=_TEXT,
    macs=_TEXTS,
    ips=_TEXTS,
    interfaces=st.lists(_INTERFACES, max_size=2).map(tuple),
    sources=_TEXTS,
    first_seen=_TIMES,
    last_seen=_TIMES,
    version=st.integers(0, 2**53),
    provenance=st.dictionaries(st.sampled_from(["tags", "name", "notes"]), _SOURCES),
    notes=_TEXT,
    tags=_TEXTS,
)


def documented(device: Device) -> DeviceItem:
    held = {f.name: getattr(device, f.name) for f in fields(DeviceItem) if f.name != "pinned"}
    return DeviceItem(**held, pinned=pinned(device))


@given(st.lists(_DEVICES, max_size=3), st.none() | st.text("ab", min_size=1))
def test_all_fields(devices: list[Device], cursor: str | None) -> None:
    page = Listing(items=tuple(map(documented, devices)), next_cursor=cursor)
    answer = listing(written(tuple(map(summary_of, devices)), None), cursor)
    assert answer.body == _TYPE.dump_json(page)


@pytest.mark.parametrize("shown", [{"device_id"}, {"pinned", "name"}, {"interfaces", "last_seen"}])
@given(device=_DEVICES)
def test_some_fields(shown: set[str], device: Device) -> None:
    page = Listing(items=(documented(device),), next_cursor=None)
    some: Any = {"items": {"__all__": shown}, "next_cursor": True}
    answer = listing(written((summary_of(device),), frozenset(shown)), None)
    assert answer.body == _TYPE.dump_json(page, include=some)


# --- what is kept of it ----------------------------------------------------------------------


class Counting(View):
    """Counts the devices that are read whole."""

    reads = 0

    def device_summaries(self, stamps: Iterable[Stamp]) -> Mapping[str, Summary]:
        wanted = list(stamps)
        self.reads += len(wanted)
        return super().device_summaries(wanted)


@pytest.fixture
def nib() -> Iterator[NIBStore]:
    with NIBStore("memory://") as store:
        put(store, *(device(number, region="zone-A") for number in range(5)))
        yield store


def ask(
    nib: NIBStore, kept: WrittenDevices, region: str | None = None
) -> tuple[list[str | None], int]:
    """Return the names that are answered, and how many devices were read for it."""
    view = Counting(nib, Operator(name="a", role=OperatorRole.VIEWER, region=region))
    stamps = view.device_stamps(DeviceFilter(), limit=10, after=None, order=None).items
    return [json.loads(one)["name"] for one in kept.of(stamps, view)], view.reads


def test_a_device_that_did_not_change_is_written_once(nib: NIBStore) -> None:
    kept = WrittenDevices()
    assert ask(nib, kept) == ([None] * 5, 5)
    assert ask(nib, kept) == ([None] * 5, 0)


def test_a_device_that_changed_is_written_again(nib: NIBStore) -> None:
    kept = WrittenDevices()
    ask(nib, kept)
    with nib.transaction() as change:
        change.put_device(device(2, name="new", region="zone-A"), expected_version=1)
    assert ask(nib, kept) == ([None, None, "new", None, None], 1)
    with nib.transaction() as change:
        change.touch_devices(["dev_0003"], NOW + timedelta(seconds=1))
    assert ask(nib, kept)[1] == 1


def test_what_is_kept_shows_nobody_what_they_may_not_see(nib: NIBStore) -> None:
    kept = WrittenDevices()
    ask(nib, kept)
    assert ask(nib, kept, "zone-B") == ([], 0)
    with nib.transaction() as change:
        change.put_device(device(2, name="moved", region="zone-B"), expected_version=1)
    assert ask(nib, kept, "zone-B") == (["moved"], 1)
    assert ask(nib, kept, "zone-A") == ([None] * 4, 0)


def test_no_more_devices_are_kept_than_fit(nib: NIBStore) -> None:
    kept = WrittenDevices(most=3)
    assert ask(nib, kept)[1] == 5
    assert ask(nib, kept) == ([None] * 5, 2)
