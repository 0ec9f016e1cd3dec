"""MQTT 5 between controllers: acknowledged publishing, handlers off the network thread.

The one module that knows paho.
"""

import contextlib
import ssl
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from pdsno.communication.backoff import Backoff
from pdsno.communication.broker_tls import NamedContext
from pdsno.communication.codec import MAX_MESSAGE_BYTES, MessageJournal
from pdsno.communication.deliveries import OrderedWorker
from pdsno.communication.embedding import choose_credentials, require_loopback_peer
from pdsno.communication.handover import Handover
from pdsno.communication.messaging import BrokerKey, MessagingClient, SharedConnections
from pdsno.communication.mqtt_answers import (
    TAKEN_OVER,
    Answers,
    LinkState,
    Publication,
    Reason,
    Will,
    raise_failure,
)
from pdsno.communication.subscriptions import Incoming, Subscription, Subscriptions
from pdsno.communication.tls_errors import cause_of
from pdsno.domain.errors import InputError, PDSNOError, TransientError
from pdsno.domain.peers import server_name
from pdsno.domain.trust_ports import Signer, TransportSecurity, Verifier

log = structlog.get_logger()

KEEPALIVE_S = 20
SESSION_EXPIRY_S = 86_400
# Messages that the broker may have under way to us: they hold the worker's reserved places.
_RECEIVE_MAXIMUM = 20
_QUEUE = 1000
_UNCLAIMED = 10
_MAX_UNSENT = 1000
_ANSWER_TIMEOUT_S = 10.0


class _Connection:
    """One connection to one broker under one client ID, shared by all clients that want it."""

    def __init__(self, key: BrokerKey) -> None:
        self.name = key.broker
        self.state = LinkState()
        self.subscriptions = Subscriptions(unclaimed=_UNCLAIMED)
        self.worker = OrderedWorker(
            f"mqtt-{key.controller_id}", capacity=_QUEUE, reserved=_RECEIVE_MAXIMUM
        )
        self._will: Will | None = None
        self._key = key
        self._answers = Answers()
        self._backoff = Backoff(first_s=1, most_s=30)
        self._callbacks: list[Callable[[], None]] = []
        self._callback_lock = threading.Lock()
        self._starting = threading.Lock()
        self._handover = Handover()
        self._is_started = False
        self._tls = NamedContext(key.tls, key.server_name) if key.tls is not None else None
        self._client = self._new_client(key.controller_id)

    def _new_client(self, controller_id: str) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=controller_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
        )
        client.max_queued_messages_set(_MAX_UNSENT)
        if self._tls is not None:
            client.tls_set_context(self._tls.context)
        else:
            client.on_socket_open = require_loopback_peer
        client.on_pre_connect = self._on_pre_connect
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = lambda _c, _u, mid, reason, _p: self._answers.put(mid, [_plain(reason)])
        client.on_subscribe = lambda _c, _u, mid, reasons, _p: self._on_subscribe(mid, reasons)
        return client

    def start(self, will: Will | None) -> None:
        """Connect in the background. A new will is told to the broker by connecting again."""
        with self._starting:
            if will is not None and will is not self._will:
                self._will = will
                with self._handover.alone(_ANSWER_TIMEOUT_S):
                    self._halt()
            if not self._is_started:
                self._launch()

    def renew(self, timeout_s: float) -> None:
        """If there is a new certificate to show, connect anew; waits for `timeout_s` at most."""
        with self._starting:
            if not self._is_started or self._tls is None or not self._tls.is_outdated:
                return
            with self._handover.alone(_ANSWER_TIMEOUT_S):
                self._halt()
                self._launch()
                self.state.wait_up(self.name, timeout_s)

    def _launch(self) -> None:
        self._client.connect_async(
            self._key.host,
            self._key.port,
            keepalive=KEEPALIVE_S,
            clean_start=False,
            properties=_properties(
                PacketTypes.CONNECT,
                SessionExpiryInterval=SESSION_EXPIRY_S,
                ReceiveMaximum=_RECEIVE_MAXIMUM,
                MaximumPacketSize=MAX_MESSAGE_BYTES + 64 * 1024,
            ),
        )
        self._client.loop_start()
        self._is_started = True

    def close(self) -> None:
        """Disconnect; the session with its subscriptions stays with the broker for a day."""
        with self._starting:
            self._halt()
        self.worker.stop()

    def _halt(self) -> None:
        if self._is_started:
            self._client.disconnect()
            self._client.loop_stop()
            self.state.down()
            self._is_started = False
            # paho closes its inner sockets only with the object itself.
            self._client = self._new_client(self._key.controller_id)
            self._answers = Answers()

    def counts(self) -> Counter[str]:
        """Return what was dropped, and jobs that crashed."""
        return Counter(self.worker.counts)

    def add_callback(self, callback: Callable[[], None]) -> None:
        """Run a callback on the worker after each connect, and now if connected."""
        with self._callback_lock:
            self._callbacks.append(callback)
            is_up = self.state.is_up
        if is_up:
            self.worker.offer(callback)

    def drop_callback(self, callback: Callable[[], None]) -> None:
        """Forget a callback."""
        with contextlib.suppress(ValueError):
            self._callbacks.remove(callback)

    def publish(self, items: Sequence[Publication], timeout_s: float) -> list[Reason]:
        """Return the broker's answers; raises TransientError without all of them in time."""
        if self._tls is not None and self._tls.is_outdated:
            self.renew(timeout_s)
        with self._handover.using(timeout_s) as left_s:
            if not self.state.is_up:
                raise TransientError(f"not connected to the MQTT broker at {self.name}")
            mids, fault = self._send(items)
            answers = self._answers.wait_all(mids, left_s)
        if fault is not None:
            raise TransientError(f"MQTT broker at {self.name}: {fault}")
        if answers is None:
            raise TransientError(
                f"the MQTT broker at {self.name} did not acknowledge within {timeout_s:g} s"
            )
        return answers

    def _send(self, items: Sequence[Publication]) -> tuple[list[int], str | None]:
        """Hand messages to paho until it takes no more; return their IDs, and why no more."""
        mids: list[int] = []
        for item in items:
            expiry = {} if item.expiry_s is None else {"MessageExpiryInterval": item.expiry_s}
            properties = _properties(PacketTypes.PUBLISH, **expiry)
            info = self._client.publish(
                item.topic, item.raw, item.qos, item.is_retained, properties
            )
            if info.rc is not MQTTErrorCode.MQTT_ERR_SUCCESS:
                return mids, paho.error_string(info.rc)
            mids.append(info.mid)
        return mids, None

    def subscribe(self, entry: Subscription) -> None:
        """Add a subscription and, if connected, wait until the broker granted it."""
        for message in self.subscriptions.add(entry):
            self._queue(message)
        with self._handover.using(_ANSWER_TIMEOUT_S) as left_s:
            if not self.state.is_up:
                return
            qos = self.subscriptions.filters()[entry.topic_filter]
            rc, mid = self._client.subscribe(entry.topic_filter, options=SubscribeOptions(qos=qos))
            if rc is not MQTTErrorCode.MQTT_ERR_SUCCESS or mid is None:
                return  # just lost the connection: subscribed with the next one
            answer = self._answers.wait(mid, left_s)
        if answer is None:
            log.warning("mqtt_subscribe_unanswered", topic=entry.topic_filter, broker=self.name)
        elif answer[0].is_failure:
            self.subscriptions.remove(entry)
            raise_failure(answer[0], self.name, entry.topic_filter)

    def unsubscribe(self, entry: Subscription) -> None:
        """Remove a subscription; the broker hears of it if it was the last of its filter."""
        if self.subscriptions.remove(entry) and self.state.is_up:
            self._client.unsubscribe(entry.topic_filter)

    # The network thread: short steps, and no user's code but the will's.

    def _on_pre_connect(self, client: paho.Client, _userdata: object) -> None:
        will = self._will
        if will is None:
            return
        try:
            raw = will.build()
        except PDSNOError as error:
            log.warning("mqtt_will_failed", topic=will.topic, error=str(error))
            client.will_clear()
            return
        delay = _properties(PacketTypes.WILLMESSAGE, WillDelayInterval=will.delay_s)
        client.will_set(will.topic, raw, qos=1, retain=True, properties=delay)

    def _on_connect(
        self,
        client: paho.Client,
        _userdata: object,
        flags: paho.ConnectFlags,
        reason: ReasonCode,
        _properties: object,
    ) -> None:
        if _plain(reason).is_failure:
            log.warning("mqtt_refused", broker=self.name, reason=str(reason))
            self.state.refused(f"refused: {reason}")
            self._wait_longer()
            return
        self.subscriptions.forget_unclaimed()
        wanted = self.subscriptions.filters()
        if wanted:
            client.subscribe([(name, SubscribeOptions(qos=qos)) for name, qos in wanted.items()])
        self._backoff.reset()
        with self._callback_lock:
            self.state.up()
            callbacks = list(self._callbacks)
        log.info("mqtt_connected", broker=self.name, has_session=flags.session_present)
        for callback in callbacks:
            self.worker.offer(callback)

    def _on_connect_fail(self, _client: paho.Client, _userdata: object) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, ssl.SSLError):
            self._failed(cause_of(error, self._key.server_name), has_remedy=True)
        else:
            self._failed(getattr(error, "strerror", None) or str(error or "no connection"))
        self._wait_longer()

    def _failed(self, cause: str, *, has_remedy: bool = False) -> None:
        if self.state.failed(cause, has_remedy=has_remedy):
            log.warning("mqtt_unreachable", broker=self.name, error=cause)

    def _on_disconnect(
        self,
        _client: paho.Client,
        _userdata: object,
        _flags: object,
        reason: ReasonCode,
        _properties: object,
    ) -> None:
        was_up = self.state.down()
        if not was_up and not self.state.is_refused and self._tls is not None:
            # With TLS 1.3 a server judges the client's certificate after the client was done.
            self._failed(
                "it closed the connection: our certificate may have expired, or be of another root",
                has_remedy=True,
            )
        if was_up and reason.value != 0:
            hint = "another client has our ID" if reason.value == TAKEN_OVER else ""
            log.warning("mqtt_disconnected", broker=self.name, reason=str(reason), hint=hint)
        self._wait_longer()

    def _wait_longer(self) -> None:
        delay: Any = self._backoff.next_s()  # paho waits for fractions as well
        self._client.reconnect_delay_set(delay, delay)

    def _on_subscribe(self, mid: int, reasons: list[ReasonCode]) -> None:
        answer = [_plain(reason) for reason in reasons]
        refused = [reason.text for reason in answer if reason.is_failure]
        if refused:
            log.warning("mqtt_subscription_refused", broker=self.name, reasons=refused)
        self._answers.put(mid, answer)

    def _on_message(
        self, _client: paho.Client, _userdata: object, message: paho.MQTTMessage
    ) -> None:
        mid, qos, generation = message.mid, message.qos, self.state.generation
        self._queue(
            Incoming(
                topic=message.topic,
                payload=bytes(message.payload),
                qos=qos,
                is_retained=bool(message.retain),
                acknowledge=lambda: self._acknowledge(mid, qos, generation),
            )
        )

    def _queue(self, incoming: Incoming) -> None:
        self.worker.offer(lambda: self._dispatch(incoming), is_optional=incoming.qos == 0)

    def _dispatch(self, incoming: Incoming) -> None:
        """Give a message to all who want it, then acknowledge it; runs on the worker."""
        sinks = self.subscriptions.sinks(incoming)
        try:
            for sink in sinks:
                sink(incoming)
        finally:
            if sinks:
                incoming.acknowledge()
        evicted = self.subscriptions.evict()
        if evicted is not None:
            self.worker.counts["unclaimed"] += 1
            log.warning("mqtt_message_unclaimed", topic=evicted.topic)
            evicted.acknowledge()

    def _acknowledge(self, mid: int, qos: int, generation: int) -> None:
        # Identifiers start anew with each connection; the broker sends again what it lacks.
        if qos > 0 and self.state.is_up and generation == self.state.generation:
            self._client.ack(mid, qos)


def _plain(reason: ReasonCode) -> Reason:
    return Reason(int(reason.value), str(reason))


def _properties(kind: int, **values: int) -> Properties:
    properties = Properties(kind)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(properties, name, value)
    return properties


_CONNECTIONS = SharedConnections(_Connection)


class ControllerMQTTClient(MessagingClient):
    """Publishes and subscribes for one controller, by paho; see `MessagingClient`.

    Speaks MQTT 5 with a session that the broker keeps for a day, keepalive 20 s; reconnects after
    1 to 30 s, with jitter. Clients of one process with equal broker and controller ID share one
    connection.

    With `tls` it shows our certificate and expects that of `broker_id` in `broker_region` (None:
    global); the broker then knows us, and our session, by the certificate's subject. Without, only
    a broker on this machine is spoken to. Built without signer and verifier it is in embedding
    mode. With a `journal` replays are refused after a restart, too.
    """

    def __init__(  # noqa: PLR0913 - a client's settings, by name
        self,
        controller_id: str,
        broker_host: str,
        broker_port: int = 1883,
        *,
        signer: Signer | None = None,
        verifier: Verifier | None = None,
        tls: TransportSecurity | None = None,
        broker_id: str | None = None,
        broker_region: str | None = None,
        journal: MessageJournal | None = None,
    ) -> None:
        if tls is not None and broker_id is None:
            raise InputError("over TLS the broker must be named: pass broker_id=")
        name = server_name(broker_id, broker_region) if tls is not None and broker_id else ""
        super().__init__(
            BrokerKey(
                host=broker_host,
                port=broker_port,
                controller_id=controller_id,
                server_name=name,
                tls=tls,
            ),
            choose_credentials(signer, verifier),
            _CONNECTIONS,
            journal,
        )
