"""A stream, pulled by its receiver: `GET /streams/{sender}?stream=ID&after=SEQ`.

The answer is a page of it. What is asked for by `after` was applied, so asking confirms as well.
"""

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import structlog

from pdsno.communication.codec import Draft, seal
from pdsno.communication.embedding import choose_credentials
from pdsno.communication.problems import problem_of
from pdsno.communication.relay import OutboxRelay
from pdsno.communication.rest_messages import Answer, problem_answer
from pdsno.communication.rest_peers import PeerGate
from pdsno.communication.stream_pages import PAGE_BYTES, PAGE_MEDIA_TYPE, head_of
from pdsno.domain.entities import OutboxRow
from pdsno.domain.errors import NotFoundError, Refusal, RefusedError, TransientError
from pdsno.domain.messages import MessageType, StreamTail
from pdsno.domain.peers import Channel
from pdsno.domain.ports import NIB
from pdsno.domain.trust_ports import Signer, Verifier

log = structlog.get_logger()

_ROWS = 50


class StreamSource:
    """Answers the one receiver of our stream, our parent.

    `relay` is None until we serve; `receiver_id` is None without a parent.
    """

    def __init__(
        self,
        nib: NIB,
        relay: Callable[[], OutboxRelay | None],
        *,
        sender_id: Callable[[], str],
        receiver_id: str | None,
        signer: Signer | None = None,
        verifier: Verifier | None = None,
        most_bytes: int = PAGE_BYTES,
    ) -> None:
        self._nib = nib
        self._relay = relay
        self._sender_id = sender_id
        self._receiver_id = receiver_id
        self._credentials = choose_credentials(signer, verifier)
        self._most_bytes = most_bytes

    def page(self, sender: str, after: int, stream_id: str | None, channel: Channel) -> bytes:
        """Return a page; without the right `stream_id` only its first line, to ask by.

        Raises RefusedError NOT_ALLOWED for anybody but the parent, NotFoundError for a stream of
        somebody else, TransientError before we serve.
        """
        self._check_receiver(channel)
        if sender != self._sender_id():
            raise NotFoundError(f"this is {self._sender_id()}, which has no stream of {sender}")
        relay = self._relay()
        if relay is None:
            raise TransientError("no stream yet: the controller is starting")
        position = StreamTail(stream_id=stream_id or "", seq=after)
        go_on = relay.pulled(position) if stream_id else None
        tail = self._nib.outbox_tail()
        lines = [head_of(tail)]
        if go_on is not None and tail.stream_id == stream_id:
            lines += self._messages(relay, go_on, stream_id)
        return b"\n".join(lines)

    def _check_receiver(self, channel: Channel) -> None:
        """Raise RefusedError for anybody but the parent; without TLS only this machine is heard."""
        peer = channel.peer
        is_parent = peer is not None and peer.controller_id == self._receiver_id
        if not is_parent and (peer is not None or not _is_loopback(channel.address)):
            raise RefusedError(Refusal.NOT_ALLOWED, "a stream is for the parent only")

    def _messages(self, relay: OutboxRelay, after: int, stream_id: str) -> Iterator[bytes]:
        size = 0
        while size <= self._most_bytes:
            rows = self._nib.outbox(after_seq=after, limit=_ROWS)
            for row in rows:
                if row.stream_id != stream_id or size > self._most_bytes:
                    return
                relay.stream.hands_over(row)
                raw = self._sealed(row)
                relay.count(row)
                size += len(raw)
                after = row.seq
                yield raw
            if not rows:
                return

    def _sealed(self, row: OutboxRow) -> bytes:
        draft = Draft(
            message_type=MessageType(row.message_type),
            sender_id=self._sender_id(),
            recipient_id=self._receiver_id or "*",
            payload=row.payload,
            message_id=row.message_id,
            correlation_id=row.correlation_id,
            stream_id=row.stream_id,
            seq=row.seq,
        )
        return seal(draft, self._credentials.signer, with_key=self._credentials.is_embedded)


def answer_pull(
    source: StreamSource,
    gate: PeerGate,
    scope: Mapping[str, Any],
    *,
    sender: str,
    after: int,
    stream_id: str | None,
) -> Answer:
    """Answer a request of `GET /streams/{sender}`; never raises."""
    try:
        channel = gate.channel(scope)
        gate.admit(channel)
        body = source.page(sender, after, stream_id, channel)
    except Exception as error:  # noqa: BLE001 - a server answers every error
        problem = problem_of(error)
        log.warning("stream_refused", status=problem.status, error=str(error))
        return problem_answer(problem, is_last=True)
    return Answer(status=200, body=body, media_type=PAGE_MEDIA_TYPE)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
