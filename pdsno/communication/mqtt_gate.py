"""Between MQTT and handlers: everything out is sealed, nothing in passes unchecked."""

from collections import Counter
from datetime import UTC, datetime

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
from pdsno.communication.refused import MALFORMED, OnRefused
from pdsno.communication.subscriptions import Incoming, Sink
from pdsno.domain.errors import PDSNOError, RefusedError, RemoteProtocolError
from pdsno.domain.messages import Handler, Message

log = structlog.get_logger()

MQTT = "MQTT"
"""Stands for the type of a message that was refused before it was read."""


class MessageGate:
    """Seals and opens messages of one controller. `refused` counts by reason, `failed` handlers.

    A message is checked once, however many subscriptions it is for. Sinks are called one at a
    time, those of one message after each other.
    """

    def __init__(
        self, controller_id: str, credentials: Credentials, journal: MessageJournal | None = None
    ) -> None:
        self._controller_id = controller_id
        self._credentials = credentials
        self._guard = ReplayGuard(journal=journal)
        self._checked_last: tuple[Incoming, Message | None] | None = None
        self.refused: Counter[str] = Counter()
        self.failed = 0
        self.on_refused: OnRefused | None = None

    def seal(self, draft: Draft) -> bytes:
        """Return the signed bytes of a message."""
        credentials = self._credentials
        return seal(draft, credentials.signer, with_key=credentials.is_embedded)

    def sink(self, handler: Handler) -> Sink:
        """Return what takes raw messages of one subscription and calls its handler."""

        def take(incoming: Incoming) -> None:
            message = self._checked(incoming)
            if message is not None:
                self._handle(handler, message)

        return take

    def _checked(self, incoming: Incoming) -> Message | None:
        last = self._checked_last
        if last is None or last[0] is not incoming:
            last = self._checked_last = (incoming, self._opened(incoming))
        return last[1]

    def _opened(self, incoming: Incoming) -> Message | None:
        try:
            message = open_message(
                incoming.payload,
                self._credentials.verifier,
                recipient_id=self._controller_id,
                topic=incoming.topic,
            )
            if not is_replayable(message):
                self._guard.admit(message, datetime.now(UTC))
        except RefusedError as error:
            self._refuse(incoming, error.reason.value, error)
        except RemoteProtocolError as error:
            self._refuse(incoming, MALFORMED, error)
        except PDSNOError as error:
            self._refuse(incoming, "NOT_RECORDED", error)
        else:
            return message
        return None

    def _refuse(self, incoming: Incoming, reason: str, error: PDSNOError) -> None:
        self.refused[reason] += 1
        log.warning(
            "mqtt_message_refused",
            controller_id=self._controller_id,
            topic=incoming.topic,
            reason=reason,
            error=str(error),
        )
        detail = error.detail if isinstance(error, RefusedError) else str(error)
        self._tell(incoming.topic, MQTT, reason, detail)

    def _tell(self, source: str, message_type: str, reason: str, detail: str) -> None:
        if self.on_refused is not None:
            self.on_refused(source, message_type, reason, detail)

    def _handle(self, handler: Handler, message: Message) -> None:
        with structlog.contextvars.bound_contextvars(
            controller_id=self._controller_id,
            sender_id=message.sender_id,
            correlation_id=message.correlation_id or message.message_id,
        ):
            try:
                handler(message)
            except PDSNOError as error:
                self.failed += 1
                log.warning("mqtt_handler_failed", topic=message.topic, error=str(error))
                if isinstance(error, RefusedError) and not error.is_recorded:
                    told = (message.message_type.value, error.reason.value, error.detail)
                    self._tell(message.sender_id, *told)
            except Exception:
                self.failed += 1
                log.exception("mqtt_handler_crashed", topic=message.topic)
