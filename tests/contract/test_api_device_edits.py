"""What operators set on devices over the API: it holds, is told, and refuses what it should."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests

from pdsno.api import ControllerInfo
from pdsno.domain.entities import DeviceType, FieldSource, OperatorRole
from pdsno.domain.identifiers import Role
from pdsno.domain.messages import DiscoveryReport
from pdsno.domain.ownership import overlay
from pdsno.intake.reports import ReportIntake
from pdsno.nib import NIBStore
from pdsno.nib.codec import dumps, loads
from tests.unit.api.serving import NOW, Api, device, info, put, put_token, served

ALICE = "pdsno_" + "alice".ljust(43, "-")
REGION_B = "pdsno_" + "zone-B".ljust(43, "-")
SPINE = device(
    1,
    name="spine1",
    device_type=DeviceType.ROUTER,
    region="zone-A",
    local_controller="lc",
    provenance={"name": FieldSource(source="ssh", at=NOW)},
)


@pytest.fixture
def nib() -> Iterator[NIBStore]:
    with NIBStore("memory://") as store:
        put(store, SPINE)
        put_token(store, ALICE, name="alice", role=OperatorRole.OPERATOR)
        put_token(store, REGION_B, name="bob", role=OperatorRole.OPERATOR, region="zone-B")
        yield store


@pytest.fixture
def api(nib: NIBStore) -> Iterator[Api]:
    with served(nib) as running:
        yield running


def patch(
    api: Api, body: object, *, token: str = ALICE, device_id: str = "dev_0001", **headers: str
) -> requests.Response:
    given = {
        "Authorization": f"Bearer {token}",
        **{k.replace("_", "-"): v for k, v in headers.items()},
    }
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return api.session.patch(
        f"{api.url}/api/v1/devices/{device_id}",
        data=data,
        headers={"Content-Type": "application/json", **given},
        timeout=30,
    )


def edited(api: Api, body: object, **headers: str) -> dict[str, Any]:
    answer = patch(api, body, **headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_what_is_set_is_shown_with_who_set_it(api: Api, nib: NIBStore) -> None:
    body = {"name": "core-1", "device_type": "firewall", "tags": ["prod", "edge", "prod"]}
    found = edited(api, body)
    assert (found["name"], found["device_type"], found["tags"]) == (
        "core-1", "firewall", ["edge", "prod"],
    )  # fmt: skip
    assert found["pinned"] == ["device_type", "name", "tags"]
    assert found["provenance"]["name"]["pinned"] is True
    assert found["provenance"]["name"]["source"] == "operator"
    assert api.get("devices/dev_0001") == found
    (event,) = nib.events()
    assert (event.event_type, event.actor, event.region) == ("DEVICE_EDITED", "alice", "zone-A")
    assert event.data["changes"]["name"] == ["spine1", "core-1"]
    entries = {entry.change.field: entry.change for entry in nib.history(limit=3)}
    assert (entries["name"].actor, entries["name"].source) == ("alice", "operator")


def test_null_releases_to_what_the_device_tells(api: Api, nib: NIBStore) -> None:
    edited(api, {"name": "core-1", "notes": "x", "tags": ["a"]})
    found = edited(api, {"name": None, "tags": []})
    assert (found["name"], found["tags"], found["pinned"]) == ("spine1", [], ["notes"])
    assert found["provenance"]["name"] == {
        "source": "ssh", "at": "2026-03-01T12:00:00.250000Z", "pinned": False,
    }  # fmt: skip
    assert nib.events()[-1].data["released"] == ["name", "tags"]


def test_an_edit_that_changes_nothing_writes_nothing(api: Api, nib: NIBStore) -> None:
    first = edited(api, {"name": "core-1"})
    assert edited(api, {"name": "core-1", "notes": None}) == first
    assert len(nib.events()) == 1


def test_an_edit_of_a_version_that_moved_on_is_refused(api: Api, nib: NIBStore) -> None:
    tag = api.ask("devices/dev_0001").headers["ETag"]
    with nib.transaction() as tx:
        tx.touch_devices(["dev_0001"], NOW.replace(hour=13))  # seen once more: no other version
    assert edited(api, {"name": "a"}, If_Match=tag)["name"] == "a"
    for stale in (tag, '"1"', "nonsense"):
        answer = patch(api, {"name": "b"}, If_Match=stale)
        assert (answer.status_code, answer.json()["reason"]) == (412, "CONFLICT")
    assert nib.device("dev_0001") == replace(nib.device("dev_0001") or SPINE, name="a")
    for good in ("*", '"2"', f'"9", "2.{0:x}"'):
        assert patch(api, {"notes": good}, If_Match=good).status_code in (200, 412)
    assert edited(api, {"name": "c"}, If_Match="*")["name"] == "c"


def test_a_device_that_did_not_change_is_not_sent_again(api: Api) -> None:
    tag = api.ask("devices/dev_0001").headers["ETag"]
    again = api.ask("devices/dev_0001", headers={"If-None-Match": f'"x", W/{tag}'})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    edited(api, {"notes": "new"})
    assert api.ask("devices/dev_0001", headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"serial": "x"},
        {"name": ""},
        {"name": "a\nb"},
        {"name": " a"},
        {"name": "x" * 256},
        {"notes": "\x1b[2J"},
        {"notes": "x" * 4001},
        {"device_type": "toaster"},
        {"tags": ["a b"]},
        {"tags": ["a,b"]},
        {"tags": "a"},
        {"tags": [f"t{n}" for n in range(65)]},
        ["name"],
        b"{",
    ],
    ids=str,
)
def test_what_cannot_be_set_is_refused_and_changes_nothing(
    api: Api, nib: NIBStore, body: object
) -> None:
    answer = patch(api, body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert nib.device("dev_0001") == replace(SPINE, version=1)


def test_a_body_without_end_is_refused(api: Api) -> None:
    assert patch(api, b'{"notes": "' + b"x" * 70_000).status_code == 413
    assert patch(api, {"notes": "x" * 4000}).status_code == 200


@pytest.mark.attack(29)
def test_only_operators_may_set_and_only_in_their_region(api: Api, nib: NIBStore) -> None:
    assert patch(api, {"name": "x"}, token="none").status_code == 401
    viewer = api.session.headers["Authorization"]
    refused = patch(api, {"name": "x"}, Authorization=str(viewer))
    assert (refused.status_code, refused.json()["reason"]) == (403, "NOT_ALLOWED")
    assert patch(api, {"name": "x"}, token=REGION_B).status_code == 404
    assert nib.device("dev_0001") == replace(SPINE, version=1)
    assert patch(api, {"name": "x"}, device_id="dev_9").status_code == 404
    assert patch(api, {"name": "x"}).status_code == 200


def test_what_was_set_below_is_not_released_here(api: Api, nib: NIBStore) -> None:
    below = overlay(SPINE, {})
    known = {"notes": FieldSource(source="operator", at=NOW)}
    with nib.transaction() as tx:
        tx.put_device(replace(below, notes="from the site", provenance=known), expected_version=1)
    answer = patch(api, {"notes": None})
    assert answer.status_code == 409
    assert "below" in answer.json()["detail"]


def test_an_edit_at_a_local_controller_travels_up_and_holds_there() -> None:
    def local() -> ControllerInfo:
        return replace(info(), controller_id="lc", role=Role.LOCAL, region="zone-A")

    with NIBStore("memory://") as nib, NIBStore("memory://") as above, served(nib, local) as api:
        put(nib, replace(SPINE, macs=("00:50:56:aa:bb:01",)))
        put_token(nib, ALICE, name="alice", role=OperatorRole.OPERATOR)
        edited(api, {"name": "core-1"})
        edited(api, {"notes": "rack 4"})
        rows = nib.outbox()
        assert [row.message_type for row in rows] == ["DISCOVERY_REPORT"] * 2
        with above.transaction() as tx:
            for row in rows:
                report = loads(DiscoveryReport, dumps(row.payload))
                ReportIntake("rc").apply(tx, "lc", report)
        (found,) = above.devices().items
        assert (found.name, found.notes, dict(found.pins)) == ("core-1", "rack 4", {})
        assert found.provenance["name"].source == "operator"
