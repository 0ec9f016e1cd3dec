"""Messages to other controllers by REST: signed, retried, and the reply verified."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
import structlog

from pdsno.communication.backoff import jittered
from pdsno.communication.codec import (
    MAX_MESSAGE_BYTES,
    Draft,
    ReplayGuard,
    open_message,
    parse_json,
    seal,
)
from pdsno.communication.embedding import choose_credentials
from pdsno.communication.http_peers import Peer, PeerBook, sound_url
from pdsno.communication.http_tls import certificate_sha256, fetch_unverified
from pdsno.communication.problems import error_of
from pdsno.communication.stream_pages import MAX_PAGE_BYTES, StreamPage, read_page
from pdsno.communication.tls_errors import explain, ssl_error_in
from pdsno.domain.errors import (
    InputError,
    OperationError,
    Refusal,
    RefusedError,
    RemoteProtocolError,
    TransientError,
)
from pdsno.domain.identifiers import new_message_id
from pdsno.domain.measure import Durations
from pdsno.domain.messages import Message, MessageType, StreamTail
from pdsno.domain.peers import Channel
from pdsno.domain.trust_ports import Signer, TransportSecurity, Verifier

log = structlog.get_logger()

_CONNECT_TIMEOUT_S = 5.0
_MOST_RETRY_AFTER_S = 30.0
_INFO_BYTES = 256 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """How a controller answered `GET /health`; true in a condition if it is well."""

    controller_id: str
    is_healthy: bool
    detail: str
    rtt_ms: float | None = None

    def __bool__(self) -> bool:
        return self.is_healthy


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    status: int
    body: bytes
    retry_after_s: float | None
    channel: Channel


class _RetryableError(TransientError):
    """Worth another attempt, not before `wait_s` if the peer named a time."""

    def __init__(self, text: str, wait_s: float | None = None) -> None:
        super().__init__(text)
        self.wait_s = wait_s


class ControllerHTTPClient:
    """Sends messages to registered controllers. Thread-safe; connections are pooled and reused.

    After a connection error, a 5xx or a 429 it tries again `retries` times, 1, 2, 4, … s later
    (± 20 %, or as late as the peer asks for). A message may therefore arrive more than once: each
    attempt has its own message_id, unless the message is durable, and the receiver's inbox knows
    those.

    With `tls` it speaks to https URLs only: it shows our certificate, the newest one, and expects
    each controller's name in the certificate that it is shown. Without, it speaks to this machine
    only; built without signer and verifier, it is in embedding mode.
    """

    def __init__(
        self,
        *,
        signer: Signer | None = None,
        verifier: Verifier | None = None,
        retries: int = 3,
        timeout_s: float = 10.0,
        sleep: Callable[[float], object] = time.sleep,
        tls: TransportSecurity | None = None,
    ) -> None:
        self._credentials = choose_credentials(signer, verifier)
        self._retries = retries
        self._timeout_s = timeout_s
        self._sleep = sleep
        self._peers = PeerBook(tls)
        self._guard = ReplayGuard()
        self.durations = Durations()
        """Of each try to send a message."""

    def register_controller(
        self, controller_id: str, url: str, *, region: str | None = None
    ) -> None:
        """Tell where a controller listens; a new URL replaces the old. Raises InputError.

        `region` (None: global) is part of the name that its certificate must bear.
        """
        self._peers.register(controller_id, url, region)

    @contextlib.contextmanager
    def joining(self, roots_pem: str | bytes) -> Iterator["ControllerHTTPClient"]:
        """Lend a second client for the join listener of a validator.

        It trusts these roots only, shows no certificate, and signs and verifies as this one does.
        """
        with self._lent(PeerBook(roots_pem=roots_pem)) as client:
            yield client

    @contextlib.contextmanager
    def renewing(self) -> Iterator["ControllerHTTPClient"]:
        """Lend a second client whose connections are new, for asking for the next certificate.

        A validator names, in its challenge, the certificate that it shows; on a connection from
        before its own renewal we would have seen another one.
        """
        with self._lent(self._peers.anew()) as client:
            yield client

    @contextlib.contextmanager
    def _lent(self, peers: PeerBook) -> Iterator["ControllerHTTPClient"]:
        client = ControllerHTTPClient(
            signer=self._credentials.signer,
            verifier=self._credentials.verifier,
            retries=self._retries,
            timeout_s=self._timeout_s,
            sleep=self._sleep,
        )
        client._peers = peers
        try:
            yield client
        finally:
            client.close()

    def fetch_trust(self, url: str, *, timeout_s: float = 10.0) -> bytes:
        """Return the roots (PEM) that a join listener serves.

        From whoever answers there: compare them with the fingerprint in the join token. Raises
        InputError, TransientError or RemoteProtocolError.
        """
        url = sound_url(url)
        if urlsplit(url).scheme != "https":
            raise InputError(f"{url} is no join listener: https://HOST:PORT")
        return fetch_unverified(f"{url}/trust", timeout_s)

    def unregister_controller(self, controller_id: str) -> None:
        """Forget a controller and close its connections; idempotent."""
        self._peers.unregister(controller_id)

    @property
    def controllers(self) -> Mapping[str, str]:
        """The registered controllers: ID to URL."""
        return self._peers.urls

    def close(self) -> None:
        """Forget all controllers and close their connections."""
        for controller_id in self.controllers:
            self.unregister_controller(controller_id)

    def send(  # noqa: PLR0913 - the envelope's fields, by name
        self,
        *,
        sender_id: str,
        recipient_id: str,
        message_type: MessageType,
        payload: object,
        correlation_id: str | None = None,
        stream_id: str | None = None,
        seq: int | None = None,
        message_id: str | None = None,
        timeout_s: float | None = None,
        retries: int | None = None,
    ) -> Message | None:
        """Send a message and return the verified reply, or None if there is none.

        `payload` is a mapping or a payload dataclass; `timeout_s` holds for each attempt. Raises
        RefusedError if the peer (or we, for its reply) refused; InputError for a controller that
        is not registered; TransientError when every attempt failed; ConflictError;
        LocalProtocolError if the peer could not read us; RemoteProtocolError if we could not read
        its reply.
        """
        peer = self._peers.peer(recipient_id)
        draft = Draft(
            message_type=message_type,
            sender_id=sender_id,
            recipient_id=recipient_id,
            payload=payload,
            message_id=message_id or new_message_id(),
            correlation_id=correlation_id,
            stream_id=stream_id,
            seq=seq,
        )
        left = self._retries if retries is None else retries
        delay_s = 1.0
        while True:
            try:
                with self.durations.measured():
                    return self._attempt(peer, draft, timeout_s or self._timeout_s)
            except _RetryableError as error:
                if left <= 0:
                    raise TransientError(str(error)) from error
                wait_s = jittered(delay_s) if error.wait_s is None else error.wait_s
                log.info("rest_retry", peer=peer.controller_id, in_s=round(wait_s, 1), left=left)
            left -= 1
            delay_s *= 2
            self._sleep(wait_s)
            if stream_id is None and message_id is None:
                # The first attempt may have been handled: the same ID again would be a replay.
                draft = replace(draft, message_id=new_message_id())

    def check_health(self, controller_id: str, *, timeout_s: float = 3.0) -> Health:
        """Return whether a controller answers; raises only if it is not registered."""
        peer = self._peers.peer(controller_id)
        started = time.monotonic()
        try:
            answer = self._exchange(peer, "GET", "/health", None, timeout_s, _INFO_BYTES)
            body = parse_json(answer.body, _INFO_BYTES)
        except OperationError as error:
            return Health(controller_id=controller_id, is_healthy=False, detail=str(error))
        rtt_ms = (time.monotonic() - started) * 1000
        status = body.get("status") if isinstance(body, dict) else None
        is_healthy = answer.status == requests.codes.ok and status == "ok"
        detail = "ok" if is_healthy else f"{peer.url} answered {answer.status}, not as healthy"
        return Health(
            controller_id=controller_id, is_healthy=is_healthy, detail=detail, rtt_ms=rtt_ms
        )

    def get_info(self, controller_id: str, *, timeout_s: float = 3.0) -> Mapping[str, Any]:
        """Return what a controller tells of itself; unsigned, so good for people only."""
        peer = self._peers.peer(controller_id)
        answer = self._exchange(peer, "GET", "/info", None, timeout_s, _INFO_BYTES)
        if answer.status != requests.codes.ok:
            raise error_of(str(peer), answer.status, answer.body)
        value = parse_json(answer.body, _INFO_BYTES)
        if not isinstance(value, dict):
            raise RemoteProtocolError(f"{peer} answered /info with no JSON object")
        return value

    def pull_stream(
        self, controller_id: str, recipient_id: str, position: StreamTail | None
    ) -> StreamPage:
        """Return what comes after a position in a controller's stream for us, a page of it.

        That we ask confirms what is before. None: only how its stream is called, and how far it
        goes. Raises as `send` does; asks once.
        """
        peer = self._peers.peer(controller_id)
        asked = {"stream": position.stream_id, "after": position.seq} if position else {}
        path = f"/streams/{controller_id}" + (f"?{urlencode(asked)}" if asked else "")
        answer = self._exchange(peer, "GET", path, None, self._timeout_s, MAX_PAGE_BYTES)
        if answer.status != requests.codes.ok:
            raise error_of(str(peer), answer.status, answer.body)
        return read_page(
            answer.body,
            self._credentials.verifier,
            sender_id=controller_id,
            recipient_id=recipient_id,
        )

    def _attempt(self, peer: Peer, draft: Draft, timeout_s: float) -> Message | None:
        raw = seal(draft, self._credentials.signer, with_key=self._credentials.is_embedded)
        path = f"/messages/{draft.message_type.value.lower()}"
        answer = self._exchange(peer, "POST", path, raw, timeout_s, MAX_MESSAGE_BYTES)
        if answer.status == requests.codes.no_content:
            return None
        if answer.status == requests.codes.ok:
            return self._reply(answer, draft)
        if 200 <= answer.status < 400:  # noqa: PLR2004 - HTTP's classes of answers
            raise RemoteProtocolError(f"{peer} answered {answer.status}: no controller there?")
        error = error_of(str(peer), answer.status, answer.body)
        if isinstance(error, TransientError):
            raise _RetryableError(str(error), answer.retry_after_s) from error
        raise error

    def _reply(self, answer: _Answer, draft: Draft) -> Message:
        reply = open_message(
            answer.body,
            self._credentials.verifier,
            recipient_id=draft.sender_id,
            channel=answer.channel,
        )
        if reply.sender_id != draft.recipient_id:
            raise RefusedError(
                Refusal.IDENTITY_MISMATCH, f"{reply.sender_id} answered for {draft.recipient_id}"
            )
        if reply.correlation_id != draft.message_id:
            raise RefusedError(Refusal.REPLAYED, "the reply is to another message")
        self._guard.admit(reply, datetime.now(UTC))
        return reply

    def _exchange(
        self, peer: Peer, method: str, path: str, body: bytes | None, timeout_s: float, limit: int
    ) -> _Answer:
        deadline = time.monotonic() + timeout_s
        headers = {"Content-Type": "application/jose+json"} if body is not None else {}
        try:
            with self._peers.session(peer).request(
                method,
                peer.url + path,
                data=body,
                headers=headers,
                timeout=(min(_CONNECT_TIMEOUT_S, timeout_s), timeout_s),
                allow_redirects=False,
                stream=True,
            ) as response:
                digest = certificate_sha256(response)
                content = _content(peer, response, deadline, limit)
                return _Answer(
                    status=response.status_code,
                    body=content,
                    retry_after_s=_retry_after_s(response.headers.get("Retry-After")),
                    channel=Channel(certificate_sha256=digest, address=peer.url),
                )
        except requests.RequestException as error:
            failure = ssl_error_in(error)
            if failure is not None:
                # Another attempt in seconds would fail likewise: clocks and certificates do not
                # change that fast.
                raise TransientError(explain(failure, str(peer), peer.name)) from error
            raise _RetryableError(_unreachable(peer, error, timeout_s)) from error


def _content(peer: Peer, response: requests.Response, deadline: float, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    for chunk in response.iter_content(64 * 1024):
        size += len(chunk)
        if size > limit:
            raise RemoteProtocolError(f"{peer} answered with more than {limit} bytes")
        if time.monotonic() > deadline:
            raise _RetryableError(f"{peer} took too long to answer")
        chunks.append(chunk)
    return b"".join(chunks)


def _retry_after_s(value: str | None) -> float | None:
    if value is None:
        return None
    with contextlib.suppress(ValueError):
        return min(max(float(value), 0.0), _MOST_RETRY_AFTER_S)
    return None


def _unreachable(peer: Peer, error: requests.RequestException, timeout_s: float) -> str:
    if isinstance(error, requests.ConnectTimeout):
        return f"{peer} does not answer: is the host up and the port open?"
    if isinstance(error, requests.Timeout):
        return f"{peer} did not answer within {timeout_s:g} s"
    if isinstance(error, requests.ConnectionError):
        return f"cannot reach {peer}: is it running there?"
    return f"exchange with {peer} failed: {type(error).__name__}"
