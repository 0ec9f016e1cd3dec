"""The outbox reaches the parent whole, whatever happens to broker and parent meanwhile."""

import os
import signal
import threading
from collections.abc import Iterator
from functools import partial

import pytest

from pdsno.communication import topics
from pdsno.communication.broker import Mosquitto, MosquittoSettings
from pdsno.communication.http_client import ControllerHTTPClient
from pdsno.communication.mqtt_client import ControllerMQTTClient
from pdsno.communication.relay import OutboxRelay
from pdsno.communication.relay_state import RelayState
from pdsno.communication.rest_server import ControllerRESTServer
from pdsno.communication.transports import MqttTransport, RestTransport, applied_position
from pdsno.domain.jsonable import jsonable
from pdsno.domain.messages import Message, MessageType, Reply, Status, StreamTail
from pdsno.intake.inbox import take_in
from pdsno.nib import NIBStore
from tests.integration.waiting import wait_until

LC, RC = "lc-relay", "rc-relay"
TOPIC = topics.discovery("zone-A", LC)


class Parent:
    """A regional controller's part: takes reports by MQTT and REST, tells how far it got."""

    def __init__(self, broker_port: int) -> None:
        self.nib = NIBStore("memory://")
        self.applied: list[int] = []
        self.lock = threading.Lock()
        self.server = ControllerRESTServer(RC, 0)
        self.server.register_handler(MessageType.DISCOVERY_REPORT, self.take)
        self.server.register_handler(MessageType.STATUS, self.tell)
        self.mqtt = ControllerMQTTClient(RC, "127.0.0.1", broker_port)
        self.mqtt.subscribe(topics.discovery_all("zone-A"), self.take)
        self.server.start_background()
        self.mqtt.connect()

    def take(self, message: Message) -> Reply:
        def apply(_tx: object) -> None:
            self.applied.append(message.payload["n"])

        _, tail = take_in(self.nib, message, apply, is_snapshot=False)
        return self.status(tail)

    def tell(self, message: Message) -> Reply:
        stream_id = message.payload["stream_id"]
        seq = self.nib.applied_seq(message.sender_id, stream_id)
        return self.status(StreamTail(stream_id=stream_id, seq=seq))

    @staticmethod
    def status(tail: StreamTail) -> Reply:
        status = Status(state="online", role="regional", streams=(tail,))
        return Reply(message_type=MessageType.STATUS, payload=jsonable(status))

    def close(self) -> None:
        self.mqtt.disconnect()
        self.server.stop()
        self.nib.close()


class Child:
    """A local controller's part: a NIB with an outbox, and the relay."""

    def __init__(self, broker_port: int, parent_port: int) -> None:
        self.nib = NIBStore("memory://")
        self.mqtt = ControllerMQTTClient(LC, "127.0.0.1", broker_port)
        self.http = ControllerHTTPClient()
        self.http.register_controller(RC, f"http://127.0.0.1:{parent_port}")
        self.by_mqtt = MqttTransport(lambda: self.mqtt, topic=lambda: TOPIC, timeout_s=2)
        self.by_rest = RestTransport(self.http, sender_id=lambda: LC, parent_id=RC)
        self.relay = OutboxRelay(
            self.nib,
            [self.by_mqtt, self.by_rest],
            self.ask,
            on_snapshot_needed=lambda: None,
            confirm_after_s=0.3,
        )
        self.mqtt.connect()
        self.relay.start()

    def ask(self) -> StreamTail | None:
        stream_id = self.nib.outbox_tail().stream_id
        reply = self.http.send(
            sender_id=LC,
            recipient_id=RC,
            message_type=MessageType.STATUS,
            payload={"stream_id": stream_id},
            retries=0,
        )
        return applied_position(reply, stream_id)

    def report(self, number: int) -> None:
        with self.nib.transaction() as tx:
            tx.enqueue("DISCOVERY_REPORT", {"n": number})
        self.relay.wake()

    def close(self) -> None:
        self.relay.stop()
        self.mqtt.disconnect()
        self.http.close()
        self.nib.close()


@pytest.fixture
def parent(broker: Mosquitto, broker_settings: MosquittoSettings) -> Iterator[Parent]:
    assert broker.pid
    parent = Parent(broker_settings.port)
    yield parent
    parent.close()


@pytest.fixture
def child(parent: Parent, broker_settings: MosquittoSettings) -> Iterator[Child]:
    child = Child(broker_settings.port, parent.server.port)
    yield child
    child.close()


def test_reports_arrive_by_mqtt_and_are_confirmed(child: Child, parent: Parent) -> None:
    for number in range(10):
        child.report(number)
    assert child.relay.flush(20) is RelayState.CONFIRMED
    assert parent.applied == list(range(10))


def is_back(broker: Mosquitto, restarts: int) -> bool:
    return broker.restarts == restarts and broker.pid is not None


@pytest.mark.attack(26)
def test_a_broker_killed_midway_loses_nothing_and_repeats_nothing(
    child: Child, parent: Parent, broker: Mosquitto
) -> None:
    for number in range(60):
        if number in (20, 40):
            wait_until(partial(is_back, broker, number // 20 - 1), "the broker")
            assert broker.pid
            os.kill(broker.pid, signal.SIGKILL)
        child.report(number)
    assert child.relay.flush(40) is RelayState.CONFIRMED
    assert parent.applied == list(range(60))


def test_without_a_broker_reports_go_by_rest(
    child: Child, parent: Parent, broker: Mosquitto
) -> None:
    broker.stop()
    wait_until(lambda: not child.mqtt.is_connected)
    child.report(1)
    assert child.relay.flush(20) is RelayState.CONFIRMED
    assert parent.applied == [1]


def test_without_a_reader_on_the_topic_reports_go_by_rest(child: Child, parent: Parent) -> None:
    parent.mqtt.unsubscribe(topics.discovery_all("zone-A"))
    child.report(1)
    assert child.relay.flush(20) is RelayState.CONFIRMED
    assert parent.applied == [1]


def test_a_parent_that_is_away_gets_everything_when_it_is_back(
    child: Child, parent: Parent, broker: Mosquitto
) -> None:
    parent.server.stop()
    broker.stop()
    for number in range(5):
        child.report(number)
    assert child.relay.flush(0.5) is RelayState.QUEUED
    parent.server.start_background()
    assert child.relay.flush(30) is RelayState.CONFIRMED
    assert parent.applied == list(range(5))
