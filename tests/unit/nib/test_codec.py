"""The quick ways to stored rows give what the plain ways give."""

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdsno.domain.entities import (
    Device,
    DeviceStatus,
    DeviceType,
    FieldSource,
    Interface,
    Neighbor,
    Pin,
)
from pdsno.domain.errors import InputError
from pdsno.domain.jsonable import jsonable
from pdsno.nib.codec import as_stored, device_document, dumps, settled, stored_device

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_TEXTS = st.lists(_TEXT, max_size=3).map(tuple)
_ZONES = st.integers(min_value=-720, max_value=720).map(lambda m: timezone(timedelta(minutes=m)))
_TIMES = st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1), timezones=_ZONES)  # noqa: DTZ001 - naive bounds are asked for
_SOURCES = st.builds(FieldSource, source=_TEXT, at=_TIMES)
_DEVICES = st.builds(
    Device,
    device_id=_TEXT,
    name=st.none() | _TEXT,
    status=st.sampled_from(DeviceStatus),
    device_type=st.sampled_from(DeviceType),
    model=st.none() | _TEXT,
    macs=_TEXTS,
    ips=_TEXTS,
    interfaces=st.lists(
        st.builds(Interface, name=_TEXT, ips=_TEXTS, mtu=st.none() | st.integers(0, 2**31)),
        max_size=4,
    ).map(tuple),
    first_seen=_TIMES,
    last_seen=_TIMES,
    neighbors=st.lists(
        st.builds(Neighbor, local_interface=_TEXT, remote_name=st.none() | _TEXT), max_size=2
    ).map(tuple),
    provenance=st.dictionaries(_TEXT, _SOURCES, max_size=3),
    tags=_TEXTS,
    pins=st.dictionaries(
        _TEXT,
        st.builds(
            Pin, value=_TEXT | _TEXTS, by=_TEXT, at=_TIMES, told=st.none() | _TEXT | _TEXTS,
            told_by=st.none() | _SOURCES,
        ),
        max_size=2,
    ),
)  # fmt: skip


@given(_DEVICES)
def test_a_device_is_written_byte_for_byte_the_same_either_way(device: Device) -> None:
    assert device_document(settled(device)) == dumps(device)
    plain = json.dumps(jsonable(device), separators=(",", ":"), ensure_ascii=False)
    assert dumps(device) == plain


@given(_DEVICES)
def test_a_device_is_what_it_would_be_after_a_detour_by_the_store(device: Device) -> None:
    expected = stored_device(device)
    assert as_stored(device) == expected
    assert jsonable(as_stored(device)) == jsonable(expected)


@pytest.mark.parametrize("field", ["name", "notes"])
def test_what_is_not_unicode_is_refused_either_way(field: str) -> None:
    at = datetime(2025, 3, 1, tzinfo=timezone.utc)  # noqa: UP017 - as others give it
    values: dict[str, Any] = {"device_id": "d", "first_seen": at, "last_seen": at}
    device_document(settled(Device(**values | {field: "\u00e9"})))
    with pytest.raises(InputError):
        device_document(settled(Device(**values | {field: "\ud800"})))
