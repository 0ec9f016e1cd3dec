"""What brokers are told of rights: at once when they change, by answers that wait for it."""

import threading
import time
from datetime import UTC, datetime

from pdsno.communication.payloads import read
from pdsno.domain.broker_rights import BrokerRights, rights_of
from pdsno.domain.entities import ControllerRecord, ControllerStatus
from pdsno.domain.errors import Refusal, RefusedError
from pdsno.domain.event_place import end_of
from pdsno.domain.identifiers import Role
from pdsno.domain.jsonable import jsonable
from pdsno.domain.messages import Message, Reply, Status
from pdsno.domain.ports import NIBReader
from pdsno.domain.readers import Reader

HOLD_S = 20.0
_LOOK_EVERY_S = 0.3
_MOST_HELD = 4


class RightsDesk:
    """Answers brokers' statuses. Thread-safe.

    An answer waits up to `hold_s` for rights other than those that the broker has; at most
    `most_held` do at a time, as each keeps one of the server's threads, and any more are answered
    at once. `close` releases all.
    """

    def __init__(
        self, nib: NIBReader, *, hold_s: float = HOLD_S, most_held: int = _MOST_HELD
    ) -> None:
        self._nib = nib
        self._hold_s = hold_s
        self._places = threading.Semaphore(most_held)
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._seen_seq = -1
        self._records: tuple[ControllerRecord, ...] = ()
        self._readers: tuple[Reader, ...] = ()
        self._made: dict[str | None, BrokerRights] = {}

    def answer(self, message: Message, reply: Reply | None) -> Reply | None:
        """Return our reply to a status, with rights in it if a broker has others than it should.

        Raises RefusedError if the broker is revoked, blocked or locked while it waits.
        """
        sender = self._nib.controller(message.sender_id)
        if reply is None or sender is None or sender.role is not Role.BROKER:
            return reply
        has = read(message, Status).rights_version
        rights = self._wait_for_other(has, sender)
        told = {"rights_version": rights.version}
        if rights.version != has:
            told["rights"] = jsonable(rights)
        return Reply(message_type=reply.message_type, payload={**reply.payload, **told})

    def close(self) -> None:
        """Answer all who wait, now and from now on; idempotent."""
        self._closing.set()

    def _wait_for_other(self, version: str, broker: ControllerRecord) -> BrokerRights:
        rights = self._rights(broker.region)
        if rights.version != version or not self._places.acquire(blocking=False):
            return rights
        try:
            deadline = time.monotonic() + self._hold_s
            while rights.version == version and time.monotonic() < deadline:
                if self._closing.wait(_LOOK_EVERY_S):
                    break
                self._check_standing(broker.controller_id)
                rights = self._rights(broker.region)
        finally:
            self._places.release()
        return rights

    def _check_standing(self, controller_id: str) -> None:
        record = self._nib.controller(controller_id)
        if record is not None and record.status is not ControllerStatus.ACTIVE:
            raise RefusedError(
                Refusal(record.status.name), f"{controller_id} is {record.status.value}"
            )

    def _rights(self, region: str | None) -> BrokerRights:
        """Return the rights by now.

        What changes a controller or a reader leaves an event: they are cheaper to look at. But a
        reader's certificate ends by itself, and the broker asks for it only at the handshake.
        """
        now = datetime.now(UTC)
        with self._lock:
            seq = end_of(self._nib).seq
            if seq != self._seen_seq or any(now >= one.not_after for one in self._readers):
                self._records, self._made = self._nib.controllers(), {}
                self._readers = tuple(one for one in self._nib.readers() if now < one.not_after)
                self._seen_seq = seq
            if region not in self._made:
                self._made[region] = rights_of(self._records, self._readers, broker_region=region)
            return self._made[region]
