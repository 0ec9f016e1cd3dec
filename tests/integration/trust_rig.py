"""A server of the global controller over real TLS, its callers, and certificates to attack with."""

import http.client
import json
import shutil
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pdsno.communication.codec import Draft, seal
from pdsno.communication.http_client import ControllerHTTPClient
from pdsno.communication.rest_protocol import ConnectionLimits
from pdsno.communication.rest_server import ControllerRESTServer
from pdsno.domain.entities import ControllerStatus
from pdsno.domain.messages import Message, MessageType, Reply
from pdsno.domain.peers import server_name
from pdsno.identity.directory import NIBVerifier
from pdsno.identity.pki.vault import TlsIdentity
from pdsno.nib import NIBStore
from tests.pki import Member, Pki, make_pki, record_of

REQUEST, STATUS = MessageType.DISCOVERY_REQUEST, MessageType.STATUS
GC_NAME = server_name("global_cntl_1", None)
PATH = f"/messages/{REQUEST.lower()}"


@dataclass
class Site:
    """The global controller's NIB and what it was told; `got` is what reached its handler."""

    pki: Pki
    nib: NIBStore = field(default_factory=lambda: NIBStore("memory://"))
    got: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.verifier = NIBVerifier(self.nib)
        for member in self.members:
            self.admit(member)

    @property
    def members(self) -> tuple[Member, ...]:
        return (self.pki.gc, self.pki.rc, self.pki.lc, self.pki.broker)

    def expired(self, member: Member) -> Member:
        """Return a member as it was before it renewed its certificate."""
        folder = member.tls.certificate_file.parent
        return replace(member, tls=TlsIdentity(folder.with_name("expired")))

    def renew(self, member: Member) -> str:
        """Give a member its next certificate; returns the digest of the one before."""
        pki = self.pki
        authority = pki.regional_authority if member is pki.lc else pki.global_authority
        before = member.tls.certificate_sha256
        issued = authority.issue_leaf(
            member.tls.new_request(),
            controller_id=member.controller_id,
            role=member.role,
            region=member.region,
            key_id=member.key_id,
            now=datetime.now(UTC),
        )
        member.tls.accept(issued.chain_pem)
        return before

    def admit(self, member: Member) -> None:
        with self.nib.transaction() as tx:
            tx.put_controller(record_of(member), expected_version=None)

    def set_status(self, member: Member, status: ControllerStatus) -> None:
        with self.nib.transaction() as tx:
            known = tx.controller(member.controller_id)
            assert known is not None
            tx.put_controller(replace(known, status=status), expected_version=known.version)

    def handler(self, message: Message) -> Reply:
        self.got.append(message)
        return Reply(message_type=STATUS, payload={"got": dict(message.payload)})

    @contextmanager
    def server(
        self,
        *,
        limits: ConnectionLimits | None = None,
        starts: bool = True,
        **options: Any,  # noqa: ANN401 - of the server
    ) -> Iterator[ControllerRESTServer]:
        """Serve as the global controller, with one handler."""
        gc = self.pki.gc
        arguments: dict[str, Any] = {
            "signer": gc.signer,
            "verifier": self.verifier,
            "tls": gc.tls,
            "peers": self.verifier,
            "info": {"role": "global"},
        }
        server = ControllerRESTServer(gc.controller_id, 0, **arguments | options)
        if limits is not None:
            server._runner._limits = limits
        server.register_handler(REQUEST, self.handler)
        if starts:
            server.start_background()
        try:
            yield server
        finally:
            server.stop()

    @contextmanager
    def client(
        self,
        member: Member,
        server: ControllerRESTServer | None = None,
        **options: Any,  # noqa: ANN401 - of the client
    ) -> Iterator[ControllerHTTPClient]:
        """Call as a member; the server's name is known."""
        arguments: dict[str, Any] = {
            "signer": member.signer,
            "verifier": self.verifier,
            "tls": member.tls,
            "sleep": lambda _s: None,
        }
        client = ControllerHTTPClient(**arguments | options)
        if server is not None:
            client.register_controller("global_cntl_1", url_of(server))
        try:
            yield client
        finally:
            client.close()


def make_site(directory: Path) -> Site:
    """Return a site that is eight days old: each member has renewed its certificate since."""
    site = Site(make_pki(directory, now=datetime.now(UTC) - timedelta(days=8)))
    for member in site.members:
        folder = member.tls.certificate_file.parent
        shutil.copytree(folder, folder.with_name("expired"))
        site.renew(member)
    return site


def url_of(server: ControllerRESTServer) -> str:
    return f"https://127.0.0.1:{server.port}"


def ask(
    client: ControllerHTTPClient,
    member: Member,
    **changes: Any,  # noqa: ANN401 - arguments of send
) -> Message | None:
    arguments: dict[str, Any] = {
        "sender_id": member.controller_id,
        "recipient_id": "global_cntl_1",
        "message_type": REQUEST,
        "payload": {"n": 1},
        "retries": 0,
    }
    return client.send(**arguments | changes)


def sealed(member: Member, **changes: Any) -> bytes:  # noqa: ANN401 - fields of a Draft
    fields: dict[str, Any] = {
        "message_type": REQUEST,
        "sender_id": member.controller_id,
        "recipient_id": "global_cntl_1",
        "payload": {"n": 1},
    }
    now = changes.pop("now", None)
    return seal(Draft(**fields | changes), member.signer, now=now)


# --- by hand ---------------------------------------------------------------------------------


@contextmanager
def secured(
    context: ssl.SSLContext, port: int, *, name: str = GC_NAME, source: str | None = None
) -> Iterator[ssl.SSLSocket]:
    """Give a TLS connection, from a loopback address of choice."""
    where = (source, 0) if source is not None else None
    plain = socket.create_connection(("127.0.0.1", port), timeout=10, source_address=where)
    with plain, context.wrap_socket(plain, server_hostname=name) as wrapped:
        yield wrapped


@contextmanager
def connection_of(
    member: Member, server: ControllerRESTServer
) -> Iterator[http.client.HTTPConnection]:
    """Give one live HTTP connection with a member's certificate."""
    with secured(member.tls.client_context(), server.port) as sock:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.sock = sock
        yield connection


@dataclass(frozen=True)
class Answer:
    status: int
    reason: str | None
    headers: http.client.HTTPMessage
    body: bytes


def post(
    connection: http.client.HTTPConnection, raw: bytes, path: str = PATH, **headers: str
) -> Answer:
    """Post bytes on a live connection."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("POST", path, body=raw, headers=names)
    return answer_of(connection.getresponse())


def answer_of(response: http.client.HTTPResponse) -> Answer:
    body = response.read()
    is_problem = response.headers.get("Content-Type") == "application/problem+json"
    reason = json.loads(body).get("reason") if is_problem else None
    return Answer(status=response.status, reason=reason, headers=response.headers, body=body)


def raised(call: Callable[[], object]) -> BaseException | None:
    """Return what a call raises, None if nothing."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - whatever it is, the test judges it
        return error
    return None
