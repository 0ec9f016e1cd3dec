"""A controller's side towards its children: their status, their durable messages, our answers."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from pdsno.communication.payloads import read
from pdsno.controllers.child_calls import ChildCalls
from pdsno.controllers.children import Children
from pdsno.controllers.loop import Loop
from pdsno.controllers.stream_intake import StreamIntake
from pdsno.domain.entities import ControllerRecord, ControllerStatus
from pdsno.domain.errors import ConflictError, Refusal, RefusedError
from pdsno.domain.identifiers import Role
from pdsno.domain.jsonable import jsonable
from pdsno.domain.messages import (
    Handler,
    Message,
    MessageType,
    PolicyUpdate,
    Reply,
    Status,
)
from pdsno.domain.ports import NIB, NIBTransaction
from pdsno.policy.distribute import is_news

log = structlog.get_logger()

PULL_EVERY_S = 60.0


class Parenting:
    """Answers children. `policy_for` gives a child's newest policy, `own_status` who we are."""

    def __init__(
        self,
        nib: NIB,
        *,
        own_status: Callable[[], Status],
        policy_for: Callable[[ControllerRecord], PolicyUpdate | None],
    ) -> None:
        self._nib = nib
        self._own_status = own_status
        self._policy_for = policy_for
        self.children = Children()
        self.streams = StreamIntake(nib)

    def pull_gaps(self, calls: ChildCalls, handlers: Mapping[MessageType, Handler]) -> None:
        """Fetch what is missing of children that can be called; `handlers` take it in."""

        def take(message: Message) -> None:
            handler = handlers.get(message.message_type)
            if handler is None:
                raise RefusedError(Refusal.NOT_ALLOWED, f"{message.message_type} in a stream")
            handler(message)

        self.streams.pull_by(lambda name, at: calls.pull(self._nib.controller(name), at), take)

    def streams_loop(self, role: Role, region: str | None = None) -> Loop:
        """Return the loop that asks children that can be called whether we miss something."""
        return Loop("streams", lambda: self._look(role, region), interval_s=lambda: PULL_EVERY_S)

    def _look(self, role: Role, region: str | None) -> None:
        for record in self._nib.controllers(role=role, region=region):
            if record.url is not None and record.status is ControllerStatus.ACTIVE:
                self.streams.look(record.controller_id)

    def child(self, message: Message, role: Role) -> ControllerRecord:
        """Return who sent a message, if it is an active controller of this role.

        Raises RefusedError UNKNOWN_KEY or NOT_ALLOWED.
        """
        sender = self._nib.controller(message.sender_id)
        if sender is None or not message.is_trusted:
            raise RefusedError(Refusal.UNKNOWN_KEY, f"{message.sender_id} is not validated")
        if sender.role is not role or sender.status is not ControllerStatus.ACTIVE:
            raise RefusedError(Refusal.NOT_ALLOWED, f"{message.sender_id} may not send this")
        return sender

    def on_status(self, message: Message) -> Reply | None:
        """Take a child's status; over REST, answer what it misses."""
        status = read(message, Status)
        child = self._nib.controller(message.sender_id)
        self.children.heard(message.sender_id, status)
        self._remember(message.sender_id, status.state)
        if message.topic is not None:
            return None
        tails = tuple(
            self.streams.position(message.sender_id, tail.stream_id) for tail in status.streams
        )
        policy = self._policy_for(child) if child else None
        if policy and not is_news(policy, status.policy_epoch, status.policy_version):
            policy = None
        answer = replace(
            self._own_status(),
            streams=tails,
            policy=policy,
            commands=self.children.take_commands(message.sender_id),
        )
        return Reply(message_type=MessageType.STATUS, payload=jsonable(answer))

    def take_in(
        self,
        message: Message,
        apply: Callable[[NIBTransaction], None],
        *,
        is_snapshot: bool = False,
    ) -> Reply:
        """Apply a durable message once and in order; the reply says how far the stream is."""
        tail = self.streams.take_in(message, apply, is_snapshot=is_snapshot)
        answer = replace(self._own_status(), streams=(tail,))
        return Reply(message_type=MessageType.STATUS, payload=jsonable(answer))

    def _remember(self, controller_id: str, state: str) -> None:
        """Keep a child's liveness in the NIB; somebody else's newer write wins."""
        try:
            with self._nib.transaction() as tx:
                record = tx.controller(controller_id)
                if record is None:
                    return
                heard = replace(record, state=state, last_seen=datetime.now(UTC))
                tx.put_controller(heard, expected_version=record.version)
        except ConflictError as error:
            log.info("controller_liveness_not_kept", controller_id=controller_id, why=str(error))
