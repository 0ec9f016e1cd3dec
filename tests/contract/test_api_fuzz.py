"""Whatever is asked, the API answers as its document says, and never with a failure of ours.

Schemathesis makes the requests from the OpenAPI document: those that fit it, those that do not.
"""

import logging
from collections.abc import Iterator
from typing import Any, TypeAlias
from unittest.mock import patch

import pytest
import schemathesis
import structlog
from hypothesis import HealthCheck, given, settings
from schemathesis import APIOperation, BaseSchema, Case, GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.core.result import Ok

from pdsno.api import gate, guard
from pdsno.api.streams import StreamLimits
from pdsno.domain.entities import Interface, Link, LinkEnd, LinkStatus, OperatorRole
from pdsno.domain.identifiers import Role
from pdsno.domain.policy import Policy
from pdsno.domain.webhooks import Webhook
from pdsno.nib import NIBStore
from tests.unit.api.serving import (
    NOW,
    TOKEN,
    anomaly,
    app_of,
    controller,
    cycle,
    device,
    endpoint,
    event,
    making,
    outcome,
    put,
    put_token,
    seen,
    serving_webhooks,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
Operation: TypeAlias = APIOperation[Any, Any, Any, Any]
PATHS = [
    "/api/v1/anomalies",
    "/api/v1/anomalies/{anomaly_id}",
    "/api/v1/anomalies/{anomaly_id}/acknowledge",
    "/api/v1/anomalies/{anomaly_id}/approve",
    "/api/v1/controllers",
    "/api/v1/devices",
    "/api/v1/devices/{device_id}",
    "/api/v1/devices/{device_id}/evidence",
    "/api/v1/devices/{device_id}/history",
    "/api/v1/devices/{device_id}/merge",
    "/api/v1/devices/{device_id}/split",
    "/api/v1/endpoints",
    "/api/v1/endpoints/{endpoint_id}",
    "/api/v1/events",
    "/api/v1/events/stream",
    "/api/v1/health",
    "/api/v1/health/live",
    "/api/v1/health/ready",
    "/api/v1/history",
    "/api/v1/interfaces",
    "/api/v1/links",
    "/api/v1/policy",
    "/api/v1/probes",
    "/api/v1/probes/cycles",
    "/api/v1/tokens",
    "/api/v1/topology",
    "/api/v1/webhooks",
    "/api/v1/webhooks/{webhook_id}",
    "/api/v1/webhooks/{webhook_id}/deliveries",
    "/api/v1/webhooks/{webhook_id}/enable",
    "/api/v1/webhooks/{webhook_id}/test",
    "/metrics",
]
ORDERS = ("{webhook_id}", "/enable", "/test", "/merge", "/split", "/acknowledge", "/approve")
READ = [path for path in PATHS if not path.endswith(ORDERS)]
WRITES = {
    ("PATCH", "/api/v1/devices/{device_id}"): OperatorRole.OPERATOR,
    ("POST", "/api/v1/anomalies/{anomaly_id}/acknowledge"): OperatorRole.OPERATOR,
    ("POST", "/api/v1/anomalies/{anomaly_id}/approve"): OperatorRole.APPROVER,
    ("POST", "/api/v1/devices/{device_id}/merge"): OperatorRole.OPERATOR,
    ("POST", "/api/v1/devices/{device_id}/split"): OperatorRole.OPERATOR,
    ("POST", "/api/v1/webhooks"): OperatorRole.ADMIN,
    ("DELETE", "/api/v1/webhooks/{webhook_id}"): OperatorRole.ADMIN,
    ("POST", "/api/v1/webhooks/{webhook_id}/enable"): OperatorRole.ADMIN,
    ("POST", "/api/v1/webhooks/{webhook_id}/test"): OperatorRole.ADMIN,
}
"""Routes that write, each with the least role that may."""
OPEN = {"/api/v1/health", "/api/v1/health/live", "/api/v1/health/ready"}
WITHOUT_PARAMETERS = {*OPEN, "/api/v1/policy", "/metrics"}
"""Of these there is nothing to get wrong."""
MALFORMED = {400, 404, 405, 415, 422}
"""What is no request of ours is refused before it is known who asks."""
HOOK = Webhook(webhook_id="wh_" + "0" * 32, url="https://x.example/", created_at=NOW)
TOKEN_A = "pdsno_" + "zone-A".ljust(43, "-")
TOKENS = {role: "pdsno_" + role.value.ljust(43, "-") for role in OperatorRole}


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaseSchema]:
    """Return the document of an API that has one of everything, to be asked without a socket."""
    quiet = structlog.wrap_logger(
        None,
        processors=[structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
    )
    with (
        NIBStore("memory://") as nib,
        patch.object(guard, "log", quiet),
        patch.object(gate, "log", quiet),
        # A minute later it would tell of this in the output of another test.
        patch.object(gate.Gate, "_tell_later", lambda _gate: None),
        serving_webhooks(nib, tmp_path_factory.mktemp("secrets")) as sender,
    ):
        fill(nib)
        # The name by which schemathesis asks.
        app = app_of(
            nib,
            host_names=("testserver",),
            stream_limits=StreamLimits(life_s=0.01),
            webhook_sender=sender,
        )
        put_token(nib, TOKEN, role=OperatorRole.ADMIN)
        document = app.openapi()
        for operations in document["paths"].values():
            # Else it would guess tokens; who may ask is the tests' to say.
            for one in operations.values():
                del one["security"]
        loaded = schemathesis.openapi.from_dict(document)
        loaded.app = app
        yield loaded


def fill(nib: NIBStore) -> None:
    put(nib, device(1, name="spine1", region="zone-A", interfaces=(Interface(name="eth1"),)))
    put_token(nib, TOKEN_A, name="noc-a", region="zone-A")
    for role, token in TOKENS.items():
        put_token(nib, token, name=role.value, role=role)
    end, nowhere = (LinkEnd(device_id=d, device=None, interface="e") for d in ("dev_0001", None))
    with nib.transaction() as change:
        change.put_webhook(HOOK)
        change.put_policy(Policy(version=1))
        change.put_controller(controller("lc", Role.LOCAL, "zone-A"), expected_version=None)
        change.append_event(event("DEVICE_APPEARED", "dev_0001", "zone-A"))
        change.put_cycle(cycle("c1"), [outcome("10.1.0.1", is_answered=True)], keep_cycles=1)
        change.put_anomalies([anomaly(1)])
        change.put_makings([making("dev_0001")])
        change.put_endpoints([endpoint(1)])
        change.put_endpoint_sightings([seen(1)])
        change.replace_links(
            [
                Link(
                    link_id="link_1",
                    a=end,
                    b=nowhere,
                    source="lldp",
                    status=LinkStatus.CLAIMED,
                    last_seen=NOW,
                )
            ]
        )


def operation(schema: BaseSchema, path: str, method: str = "GET") -> Operation:
    return schema[path][method]


def ask(
    schema: BaseSchema, path: str, mode: GenerationMode, token: str | None, method: str = "GET"
) -> list[int]:
    """Ask in several ways, check each answer, return the statuses."""
    statuses: list[int] = []
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    @given(case=operation(schema, path, method).as_strategy(generation_mode=mode))
    @settings(max_examples=8, suppress_health_check=list(HealthCheck))
    def every(case: Case[Any]) -> None:
        response = case.call(headers=headers)
        case.validate_response(response, checks=CHECKS)
        statuses.append(response.status_code)

    every()
    return statuses


def test_every_documented_route_is_asked(schema: BaseSchema) -> None:
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    assert sorted({one.path for one in found}) == PATHS
    writes = {(one.method.upper(), one.path) for one in found if one.method != "get"}
    assert writes == WRITES.keys()


@pytest.mark.attack(29)
@pytest.mark.parametrize("path", READ)
def test_with_a_token_every_answer_is_as_documented(schema: BaseSchema, path: str) -> None:
    statuses = ask(schema, path, GenerationMode.POSITIVE, TOKEN)
    assert set(statuses) <= {200, 400, 404, 410, 422}


@pytest.mark.attack(21)
@pytest.mark.parametrize("path", [path for path in READ if path not in WITHOUT_PARAMETERS])
def test_what_does_not_fit_the_document_is_refused_as_documented(
    schema: BaseSchema, path: str
) -> None:
    statuses = ask(schema, path, GenerationMode.NEGATIVE, TOKEN)
    assert set(statuses) <= {200, 400, 404, 405, 410, 422}


@pytest.mark.parametrize("path", READ)
def test_with_a_token_for_one_region_every_answer_is_as_documented(
    schema: BaseSchema, path: str
) -> None:
    statuses = ask(schema, path, GenerationMode.POSITIVE, TOKEN_A)
    assert set(statuses) <= {200, 400, 403, 404, 410, 422}


@pytest.mark.attack(22)
@pytest.mark.parametrize("path", READ)
def test_without_a_token_every_answer_is_a_documented_refusal(
    schema: BaseSchema, path: str
) -> None:
    statuses = ask(schema, path, GenerationMode.POSITIVE, None)
    expected = {200, 400, 422} if path in OPEN else {400, 401, 422, 429}
    assert set(statuses) <= expected


@pytest.mark.attack(21)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize(("method", "path"), WRITES)
def test_writing_is_answered_as_documented(
    schema: BaseSchema, method: str, path: str, mode: GenerationMode
) -> None:
    ranks = list(OperatorRole)
    for role, token in TOKENS.items():
        is_enough = ranks.index(role) >= ranks.index(WRITES[method, path])
        expected = {200, 201, 404, 412} if is_enough else {403}
        statuses = set(ask(schema, path, mode, token, method))
        assert statuses <= expected | MALFORMED, role
    assert set(ask(schema, path, mode, TOKEN_A, method)) <= {403} | MALFORMED
    assert set(ask(schema, path, mode, None, method)) <= {401, 429} | MALFORMED


def test_plain_questions_are_answered(schema: BaseSchema) -> None:
    """The twin: were everything refused, the tests above would pass too."""
    for path in READ:
        parts = {"device_id": "dev_0001", "endpoint_id": "ep_0001", "webhook_id": HOOK.webhook_id}
        parts["anomaly_id"] = "anom_0001"
        given_parts = {name: value for name, value in parts.items() if f"{{{name}}}" in path}
        case = operation(schema, path).Case(path_parameters=given_parts)
        answer = case.call(headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200, path
