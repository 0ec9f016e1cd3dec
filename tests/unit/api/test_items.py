"""A page of devices is written byte for byte as its documented type would be."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pdsno.api import answers
from pdsno.api.answers import DeviceItem, Listing
from pdsno.api.items import listing
from pdsno.domain.entities import Device, DeviceStatus, DeviceType, FieldSource, Interface
from pdsno.nib.codec import as_stored
from pdsno.nib.codec_items import device_item

_TYPE = TypeAdapter(Listing[DeviceItem])
_WORD = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_TEXT = st.none() | _WORD | st.just('x","version":1,"last_seen":"\n"')
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


@given(st.lists(_DEVICES, max_size=3), st.none() | st.text("ab", min_size=1))
def test_all_fields(devices: list[Device], cursor: str | None) -> None:
    page = Listing(items=tuple(map(as_documented, devices)), next_cursor=cursor)
    answer = listing(list(map(device_item, devices)), cursor, shown=None)
    assert answer.body == _TYPE.dump_json(page)


@pytest.mark.parametrize("shown", [{"device_id"}, {"pinned", "name"}, {"interfaces", "last_seen"}])
@given(device=_DEVICES)
def test_some_fields(shown: set[str], device: Device) -> None:
    page = Listing(items=(as_documented(device),), next_cursor=None)
    some: Any = {"items": {"__all__": shown}, "next_cursor": True}
    answer = listing([device_item(device)], None, shown=frozenset(shown))
    assert answer.body == _TYPE.dump_json(page, include=some)


def as_documented(device: Device) -> DeviceItem:
    """As a list would say it of the device that a store gives back."""
    return answers.device_item(as_stored(device))
