"""Whatever is sent to a controller, rightly signed or not, is never a failure of its own."""

import asyncio
import json
import logging
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import schemathesis
import structlog
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok

from pdsno.communication.codec import Draft, seal
from pdsno.communication.rest_protocol import EXTENSION
from pdsno.communication.rest_server import ControllerRESTServer
from pdsno.controllers.base_controller import BaseController
from pdsno.domain import messages
from pdsno.domain.anomalies.entities import Anomaly
from pdsno.domain.errors import LocalProtocolError, OperationError
from pdsno.domain.jsonable import jsonable
from pdsno.domain.messages import MessageType
from pdsno.signing import SigningKey
from tests.integration.tiers import Tiers, three

WITHOUT_PARAMETERS = {"/health", "/info", "/peer", "/trust"}
"""Of these there is nothing to get wrong."""

schemathesis.serializer.alias("application/jose+json", "application/json")

PAYLOADS: dict[MessageType, tuple[type, ...]] = {
    MessageType.VALIDATION_REQUEST: (messages.ValidationRequest, messages.EscalationRequest),
    MessageType.CHALLENGE_RESPONSE: (messages.ChallengeResponse,),
    MessageType.DISCOVERY_REPORT: (messages.DiscoveryReport,),
    MessageType.DISCOVERY_SUMMARY: (messages.DiscoveryReport,),
    MessageType.DISCOVERY_REQUEST: (messages.DiscoveryRequest,),
    MessageType.POLICY_UPDATE: (messages.PolicyUpdate,),
    MessageType.SYSTEM_EVENT: (messages.SystemEvent,),
    MessageType.STATUS: (messages.Status,),
}


st.register_type_strategy(
    datetime,
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - Hypothesis adds the zone
)
st.register_type_strategy(messages.SystemEvent, st.builds(messages.SystemEvent, data=st.just({})))
st.register_type_strategy(Anomaly, st.builds(Anomaly, evidence=st.just({})))


@dataclass
class Target:
    """A server of a controller, and who may speak to it: name of the key, ID, certificate."""

    server: ControllerRESTServer
    name: str
    sender_id: str
    certificate: bytes | None


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> Iterator[None]:
    """Thousands of refusals say nothing; crashes do."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def tiers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiers]:
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        made = Tiers(tmp_path_factory.mktemp("tiers"), stack, status_s=3600)
        patch.setattr("pdsno.controllers.local_controller.observe", made.observe)
        yield made


@pytest.fixture(scope="module")
def targets(tiers: Tiers) -> dict[str, Target]:
    gc, (rc,), (lc,) = three(tiers, "zone-A", has_url=True)
    for controller in (rc, lc):
        controller.serve()

    def target(controller: BaseController, caller: str, sender: BaseController) -> Target:
        assert controller.rest_server is not None
        pem = tiers.tls(caller).chain_pem.encode()
        der = load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
        return Target(controller.rest_server, caller, sender.controller_id, der)

    def joining(server: ControllerRESTServer | None) -> Target:
        assert server is not None
        return Target(server, "stranger", "temp-9", None)

    return {
        "gc": target(gc, "rc-zone-A", rc),
        "rc from below": target(rc, "lc-zone-A", lc),
        "rc from above": target(rc, "gc", gc),
        "lc": target(lc, "rc-zone-A", rc),
        "gc joining": joining(gc._join_server),
        "rc joining": joining(rc._join_server),
    }


NAMES = ["gc", "rc from below", "rc from above", "lc", "gc joining", "rc joining"]


def as_peer(server: ControllerRESTServer, certificate: bytes | None) -> Any:  # noqa: ANN401 - an ASGI application
    """Return the application as it is reached with a certificate, without a socket."""

    async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        scope.setdefault("extensions", {})[EXTENSION] = {"client_cert_der": certificate}
        await server.app(scope, receive, send)

    return app


@contextmanager
def unlimited(server: ControllerRESTServer) -> Iterator[None]:
    """Let all pass that the rate limit would stop."""
    limiters = server._limits._limiters
    server._limits._limiters = {}
    try:
        yield
    finally:
        server._limits._limiters = limiters


def ask(target: Target, mode: GenerationMode, certificate: bytes | None) -> list[int]:
    """Let schemathesis ask every operation of the document; returns the statuses."""
    loaded = schemathesis.openapi.from_dict(target.server.openapi())
    loaded.app = as_peer(target.server, certificate)
    statuses: list[int] = []
    for result in loaded.get_all_operations():
        assert isinstance(result, Ok)
        if mode is GenerationMode.NEGATIVE and result.ok().path in WITHOUT_PARAMETERS:
            continue

        @given(case=result.ok().as_strategy(generation_mode=mode))
        @settings(max_examples=25, suppress_health_check=list(HealthCheck))
        def every(case: Case[Any]) -> None:
            response = case.call()
            case.validate_response(response, checks=[not_a_server_error])
            statuses.append(response.status_code)

        with unlimited(target.server):
            every()
    return statuses


@pytest.mark.attack(21)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_fits_the_document_fails(targets: dict[str, Target], name: str) -> None:
    target = targets[name]
    statuses = set(ask(target, GenerationMode.POSITIVE, target.certificate))
    assert statuses <= {200, 400, 401, 403, 404, 415, 422}
    assert statuses & {400, 401}


@pytest.mark.attack(21)
@pytest.mark.parametrize("name", ["gc", "rc from below", "lc", "gc joining"])
def test_nothing_that_does_not_fit_the_document_fails(
    targets: dict[str, Target], name: str
) -> None:
    target = targets[name]
    statuses = set(ask(target, GenerationMode.NEGATIVE, target.certificate))
    assert statuses <= {200, 400, 401, 403, 404, 405, 415, 422}


@pytest.mark.attack(22)
@pytest.mark.parametrize("name", ["gc", "rc from below", "lc"])
def test_without_a_certificate_nothing_but_health_is_answered(
    targets: dict[str, Target], name: str
) -> None:
    target = targets[name]
    document, app = target.server.openapi(), as_peer(target.server, None)
    ask(target, GenerationMode.POSITIVE, None)
    for path, operations in document["paths"].items():
        for method in operations:
            status = asyncio.run(status_of(app, method.upper(), path))
            expected = {"/health": 200, "/peer": 200}.get(path, 401)
            assert status == expected, path


# --- rightly signed ----------------------------------------------------------------------------


STRANGE = (
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-12:00",
    "10.0.0.0/0",
    "10.0.0.1/24",
    "::/0",
    "300.1.1.1",
    "../../etc/passwd",
    "'; DROP TABLE devices; --",
    "\x00",
    "+/#",
    "zone-A",
    "zone-a",
    10**18,
    -1,
    "x" * 100_000,
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(max_size=40)
    | st.sampled_from(STRANGE),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def payloads(draw: st.DrawFn, message_type: MessageType) -> dict[str, Any]:
    """Make a payload of the right type, or one that is wrong in a few places."""
    made = draw(st.sampled_from(PAYLOADS[message_type]).flatmap(st.from_type))
    payload: dict[str, Any] = jsonable(made)
    for name in draw(st.lists(st.sampled_from(sorted(payload)), max_size=2)):
        if draw(st.booleans()):
            payload[name] = draw(JSON)
        else:
            payload.pop(name, None)
    return payload


def paths_of(target: Target) -> list[MessageType]:
    return sorted(target.server._desk.handlers)


@pytest.mark.attack(21)
@pytest.mark.parametrize("name", NAMES)
def test_no_signed_message_fails_whatever_it_says(
    tiers: Tiers, targets: dict[str, Target], name: str
) -> None:
    target = targets[name]
    key = tiers.keys.setdefault(target.name, SigningKey.generate())
    app = as_peer(target.server, target.certificate)
    statuses: list[int] = []

    @given(data=st.data())
    @settings(max_examples=200, suppress_health_check=list(HealthCheck))
    def every(data: st.DataObject) -> None:
        kind = data.draw(st.sampled_from(paths_of(target)))
        payload = data.draw(payloads(kind))
        has_stream = data.draw(st.booleans())
        draft = Draft(
            message_type=kind,
            sender_id=target.sender_id,
            recipient_id=target.server.controller_id,
            payload=payload,
            stream_id=f"s-{secrets.token_hex(4)}" if has_stream else None,
            seq=1 if has_stream else None,
        )
        try:
            raw = seal(draft, key)
        except (LocalProtocolError, OperationError):
            return
        status = post(app, kind, raw)
        statuses.append(status)
        assert status < 500, (kind, json.dumps(payload)[:2000])

    with unlimited(target.server):
        every()
    assert len(statuses) > 100
    assert {400, 403} & set(statuses)
    assert target.certificate is None or {200, 204} & set(statuses)


def post(app: Any, kind: MessageType, raw: bytes) -> int:  # noqa: ANN401 - an ASGI application
    return asyncio.run(status_of(app, "POST", f"/messages/{kind.lower()}", raw))


async def status_of(app: Any, method: str, path: str, body: bytes = b"{}") -> int:  # noqa: ANN401 - an ASGI application
    """Return the status of a bare request."""
    sent: list[Mapping[str, Any]] = []
    parts = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Mapping[str, Any]:
        return next(parts, {"type": "http.disconnect"})

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"content-type", b"application/jose+json")],
        "http_version": "1.1",
        "scheme": "https",
        "server": ("x", 1),
        "client": ("192.0.2.1", 1),
    }
    await app(scope, receive, send)
    return int(sent[0]["status"])
