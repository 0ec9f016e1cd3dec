"""What every list understands besides its filters: order, a choice of fields, and ETags."""

from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pdsno.api.queries import ListQuery
from pdsno.api.routers.devices import DeviceQuery
from pdsno.domain.entities import Interface
from pdsno.domain.identifiers import Role
from pdsno.domain.ports import DeviceFilter
from pdsno.nib import NIBStore
from tests.unit.api.serving import (
    NOW,
    Api,
    anomaly,
    controller,
    cycle,
    device,
    endpoint,
    event,
    outcome,
    put,
    served,
)

NAMES = ["spine1", None, "leaf2", "leaf1", None, "Leaf1", "été"]
LISTS = [
    ("devices", "device_id"),
    ("endpoints", "endpoint_id"),
    ("interfaces", "name"),
    ("controllers", "controller_id"),
    ("events", "seq"),
    ("anomalies", "anomaly_id"),
    ("probes", "address"),
    ("probes/cycles", "cycle_id"),
]


@pytest.fixture(scope="module")
def nib(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NIBStore]:
    with NIBStore(tmp_path_factory.mktemp("nib") / "nib.sqlite") as opened:
        put(
            opened,
            *(
                device(
                    n,
                    name=name,
                    region="zone-A" if n % 2 else "zone-B",
                    interfaces=(Interface(name="eth1", mac=f"00:50:56:00:00:0{n}"),),
                )
                for n, name in enumerate(NAMES)
            ),
        )
        with opened.transaction() as change:
            change.put_endpoints(
                [endpoint(n, vendor=v) for n, v in ((1, "B"), (2, None), (3, "A"))]
            )
            change.append_event(event("ONE", "dev_1"))
            change.append_event(event("TWO", "dev_2"))
            change.put_anomalies(
                anomaly(n, last_seen=NOW + timedelta(seconds=seconds))
                for n, seconds in ((1, 0), (2, 2), (3, 1))
            )
            change.put_cycle(cycle("c"), [outcome("10.1.0.1", is_answered=True)], keep_cycles=1)
            for name, role in (("lc", Role.LOCAL), ("gc", Role.GLOBAL)):
                change.put_controller(controller(name, role, None), expected_version=None)
        yield opened


@pytest.fixture(scope="module")
def api(nib: NIBStore) -> Iterator[Api]:
    with served(nib) as running:
        yield running


def now() -> datetime:
    return datetime.now(UTC)


def by_name(device: dict[str, Any]) -> tuple[bool, str, str]:
    return device["name"] is not None, device["name"] or "", device["device_id"]


@pytest.mark.parametrize("limit", [1, 3, 100])
@pytest.mark.parametrize("sign", ["", "-"])
def test_devices_are_sorted_by_a_field_over_all_pages(api: Api, limit: int, sign: str) -> None:
    expected = sorted(api.items("devices"), key=by_name, reverse=bool(sign))
    assert list(api.walk("devices", sort=f"{sign}name", limit=limit)) == expected


@pytest.mark.parametrize("sign", ["", "-"])
def test_the_key_itself_is_an_order(api: Api, sign: str) -> None:
    ids = [item["device_id"] for item in api.walk("devices", sort=f"{sign}device_id", limit=2)]
    assert ids == sorted(ids, reverse=bool(sign))
    assert len(ids) == len(NAMES)


def test_endpoints_are_sorted_by_a_time_too(api: Api) -> None:
    ids = [e["endpoint_id"] for e in api.walk("endpoints", sort="-last_seen", limit=1)]
    assert ids == ["ep_0003", "ep_0002", "ep_0001"]
    vendors = [e["vendor"] for e in api.walk("endpoints", sort="vendor", limit=1)]
    assert vendors == [None, "A", "B"]


def test_anomalies_are_sorted_by_a_time_too(api: Api) -> None:
    found = [row["anomaly_id"] for row in api.walk("anomalies", sort="-last_seen", limit=1)]
    assert found == ["anom_0002", "anom_0003", "anom_0001"]
    assert "opened_at" in api.problem("anomalies", 422, params={"sort": "severity"})


def test_a_sorted_list_takes_filters(api: Api) -> None:
    found = list(api.walk("devices", sort="-name", region="zone-A", limit=1))
    assert [item["name"] for item in found] == ["leaf1", "Leaf1", None]


def test_controllers_and_events_are_sorted(api: Api) -> None:
    roles = [item["role"] for item in api.walk("controllers", sort="-role", limit=1)]
    assert roles == ["local", "global"]
    assert [item["seq"] for item in api.walk("events", sort="-seq", limit=1)][-2:] == [2, 1]


@pytest.mark.parametrize("sort", ["os_version", "-", "name,region", "--name", "search"])
def test_an_order_without_an_index_is_refused(api: Api, sort: str) -> None:
    detail = api.problem("devices", 422, params={"sort": sort})
    assert "sort: this list is sorted by one of device_id, name" in detail


def test_a_cursor_holds_for_its_order_only(api: Api) -> None:
    cursor = api.get("devices", sort="name", limit=1)["next_cursor"]
    assert "not given out" in api.problem(
        "devices", 400, params={"sort": "-name", "cursor": cursor}
    )
    assert api.items("devices", sort="name", cursor=cursor, limit=1)


@pytest.mark.parametrize(("path", "field"), LISTS)
def test_fields_are_answered_that_were_asked_for(api: Api, path: str, field: str) -> None:
    whole = api.get(path)
    some = api.get(path, fields=field)
    assert some["items"] == [{field: item[field]} for item in whole["items"]]
    assert some["items"]
    assert {**some, "items": 0} == {**whole, "items": 0}


@pytest.mark.parametrize(("path", "field"), LISTS)
def test_a_field_that_is_not_there_is_refused(api: Api, path: str, field: str) -> None:
    detail = api.problem(path, 422, params={"fields": f"{field},secret"})
    assert "there is no field 'secret', only " in detail
    assert field in detail


@pytest.mark.parametrize(("path", "field"), LISTS)
def test_what_the_client_has_is_not_sent_again(api: Api, path: str, field: str) -> None:
    first = api.ask(path)
    tag = first.headers["ETag"]
    again = api.ask(path, headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert api.ask(path, headers={"If-None-Match": '"other"'}).status_code == 200
    assert api.ask(path, params={"fields": field}).headers["ETag"] != tag


def test_a_tag_ends_with_the_next_write_to_what_it_is_of(api: Api, nib: NIBStore) -> None:
    def tags() -> dict[str, str]:
        return {path: api.ask(path).headers["ETag"] for path, _ in LISTS}

    before = tags()
    with nib.transaction() as change:
        change.touch_devices(["dev_0001"], now())
    after = tags()
    assert {path for path, _ in LISTS if before[path] != after[path]} == {
        "devices",
        "endpoints",
        "interfaces",
    }
    with nib.transaction() as change:
        change.append_event(event("OF_ANOTHER_TEST", "dev_3"))
    assert {path for path, tag in tags().items() if after[path] != tag} == {"events"}


def test_one_device_has_a_tag_of_its_bytes(api: Api, nib: NIBStore) -> None:
    first = api.ask("devices/dev_0001")
    tag = first.headers["ETag"]
    assert not tag.startswith("W/")
    assert api.ask("devices/dev_0001", headers={"If-None-Match": tag}).status_code == 304
    with nib.transaction() as change:
        change.touch_devices(["dev_0001"], now())
    assert api.ask("devices/dev_0001", headers={"If-None-Match": tag}).status_code == 200


def test_interfaces_and_links_are_found_by_every_indexed_field(api: Api) -> None:
    assert [i["device_id"] for i in api.items("interfaces", mac="0050.5600.0003")] == ["dev_0003"]
    assert {i["region"] for i in api.items("interfaces", region="zone-A")} == {"zone-A"}
    assert [c["controller_id"] for c in api.items("controllers", status="revoked")] == []


def test_what_will_go_says_so(api: Api) -> None:
    answer = api.ask("events", params={"newest_first": True})
    assert answer.headers["Deprecation"].startswith("@")
    assert answer.headers["Sunset"].endswith("GMT")
    assert "sort=-seq" in answer.headers["Link"]
    assert "Deprecation" not in api.ask("events").headers


def test_every_condition_of_the_nib_can_be_asked_for() -> None:
    own = set(DeviceQuery.model_fields) - set(ListQuery.model_fields)
    assert own == {f.name for f in fields(DeviceFilter)} | {"as_of"}
