"""A message that came by REST: checked, handled, answered. Knows bytes, and no HTTP library."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog

from pdsno.communication.codec import (
    Draft,
    MessageJournal,
    ReplayGuard,
    is_replayable,
    open_message,
    seal,
)
from pdsno.communication.embedding import Credentials
from pdsno.communication.problems import MEDIA_TYPE, Problem, problem_of
from pdsno.communication.refused import MALFORMED, OnRefused
from pdsno.communication.rest_peers import PeerGate
from pdsno.domain.errors import PDSNOError, RefusedError, RemoteProtocolError
from pdsno.domain.messages import Handler, Message, MessageType, Reply
from pdsno.domain.peers import Channel

log = structlog.get_logger()

MESSAGE_MEDIA_TYPE = "application/jose+json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """An HTTP answer; `is_last` closes the connection after it."""

    status: int
    body: bytes = b""
    media_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    is_last: bool = False


def problem_answer(problem: Problem, *, is_last: bool = False) -> Answer:
    """Return the answer that tells a problem."""
    return Answer(
        status=problem.status,
        body=problem.body(),
        media_type=MEDIA_TYPE,
        headers=problem.headers(),
        is_last=is_last,
    )


class MessageDesk:
    """Answers the messages of one server. Blocks, as handlers do: for worker threads."""

    def __init__(
        self,
        credentials: Credentials,
        gate: PeerGate,
        journal: MessageJournal | None,
        on_refused: OnRefused | None = None,
    ) -> None:
        self.handlers: dict[MessageType, Handler] = {}
        self._credentials = credentials
        self._gate = gate
        self._guard = ReplayGuard(journal=journal)
        self._on_refused = on_refused

    def answer(
        self, me: str, message_type: MessageType, scope: Mapping[str, Any], raw: bytes
    ) -> Answer:
        """Check, handle and answer a message for the controller `me`; never raises."""
        with structlog.contextvars.bound_contextvars(controller_id=me):
            channel = Channel(address=self._gate.address(scope))
            try:
                channel = self._gate.channel(scope)
                self._gate.admit(channel)
            except Exception as error:  # noqa: BLE001 - a server answers every error
                return problem_answer(self._told(message_type, channel, error), is_last=True)
            try:
                return self._handle(me, message_type, channel, raw)
            except Exception as error:  # noqa: BLE001 - a server answers every error
                return problem_answer(self._told(message_type, channel, error))

    def _handle(self, me: str, message_type: MessageType, channel: Channel, raw: bytes) -> Answer:
        message = open_message(raw, self._credentials.verifier, recipient_id=me, channel=channel)
        if message.message_type is not message_type:
            raise RemoteProtocolError(f"{message.message_type} sent to another type's endpoint")
        if not is_replayable(message):
            self._guard.admit(message, datetime.now(UTC))
        with structlog.contextvars.bound_contextvars(
            sender_id=message.sender_id,
            correlation_id=message.correlation_id or message.message_id,
        ):
            try:
                reply = self.handlers[message_type](message)
            except Exception as error:  # noqa: BLE001 - logged here, where the sender is known
                return problem_answer(self._told(message_type, channel, error))
        if reply is None:
            return Answer(status=204)
        body = self._sealed(reply, message, me)
        return Answer(status=200, body=body, media_type=MESSAGE_MEDIA_TYPE)

    def _told(self, message_type: MessageType, channel: Channel, error: Exception) -> Problem:
        """Log an error, and let whoever keeps them hear of a refusal."""
        problem = _logged(message_type, error)
        is_recorded = isinstance(error, RefusedError) and error.is_recorded
        is_refusal = isinstance(error, RefusedError | RemoteProtocolError) and not is_recorded
        if self._on_refused is not None and is_refusal:
            peer = channel.peer
            source = peer.controller_id if peer is not None else channel.address
            reason = problem.reason or MALFORMED
            self._on_refused(source, message_type.value, reason, problem.detail)
        return problem

    def _sealed(self, reply: Reply, message: Message, me: str) -> bytes:
        draft = Draft(
            message_type=reply.message_type,
            sender_id=me,
            recipient_id=message.sender_id,
            payload=reply.payload,
            correlation_id=message.message_id,
        )
        return seal(draft, self._credentials.signer, with_key=self._credentials.is_embedded)


def _logged(message_type: MessageType, error: Exception) -> Problem:
    problem = problem_of(error)
    if isinstance(error, PDSNOError):
        log.warning(
            "message_refused",
            message_type=message_type.value,
            status=problem.status,
            reason=problem.reason,
            error=str(error),
        )
    else:
        log.error("message_handler_crashed", message_type=message_type.value, exc_info=error)
    return problem
