"""Ways for durable messages to the parent: MQTT, and REST when that is away."""

from collections.abc import Callable
from typing import Protocol

from pdsno.communication.http_client import ControllerHTTPClient
from pdsno.communication.messaging import MessagingClient
from pdsno.communication.payloads import read
from pdsno.domain.entities import OutboxRow
from pdsno.domain.errors import TransientError
from pdsno.domain.messages import BROADCAST, Message, MessageType, Status, StreamTail


class DurableTransport(Protocol):
    """One way to the parent."""

    @property
    def name(self) -> str:
        """For the log."""

    def is_available(self) -> bool:
        """Tell, without blocking, whether a delivery is worth a try now."""

    def deliver(self, row: OutboxRow) -> StreamTail | None:
        """Hand a row over; None if nobody could tell yet that it was applied.

        A StreamTail is how far the receiver has applied the row's stream, this row included or
        not. Raises TransientError, or another PDSNOError if the row was refused.
        """


class RestTransport:
    """POSTs rows to the parent; its reply, a STATUS with `streams`, tells how far it applied."""

    name = "rest"

    def __init__(
        self,
        client: ControllerHTTPClient,
        *,
        sender_id: Callable[[], str],
        parent_id: str,
        is_available: Callable[[], bool] = lambda: True,
    ) -> None:
        self._client = client
        self._sender_id = sender_id
        self._parent_id = parent_id
        self._is_available = is_available

    def is_available(self) -> bool:
        """Tell whether the caller thinks so (by default always)."""
        return self._is_available()

    def deliver(self, row: OutboxRow) -> StreamTail | None:
        """POST a row, once: trying again is the relay's part."""
        reply = self._client.send(
            sender_id=self._sender_id(),
            recipient_id=self._parent_id,
            message_type=MessageType(row.message_type),
            payload=row.payload,
            correlation_id=row.correlation_id,
            stream_id=row.stream_id,
            seq=row.seq,
            message_id=row.message_id,
            retries=0,
        )
        return applied_position(reply, row.stream_id)


class MqttTransport:
    """Publishes rows on a topic; the broker's acknowledgement is no word of the receiver."""

    name = "mqtt"

    def __init__(
        self,
        client: Callable[[], MessagingClient | None],
        *,
        topic: Callable[[], str],
        recipient_id: str = BROADCAST,
        expiry_s: int | None = 900,
        timeout_s: float = 5.0,
    ) -> None:
        self._client = client
        self._topic = topic
        self._recipient_id = recipient_id
        self._expiry_s = expiry_s
        self._timeout_s = timeout_s

    def is_available(self) -> bool:
        """Tell whether the client is there and connected."""
        client = self._client()
        return client is not None and client.is_connected

    def deliver(self, row: OutboxRow) -> StreamTail | None:
        """Publish a row; that nobody subscribed is a failure, for the row would be gone."""
        client = self._client()
        if client is None:
            raise TransientError("MQTT is not set up")
        topic = self._topic()
        published = client.publish(
            topic,
            MessageType(row.message_type),
            row.payload,
            recipient_id=self._recipient_id,
            correlation_id=row.correlation_id,
            stream_id=row.stream_id,
            seq=row.seq,
            message_id=row.message_id,
            expiry_s=self._expiry_s,
            timeout_s=self._timeout_s,
        )
        if not published.has_subscribers:
            raise TransientError(f"nobody subscribes to {topic}")
        return None


def applied_position(reply: Message | None, stream_id: str) -> StreamTail | None:
    """Return what a STATUS reply says of a stream, or None if it says nothing."""
    if reply is None or reply.message_type is not MessageType.STATUS:
        return None
    for tail in read(reply, Status).streams:
        if tail.stream_id == stream_id:
            return tail
    return None
