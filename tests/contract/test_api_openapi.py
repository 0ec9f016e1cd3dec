"""The OpenAPI document is true: every answer is as it says, and it says what can be asked."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pdsno.domain.entities import (
    DeviceType,
    FieldSource,
    Interface,
    Link,
    LinkEnd,
    LinkStatus,
    Neighbor,
    OperatorRole,
)
from pdsno.domain.identifiers import Role
from pdsno.domain.observations import Authority
from pdsno.domain.policy import LocalPolicy, Policy, RegionPolicy
from pdsno.domain.webhooks import Delivery, DeliveryOutcome, Webhook
from pdsno.nib import NIBStore
from tests.unit.api.json_schema import Schemas
from tests.unit.api.serving import (
    NOW,
    TOKEN,
    Api,
    anomaly,
    controller,
    cycle,
    device,
    endpoint,
    event,
    info,
    making,
    outcome,
    put,
    put_token,
    seen,
    served,
    serving_webhooks,
    word,
)

PATHS = [
    "devices",
    "devices/{device_id}",
    "devices/{device_id}/evidence",
    "devices/{device_id}/history",
    "history",
    "interfaces",
    "endpoints",
    "endpoints/{endpoint_id}",
    "links",
    "controllers",
    "events",
    "probes",
    "probes/cycles",
    "anomalies",
    "anomalies/{anomaly_id}",
    "health",
    "policy",
    "tokens",
    "webhooks",
    "webhooks/{webhook_id}/deliveries",
]


OTHERS = ["events/stream", "topology", "health/live", "health/ready"]
"""Tests of their own have these: what they answer is not one JSON document as above."""
WRITES = {
    ("patch", "/api/v1/devices/{device_id}"),
    ("post", "/api/v1/anomalies/{anomaly_id}/acknowledge"),
    ("post", "/api/v1/anomalies/{anomaly_id}/approve"),
    ("post", "/api/v1/devices/{device_id}/merge"),
    ("post", "/api/v1/devices/{device_id}/split"),
    ("post", "/api/v1/webhooks"),
    ("delete", "/api/v1/webhooks/{webhook_id}"),
    ("post", "/api/v1/webhooks/{webhook_id}/enable"),
    ("post", "/api/v1/webhooks/{webhook_id}/test"),
}


HOOK = Webhook(
    webhook_id="wh_" + "0" * 32, url="https://x.example/", region="zone-A", created_at=NOW
)
TRY = Delivery(
    webhook_id=HOOK.webhook_id,
    seq=1,
    message_id="msg_1",
    event_seq=1,
    event_type="DEVICE_APPEARED",
    at=NOW,
    try_number=1,
    outcome=DeliveryOutcome.DELIVERED,
    status=200,
    latency_ms=1.5,
)


def site_policy() -> Policy:
    local = LocalPolicy(controller_id="local_cntl_zone-A_1", subnets=("10.1.0.0/24",))
    return Policy(regions=(RegionPolicy(region="zone-A", local_controllers=(local,)),))


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Serve a NIB in which every field has a value, and another item in which none has."""
    ends = [LinkEnd(device_id="dev_0001", device="a", interface="e"), LinkEnd(
        device_id=None, device=None, interface=None
    )]  # fmt: skip
    full = device(
        1,
        name="spine1",
        vendor="FRRouting",
        model="x",
        platform="linux",
        os_version="8",
        serial="S",
        management_ip="10.1.0.1",
        device_type=DeviceType.ROUTER,
        macs=("00:50:56:aa:bb:01",),
        ips=("10.1.0.1",),
        interfaces=(
            Interface(name="e0"),
            Interface(
                name="e1",
                mac="00:50:56:aa:bb:01",
                ips=("10.1.0.1/24",),
                oper_status="up",
                admin_status="up",
                mtu=1500,
                speed_mbps=1000,
                description="to leaf1",
                vrf="red",
            ),
        ),
        chassis_id="00:50:56:aa:bb:01",
        neighbors=(Neighbor(local_interface="e1"), Neighbor(local_interface="e2", remote_name="b")),
        provenance={"name": FieldSource(source="snmp", at=NOW)},
    )
    with NIBStore("memory://") as store:
        put(store, full, device(2))
        with store.transaction() as change:
            change.put_policy(replace(site_policy(), version=1))
            change.put_webhook(HOOK)
            change.note_delivery(TRY, keep=5)
            change.note_delivery(replace(TRY, seq=2, status=None, error="no"), keep=5)
            change.put_controller(controller("lc", Role.LOCAL, "zone-A"), expected_version=None)
            change.put_controller(controller("gc", Role.GLOBAL, None), expected_version=None)
            change.append_event(event("DEVICE_APPEARED", "dev_0001", "zone-A"))
            found = [outcome(f"10.1.0.{n}", is_answered=n == 1) for n in (1, 2)]
            bare = cycle(
                "cycle-0", notes=(), interruptions=(), authority=Authority(source="settings")
            )
            change.put_cycle(bare, [], keep_cycles=2)
            change.put_cycle(cycle("cycle-1"), found, keep_cycles=2)
            unknown = endpoint(2, mac=None, vendor=None, attachment=None)
            change.put_endpoints([endpoint(1), unknown])
            change.put_endpoint_sightings([seen(1), seen(1, ip=None, attachment=None)])
            change.put_anomalies([anomaly(1, region=None, note=None), anomaly(2)])
            change.put_makings([making("dev_0001")])
            change.put_word(word("dev_0001", "dev_0002"))
            change.replace_links([
                Link(
                    link_id="link_1",
                    a=ends[0],
                    b=ends[1],
                    source="lldp",
                    status=LinkStatus.CLAIMED,
                    last_seen=NOW,
                )
            ])  # fmt: skip
        with (
            serving_webhooks(store, tmp_path_factory.mktemp("secrets")) as sender,
            served(store, lambda: info(validated=True), webhook_sender=sender) as running,
        ):
            put_token(store, TOKEN, role=OperatorRole.ADMIN, created_by="root", region=None)
            yield running


@pytest.fixture(scope="module")
def document(api: Api) -> dict[str, Any]:
    found: dict[str, Any] = api.ask("/openapi.json").json()
    return found


def filled(path: str) -> str:
    return path.format(
        device_id="dev_0001",
        endpoint_id="ep_0001",
        webhook_id=HOOK.webhook_id,
        anomaly_id="anom_0001",
    )


def schema_of(document: dict[str, Any], path: str, status: str = "200") -> dict[str, Any]:
    (content,) = document["paths"][f"/api/v1/{path}"]["get"]["responses"][status]["content"].items()
    assert content[0] == ("application/json" if status == "200" else "application/problem+json")
    schema: dict[str, Any] = content[1]["schema"]
    return schema


def test_it_names_every_resource(document: dict[str, Any]) -> None:
    found = {
        (method, path) for path, operations in document["paths"].items() for method in operations
    }
    reads = {("get", "/metrics"), *(("get", f"/api/v1/{path}") for path in [*PATHS, *OTHERS])}
    assert found == reads | WRITES


def test_every_answer_has_an_example_that_fits_its_schema(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                for media, content in answer.get("content", {}).items():
                    if "json" in media:
                        told = content["example"]
                        faults = Schemas(document).faults(content["schema"], told)
                        assert list(faults) == [], (path, status)


def test_it_says_that_everything_but_the_bare_health_needs_a_token(
    document: dict[str, Any],
) -> None:
    schemes = document["components"]["securitySchemes"]
    assert [(s["type"], s["scheme"]) for s in schemes.values()] == [("http", "bearer")]
    (name,) = schemes
    for path, operations in document["paths"].items():
        is_open = path.startswith("/api/v1/health")
        open_too: list[dict[str, list[str]]] = [{}] if is_open else []
        for operation in operations.values():
            assert operation["security"] == [{name: []}, *open_too], path


@pytest.mark.parametrize("path", PATHS)
def test_answers_are_as_their_schema_says(api: Api, document: dict[str, Any], path: str) -> None:
    schema = schema_of(document, path)
    query = {} if "{" in path or path in {"health", "policy"} else {"limit": 1}
    first = api.get(filled(path), **query)
    assert list(Schemas(document).faults(schema, first)) == []
    if query:
        whole = api.get(path)
        assert whole["items"]
        assert list(Schemas(document).faults(schema, whole)) == []


@pytest.mark.parametrize("path", PATHS)
def test_a_missing_or_undocumented_field_would_be_noticed(
    api: Api, document: dict[str, Any], path: str
) -> None:
    answer = api.get(filled(path))
    item = answer["items"][0] if "items" in answer else answer
    schema = schema_of(document, path)
    for name in list(item):
        altered = copy.deepcopy(answer)
        changed = altered["items"][0] if "items" in answer else altered
        changed[f"{name}_"] = changed.pop(name)
        # A choice of two schemas is one fault: neither fits. Of a policy nothing is required.
        expected = 1 if "anyOf" in schema or path == "policy" else 2
        assert len(list(Schemas(document).faults(schema, altered))) == expected


@pytest.mark.parametrize("path", PATHS)
def test_problems_are_as_their_schema_says(api: Api, document: dict[str, Any], path: str) -> None:
    answer = api.ask(filled(path) + "?no_such=1")
    assert answer.status_code == 422
    schema = schema_of(document, path, "default")
    assert list(Schemas(document).faults(schema, answer.json())) == []


def test_every_documented_parameter_is_taken(api: Api, document: dict[str, Any]) -> None:
    samples = {"string": "10.1.0.1", "integer": 1, "boolean": "true"}
    for path, operations in document["paths"].items():
        for parameter in operations.get("get", {}).get("parameters", []):
            if parameter["in"] != "query" or parameter["name"] == "cursor":
                continue
            schema = parameter["schema"]
            chosen = schema.get("anyOf", [schema])[0]
            if "$ref" in chosen:
                chosen = document["components"]["schemas"][chosen["$ref"].rsplit("/", 1)[1]]
            value = chosen["enum"][0] if "enum" in chosen else samples[chosen["type"]]
            if chosen.get("format") == "date-time":
                value = datetime.now(UTC).isoformat()
            value = {"mac": "00:50:56:aa:bb:01"}.get(parameter["name"], value)
            if parameter["name"] in {"sort", "fields"}:
                continue  # what they take is another thing in each list: test_api_queries
            # A cycle of that name there is not, and no other answer is right.
            expected = 404 if parameter["name"] == "cycle_id" else 200
            with api.session.get(
                api.url + filled(path), params={parameter["name"]: value}, stream=True, timeout=30
            ) as answer:
                status = answer.status_code
            assert status == expected, (path, parameter["name"])
