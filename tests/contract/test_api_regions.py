"""A token for one region shows that region and nothing else, whatever is asked."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pdsno.api.streams import StreamLimits
from pdsno.domain.entities import Interface, Link, LinkEnd, LinkStatus, OperatorRole
from pdsno.domain.identifiers import Role
from pdsno.domain.makings import Making, Told
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
    put_token,
    seen,
    served,
)

TOKEN_A = "pdsno_" + "zone-A".ljust(43, "-")
TOKEN_A_OPERATOR = "pdsno_" + "zone-A-operator".ljust(43, "-")
TOKEN_B = "pdsno_" + "zone-B".ljust(43, "-")
TOKEN_C = "pdsno_" + "zone-C".ljust(43, "-")
ROUTES_WITHOUT_REGION = {f"/api/v1/health{part}" for part in ("", "/live", "/ready")}
"""They say the same to everybody."""


def link(link_id: str, *ends: str | None) -> Link:
    a, b = (LinkEnd(device_id=e, device=e, interface="eth1") for e in ends)
    return Link(link_id=link_id, a=a, b=b, source="lldp", status=LinkStatus.CLAIMED, last_seen=NOW)


def told(device_id: str, why: str) -> Making:
    return Making(device_id=device_id, told=(Told(by="lc", device_id="x", lines=(why,)),))


@pytest.fixture(scope="module")
def served_api() -> Iterator[Api]:
    """Two regions, each with one of everything; what is of B has `bravo` or `B` in its names."""
    with NIBStore("memory://") as nib:
        two = (Interface(name="eth1"), Interface(name="eth2"))
        put(
            nib,
            device(1, name="alpha-1", region="zone-A", interfaces=two),
            device(2, name="alpha-2", region="zone-A"),
            device(3, name="bravo-1", region="zone-B", interfaces=two),
        )
        with nib.transaction() as change:
            change.put_endpoints(
                [
                    endpoint(1, vendor="alpha"),
                    endpoint(2, vendor="bravo", region="zone-B", attachment=None),
                ]
            )
            change.put_endpoint_sightings([seen(1), seen(2, source="bravo")])
            change.replace_links(
                [
                    link("l1", "dev_0001", "dev_0002"),
                    link("l2", "dev_0001", "dev_0003"),
                    link("l3-bravo", "dev_0003", None),
                ]
            )
            for name, role, region in (
                ("global_cntl_1", Role.GLOBAL, None),
                ("regional_cntl_zone-A_1", Role.REGIONAL, "zone-A"),
                ("regional_cntl_bravo_1", Role.REGIONAL, "zone-B"),
            ):
                change.put_controller(controller(name, role, region), expected_version=None)
            for subject, region in (("alpha-1", "zone-A"), ("bravo-1", "zone-B"), ("policy", None)):
                change.append_event(event("DEVICE_APPEARED", subject, region))
            change.put_anomalies(
                [
                    anomaly(1, subject="alpha"),
                    anomaly(2, subject="bravo", region="zone-B"),
                    anomaly(3, subject="bravo", region=None),
                ]
            )
            change.put_makings([told("dev_0001", "alpha"), told("dev_0003", "bravo")])
            change.put_cycle(
                cycle("cycle-a"), [outcome("10.1.0.1", is_answered=True)], keep_cycles=9
            )
            change.put_cycle(
                cycle("cycle-bravo", region="zone-B"),
                [outcome("10.2.0.1", is_answered=True, namespace="bravo")],
                keep_cycles=9,
            )
        put_token(nib, TOKEN_A, name="noc-a", region="zone-A")
        put_token(nib, TOKEN_A_OPERATOR, name="noc-a", region="zone-A", role=OperatorRole.OPERATOR)
        put_token(nib, TOKEN_B, name="noc-b", region="zone-B")
        put_token(nib, TOKEN_C, name="noc-c", region="zone-C")
        with served(nib, stream_limits=StreamLimits(life_s=0.1)) as running:
            yield running


class Scoped:
    """The API with one region's token."""

    def __init__(self, api: Api, token: str) -> None:
        self._api = api
        self._headers = {"Authorization": f"Bearer {token}"}

    def ask(self, path: str) -> tuple[int, Any]:
        answer = self._api.ask(path, headers=self._headers)
        is_json = "json" in answer.headers["Content-Type"]
        return answer.status_code, answer.json() if is_json else answer.text

    def keys(self, path: str, key: str) -> list[Any]:
        status, body = self.ask(path)
        assert status == 200, body
        return [item[key] for item in body["items"]]


@pytest.fixture
def a(served_api: Api) -> Scoped:
    return Scoped(served_api, TOKEN_A)


@pytest.fixture
def b(served_api: Api) -> Scoped:
    return Scoped(served_api, TOKEN_B)


@pytest.fixture
def c(served_api: Api) -> Scoped:
    return Scoped(served_api, TOKEN_C)


@pytest.mark.parametrize(
    ("path", "key", "in_a", "in_b"),
    [
        ("devices", "device_id", ["dev_0001", "dev_0002"], ["dev_0003"]),
        ("devices?limit=1", "device_id", ["dev_0001"], ["dev_0003"]),
        ("devices?q=bravo", "device_id", [], ["dev_0003"]),
        ("interfaces", "device", ["alpha-1", "alpha-1"], ["bravo-1", "bravo-1"]),
        ("interfaces?device_id=dev_0003", "device", [], ["bravo-1", "bravo-1"]),
        ("endpoints", "endpoint_id", ["ep_0001"], ["ep_0002"]),
        ("endpoints?vendor=bravo", "endpoint_id", [], ["ep_0002"]),
        ("links", "link_id", ["l1", "l2"], ["l2", "l3-bravo"]),
        ("links?device_id=dev_0003", "link_id", ["l2"], ["l2", "l3-bravo"]),
        ("controllers", "region", ["zone-A"], ["zone-B"]),
        ("controllers?role=global", "controller_id", [], []),
        ("events", "subject", ["alpha-1"], ["bravo-1"]),
        ("events?newest_first=true", "subject", ["alpha-1"], ["bravo-1"]),
        ("events?subject=policy", "seq", [], []),
        ("probes", "address", ["10.1.0.1"], ["10.2.0.1"]),
        ("probes/cycles", "cycle_id", ["cycle-a"], ["cycle-bravo"]),
    ],
)
def test_a_list_holds_what_is_of_the_region(
    a: Scoped, b: Scoped, c: Scoped, path: str, key: str, in_a: list[str], in_b: list[str]
) -> None:
    assert a.keys(path, key) == in_a
    assert b.keys(path, key) == in_b
    assert c.keys(path, key) == []


@pytest.mark.parametrize("resource", ["devices", "endpoints", "controllers", "events"])
def test_another_region_asked_for_by_name_is_refused(
    a: Scoped, b: Scoped, served_api: Api, resource: str
) -> None:
    status, body = a.ask(f"{resource}?region=zone-B")
    assert (status, body["reason"]) == (403, "WRONG_REGION")
    assert "zone-A only" in body["detail"]
    for good in (a.ask(f"{resource}?region=zone-A"), b.ask(f"{resource}?region=zone-B")):
        assert good[0] == 200
        assert good[1]["items"]
    assert served_api.items(resource, region="zone-B")


@pytest.mark.parametrize(
    ("path", "nobodys"),
    [
        ("devices/dev_0003", "devices/dev_9999"),
        ("endpoints/ep_0002", "endpoints/ep_9999"),
        ("probes?cycle_id=cycle-bravo", "probes?cycle_id=cycle-9"),
    ],
)
def test_what_is_of_another_region_is_as_if_it_were_not_there(
    a: Scoped, b: Scoped, path: str, nobodys: str
) -> None:
    status, body = a.ask(path)
    there, not_there = (p.replace("?cycle_id=", "/").partition("/")[2] for p in (path, nobodys))
    assert (status, body["detail"].replace(there, "X")) == (
        404,
        a.ask(nobodys)[1]["detail"].replace(not_there, "X"),
    )
    assert b.ask(path)[0] == 200


def test_metrics_are_of_all_regions_and_need_a_token_for_all(a: Scoped, served_api: Api) -> None:
    status, body = a.ask("/metrics")
    assert (status, body["reason"]) == (403, "WRONG_REGION")
    assert "use a token without region" in body["detail"]
    assert 'pdsno_devices{status="active"} 3.0' in served_api.ask("/metrics").text


def test_no_route_tells_a_region_of_another(a: Scoped, served_api: Api) -> None:
    """Walks every documented route, so that one that forgets the scope is found."""
    documented = served_api.get("/openapi.json")["paths"]
    told: dict[str, bool] = {}
    for path in (path for path, operations in documented.items() if "get" in operations):
        for number in ("1", "2", "3"):
            ids = ("device_id", "dev"), ("endpoint_id", "ep"), ("anomaly_id", "anom")
            asked = path.format(**{name: f"{kind}_000{number}" for name, kind in ids})
            asked += "?cursor=0" if path.endswith("/stream") else ""
            status, body = a.ask(asked)
            assert status in {200, 403, 404}, asked
            # A link has two ends; the far one is named, as the near device names it itself.
            text = json.dumps(body).replace("dev_0003", "")
            assert "bravo" not in text, asked
            assert "zone-B" not in text, asked
            told[path] = told.get(path, False) or (status == 200 and "alpha" in text)
    silent = {path for path, is_told in told.items() if not is_told}
    # Twin: the routes do answer, with what is of the region.
    assert silent <= ROUTES_WITHOUT_REGION | {
        "/metrics",
        "/api/v1/policy",
        "/api/v1/tokens",
        "/api/v1/links",
        "/api/v1/controllers",
        "/api/v1/probes",
        "/api/v1/probes/cycles",
    }


def test_a_token_for_a_region_changes_nothing_of_another(served_api: Api) -> None:
    with_role = {"Authorization": f"Bearer {TOKEN_A_OPERATOR}"}

    def post(path: str, body: dict[str, object]) -> int:
        answer = served_api.session.post(
            f"{served_api.url}/api/v1/{path}", json=body, headers=with_role, timeout=30
        )
        return answer.status_code

    assert post("devices/dev_0003/merge", {"with": "dev_0001", "dry_run": True}) == 404
    assert post("devices/dev_0001/merge", {"with": "dev_0003", "dry_run": True}) == 404
    assert post("devices/dev_0001/merge", {"with": "dev_0002", "dry_run": True}) == 200
    assert post("devices/dev_0003/split", {"dry_run": True}) == 404
    assert post("anomalies/anom_0002/acknowledge", {}) == 404
    assert post("anomalies/anom_0003/acknowledge", {}) == 404
    # Its twin, which would write into what the other tests read: an order that fits no anomaly.
    assert post("anomalies/anom_0001/acknowledge", {"no_such": 1}) == 422


def test_a_cursor_takes_nobody_into_another_region(a: Scoped, served_api: Api) -> None:
    cursor = served_api.get("devices", limit=2)["next_cursor"]
    assert [i["device_id"] for i in served_api.items("devices", cursor=cursor)] == ["dev_0003"]
    assert a.keys(f"devices?cursor={cursor}", "device_id") == []
