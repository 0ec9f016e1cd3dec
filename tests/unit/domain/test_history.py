"""What changed, taken back from the present, gives every earlier state."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdsno.domain.changes import neighbor_order
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
    Pin,
)
from pdsno.domain.history import (
    WHOLE,
    Change,
    device_at,
    device_changes,
    link_at,
    link_changes,
)
from tests.unit.domain.builders import NOW, device, interface, later

texts = st.none() | st.sampled_from(["a", "b", "c]d", "é"])
ips = st.sets(st.sampled_from(["10.0.0.1", "10.0.0.2", "2001:db8::1"])).map(
    lambda found: tuple(sorted(found))
)
interfaces = st.builds(
    Interface,
    name=st.sampled_from(["eth0", "eth0.100", "po[1].x"]),
    mac=texts,
    ips=ips,
    oper_status=st.sampled_from([None, "up", "down"]),
    mtu=st.none() | st.integers(1, 3),
    description=texts,
)
tables = st.lists(interfaces, unique_by=lambda i: i.name).map(
    lambda found: tuple(sorted(found, key=lambda i: i.name))
)
neighbors = st.sets(
    st.builds(
        Neighbor,
        local_interface=st.sampled_from(["eth0", "eth1"]),
        remote_name=texts,
        remote_interface=texts,
        remote_chassis_id=texts,
        protocol=st.sampled_from(["lldp", "cdp"]),
    )
).map(lambda found: tuple(sorted(found, key=neighbor_order)))
devices = st.builds(
    Device,
    device_id=st.just("dev_1"),
    name=texts,
    status=st.sampled_from(DeviceStatus),
    device_type=st.sampled_from(DeviceType),
    os_version=texts,
    region=st.sampled_from(["zone-A", "zone-B"]),
    management_ip=st.none() | st.sampled_from(["10.0.0.1", "10.0.0.2"]),
    macs=ips,
    ips=ips,
    interfaces=tables,
    sources=ips,
    neighbors=neighbors,
    notes=texts,
    tags=ips,
    first_seen=st.just(NOW),
    last_seen=st.integers(0, 3).map(later),
    version=st.integers(1, 9),
    missed=st.integers(0, 3),
)
places = st.none() | devices


def as_shown(state: Device | None) -> Device | None:
    """Leave out what is no history."""
    return state and replace(state, version=0, missed=0, last_seen=NOW)


@settings(max_examples=60)
@given(st.lists(places, min_size=2, max_size=6))
def test_taking_changes_back_from_now_gives_every_earlier_state(
    states: list[Device | None],
) -> None:
    steps = [device_changes(a, b) for a, b in pairwise(states)]
    for number, state in enumerate(states):
        since = [change for step in reversed(steps[number:]) for change in reversed(step)]
        past = device_at(states[-1], "dev_1", since, later(9))
        assert as_shown(past) == as_shown(state)


@settings(max_examples=60)
@given(places, places)
def test_equal_states_make_no_history_and_others_do(
    one: Device | None, other: Device | None
) -> None:
    same = as_shown(one) == as_shown(other)
    assert (device_changes(one, other) == ()) is same


def fields_of(changes: tuple[Change, ...]) -> dict[str, tuple[Any, Any]]:
    return {change.field: (change.old, change.new) for change in changes}


def test_a_list_tells_what_went_and_what_came() -> None:
    before, after = device(ips=("10.0.0.1", "10.0.0.2")), device(ips=("10.0.0.2", "10.0.0.3"))
    assert fields_of(device_changes(before, after)) == {"ips": (["10.0.0.1"], ["10.0.0.3"])}


def test_an_interface_is_told_by_its_name_and_column() -> None:
    old, new = interface("eth0.100", None, "10.0.0.1/24"), interface("eth1")
    before = device(interfaces=(old,))
    after = device(interfaces=(replace(old, mtu=9000), new))
    assert fields_of(device_changes(before, after)) == {
        "interfaces[eth0.100].mtu": (None, 9000),
        "interfaces[eth1]": (None, {}),
    }
    assert fields_of(device_changes(after, before))["interfaces[eth1]"] == ({}, None)


def test_what_moves_at_every_sighting_is_no_history() -> None:
    seen = FieldSource(source="ssh", at=NOW)
    again = replace(seen, at=later(5))
    before = device(provenance={"name": seen}, version=1)
    after = device(last_seen=later(5), missed=2, version=2, provenance={"name": again})
    assert device_changes(before, after) == ()


def test_a_change_names_its_source_and_who_did_it() -> None:
    ssh, snmp = (FieldSource(source=name, at=NOW) for name in ("ssh", "snmp"))
    told = {"os_version": ssh, "interfaces": ssh, "interfaces.description": snmp}
    before = device(local_controller="lc", interfaces=(interface("eth0"),), provenance=told)
    eth0 = replace(interface("eth0"), description="to core", mtu=1500)
    after = replace(before, os_version="9", interfaces=(eth0,))
    sources = {c.field: (c.source, c.actor) for c in device_changes(before, after)}
    assert sources == {
        "os_version": ("ssh", "lc"),
        "interfaces[eth0].description": ("snmp", "lc"),
        "interfaces[eth0].mtu": ("ssh", "lc"),
    }
    assert {c.actor for c in device_changes(before, after, actor="alice")} == {"alice"}


def test_what_a_person_set_is_by_that_person() -> None:
    pin = Pin(value="core", by="alice", at=NOW)
    set_ = {"name": FieldSource(source="operator", at=NOW)}
    after = device(name="core", pins={"name": pin}, provenance=set_)
    (change,) = device_changes(device(), after)
    assert (change.source, change.actor) == ("operator", "alice")


def test_a_device_that_came_back_is_shown_absent_since_it_was_last_seen() -> None:
    gone = device(status=DeviceStatus.INACTIVE, last_seen=later(1))
    back = device(last_seen=later(60))
    since = device_changes(gone, back)[::-1]
    past = device_at(back, "dev_1", since, later(30))
    assert past is not None
    assert (past.status, past.last_seen) == (DeviceStatus.INACTIVE, later(1))


def test_the_past_shows_nobody_seen_later_than_it_is() -> None:
    past = device_at(device(last_seen=later(60)), "dev_1", (), later(30))
    assert past is not None
    assert past.last_seen == later(30)


def test_sources_and_pins_are_shown_where_they_still_hold() -> None:
    told = {name: FieldSource(source="ssh", at=NOW) for name in ("name", "os_version")}
    pin = Pin(value="x", by="alice", at=later(9))
    now = device(name="a", os_version="9", notes="x", provenance=told, pins={"notes": pin})
    since = list(device_changes(replace(now, os_version="8"), now))
    past = device_at(now, "dev_1", since, later(5))
    assert past is not None
    assert (set(past.provenance), dict(past.pins)) == ({"name"}, {})


ends = st.builds(
    LinkEnd,
    device_id=st.sampled_from([None, "dev_1", "dev_2"]),
    device=texts,
    interface=texts,
)
links = st.none() | st.builds(
    Link,
    link_id=st.just("link_1"),
    a=ends,
    b=ends,
    source=st.sampled_from(["lldp", "cdp"]),
    status=st.sampled_from(LinkStatus),
    last_seen=st.just(NOW),
)


@given(st.lists(links, min_size=2, max_size=5))
def test_links_are_taken_back_likewise(states: list[Link | None]) -> None:
    steps = [link_changes(a, b, regions={}) for a, b in pairwise(states)]
    for number, state in enumerate(states):
        since = [change for step in reversed(steps[number:]) for change in reversed(step)]
        assert link_at(states[-1], since, NOW + timedelta(days=1)) == state


@pytest.mark.parametrize(
    ("regions", "expected"),
    [
        ({"dev_2": "zone-B"}, "zone-B"),
        ({"dev_1": "zone-A", "dev_2": "zone-B"}, "zone-A"),
        ({}, None),
    ],
)
def test_a_link_is_of_the_region_of_its_first_known_end(
    regions: dict[str, str], expected: str | None
) -> None:
    one, two = (LinkEnd(device_id=f"dev_{n}", device=f"r{n}", interface="eth0") for n in (1, 2))
    link = Link(link_id="l", a=one, b=two, source="lldp", status=LinkStatus.CLAIMED, last_seen=NOW)
    (change,) = link_changes(None, link, regions=regions)
    assert (change.region, change.label) == (expected, "r1:eth0 - r2:eth0")
    assert (change.field, change.old) == (WHOLE, None)


def test_a_time_in_another_zone_is_the_same_history() -> None:
    moved = device(first_seen=datetime.fromisoformat("2026-03-01T13:00:00+01:00"))
    assert device_changes(device(), moved) == ()
