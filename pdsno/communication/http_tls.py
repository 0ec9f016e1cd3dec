"""HTTPS between controllers, under requests: our roots and nobody else's, names of ours.

A server is known by the name in its certificate and not by its address; and which certificate it
showed can be told afterwards.
"""

import contextlib
import hashlib
import http.client
import ipaddress
import ssl
import time
from typing import Any, ClassVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

from pdsno.communication.tls_errors import explain
from pdsno.domain.errors import InputError, RemoteProtocolError, TransientError
from pdsno.http_session import own_session

_POOL = 16
# Servers close a connection that was idle for 15 s: one that is nearly as old may be gone by the
# time that a request arrives.
_MOST_IDLE_S = 10.0
_TRUST_BYTES = 256 * 1024
_ALERT_S = 1.0


def new_session(context: ssl.SSLContext | None, server_name: str) -> requests.Session:
    """Return a session for one controller: over TLS with a context, else to this machine only."""
    session = own_session()
    session.adapters.clear()
    if context is None:
        session.mount("http://", _LoopbackAdapter(1, _POOL, max_retries=0))
    else:
        session.mount("https://", _TlsAdapter(context, server_name))
    return session


def certificate_sha256(response: requests.Response) -> str:
    """Return the digest (hexadecimal) of what the server showed; empty without TLS.

    To be asked before the content was read, while the response has its connection.
    """
    connection = getattr(response.raw, "connection", None)
    return connection.certificate_sha256 if isinstance(connection, _TlsConnection) else ""


def joining_context(roots_pem: str | bytes) -> ssl.SSLContext:
    """Return a client's context that trusts these roots and shows no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.hostname_checks_common_name = False
    text = roots_pem.decode("ascii", "replace") if isinstance(roots_pem, bytes) else roots_pem
    try:
        context.load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        raise InputError("the roots of the trust domain are no certificates in PEM") from error
    return context


def fetch_unverified(url: str, timeout_s: float) -> bytes:
    """Return what an https URL serves, from whoever answers there: it must be checked otherwise.

    Raises TransientError or RemoteProtocolError.
    """
    parts = urlsplit(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(
        parts.hostname or "", parts.port, timeout=timeout_s, context=context
    )
    try:
        connection.request("GET", parts.path or "/", headers={"Connection": "close"})
        response = connection.getresponse()
        body = _limited(response, time.monotonic() + timeout_s, url)
    except ssl.SSLError as error:
        raise TransientError(explain(error, url, "the validator")) from error
    except OSError as error:
        raise TransientError(f"cannot reach {url}: is the validator running there?") from error
    except http.client.HTTPException as error:
        raise RemoteProtocolError(f"{url} answered with no HTTP") from error
    finally:
        connection.close()
    if response.status != requests.codes.ok:
        raise RemoteProtocolError(f"{url} answered {response.status}: is it a join listener?")
    return body


def _limited(response: http.client.HTTPResponse, deadline: float, url: str) -> bytes:
    chunks = b""
    while chunk := response.read1(64 * 1024):
        chunks += chunk
        if len(chunks) > _TRUST_BYTES:
            raise RemoteProtocolError(f"{url} answered with more than {_TRUST_BYTES} bytes")
        if time.monotonic() > deadline:
            raise TransientError(f"{url} took too long to answer")
    return chunks


class _TlsConnection(HTTPSConnection):
    """Knows which certificate it saw, and does not wait to be closed by an idle server."""

    certificate_sha256 = ""
    _used_at = 0.0

    def connect(self) -> None:
        super().connect()
        secured: Any = self.sock
        shown = secured.getpeercert(binary_form=True)
        self.certificate_sha256 = hashlib.sha256(shown).hexdigest()
        self._used_at = time.monotonic()

    def send(self, data: Any) -> None:  # noqa: ANN401 - http.client's
        """Send; tells why the server closed the connection if it said so."""
        try:
            super().send(data)
        except OSError:
            self._raise_alert()
            raise

    def _raise_alert(self) -> None:
        """Raise the alert that the server sent before it closed the connection, if it did.

        With TLS 1.3 it judges our certificate when we are done with the handshake, and writing.
        """
        with contextlib.suppress(ValueError, ssl.SSLEOFError, ConnectionError, TimeoutError):
            if self.sock is not None:
                self.sock.settimeout(_ALERT_S)
                self.sock.recv(1)

    def getresponse(self) -> Any:  # noqa: ANN401 - urllib3's
        response = super().getresponse()
        self._used_at = time.monotonic()
        return response

    @property
    def is_connected(self) -> bool:
        """Whether urllib3 may take this connection for the next request."""
        is_fresh = time.monotonic() - self._used_at < _MOST_IDLE_S
        return is_fresh and super().is_connected


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _TlsAdapter(HTTPAdapter):
    """Takes the given context as it is, and expects one server name whatever the address."""

    def __init__(self, context: ssl.SSLContext, server_name: str) -> None:
        self._context = context
        self._server_name = server_name
        super().__init__(1, _POOL, max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - requests'
        super().init_poolmanager(
            *args, **options, ssl_context=self._context, server_hostname=self._server_name
        )
        self.poolmanager.pool_classes_by_scheme = {"https": _TlsPool}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:  # noqa: ANN401 - requests'
        """Leave the context alone: requests would add the public authorities to its roots."""
        del url, verify, cert
        conn.cert_reqs = "CERT_REQUIRED"


class _LoopbackConnection(HTTPConnection):
    """Looks where it got to: what a name resolves to may change after it was checked."""

    def connect(self) -> None:
        super().connect()
        with contextlib.suppress(ValueError):
            if ipaddress.ip_address(self.sock.getpeername()[0]).is_loopback:
                return
        self.close()
        raise NewConnectionError(self, f"{self.host} is not loopback any more")


class _LoopbackPool(HTTPConnectionPool):
    ConnectionCls = _LoopbackConnection


class _LoopbackAdapter(HTTPAdapter):
    pools: ClassVar = {"http": _LoopbackPool}

    def init_poolmanager(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - requests'
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self.pools
