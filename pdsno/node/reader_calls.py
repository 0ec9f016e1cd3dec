"""Readers of events on the admin socket of the global controller: added, listed, removed."""

from collections.abc import Callable, Mapping
from typing import Any

from pdsno.controllers.global_controller import GlobalController
from pdsno.domain import topics
from pdsno.domain.errors import InputError, OperationError
from pdsno.domain.readers import DEFAULT_DAYS
from pdsno.identity.reader_desk import ReaderDesk
from pdsno.node.admin import AdminCall


def reader_calls(controller: GlobalController, *, by: Callable[[], str]) -> dict[str, AdminCall]:
    """Return the calls that make, list and remove readers; none without an issuing authority."""
    vault = controller.options.authority
    if vault is None:
        return {}
    desk = ReaderDesk(controller.nib_store, vault.authority)
    return {
        "POST /readers": lambda body: _added(controller, desk, body, by()),
        "GET /readers": lambda _: {"items": controller.nib_store.readers()},
        "POST /readers/remove": lambda body: {
            "removed": desk.remove(_text(body, "name"), by=by()).name
        },
    }


def _added(
    controller: GlobalController, desk: ReaderDesk, body: Mapping[str, Any], by: str
) -> Mapping[str, object]:
    region, days = body.get("region"), body.get("days", DEFAULT_DAYS)
    if not isinstance(region, str | None) or not isinstance(days, int):
        raise InputError("region must be text, days a whole number")
    client = controller.mqtt_client
    if client is None:
        raise OperationError("this controller has no broker: set `broker` in its settings")
    if controller.options.broker is None:
        host, _, port = client.broker.rpartition(":")
        raise OperationError(
            "the broker here speaks no TLS and is on loopback: whoever is on this machine hears "
            f"events without a certificate: mosquitto_sub -h {host} -p {port} -v "
            f"-t '{topics.nib_events_all()}'"
        )
    made = desk.add(
        name=_text(body, "name"), csr_pem=_text(body, "csr"), region=region, days=days, by=by
    )
    return {
        "reader": made.reader,
        "certificate": made.chain_pem,
        "ca": made.roots_pem,
        "broker": client.broker,
        "topic": topics.nib_events(region),
    }


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise InputError(f"{name} must be text")
    return value
