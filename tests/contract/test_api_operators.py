"""What runs the network besides its lists: health, policy, tokens, topology, metrics, limits."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families

from pdsno.api import Check, ControllerInfo, Measures
from pdsno.api.metrics import METRICS
from pdsno.domain.entities import Interface, Link, LinkEnd, LinkStatus, OperatorRole
from pdsno.domain.measure import Durations
from pdsno.domain.policy import Policy, RegionPolicy
from pdsno.nib import NIBStore
from tests.unit.api.serving import (
    NOW,
    TOKEN,
    Api,
    cycle,
    device,
    endpoint,
    event,
    info,
    outcome,
    put,
    put_token,
    served,
    serving_webhooks,
)
from tools.metrics import PAGE, page

TOKEN_A = "pdsno_" + "zone-A".ljust(43, "-")
CHECKS: dict[str, Check] = {}
REST = Durations()


def checked() -> ControllerInfo:
    from dataclasses import replace  # noqa: PLC0415 - of this helper alone

    return replace(info(), checks=dict(CHECKS))


@pytest.fixture(scope="module")
def nib() -> Iterator[NIBStore]:
    with NIBStore("memory://") as store:
        put(
            store,
            device(1, name="spine1", region="zone-A", interfaces=(Interface(name="eth1"),)),
            device(2, name='"]; x', region="zone-B"),
        )
        ends = [LinkEnd(device_id=f"dev_000{n}", device=None, interface="eth1") for n in (1, 2)]
        link = Link(
            link_id="l1",
            a=ends[0],
            b=ends[1],
            source="lldp",
            status=LinkStatus.CONFIRMED,
            last_seen=NOW,
        )
        with store.transaction() as change:
            change.replace_links([link])
            change.put_endpoints([endpoint(1)])
            change.append_event(event("ONE", "dev_1"))
            change.put_cycle(cycle("c"), [outcome("10.1.0.1", is_answered=True)], keep_cycles=1)
            change.enqueue("DISCOVERY_REPORT", {})
        yield store


@pytest.fixture(scope="module")
def api(nib: NIBStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    measures = Measures(
        version="0.1.0",
        role="global",
        nib_bytes=4096,
        refused={"BAD_SIGNATURE": 3},
        sent={"sent": 7},
        received={"applied": 5},
        certificate_until=NOW,
        is_mqtt_connected=True,
        mqtt=REST,
        mqtt_events=11,
        mqtt_events_waiting=2,
        rest=REST,
    )
    REST.add(0.003, "ok")
    with (
        serving_webhooks(nib, tmp_path_factory.mktemp("secrets")) as sender,
        served(nib, checked, webhook_sender=sender, measures=lambda: measures) as running,
    ):
        put_token(nib, TOKEN, role=OperatorRole.ADMIN, expires_at=datetime.now(UTC) + timedelta(1))
        put_token(nib, TOKEN_A, name="noc-a", region="zone-A")
        yield running


def plain(api: Api, path: str, method: str = "GET") -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, api.url + path, timeout=30)


# --- health ----------------------------------------------------------------------------------


def test_live_is_not_ready(api: Api) -> None:
    CHECKS.clear()
    assert plain(api, "/api/v1/health/ready").json() == {"status": "ready", "checks": {}}
    CHECKS["admitted"] = Check(is_ok=False, detail="hand over a join token")
    CHECKS["broker"] = Check(is_ok=False, is_required=False, detail="REST meanwhile")
    unready = plain(api, "/api/v1/health/ready")
    assert (unready.status_code, unready.json()) == (503, {"status": "unready", "checks": {}})
    told = api.ask("health/ready").json()["checks"]
    assert told["admitted"]["detail"] == "hand over a join token"
    assert told["nib"]["is_ok"] is True
    assert plain(api, "/api/v1/health/live").json() == {"status": "ok"}
    CHECKS["admitted"] = Check(is_ok=True)
    assert api.ask("health/ready").status_code == 200  # the broker alone is not required
    CHECKS.clear()


# --- policy, tokens --------------------------------------------------------------------------


def test_policy_is_shown_as_it_is(api: Api, nib: NIBStore) -> None:
    if nib.policy() is None:
        assert "no policy yet" in api.problem("policy", 404)
        with nib.transaction() as change:
            change.put_policy(Policy(version=3, regions=(RegionPolicy(region="zone-A"),)))
    answer = api.ask("policy")
    assert (answer.json()["version"], answer.json()["regions"][0]["region"]) == (3, "zone-A")
    tag = answer.headers["ETag"]
    assert api.ask("policy", headers={"If-None-Match": tag}).status_code == 304


def test_tokens_are_listed_without_the_tokens(api: Api) -> None:
    items = api.items("tokens", sort="name")
    assert [item["name"] for item in items] == ["noc-a", "tests"]
    assert TOKEN not in json.dumps(items)
    assert api.items("tokens", state="revoked") == []
    assert [i["name"] for i in api.items("tokens", region="zone-A")] == ["noc-a"]


@pytest.mark.attack(22)
def test_what_sums_up_regions_is_not_for_a_token_of_one(api: Api) -> None:
    headers = {"Authorization": f"Bearer {TOKEN_A}"}
    for path in ("policy", "tokens", "webhooks", "/metrics"):
        api.problem(path, 403, headers=headers)
    region = api.ask("topology", headers=headers).json()
    assert [(n["id"], n["kind"]) for n in region["nodes"]] == [
        ("dev_0001", "device"),
        ("dev_0002", "neighbor"),
    ]
    api.problem("topology", 403, headers=headers, params={"region": "zone-B"})


# --- topology --------------------------------------------------------------------------------


def test_the_topology_is_written_for_whom_it_is_asked(api: Api) -> None:
    whole = api.get("topology")
    assert [node["id"] for node in whole["nodes"]] == ["dev_0001", "dev_0002"]
    assert len(api.get("topology", endpoints=True)["nodes"]) == 3
    assert api.get("topology", format="cytoscape")["elements"]["edges"][0]["data"]["id"] == "l1"
    assert api.get("topology", format="d3")["links"][0]["source"] == "dev_0001"
    assert api.get("topology", format="networkx")["edges"][0]["key"] == "l1"
    texts = {f: api.ask("topology", params={"format": f}) for f in ("mermaid", "graphviz", "clab")}
    assert texts["mermaid"].text.startswith("graph LR\n")
    assert "--" in texts["graphviz"].text
    nodes = yaml.safe_load(texts["clab"].text)["topology"]["nodes"]
    assert set(nodes) == {"spine1", "x"}
    kinds = [answer.headers["Content-Type"].partition(";")[0] for answer in texts.values()]
    assert kinds == ["text/plain", "text/vnd.graphviz", "application/yaml"]
    tag = texts["clab"].headers["ETag"]
    again = api.ask("topology", params={"format": "clab"}, headers={"If-None-Match": tag})
    assert again.status_code == 304


def test_a_format_that_is_not_there_is_refused(api: Api) -> None:
    assert "'mermaid'" in api.problem("topology", 422, params={"format": "visio"})


# --- metrics ---------------------------------------------------------------------------------


def test_metrics_are_those_that_are_listed(api: Api) -> None:
    text = api.ask("/metrics").text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    listed = {metric.name.removesuffix("_total"): metric for metric in METRICS}
    assert families.keys() == listed.keys()
    for name, family in families.items():
        assert family.type == listed[name].kind
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(listed[name].labels), name
    told = {s.name: s.value for f in families.values() for s in f.samples}
    assert told["pdsno_refused_messages_total"] == 3
    assert told["pdsno_outbox_waiting_messages"] == 1
    assert told["pdsno_outbox_oldest_age_seconds"] >= 0
    assert told["pdsno_mqtt_publish_duration_seconds_count"] == 1
    assert told["pdsno_mqtt_events_published_total"] == 11
    assert told["pdsno_mqtt_events_waiting"] == 2
    assert re.search(r'duration_seconds_bucket\{le="0.005",outcome="ok"\} 1.0', text)


def test_no_word_of_a_caller_becomes_a_label(api: Api) -> None:
    for path in ("/api/v1/no-such-thing", "/../../etc", "/api/v1/devices/dev_nobody"):
        api.ask(path)
    api.session.request("BREW", f"{api.url}/api/v1/devices", timeout=9)
    text = api.ask("/metrics").text
    assert 'route="/devices/{device_id}"' in text
    for word in ("no-such-thing", "etc", "dev_nobody", "BREW"):
        assert word not in text


def test_the_page_of_metrics_is_what_the_code_has() -> None:
    assert page() == PAGE.read_text(encoding="utf-8"), "run python tools/metrics.py"
    assert all(metric.name.startswith("pdsno_") for metric in METRICS)


# --- who may ask at all, and how often -------------------------------------------------------


@pytest.mark.attack(22)
def test_without_a_token_only_health_answers_whatever_the_method(nib: NIBStore, api: Api) -> None:
    documented = api.get("/openapi.json")["paths"]
    assert len(documented) > 20
    parts: dict[str, Any] = dict.fromkeys(("device_id", "endpoint_id", "anomaly_id"), "x")
    before = nib.revisions().get("policies"), len(nib.webhooks()), len(nib.all_devices())
    for path, operations in documented.items():
        for method in operations:
            asked = re.sub(r"\{\w+\}", "wh_" + "0" * 32, path.format_map(_Parts(parts)))
            answer = plain(api, asked, method.upper())
            expected = {200} if path.startswith("/api/v1/health") else {401, 429}
            assert answer.status_code in expected, (method, path)
    assert before == (nib.revisions().get("policies"), len(nib.webhooks()), len(nib.all_devices()))


class _Parts(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return f"{{{key}}}"


def test_a_token_that_asks_too_often_has_to_wait(tmp_path: Path) -> None:
    with NIBStore(tmp_path / "nib.sqlite") as nib, served(nib, requests_per_min=5) as api:
        put_token(nib, TOKEN_A, name="other")
        assert [api.ask("devices").status_code for _ in range(7)] == [200] * 5 + [429] * 2
        refused = api.ask("devices")
        assert int(refused.headers["Retry-After"]) >= 1
        assert refused.json()["reason"] == "RATE_LIMITED"
        assert "'tests' asks too often" in refused.json()["detail"]
        other = api.ask("devices", headers={"Authorization": f"Bearer {TOKEN_A}"})
        assert other.status_code == 200  # one token does not spend another's
