"""What `pdsno doctor` finds out by talking: to the controller here, its parent, broker and API."""

import json
import socket
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pdsno.cli.doctor_report import Finding, failed, ok, parted, skipped, warning
from pdsno.domain.errors import InputError, OperationError, PDSNOError, TransientError

if TYPE_CHECKING:
    from pdsno.identity.pki.tls_identity import TlsIdentity
    from pdsno.settings import BrokerSettings, ParentSettings

SKEW_S = 30.0
"""Further ahead than this, messages are refused: `MAX_AHEAD_S` of the codec."""
_NOTABLE_S = 5.0
_HALF_A_SECOND = 0.5
"""HTTP's dates leave out the fraction of a second: that much on average."""
_CONNECT_S = 5.0
_ADMIN_S = 5.0
_MOST_BYTES = 64 * 1024
_HTTPS = 443
_OK = 200
_NOT_AUTHORISED = {0x86, 0x87}


# --- the controller here ---------------------------------------------------------------------


def judge_controller(status: Mapping[str, Any]) -> Finding:
    """Tell how a running controller says that it is."""
    named = f"{status.get('controller_id')} runs"
    if not status.get("is_validated"):
        return warning(
            "controller",
            f"{named}, and is not admitted yet",
            "give it a join token: on its parent's machine pdsno token create",
        )
    return ok("controller", named)


def controller(admin_socket: Path) -> tuple[Finding, Mapping[str, Any] | None]:
    """Ask the admin socket; returns what it said as well, None if nobody runs or may be asked."""
    from pdsno.cli.admin_client import AdminClient

    try:
        status = AdminClient(admin_socket, timeout_s=_ADMIN_S).get("/status")
    except TransientError as error:
        cause, _ = parted(error)
        remedy = "start it; if it has ended by itself, its log says why"
        return warning("controller", cause, remedy), None
    except (InputError, OperationError) as error:
        return failed("controller", *parted(error)), None
    return judge_controller(status), status


# --- the parent, and its clock ---------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a controller answered to `GET /info`; `date` is its clock, to the second."""

    status: int
    detail: str = ""
    date: datetime | None = None


def judge_parent(answer: Answer, who: str) -> Finding:
    """Tell whether the parent takes us for who we are."""
    if answer.status == _OK:
        return ok("parent", f"{who} accepts our certificate")
    return failed(
        "parent",
        f"{who} refuses us ({answer.status}): {answer.detail or 'it does not say why'}",
        "there, pdsno controller list shows how we stand: unblock us, or let us join again with "
        "a new token",
    )


def judge_skew(ours: datetime, theirs: datetime | None) -> Finding:
    """Tell whether two clocks agree within what messages may be ahead."""
    check = "clock of parent"
    if theirs is None:
        return skipped(check, "it did not say what time it is")
    ahead_s = (ours - theirs).total_seconds() - _HALF_A_SECOND
    side = "ahead of" if ahead_s > 0 else "behind"
    told = f"ours is {abs(ahead_s):.0f} s {side} the parent's (to the second; ±{SKEW_S:.0f} s)"
    if abs(ahead_s) > SKEW_S:
        return failed(
            check, f"{told}: messages are refused", "set both clocks by NTP: timedatectl shows how"
        )
    if abs(ahead_s) > _NOTABLE_S:
        return warning(check, told, "let both follow NTP before they drift further")
    return ok(check, told)


def parent(
    settings: "ParentSettings", region: str | None, tls: "TlsIdentity | None"
) -> list[Finding]:
    """Call the parent with our certificate; without one, its join listener."""
    from pdsno.domain.peers import server_name

    who = f"{settings.id} at {settings.url}"
    if tls is None or not tls.has_certificate:
        return [_join_listener(settings), skipped("clock of parent", "not joined yet")]
    try:
        answer = _ask(settings.url, tls.client_context(), server_name(settings.id, region))
    except OSError as error:
        fault = _unreached("parent", who, settings.id, error)
        return [fault, skipped("clock of parent", "it cannot be asked")]
    except HTTPException:
        detail = f"{who} does not speak like a controller"
        fault = failed("parent", detail, "correct `parent` in the settings")
        return [fault, skipped("clock of parent", "it cannot be asked")]
    return [judge_parent(answer, who), judge_skew(datetime.now(UTC), answer.date)]


def _join_listener(settings: "ParentSettings") -> Finding:
    from pdsno.communication.http_tls import fetch_unverified

    url = settings.joining
    try:
        fetch_unverified(f"{url}/trust", _CONNECT_S)
    except PDSNOError as error:
        return failed("parent", *parted(error))
    return ok("parent", f"{settings.id} admits at {url}: a join token is all that is needed")


def _ask(url: str, context: ssl.SSLContext, name: str) -> Answer:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _HTTPS
    with closing(_secured(host, port, context, name)) as secured:
        connection = HTTPSConnection(host, port, context=context)
        connection.sock = secured
        connection.request("GET", "/info", headers={"Connection": "close"})
        response = connection.getresponse()
        body = response.read(_MOST_BYTES)
        return Answer(
            status=response.status, detail=_detail(body), date=_date(response.getheader("Date"))
        )


def _secured(host: str, port: int, context: ssl.SSLContext, name: str) -> ssl.SSLSocket:
    plain = socket.create_connection((host, port), timeout=_CONNECT_S)
    try:
        return context.wrap_socket(plain, server_hostname=name)
    except BaseException:
        plain.close()
        raise


def _detail(body: bytes) -> str:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    return str(told.get("detail", "")) if isinstance(told, dict) else ""


def _date(text: str | None) -> datetime | None:
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text) if text else None
    except ValueError:
        return None


def _unreached(check: str, who: str, name: str, error: OSError) -> Finding:
    """Return why there is no connection, and what to do about it."""
    from pdsno.communication.tls_errors import cause_of

    if isinstance(error, ssl.SSLError):
        detail, _, remedy = cause_of(error, name).partition(": ")
        return failed(check, f"{who}: {detail}", remedy or "see the log there")
    if isinstance(error, ConnectionRefusedError):
        return failed(
            check, f"{who}: nobody listens there", f"start it, or correct `{check}` in the settings"
        )
    if isinstance(error, socket.gaierror):
        return failed(check, f"{who}: the name is not known", "correct it, or ask the DNS server")
    if isinstance(error, TimeoutError):
        return failed(check, f"{who}: no answer", "see whether it runs, and firewalls in between")
    why = error.strerror or str(error)
    return failed(check, f"{who}: {why}", "see cable, route and firewall: ip route get ADDRESS")


# --- the broker ------------------------------------------------------------------------------


def judge_greeting(code: int | None, who: str) -> Finding:
    """Tell what a broker's answer to CONNECT means (MQTT 5, reason codes)."""
    if code == 0:
        return ok("broker", f"{who} welcomes us")
    if code is None:
        return failed("broker", f"{who}: no MQTT 5 there", "correct `broker` in the settings")
    if code in _NOT_AUTHORISED:
        return failed(
            "broker",
            f"{who} lets us do nothing (reason 0x{code:02x})",
            "see on the global controller whether we are in: pdsno controller list",
        )
    return failed("broker", f"{who} refuses us (reason 0x{code:02x})", "see its log")


def broker(
    settings: "BrokerSettings", tls: "TlsIdentity | None", status: Mapping[str, Any] | None = None
) -> Finding:
    """Greet the broker as a client does, in TLS if it has a name, and say goodbye.

    Not while the controller, by its `status`, is connected: a broker has one of each name.
    """
    from pdsno.communication.broker_greeting import greet
    from pdsno.domain.peers import server_name

    who = f"{settings.id or 'the broker'} at {settings.host}:{settings.number}"
    if status is not None and status.get("mqtt_connected"):
        return ok("broker", f"the controller is connected to {who}")
    try:
        if settings.id is None:
            with socket.create_connection((settings.host, settings.number), _CONNECT_S) as plain:
                return judge_greeting(greet(plain), who)
        if tls is None or not tls.has_certificate:
            return skipped("broker", "it wants a certificate, and we have none yet")
        name = server_name(settings.id, settings.region)
        context = tls.client_context()
        with closing(_secured(settings.host, settings.number, context, name)) as secured:
            return judge_greeting(greet(secured, is_known=True), who)
    except OSError as error:
        return _unreached("broker", who, settings.id or "", error)


def bridge(host: str, port: int, broker_id: str, tls: "TlsIdentity") -> Finding:
    """Look whether who answers at the other end of a bridge is the broker above.

    By its certificate alone, under its name and under `host`, as mosquitto checks it: a greeting
    would end the bridge.
    """
    from pdsno.domain.peers import server_name

    if not tls.has_certificate:
        return skipped("bridge", "it wants a certificate, and we have none yet")
    who = f"{broker_id} at {host}:{port}"
    try:
        for name in (server_name(broker_id, None), host):
            _secured(host, port, tls.client_context(), name).close()
    except OSError as error:
        return _unreached("bridge", who, broker_id, error)
    return ok("bridge", f"{who} is whom the settings name")


# --- the API ---------------------------------------------------------------------------------


def api(url: str) -> Finding:
    """Ask the API with the token that is kept for it."""
    from pdsno.cli.api_access import look_up
    from pdsno.cli.nib_client import NIBClient

    try:
        target = look_up(url)
        if target.token is None:
            return warning(
                "API",
                f"no token is kept for {url}",
                f"pdsno api-token create --name NAME --role viewer --save {url}",
            )
        with NIBClient(target) as client:
            told = client.health()
    except (InputError, OperationError) as error:
        return failed("API", *parted(error))
    return ok("API", f"{url} of {told['controller_id']} takes the token {target.origin}")
