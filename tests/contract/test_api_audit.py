"""Whatever is changed over the API, the event log says who did it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pdsno.api import Actions
from pdsno.api.document import document
from pdsno.api.webhook_post import Tried
from pdsno.domain.anomalies.entities import Kind
from pdsno.domain.entities import OperatorRole
from pdsno.domain.webhooks import DeliveryOutcome, Webhook
from pdsno.nib import NIBStore
from tests.unit.api.serving import (
    NOW,
    TOKEN,
    Api,
    anomaly,
    put_to_merge_and_split,
    put_token,
    served,
    serving_webhooks,
)

HOOK = Webhook(webhook_id="wh_" + "0" * 32, url="https://x.example/", created_at=NOW)
WHO = "alice"
TOKENS = {role: "pdsno_" + role.value.ljust(43, "-") for role in OperatorRole}


@dataclass(frozen=True, kw_only=True)
class Write:
    """A request that changes something, and the event that is left of it."""

    path: str
    event: str
    subject: str | None
    body: dict[str, Any] | None = field(default_factory=dict)
    role: OperatorRole = OperatorRole.OPERATOR
    """The least that may."""


DEVICE, ANOMALY, WEBHOOK = ("/api/v1/" + kind for kind in ("devices", "anomalies", "webhooks"))
WRITES = {
    ("patch", f"{DEVICE}/{{device_id}}"): Write(
        path=f"{DEVICE}/dev_0001",
        body={"name": "core"},
        event="DEVICE_EDITED",
        subject="dev_0001",
    ),
    ("post", f"{DEVICE}/{{device_id}}/merge"): Write(
        path=f"{DEVICE}/dev_0001/merge",
        body={"with": "dev_0002"},
        event="DEVICES_MERGED",
        subject="dev_0002",
    ),
    ("post", f"{DEVICE}/{{device_id}}/split"): Write(
        path=f"{DEVICE}/dev_0001/split",
        body={"keep": ["10.1.0.1"]},
        event="DEVICE_SPLIT",
        subject="dev_0001",
    ),
    ("post", f"{ANOMALY}/{{anomaly_id}}/acknowledge"): Write(
        path=f"{ANOMALY}/anom_0001/acknowledge", event="ANOMALY_ACKNOWLEDGED", subject="anom_0001"
    ),
    ("post", f"{ANOMALY}/{{anomaly_id}}/approve"): Write(
        path=f"{ANOMALY}/anom_0003/approve",
        event="ANOMALY_APPROVED",
        subject="anom_0003",
        role=OperatorRole.APPROVER,
    ),
    ("post", WEBHOOK): Write(
        path=WEBHOOK,
        body={"url": "https://y.example/"},
        event="WEBHOOK_ADDED",
        subject=None,
        role=OperatorRole.ADMIN,
    ),
    ("delete", f"{WEBHOOK}/{{webhook_id}}"): Write(
        path=f"{WEBHOOK}/{HOOK.webhook_id}",
        body=None,
        event="WEBHOOK_REMOVED",
        subject=HOOK.webhook_id,
        role=OperatorRole.ADMIN,
    ),
    ("post", f"{WEBHOOK}/{{webhook_id}}/enable"): Write(
        path=f"{WEBHOOK}/{HOOK.webhook_id}/enable",
        body=None,
        event="WEBHOOK_ENABLED",
        subject=HOOK.webhook_id,
        role=OperatorRole.ADMIN,
    ),
    ("post", f"{WEBHOOK}/{{webhook_id}}/test"): Write(
        path=f"{WEBHOOK}/{HOOK.webhook_id}/test",
        body=None,
        event="WEBHOOK_TESTED",
        subject=HOOK.webhook_id,
        role=OperatorRole.ADMIN,
    ),
}


@pytest.fixture
def nib() -> Iterator[NIBStore]:
    with NIBStore("memory://") as store:
        put_to_merge_and_split(store)
        with store.transaction() as change:
            change.put_anomalies([anomaly(1), anomaly(3, kind=Kind.MASS_DISAPPEARANCE)])
            change.put_webhook(HOOK)
        yield store


@pytest.fixture
def api(nib: NIBStore, tmp_path: Path) -> Iterator[Api]:
    actions = Actions(request_discovery=lambda _request: None, tell_above=lambda: None)

    def taken(*_: object) -> Tried:
        return Tried(outcome=DeliveryOutcome.DELIVERED, status=200, latency_ms=1.0)

    with (
        serving_webhooks(nib, tmp_path, send=taken) as sender,
        served(nib, webhook_sender=sender, actions=actions) as running,
    ):
        sender.secrets.put(HOOK.webhook_id, "whsec_" + "A" * 32)
        put_token(nib, TOKEN, name=WHO, role=OperatorRole.ADMIN)
        for role, token in TOKENS.items():
            put_token(nib, token, name=f"the-{role.value}", role=role)
        yield running


def test_every_route_that_writes_is_among_those_that_are_tried() -> None:
    """By the document of all that any controller serves: a new route cannot be forgotten."""
    found = {
        (method, path)
        for path, operations in document()["paths"].items()
        for method in operations
        if method != "get"
    }
    assert found == WRITES.keys()


@pytest.mark.parametrize("asked", WRITES, ids=" ".join)
def test_who_changed_something_is_in_the_event_log(
    api: Api, nib: NIBStore, asked: tuple[str, str]
) -> None:
    before = len(nib.events())
    write = WRITES[asked]
    answer = api.session.request(asked[0], api.url + write.path, json=write.body, timeout=30)
    assert answer.status_code in {200, 201}, answer.text
    (left,) = (event for event in nib.events()[before:] if event.event_type == write.event)
    assert left.actor == WHO
    assert write.subject in {left.subject, None}
    assert TOKEN not in str(left)


@pytest.mark.attack(22)
@pytest.mark.parametrize("asked", WRITES, ids=" ".join)
def test_who_has_too_small_a_role_or_no_token_changes_nothing(
    api: Api, nib: NIBStore, asked: tuple[str, str]
) -> None:
    write = WRITES[asked]

    def status(token: str) -> int:
        given = {"Authorization": f"Bearer {token}" if token else None}
        url = api.url + write.path
        answer = api.session.request(asked[0], url, json=write.body, headers=given, timeout=30)
        if answer.status_code >= 400:
            assert answer.json()["status"] == answer.status_code
        return answer.status_code

    # In order, each with the rights of those before it.
    less = list(OperatorRole)[: list(OperatorRole).index(write.role)]
    before = nib.events()
    assert {status(TOKENS[role]) for role in less} == {403}
    assert nib.events() == before
    assert status("") == 401
    assert not [event for event in nib.events() if event.event_type == write.event]
    assert status(TOKENS[write.role]) in {200, 201}


def test_what_is_refused_or_only_tried_leaves_no_event_of_a_change(api: Api, nib: NIBStore) -> None:
    before = nib.events()
    url = f"{api.url}{DEVICE}/dev_0001"
    dry = api.session.post(f"{url}/merge", json={"with": "dev_0002", "dry_run": True}, timeout=30)
    assert dry.status_code == 200
    for refused in (
        api.session.patch(url, json={"shape": "x"}, timeout=30),
        api.session.patch(url, json={"name": "x"}, headers={"If-Match": '"99"'}, timeout=30),
        api.session.post(f"{api.url}{WEBHOOK}/wh_{'1' * 32}/test", timeout=30),
    ):
        assert refused.status_code in {404, 412, 422}, refused.text
    assert nib.events() == before
