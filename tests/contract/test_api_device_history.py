"""History and pictures of the past over the API."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pdsno.domain.entities import Interface, Link, LinkEnd, LinkStatus
from pdsno.domain.ports import NIB
from pdsno.nib import NIBStore
from tests.unit.api.serving import NOW, Api, device, put, put_token, served

REGION_B = "pdsno_" + "zone-B".ljust(43, "-")
SPINE = device(1, name="spine1", region="zone-A", interfaces=(Interface(name="eth1", mtu=1500),))
LEAF = device(2, name="leaf1", region="zone-B")
LINK = Link(
    link_id="l1",
    a=LinkEnd(device_id="dev_0001", device="spine1", interface="eth1"),
    b=LinkEnd(device_id=None, device="x", interface=None),
    source="lldp",
    status=LinkStatus.CLAIMED,
    last_seen=NOW,
)


def moment() -> str:
    """Return a time after all that was written and before all that will be."""
    time.sleep(0.002)
    now = datetime.now(UTC)
    time.sleep(0.002)
    return now.isoformat()


def change(nib: NIB, number: int, **values: object) -> None:
    with nib.transaction() as tx:
        held = tx.device(f"dev_{number:04}")
        assert held is not None
        tx.put_device(replace(held, **values), expected_version=held.version)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def past() -> Iterator[tuple[Api, str, NIBStore]]:
    """Serve a NIB in which things changed after a time, which is given."""
    with NIBStore("memory://") as nib:
        put(nib, SPINE, LEAF)
        with nib.transaction() as tx:
            tx.replace_links([LINK])
        then = moment()
        change(nib, 1, name="core1", interfaces=(Interface(name="eth1", mtu=9000),))
        change(nib, 2, name="leaf9")
        put(nib, device(3, name="new", region="zone-B"))
        with nib.transaction() as tx:
            tx.replace_links([])
            tx.retire_device("dev_0002")
        put_token(nib, REGION_B, name="noc-b", region="zone-B")
        with served(nib) as api:
            yield api, then, nib


def test_a_device_tells_its_history_the_newest_first(past: tuple[Api, str, NIBStore]) -> None:
    api, then, _ = past
    newest, second, first = api.items("devices/dev_0001/history")
    assert (newest["field"], newest["old"], newest["new"]) == ("interfaces[eth1].mtu", 1500, 9000)
    assert (second["field"], second["old"], second["new"]) == ("name", "spine1", "core1")
    assert (first["field"], first["kind"], first["id"]) == ("*", "device", "dev_0001")
    assert first["at"] < then < second["at"]


def test_history_is_asked_for_by_field_and_time(past: tuple[Api, str, NIBStore]) -> None:
    api, then, _ = past
    path = "devices/dev_0001/history"
    assert [i["field"] for i in api.items(path, field="name")] == ["name"]
    assert [i["field"] for i in api.items(path, field="interfaces")] == ["interfaces[eth1].mtu"]
    assert [i["field"] for i in api.items(path, until=then)] == ["*"]
    assert len(api.items(path, since=then)) == 2
    assert api.items(path, since=then, until=then) == []


def test_history_comes_in_pages(past: tuple[Api, str, NIBStore]) -> None:
    api, *_ = past
    whole = api.items("history")
    assert list(api.walk("history", limit=2)) == whole
    assert [i["seq"] for i in whole] == sorted((i["seq"] for i in whole), reverse=True)
    api.problem("history", 400, params={"cursor": "x"})


def test_a_device_that_went_still_has_its_history(past: tuple[Api, str, NIBStore]) -> None:
    api, *_ = past
    assert [i["field"] for i in api.items("devices/dev_0002/history")] == ["*", "name", "*"]
    api.problem("devices/dev_9/history", 404)


def test_devices_and_links_are_shown_as_they_were(past: tuple[Api, str, NIBStore]) -> None:
    api, then, _ = past
    assert [d["name"] for d in api.items("devices", as_of=then)] == ["spine1", "leaf1"]
    assert [d["name"] for d in api.items("devices")] == ["core1", "new"]
    assert [d["name"] for d in api.items("devices", as_of=then, name="leaf1")] == ["leaf1"]
    assert len(list(api.walk("devices", as_of=then, limit=1))) == 2
    one = api.ask("devices/dev_0002", params={"as_of": then})
    assert one.json()["name"] == "leaf1"
    assert "ETag" not in one.headers
    assert [found["link_id"] for found in api.items("links", as_of=then)] == ["l1"]
    assert api.items("links") == []


def test_what_is_not_known_is_a_problem_and_no_picture(past: tuple[Api, str, NIBStore]) -> None:
    api, then, _ = past
    for path in ("devices", "devices/dev_0001", "links"):
        early = api.problem(path, 400, params={"as_of": "2020-01-01T00:00:00Z"})
        assert "begins at" in early
        late = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        assert "yet to come" in api.problem(path, 400, params={"as_of": late})
        api.problem(path, 422, params={"as_of": "2026-03-01T12:00:00"})  # no zone
    kept_from = api.get("history", limit=1)["kept_from"]
    assert kept_from < then


def test_a_token_for_one_region_sees_the_past_of_that_region(
    past: tuple[Api, str, NIBStore],
) -> None:
    api, then, _ = past
    headers = {"Authorization": f"Bearer {REGION_B}"}

    def items(path: str, **params: str) -> list[dict[str, object]]:
        answer = api.ask(path, params=params, headers=headers)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, object]] = answer.json()["items"]
        return found

    assert [d["name"] for d in items("devices", as_of=then)] == ["leaf1"]
    assert {i["region"] for i in items("history")} == {"zone-B"}
    assert len(items("devices/dev_0002/history")) == 3
    assert items("links", as_of=then) == []
    for path in ("devices/dev_0001", "devices/dev_0001/history"):
        params = {} if path.endswith("history") else {"as_of": then}
        assert api.ask(path, params=params, headers=headers).status_code == 404
    assert api.ask("history", params={"region": "zone-A"}, headers=headers).status_code == 403
