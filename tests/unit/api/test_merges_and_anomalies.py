"""Operators merge, split, acknowledge and approve over the API, by their role and by name."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests

from pdsno.api import Actions, ControllerInfo
from pdsno.domain.anomalies.entities import Kind
from pdsno.domain.entities import OperatorRole
from pdsno.domain.identifiers import Role
from pdsno.domain.messages import DiscoveryRequest
from pdsno.nib import NIBStore
from tests.unit.api.serving import (
    Api,
    anomaly,
    info,
    put_to_merge_and_split,
    put_token,
    served,
)

TOKENS = {role: "pdsno_" + role.value.ljust(43, "-") for role in OperatorRole}
Post = Callable[..., requests.Response]


@pytest.fixture
def nib() -> Iterator[NIBStore]:
    with NIBStore("memory://") as store:
        put_to_merge_and_split(store)
        with store.transaction() as tx:
            tx.put_anomalies(
                [
                    anomaly(1),
                    anomaly(2, kind=Kind.NEW_DEVICE, subject="dev_0001"),
                    anomaly(
                        3,
                        kind=Kind.MASS_DISAPPEARANCE,
                        subject="lc",
                        evidence={"subnets": ["10.1.0.0/24"]},
                    ),
                ]
            )
        for role, token in TOKENS.items():
            put_token(store, token, name=f"the-{role.value}", role=role)
        yield store


@pytest.fixture
def asked() -> list[DiscoveryRequest]:
    return []


@pytest.fixture
def api(nib: NIBStore, asked: list[DiscoveryRequest]) -> Iterator[Api]:
    actions = Actions(request_discovery=asked.append, tell_above=lambda: None)

    def regional() -> ControllerInfo:
        return replace(
            info(), controller_id="regional_cntl_zone-A_1", role=Role.REGIONAL, region="zone-A"
        )

    with served(nib, regional, actions=actions) as running:
        yield running


@pytest.fixture
def post(api: Api) -> Post:
    def send(
        path: str,
        body: dict[str, Any],
        *,
        role: OperatorRole = OperatorRole.OPERATOR,
        **headers: str,
    ) -> requests.Response:
        given = {"Authorization": f"Bearer {TOKENS[role]}", **headers}
        return api.session.post(f"{api.url}/api/v1/{path}", json=body, headers=given, timeout=30)

    return send


# --- merge and split -------------------------------------------------------------------------


def test_a_merge_leaves_an_alias_with_a_hint_and_a_name_in_the_log(
    nib: NIBStore, api: Api, post: Post
) -> None:
    answer = post("devices/dev_0001/merge", {"with": "dev_0002", "note": "same box"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["device"]["macs"] == ["00:50:56:aa:bb:01", "00:50:56:aa:bb:02"]
    found = api.ask("devices/dev_0002")
    assert found.json()["device_id"] == "dev_0001"
    assert found.headers["Content-Location"] == "/api/v1/devices/dev_0001"
    assert "Content-Location" not in api.ask("devices/dev_0001").headers
    (event,) = nib.events(event_type="DEVICES_MERGED")
    assert (event.subject, event.data["by"]) == ("dev_0002", "the-operator")
    assert api.items("events", subject="dev_0002")[0]["event_type"] == "DEVICES_MERGED"
    (row,) = nib.outbox()
    assert row.message_type == "DISCOVERY_SUMMARY"
    evidence = api.get("devices/dev_0002/evidence")
    assert evidence["merged_ids"] == ["dev_0002"]
    assert evidence["joined"][0]["because"] == ["the-operator said so: same box"]
    assert evidence["words"][0]["verb"] == "together"


def test_a_dry_run_says_the_same_and_changes_nothing(nib: NIBStore, post: Post) -> None:
    before = nib.all_devices()
    planned = post("devices/dev_0001/merge", {"with": "dev_0002", "dry_run": True}).json()
    assert planned["is_dry_run"] is True
    assert (nib.all_devices(), nib.events(), nib.words()) == (before, (), ())
    done = post("devices/dev_0001/merge", {"with": "dev_0002"}).json()
    assert done["device"]["ips"] == planned["device"]["ips"]


def test_an_old_version_is_refused_and_the_present_one_is_taken(api: Api, post: Post) -> None:
    order = {"with": "dev_0002"}
    stale = post("devices/dev_0001/merge", order, **{"If-Match": '"7"'})
    assert (stale.status_code, "has version 1" in stale.json()["detail"]) == (412, True)
    etag = api.ask("devices/dev_0001").headers["ETag"]
    assert post("devices/dev_0001/merge", order, **{"If-Match": etag}).status_code == 200


def test_a_viewer_may_look_but_not_change(api: Api, post: Post) -> None:
    for path, body in (
        ("devices/dev_0001/merge", {"with": "dev_0002"}),
        ("devices/dev_0001/split", {}),
        ("anomalies/anom_0001/acknowledge", {}),
    ):
        answer = post(path, body, role=OperatorRole.VIEWER)
        assert (answer.status_code, answer.json()["reason"]) == (403, "NOT_ALLOWED")
    assert api.ask("devices/dev_0001/evidence").status_code == 200


def test_a_split_parts_what_was_told_and_keeps_them_apart(
    nib: NIBStore, api: Api, post: Post
) -> None:
    planned = post("devices/dev_0001/split", {"keep": ["10.1.0.1"], "dry_run": True}).json()
    assert planned["new_id"] is None
    assert [part["label"] for part in planned["new_parts"]] == ["ssh at 10.1.0.9"]
    assert len(nib.all_devices()) == 2
    done = post("devices/dev_0001/split", {"keep": ["10.1.0.1"], "note": "two VMs"}).json()
    assert (done["kept"]["ips"], done["new"]["ips"]) == (["10.1.0.1"], ["10.1.0.9"])
    evidence = api.get(f"devices/{done['new_id']}/evidence")
    assert (evidence["words"][0]["verb"], evidence["words"][0]["note"]) == ("apart", "two VMs")
    (event,) = nib.events(event_type="DEVICE_SPLIT")
    assert event.data["by"] == "the-operator"


def test_what_cannot_be_split_or_merged_is_refused_with_the_remedy(post: Post) -> None:
    unknown = post("devices/dev_0002/split", {})
    assert unknown.status_code == 400
    assert "run a discovery cycle first" in unknown.json()["detail"]
    itself = post("devices/dev_0001/merge", {"with": "dev_0001"})
    assert (itself.status_code, "one device already" in itself.json()["detail"]) == (400, True)
    assert post("devices/dev_0001/merge", {"with": "dev_9999"}).status_code == 404
    assert post("devices/dev_0001/merge", {"with": "dev_0002", "more": 1}).status_code == 422


# --- anomalies -------------------------------------------------------------------------------


def test_anomalies_are_filtered_and_paged(api: Api) -> None:
    assert [row["anomaly_id"] for row in api.items("anomalies", kind="new_device")] == ["anom_0002"]
    assert api.items("anomalies", status="closed") == []
    assert len(list(api.walk("anomalies", limit=1))) == 3
    assert api.items("anomalies", severity="critical", subject="lc")[0]["evidence"] == {
        "subnets": ["10.1.0.0/24"]
    }
    assert "there is no anomaly" in api.problem("anomalies/anom_9", 404)


def test_an_acknowledgement_has_a_name_a_time_and_a_note_and_goes_up(
    nib: NIBStore, api: Api, post: Post
) -> None:
    row = post("anomalies/anom_0001/acknowledge", {"note": "known"}).json()
    assert (row["status"], row["acknowledged_by"], row["note"]) == (
        "acknowledged",
        "the-operator",
        "known",
    )
    assert api.get("anomalies/anom_0001") == row
    (event,) = nib.events(event_type="ANOMALY_ACKNOWLEDGED")
    assert (event.subject, event.data["by"]) == ("anom_0001", "the-operator")
    payload = nib.outbox()[-1].payload
    assert "anom_0001" in {item["anomaly_id"] for item in payload["anomalies"]}


def test_an_incident_is_closed_by_its_acknowledgement_and_only_once(post: Post) -> None:
    assert post("anomalies/anom_0002/acknowledge", {}).json()["status"] == "closed"
    again = post("anomalies/anom_0002/acknowledge", {})
    assert (again.status_code, "closed already" in again.json()["detail"]) == (400, True)


def test_approving_releases_what_is_held_by_the_name_of_the_approver(
    nib: NIBStore, post: Post, asked: list[DiscoveryRequest]
) -> None:
    refused = post("anomalies/anom_0003/approve", {})
    assert (refused.status_code, asked) == (403, [])
    row = post("anomalies/anom_0003/approve", {"note": "torn down"}, role=OperatorRole.APPROVER)
    assert row.json()["status"] == "acknowledged"
    (request,) = asked
    assert request == DiscoveryRequest(
        subnets=("10.1.0.0/24",),
        region="zone-A",
        accept_missing=True,
        requested_by="the-approver",
    )
    assert nib.events(event_type="ANOMALY_APPROVED")[0].data["by"] == "the-approver"


def test_what_holds_nothing_cannot_be_approved(post: Post, asked: list[DiscoveryRequest]) -> None:
    answer = post("anomalies/anom_0001/approve", {}, role=OperatorRole.APPROVER)
    assert answer.status_code == 400
    assert "acknowledge" in answer.json()["detail"]
    assert asked == []
