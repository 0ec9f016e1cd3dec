"""The proof, at each start, that a client's certificate reaches the application.

It gets there through attributes of uvicorn that are not promised to stay. A release that moves
them must stop the start, and not leave a server that takes everybody for nobody.
"""

import hashlib
import http.client
import ipaddress
import json
import socket
import ssl
from typing import Any

from pdsno.communication.tls_errors import explain
from pdsno.domain.errors import OperationError, PDSNOError
from pdsno.domain.peers import server_name
from pdsno.domain.trust_ports import TransportSecurity

_TIMEOUT_S = 10.0
_MAX_BYTES = 4096


def prove_peers_arrive(tls: TransportSecurity, host: str, port: int) -> None:
    """Call our own server as ourselves; raises OperationError unless it tells that we did."""
    address = _reachable(host)
    where = f"the server on {host}:{port}"
    try:
        shown = _shown(address, port)
        if hashlib.sha256(shown).hexdigest() != tls.certificate_sha256:
            raise OperationError(f"{where} does not show our certificate: is it another process?")
        me = tls.peer(shown)
        name = server_name(me.controller_id, me.region)
        seen = _seen(tls, address, port, name)
    except ssl.SSLError as error:
        raise OperationError(explain(error, where, "ourselves")) from error
    except OSError as error:
        raise OperationError(f"{where} does not answer to ourselves: {error}") from error
    except PDSNOError as error:
        raise OperationError(f"{where} failed its self-test: {error}") from error
    if seen.get("certificate_sha256") != tls.certificate_sha256:
        raise OperationError(
            f"{where} does not see its clients' certificates: this release of uvicorn cannot be "
            "used; install the one in requirements/"
        )


def _shown(address: str, port: int) -> bytes:
    """Return the certificate (DER) that a server shows, unverified: it is compared with ours."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((address, port), timeout=_TIMEOUT_S) as plain,
        context.wrap_socket(plain) as secured,
    ):
        return secured.getpeercert(binary_form=True) or b""


def _seen(tls: TransportSecurity, address: str, port: int, name: str) -> dict[str, Any]:
    """Return what the server says of who we are."""
    with (
        socket.create_connection((address, port), timeout=_TIMEOUT_S) as plain,
        tls.client_context().wrap_socket(plain, server_hostname=name) as secured,
    ):
        connection = http.client.HTTPConnection(address, port, timeout=_TIMEOUT_S)
        connection.sock = secured
        try:
            connection.request("GET", "/peer", headers={"Connection": "close"})
            body = connection.getresponse().read(_MAX_BYTES)
            value = json.loads(body)
        except (http.client.HTTPException, ValueError) as error:
            raise OperationError("it does not speak HTTP") from error
    return value if isinstance(value, dict) else {}


def _reachable(host: str) -> str:
    """Return where a server that listens on `host` can be reached from here."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if not address.is_unspecified:
        return host
    return "127.0.0.1" if address.version == 4 else "::1"  # noqa: PLR2004 - IPv4
