"""An API on loopback, with a NIB behind it, for tests."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import requests
import structlog
from fastapi import FastAPI

from pdsno.api import ControllerInfo, WebhookSecrets, WebhookSender, create_app, guard
from pdsno.api.tokens import digest_of
from pdsno.communication.rest_runner import RestRunner
from pdsno.domain.anomalies.entities import Anomaly, Kind, Severity
from pdsno.domain.constraints import Marks, Verb, Word
from pdsno.domain.entities import (
    ApiTokenRecord,
    Attachment,
    ControllerRecord,
    Device,
    Endpoint,
    EndpointSighting,
    NewEvent,
    OperatorRole,
)
from pdsno.domain.identifiers import Role
from pdsno.domain.makings import Account, Joined, Making, Told
from pdsno.domain.observations import (
    AddressOutcome,
    Authority,
    CycleRecord,
    Interruption,
    Method,
    Outcome,
    Probe,
    StopReason,
)
from pdsno.domain.ports import NIB
from pdsno.nib import NIBStore

TOKEN = "pdsno_" + "served-token".ljust(43, "_")
NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Api:
    """A served API and a session to ask it with."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Ask `path`, below /api/v1 unless it starts with a slash."""
        whole = path if path.startswith("/") else f"/api/v1/{path}"
        asked: Any = params
        return self.session.request(
            method, self.url + whole, params=asked, headers=headers, timeout=30
        )

    def get(self, path: str, **params: object) -> dict[str, Any]:
        """Return the JSON of an answer that must be 200."""
        answer = self.ask(path, params=params)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == "application/json"
        body: dict[str, Any] = answer.json()
        return body

    def items(self, path: str, **params: object) -> list[dict[str, Any]]:
        """Return the items of one page."""
        items: list[dict[str, Any]] = self.get(path, **params)["items"]
        return items

    def walk(
        self, path: str, between: Callable[[], None] = lambda: None, **params: object
    ) -> Iterator[dict[str, Any]]:
        """Yield the items of all pages; `between` runs after each page."""
        cursor: Mapping[str, object] = {}
        while True:
            page = self.get(path, **params, **cursor)
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            cursor = {"cursor": page["next_cursor"]}
            between()

    def problem(
        self,
        path: str,
        status: int,
        *,
        method: str = "GET",
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Return the detail of an answer that must be a sound problem of this status."""
        answer = self.ask(path, method=method, params=params, headers=headers)
        assert answer.status_code == status, answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
        body = answer.json()
        assert body["status"] == status
        assert body["title"]
        assert body["type"]
        detail = body["detail"]
        assert isinstance(detail, str)
        assert detail
        return detail


def info(**health: object) -> ControllerInfo:
    return ControllerInfo(
        controller_id="global_cntl_1",
        role=Role.GLOBAL,
        region=None,
        version="0.1.0",
        started_at=NOW,
        health=health,
    )


def app_of(
    nib: NIBStore,
    controller: Callable[[], ControllerInfo] = info,
    host_names: tuple[str, ...] = (),
    **options: Any,  # noqa: ANN401 - of create_app
) -> FastAPI:
    """Return the API of a NIB into which TOKEN is put."""
    put_token(nib, TOKEN)
    return create_app(nib, controller=controller, host_names=host_names, **options)


@contextmanager
def served(
    nib: NIBStore,
    controller: Callable[[], ControllerInfo] = info,
    host_names: tuple[str, ...] = (),
    **options: Any,  # noqa: ANN401 - of create_app
) -> Iterator[Api]:
    """Serve a NIB on a free port of loopback; the session has a token that may see everything."""
    app = app_of(nib, controller, host_names, **options)
    runner = RestRunner(app, host="127.0.0.1", port=0)
    # A line a request would come after the answer, in the output of another test; and structlog's
    # own default draws the locals of each frame, which takes seconds.
    quiet = structlog.wrap_logger(
        None,
        processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    with patch.object(guard, "log", quiet):
        yield from _running(runner)


def _running(runner: RestRunner) -> Iterator[Api]:
    runner.start()
    api = Api(url=f"http://127.0.0.1:{runner.port}")
    api.session.trust_env = False
    api.session.headers["Authorization"] = f"Bearer {TOKEN}"
    try:
        yield api
    finally:
        api.session.close()
        runner.stop()


@contextmanager
def serving_webhooks(nib: NIBStore, folder: Path, **options: Any) -> Iterator[WebhookSender]:  # noqa: ANN401 - of WebhookSender
    """Return a sender of webhooks that is not started."""
    sender = WebhookSender(
        nib, WebhookSecrets(folder), controller_id=lambda: "global_cntl_1", **options
    )
    try:
        yield sender
    finally:
        sender.close()


def put_token(nib: NIB, token: str, **values: Any) -> ApiTokenRecord:  # noqa: ANN401 - any field
    """Put a token that is good, unless told otherwise."""
    default: dict[str, Any] = {"name": "tests", "role": OperatorRole.VIEWER, "created_at": NOW}
    record = ApiTokenRecord(token_sha256=digest_of(token), **default | values)
    with nib.transaction() as change:
        change.put_api_token(record)
    return record


def put(nib: NIB, *devices: Device) -> None:
    with nib.transaction() as change:
        for device in devices:
            change.put_device(device, expected_version=None)


def device(number: int, **values: Any) -> Device:  # noqa: ANN401 - any field of a device
    return Device(
        **{"device_id": f"dev_{number:04}", "first_seen": NOW, "last_seen": NOW, **values}
    )


def event(event_type: str, subject: str, region: str | None = None) -> NewEvent:
    return NewEvent(
        event_type=event_type,
        subject=subject,
        actor="local_cntl_zone-A_1",
        at=NOW,
        region=region,
        data={"why": ["seen", 1]},
    )


def controller(controller_id: str, role: Role, region: str | None) -> ControllerRecord:
    return ControllerRecord(
        controller_id=controller_id,
        role=role,
        region=region,
        public_key=f"key-of-{controller_id}",
        key_id=f"thumb-of-{controller_id}",
        certificate=f"chain of {controller_id}",
        authority="chain of its CA" if role is Role.REGIONAL else "",
        subnets=("10.1.0.0/24",),
        validated_at=NOW,
    )


def outcome(address: str, *, is_answered: bool, namespace: str = "zone-A") -> AddressOutcome:
    told = Outcome.ANSWERED if is_answered else Outcome.SILENT
    probes = [Probe(method=Method.ARP, outcome=told, rtt_ms=0.5 if is_answered else None)]
    if is_answered:
        probes.append(Probe(method=Method.SNMP, outcome=Outcome.TIMEOUT))
    return AddressOutcome(namespace=namespace, address=address, probes=tuple(probes))


PORT = Attachment(device_id="dev_0001", device="spine1", interface="eth3", vlan=20)


def endpoint(number: int, **values: Any) -> Endpoint:  # noqa: ANN401 - any field of an endpoint
    default: dict[str, Any] = {
        "endpoint_id": f"ep_{number:04}",
        "namespace": "zone-A",
        "mac": f"00:50:56:00:00:{number:02x}",
        "ips": (f"10.1.20.{number}",),
        "vendor": "Acme",
        "region": "zone-A",
        "local_controller": "local_cntl_zone-A_1",
        "attachment": PORT,
        "sources": ("arp-table", "mac-table"),
        "first_seen": NOW,
        "last_seen": NOW,
    }
    return Endpoint(**default | values)


def seen(number: int, **values: Any) -> EndpointSighting:  # noqa: ANN401 - any field of a sighting
    default: dict[str, Any] = {
        "endpoint_id": f"ep_{number:04}",
        "ip": f"10.1.20.{number}",
        "attachment": PORT,
        "source": "arp-table",
        "first_seen": NOW,
        "last_seen": NOW,
    }
    return EndpointSighting(**default | values)


def cycle(cycle_id: str, **values: Any) -> CycleRecord:  # noqa: ANN401 - any field of a cycle
    default: dict[str, Any] = {
        "region": "zone-A",
        "local_controller": "local_cntl_zone-A_1",
        "namespace": "zone-A",
        "subnets": ("10.1.0.0/24",),
        "authority": Authority(
            source="policy 0.3",
            requested_by="alice",
            rate_pps=50.0,
            exclude=("10.1.0.7/32",),
            credentials=("ro",),
        ),
        "started_at": NOW - timedelta(seconds=12.5),
        "finished_at": NOW,
        "is_complete": False,
        "counts": {"answered": 1, "silent": 1},
        "notes": ("10.1.9.0/24: no leg",),
        "interruptions": (Interruption(reason=StopReason.LINK_LOST, where="eth1"),),
    }
    return CycleRecord(cycle_id=cycle_id, **default | values)


def anomaly(number: int, **values: Any) -> Anomaly:  # noqa: ANN401 - any field of an anomaly
    default: dict[str, Any] = {
        "anomaly_id": f"anom_{number:04}",
        "kind": Kind.ADDRESS_CONFLICT,
        "severity": Severity.CRITICAL,
        "subject": f"10.1.0.{number}",
        "region": "zone-A",
        "found_by": "local_cntl_zone-A_1",
        "key": f"zone-A/10.1.0.{number}",
        "first_seen": NOW,
        "opened_at": NOW,
        "last_seen": NOW,
        "evidence": {"ip": f"10.1.0.{number}"},
    }
    return Anomaly(**default | values)


def making(device_id: str) -> Making:
    account = Account(label="snmp at 10.1.0.1", macs=("00:50:56:aa:bb:01",), ips=("10.1.0.1",))
    other = Account(label="ssh at 10.1.0.9", ips=("10.1.0.9",), serial="s9", name="other")
    told = Told(by="lc", device_id=device_id, lines=("+80 same serial",), accounts=(account, other))
    joined = Joined(at=NOW, other="dev_0009", because=("2 shared MACs",), by="lc")
    return Making(device_id=device_id, told=(told,), joined=(joined,))


def put_to_merge_and_split(nib: NIB) -> None:
    """Put two devices, of which the first is made of what two accounts told."""
    put(
        nib,
        device(1, name="core1", macs=("00:50:56:aa:bb:01",), ips=("10.1.0.1", "10.1.0.9")),
        device(2, name="core1-old", macs=("00:50:56:aa:bb:02",), ips=("10.1.0.2",)),
    )
    with nib.transaction() as change:
        change.put_makings([making("dev_0001")])


def word(a_id: str, b_id: str) -> Word:
    a = Marks(namespace="", macs=("00:50:56:aa:bb:01",))
    b = Marks(namespace="", ips=("10.1.0.9",), serials=("s9",))
    return Word(
        word_id="word_1", verb=Verb.APART, a_id=a_id, b_id=b_id, a=a, b=b, by="alice", at=NOW
    )
