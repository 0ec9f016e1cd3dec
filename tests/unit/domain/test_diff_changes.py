"""What an event says of a change: field by field, and never more than fits."""

import json
from dataclasses import replace

from pdsno.domain.changes import compact, field_changes
from pdsno.domain.entities import DeviceStatus
from pdsno.domain.life_cycle import change_events, is_changed
from tests.unit.domain.builders import NOW, device, interface, later, mac, neighbor

PORTS = tuple(interface(f"eth{n}", mac(n), f"10.0.{n}.1/24") for n in range(1, 4))
KNOWN = device(name="r1", management_ip="10.0.1.1", interfaces=PORTS, region="a")


def changes_to(**values: object) -> dict[str, object]:
    return field_changes(KNOWN, replace(KNOWN, **values))  # type: ignore[arg-type]


def test_a_scalar_is_told_old_and_new() -> None:
    assert changes_to(os_version="9.1") == {"os_version": [None, "9.1"]}


def test_what_changes_at_every_sighting_is_no_change() -> None:
    assert changes_to(last_seen=later(5), missed=2, version=8) == {}


def test_of_interfaces_only_what_differs_is_told() -> None:
    ports = (replace(PORTS[0], oper_status="down", mtu=9000), *PORTS[1:])
    assert changes_to(interfaces=ports) == {
        "interfaces": {"eth1": {"oper_status": [None, "down"], "mtu": [None, 9000]}}
    }


def test_interfaces_are_added_removed_and_renamed() -> None:
    ports = (PORTS[0], replace(PORTS[1], name="uplink"), interface("eth9", mac(9)))
    assert changes_to(interfaces=ports) == {
        "interfaces": {
            "uplink": {"renamed": ["eth2", "uplink"]},
            "eth9": {"added": {"mac": mac(9)}},
            "eth3": {"removed": {"mac": mac(3), "ips": ["10.0.3.1/24"]}},
        }
    }


def test_a_mac_that_several_interfaces_have_renames_none() -> None:
    before = (interface("eth1", mac(1)), interface("br0", mac(1)))
    after = (interface("eth7", mac(1)), interface("br0", mac(1)))
    changes = field_changes(device(interfaces=before), device(interfaces=after))
    assert set(changes["interfaces"]) == {"eth1", "eth7"}
    assert set(changes["interfaces"]["eth7"]) == {"added"}


def test_of_a_list_only_what_went_and_came_is_told() -> None:
    before = device(ips=tuple(f"10.0.0.{n}" for n in range(1, 200)))
    after = replace(before, ips=(*before.ips[1:], "10.0.9.9"))
    assert field_changes(before, after) == {"ips": [["10.0.0.1"], ["10.0.9.9"]]}


def test_an_event_of_a_large_change_stays_small_and_says_what_it_leaves_out() -> None:
    many = tuple(
        replace(interface(f"Gi1/0/{n:04}", mac(n)), description="x" * 70_000) for n in range(2000)
    )
    (event,) = change_events(
        device(),
        device(interfaces=many, macs=tuple(mac(n) for n in range(2000))),
        actor="lc",
        now=NOW,
    )
    assert len(json.dumps(event.data)) < 40_000
    assert event.data["omitted"] == {"interfaces": 1950, "macs": 1950}


def test_compacting_a_small_change_leaves_it_whole() -> None:
    changes = changes_to(os_version="9.1", interfaces=PORTS[:2])
    assert compact(changes) == (changes, {})


def test_neighbours_and_sources_are_written_and_are_no_event() -> None:
    after = replace(KNOWN, neighbors=(neighbor("eth1", "r2", "eth1"),), sources=("ssh",))
    assert is_changed(KNOWN, after)
    assert change_events(KNOWN, after, actor="lc", now=NOW) == ()


def test_a_device_that_another_controller_takes_over_has_moved() -> None:
    after = replace(KNOWN, local_controller="lc-2", region="b")
    before = replace(KNOWN, local_controller="lc-1")
    (event,) = change_events(before, after, actor="gc", now=NOW)
    assert event.event_type == "DEVICE_MOVED"
    assert event.data["from"] == {"local_controller": "lc-1", "region": "a"}
    assert event.data["to"] == {"local_controller": "lc-2", "region": "b"}


def test_one_event_tells_one_thing() -> None:
    gone = replace(KNOWN, status=DeviceStatus.INACTIVE)
    back = replace(KNOWN, management_ip="10.0.2.1", os_version="2")
    kinds = [e.event_type for e in change_events(gone, back, actor="lc", now=NOW)]
    assert kinds == ["DEVICE_RETURNED", "DEVICE_MOVED", "DEVICE_CHANGED"]
    (left,) = change_events(KNOWN, gone, actor="lc", now=NOW)
    assert left.event_type == "DEVICE_INACTIVE"


def test_another_state_than_there_or_gone_is_an_ordinary_change() -> None:
    worse = replace(KNOWN, status=DeviceStatus.DEGRADED)
    (event,) = change_events(KNOWN, worse, actor="lc", now=NOW)
    assert event.data["changes"] == {"status": ["active", "degraded"]}
    (better,) = change_events(worse, KNOWN, actor="lc", now=NOW)
    assert better.event_type == "DEVICE_CHANGED"
