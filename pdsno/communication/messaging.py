"""Signed messages over a publish/subscribe connection, whatever library makes the connection."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pdsno.communication.codec import Draft, MessageJournal
from pdsno.communication.embedding import Credentials, require_loopback
from pdsno.communication.mqtt_answers import (
    LinkState,
    Publication,
    Published,
    Reason,
    Will,
    raise_failure,
)
from pdsno.communication.mqtt_gate import MessageGate
from pdsno.communication.refused import OnRefused
from pdsno.communication.subscriptions import Subscription
from pdsno.communication.topics import check_filter, check_topic
from pdsno.domain.errors import InputError, TransientError
from pdsno.domain.identifiers import check_controller_id, new_message_id
from pdsno.domain.measure import Durations
from pdsno.domain.messages import BROADCAST, Handler, MessageType
from pdsno.domain.trust_ports import TransportSecurity

_QOS = (0, 1, 2)
_PORTS = range(1, 65536)


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokerKey:
    """Which broker, and as whom. With `tls` it must bear `server_name`."""

    host: str
    port: int
    controller_id: str
    server_name: str = ""
    tls: TransportSecurity | None = field(default=None, compare=False)

    @property
    def broker(self) -> str:
        """The broker as host:port."""
        return f"{self.host}:{self.port}"


class BrokerConnection(Protocol):
    """One connection to a broker; thread-safe. Sinks and callbacks run on one worker thread."""

    state: LinkState

    def start(self, will: Will | None) -> None:
        """Connect in the background and keep connected; idempotent, but for another will."""

    def renew(self, timeout_s: float) -> None:
        """Connect anew if there is a new certificate to show; who publishes meanwhile waits."""

    def close(self) -> None:
        """Disconnect and end the threads."""

    def publish(self, items: Sequence[Publication], timeout_s: float) -> list[Reason]:
        """Return the broker's answers; raises TransientError without all of them in time."""

    def subscribe(self, entry: Subscription) -> None:
        """Subscribe now and after each reconnect; raises what a refusal means."""

    def unsubscribe(self, entry: Subscription) -> None:
        """Undo a subscription."""

    def add_callback(self, callback: Callable[[], None]) -> None:
        """Call back now, if connected, and after each connect."""

    def drop_callback(self, callback: Callable[[], None]) -> None:
        """Do not call back any more."""

    def counts(self) -> Counter[str]:
        """Return what was dropped: `overflow`, `unclaimed`; and `crashed` jobs."""


class SharedConnections:
    """The connections of this process, opened for their first user and closed after the last."""

    def __init__(self, open_connection: Callable[[BrokerKey], BrokerConnection]) -> None:
        self._open = open_connection
        self._lock = threading.Lock()
        self._users: Counter[BrokerKey] = Counter()
        self._connections: dict[BrokerKey, BrokerConnection] = {}

    def acquire(self, key: BrokerKey) -> BrokerConnection:
        """Return the connection of a key; each call needs its `release`."""
        with self._lock:
            if key not in self._connections:
                self._connections[key] = self._open(key)
            self._users[key] += 1
            return self._connections[key]

    def release(self, key: BrokerKey) -> BrokerConnection | None:
        """Give a connection back. Returns it if that was its last user, who must close it."""
        with self._lock:
            self._users[key] -= 1
            return self._connections.pop(key) if self._users[key] == 0 else None


class MessagingClient:
    """Publishes and subscribes for one controller. Thread-safe.

    Messages are signed and checked. Handlers run one at a time, in order of arrival, on a thread
    that is not the network's; the broker gets its acknowledgement after them. Subscriptions may
    be made before or after connecting, and are made again, with their QoS, after each reconnect.
    """

    def __init__(
        self,
        key: BrokerKey,
        credentials: Credentials,
        connections: SharedConnections,
        journal: MessageJournal | None = None,
    ) -> None:
        check_controller_id(key.controller_id)
        _check_address(key)
        if key.tls is None:
            require_loopback(key.host)
        self._key = key
        self._connections = connections
        self._gate = MessageGate(key.controller_id, credentials, journal)
        self._lock = threading.RLock()
        self._connection: BrokerConnection | None = None
        self._entries: list[Subscription] = []
        self.durations = Durations()
        """From publishing until the broker's acknowledgement."""
        self._callbacks: list[Callable[[], None]] = []
        self._will: Will | None = None

    @property
    def controller_id(self) -> str:
        """Who publishes, and the MQTT client ID."""
        return self._key.controller_id

    @property
    def broker(self) -> str:
        """The broker as host:port."""
        return self._key.broker

    @property
    def is_connected(self) -> bool:
        """Whether the broker can be spoken to right now."""
        connection = self._connection
        return connection is not None and connection.state.is_up

    @property
    def generation(self) -> int:
        """How many connections there were: another number, another connection."""
        connection = self._connection
        return connection.state.generation if connection is not None else 0

    @property
    def refused(self) -> Mapping[str, int]:
        """How many messages were refused, by reason (`Refusal` codes, and MALFORMED)."""
        return dict(self._gate.refused)

    def on_refused(self, tell: OnRefused) -> None:
        """Let somebody hear of each refused message, on the thread of the handlers."""
        self._gate.on_refused = tell

    @property
    def counts(self) -> Mapping[str, int]:
        """What went wrong besides: `overflow`, `unclaimed`, `crashed` and `handler_failed`."""
        connection = self._connection
        lost = connection.counts() if connection is not None else Counter()
        return {**lost, "handler_failed": self._gate.failed}

    def set_will(
        self,
        topic: str,
        payload: Callable[[], object],
        *,
        message_type: MessageType = MessageType.STATUS,
        delay_s: int = 10,
    ) -> None:
        """Let the broker publish this, signed and retained, when we vanish for `delay_s`.

        `payload` is asked before each connect, on the network thread: it must not block. Best set
        before `connect`; a live connection is made anew to tell the broker.
        """
        check_topic(topic)
        will = Will(
            topic=topic,
            build=lambda: self._gate.seal(self._draft(message_type, payload())),
            delay_s=delay_s,
        )
        with self._lock:
            self._will = will
            if self._connection is not None:
                self._connection.start(will)

    def connect(self, *, timeout_s: float = 10.0, wait: bool = True) -> None:
        """Connect and stay connected until `disconnect`; idempotent.

        With `wait` it returns once connected, and otherwise gives up after `timeout_s`: raises
        TransientError naming broker, cause and remedy, or RefusedError if the broker refused.
        Without, it keeps trying in the background.
        """
        with self._lock:
            connection = self._connection
            if connection is None:
                connection = self._connection = self._connections.acquire(self._key)
                for entry in self._entries:
                    connection.subscribe(entry)
                for callback in self._callbacks:
                    connection.add_callback(callback)
            connection.start(self._will)
        if wait:
            try:
                connection.state.wait_up(self.broker, timeout_s)
            except Exception:
                self.disconnect()
                raise

    def reconnect(self, *, timeout_s: float = 10.0) -> None:
        """Show the broker our certificate if it is newer than the one it saw; else nothing.

        The session goes on: no message is lost, and who publishes meanwhile waits. `publish` does
        this by itself, so that only those who never publish need it. Raises TransientError or
        RefusedError as `connect` does, and goes on trying.
        """
        connection = self._connection
        if connection is not None:
            connection.renew(timeout_s)

    def disconnect(self) -> None:
        """Leave the connection, and close it if nobody else uses it; idempotent.

        The broker keeps the session: messages of QoS 1 wait there for the next `connect`.
        """
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is None:
                return
            for callback in self._callbacks:
                connection.drop_callback(callback)
            closing = self._connections.release(self._key)
            if closing is None:
                for entry in self._entries:
                    connection.unsubscribe(entry)
        if closing is not None:
            closing.close()

    def publish(  # noqa: PLR0913 - the envelope's fields, by name
        self,
        topic: str,
        message_type: MessageType,
        payload: object,
        *,
        recipient_id: str = BROADCAST,
        qos: int = 1,
        retain: bool = False,
        correlation_id: str | None = None,
        stream_id: str | None = None,
        seq: int | None = None,
        message_id: str | None = None,
        expiry_s: int | None = None,
        timeout_s: float = 10.0,
    ) -> Published:
        """Publish a signed message; returns after the broker answered (QoS 0: after it was sent).

        `expiry_s` is for how long the broker may keep it for those who are away. Raises
        TransientError if there is no connection or no answer in time (the message may still
        arrive later), RefusedError if the broker does not allow it, OperationError for another
        refusal, and what `seal` raises.
        """
        check_topic(topic)
        _check_qos(qos)
        connection = self._connected()
        draft = Draft(
            message_type=message_type,
            sender_id=self.controller_id,
            recipient_id=recipient_id,
            payload=payload,
            message_id=message_id or new_message_id(),
            correlation_id=correlation_id,
            stream_id=stream_id,
            seq=seq,
        )
        item = Publication(
            topic=topic,
            raw=self._gate.seal(draft),
            qos=qos,
            is_retained=retain,
            expiry_s=expiry_s,
        )
        with self.durations.measured():
            (reason,) = connection.publish([item], timeout_s)
        raise_failure(reason, self.broker, topic)
        return Published(message_id=draft.message_id, has_subscribers=reason.has_subscribers)

    def publish_plain(
        self, topic: str, bodies: Sequence[bytes], *, timeout_s: float = 10.0
    ) -> None:
        """Publish bytes in this order, unsigned: for others than controllers.

        Returns after the broker acknowledged all (QoS 1). Raises as `publish`; the broker may then
        have some of them.
        """
        items = [Publication(topic=check_topic(topic), raw=body) for body in bodies]
        for reason in self._connected().publish(items, timeout_s):
            raise_failure(reason, self.broker, topic)

    def _connected(self) -> BrokerConnection:
        if self._connection is None:
            raise TransientError(f"not connected to the MQTT broker at {self.broker}: connect()")
        return self._connection

    def subscribe(self, topic: str, handler: Handler, qos: int = 1) -> None:
        """Let `handler` have the messages of a topic or filter (`+` one level, `#` the rest).

        Connected, it returns once the broker granted it, and raises RefusedError if not.
        """
        _check_qos(qos)
        entry = Subscription(check_filter(topic), qos, self._gate.sink(handler))
        with self._lock:
            self._entries.append(entry)
            connection = self._connection
        if connection is None:
            return
        try:
            connection.subscribe(entry)
        except Exception:
            with self._lock:
                self._entries.remove(entry)
            raise

    def unsubscribe(self, topic: str) -> None:
        """Undo this client's subscriptions of exactly this topic or filter; idempotent."""
        with self._lock:
            gone = [entry for entry in self._entries if entry.topic_filter == topic]
            self._entries = [entry for entry in self._entries if entry.topic_filter != topic]
            connection = self._connection
        for entry in gone:
            if connection is not None:
                connection.unsubscribe(entry)

    def on_connect(self, callback: Callable[[], None]) -> None:
        """Call back, on the handlers' thread, after each connect; at once if connected."""
        with self._lock:
            self._callbacks.append(callback)
            connection = self._connection
        if connection is not None:
            connection.add_callback(callback)

    def _draft(self, message_type: MessageType, payload: object) -> Draft:
        return Draft(
            message_type=message_type,
            sender_id=self.controller_id,
            recipient_id=BROADCAST,
            payload=payload,
        )


def _check_qos(qos: int) -> None:
    if qos not in _QOS:
        raise InputError(f"QoS is 0, 1 or 2, not {qos!r}")


def _check_address(key: BrokerKey) -> None:
    try:
        key.host.encode("idna")
        is_sound = bool(key.host) and key.port in _PORTS
    except UnicodeError:
        is_sound = False
    if not is_sound:
        raise InputError(f"{key.broker} is no address of an MQTT broker: HOST, PORT 1 to 65535")
