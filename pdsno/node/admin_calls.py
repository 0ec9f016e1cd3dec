"""What each tier's admin socket does."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pdsno.controllers.base_controller import BaseController
from pdsno.controllers.global_controller import GlobalController
from pdsno.controllers.member_controller import MemberController
from pdsno.controllers.regional_controller import RegionalController
from pdsno.domain.entities import ControllerStatus
from pdsno.domain.errors import InputError
from pdsno.domain.identifiers import Role, check_region
from pdsno.domain.jsonable import jsonable
from pdsno.domain.messages import DiscoveryRequest
from pdsno.domain.policy import check_subnet
from pdsno.node.admin import AdminCall, caller
from pdsno.node.api_token_calls import api_token_calls
from pdsno.node.controller_calls import known_controllers
from pdsno.node.prober import may_probe
from pdsno.node.reader_calls import reader_calls
from pdsno.policy.document import policy_from

_MOST_SUBNETS = 256
_MOST_CHARACTERS = 200


def admin_calls(
    controller: BaseController,
    *,
    api_roots: Callable[[], str] = lambda: "",
    api_url: Callable[[], str] = lambda: "",
) -> dict[str, AdminCall]:
    """Return the calls that this controller's admin socket serves.

    `api_roots` gives the roots (PEM) by which its API's certificate is verified, if it is ours;
    `api_url` where the API is served, empty while it is not.
    """
    by = _operator_at(controller)
    calls: dict[str, AdminCall] = {
        "GET /status": lambda _: {**_status(controller), "api": api_url() or None},
        "GET /policy": lambda _: controller.nib_store.policy(),
        "GET /controllers": lambda _: {"items": known_controllers(controller)},
    }
    if isinstance(controller, GlobalController | RegionalController):
        calls["POST /token"] = lambda body: _mint(controller, body)
        calls["GET /tokens"] = lambda _: {"items": controller.admissions.tokens.records()}
        calls["POST /controllers/status"] = lambda body: _withdraw(controller, body)
        calls["POST /tokens/revoke"] = lambda body: controller.admissions.tokens.revoke(
            str(body.get("jti_sha256", ""))
        )
    if isinstance(controller, GlobalController):
        calls |= reader_calls(controller, by=by)
        calls["POST /policy"] = lambda body: controller.apply_policy(policy_from(body), by=by())
    prober: object = controller
    if may_probe(prober):
        calls["POST /discover"] = lambda body: {
            "asked": prober.request_discovery(replace(_discovery(body), requested_by=by()))
        }
        calls["POST /pause"] = lambda body: {
            "paused": prober.pause(by=by(), reason=_text(body, "reason"), region=_region(body))
        }
        calls["POST /resume"] = lambda body: {
            "resumed": prober.resume(by=by(), region=_region(body))
        }
    return calls | api_token_calls(controller.nib_store, by=by, roots_pem=api_roots)


def _operator_at(controller: BaseController) -> Callable[[], str]:
    """Return who tells who asks, for the record: the kernel's word on the user, and where."""
    return lambda: f"{caller() or 'an operator'} at {controller.controller_id}"


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str | None):
        msg = f"{name} must be text"
        raise InputError(msg)
    if value and len(value) > _MOST_CHARACTERS:
        msg = f"{name} may have at most {_MOST_CHARACTERS} characters"
        raise InputError(msg)
    return " ".join((value or "").split())


def _region(body: Mapping[str, Any]) -> str | None:
    return _text(body, "region") or None


def _status(controller: BaseController) -> Mapping[str, object]:
    prober: object = controller
    probing: Mapping[str, object] = prober.probing if may_probe(prober) else {}
    certificate = controller.options.tls
    return {
        "controller_id": controller.controller_id,
        "role": controller.role,
        "region": controller.region,
        "is_validated": controller.is_validated,
        "mqtt_connected": bool(controller.mqtt_client and controller.mqtt_client.is_connected),
        "outbox_tail": controller.nib_store.outbox_tail(),
        "outbox_waiting": controller.reports_waiting,
        "certificate_until": (
            certificate.not_after if certificate and certificate.has_certificate else None
        ),
        "events_published": controller.published_events,
        "readers": {one.name: one.not_after for one in controller.nib_store.readers()},
        **_streams(controller),
        **probing,
    }


def _streams(controller: BaseController) -> Mapping[str, object]:
    """Return what became of durable messages since the start: those sent, those taken in."""
    told: dict[str, object] = {}
    if isinstance(controller, MemberController):
        told["streams_out"] = controller.streams_out
    if isinstance(controller, GlobalController | RegionalController):
        told["streams_in"] = controller.streams_in
    return told


def _withdraw(
    controller: GlobalController | RegionalController, body: Mapping[str, Any]
) -> Mapping[str, object]:
    try:
        wanted = ControllerStatus(body.get("status", ""))
    except ValueError as error:
        msg = "status must be revoked, blocked or active"
        raise InputError(msg) from error
    name = _text(body, "controller_id")
    is_new = controller.withdraw(name, wanted, by=_operator_at(controller)())
    return {"controller_id": name, "status": wanted, "is_new": is_new}


def _mint(
    controller: GlobalController | RegionalController, body: Mapping[str, Any]
) -> Mapping[str, object]:
    try:
        role = Role(body.get("role", ""))
    except ValueError as error:
        msg = "role must be regional, local or broker"
        raise InputError(msg) from error
    region = body.get("region")
    ttl = body.get("ttl_s")
    if not isinstance(region, str | None) or not isinstance(ttl, int | None):
        msg = "region must be text, ttl_s a whole number of seconds"
        raise InputError(msg)
    if region is not None:
        check_region(region)
    lifetime = timedelta(seconds=ttl) if ttl is not None else None
    return {"token": controller.admissions.mint_token(role, region, lifetime)}


_REQUEST = TypeAdapter(DiscoveryRequest)


def _discovery(body: Mapping[str, Any]) -> DiscoveryRequest:
    try:
        request = _REQUEST.validate_python(jsonable(body))
    except ValidationError as error:
        msg = "a discovery request has `subnets` (a list), `region`, `accept_missing`"
        raise InputError(msg) from error
    if len(request.subnets) > _MOST_SUBNETS:
        msg = f"at most {_MOST_SUBNETS} subnets in one request"
        raise InputError(msg)
    for subnet in request.subnets:
        check_subnet(subnet)
    return request
