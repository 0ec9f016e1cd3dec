import os
import signal
import threading

import pytest

from pdsno.communication import topics
from pdsno.communication.broker import Mosquitto, MosquittoSettings
from pdsno.communication.mqtt_client import ControllerMQTTClient
from pdsno.domain.errors import InputError, TransientError
from pdsno.domain.messages import Message, MessageType
from tests.integration.ears import Ears, NewClient
from tests.integration.waiting import holds_for, wait_until

EVENT = MessageType.SYSTEM_EVENT


def test_a_published_message_reaches_its_subscriber_verified(new_client: NewClient) -> None:
    ears, topic = Ears(), "pdsno/discovery/zone-A/lc"
    new_client("rc").subscribe(topic, ears)
    sent = new_client("lc").publish(
        topic, MessageType.DISCOVERY_REPORT, {"n": 1}, stream_id="s", seq=4, recipient_id="rc"
    )
    assert sent.has_subscribers
    wait_until(lambda: ears.messages)
    message = ears.messages[0]
    assert (message.sender_id, message.topic, message.seq) == ("lc", topic, 4)
    assert message.message_id == sent.message_id


def test_publish_returns_after_the_broker_answered(new_client: NewClient) -> None:
    assert not new_client("lc").publish("pdsno/events/nobody", EVENT, {}).has_subscribers


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [
        (topics.discovery_all("zone-A"), {1, 2}),
        ("pdsno/+/zone-A/lc1", {1}),
        ("pdsno/#", {1, 2, 3, 4}),
        ("pdsno/status/#", {4}),
    ],
)
def test_wildcards_select_topics(new_client: NewClient, wanted: str, reached: set[int]) -> None:
    ears = Ears()
    receiver = new_client("rc")
    receiver.subscribe(wanted, ears)
    receiver.subscribe("end", ears)
    targets = [
        ("lc1", "pdsno/discovery/zone-A/lc1"),
        ("lc2", "pdsno/discovery/zone-A/lc2"),
        ("lc3", "pdsno/discovery/zone-B/lc3"),
        ("lc4", "pdsno/status/lc4"),
    ]
    for number, (name, topic) in enumerate(targets, 1):
        new_client(name).publish(topic, EVENT, {"n": number})
    new_client("lc1").publish("end", EVENT, {"n": 0})
    wait_until(lambda: 0 in ears.numbers)
    assert set(ears.numbers) == reached | {0}
    assert len(ears.numbers) == len(set(ears.numbers))


def test_overlapping_subscriptions_each_get_the_message_once(new_client: NewClient) -> None:
    wide, narrow = Ears(), Ears()
    receiver = new_client("rc")
    receiver.subscribe("pdsno/#", wide)
    receiver.subscribe("pdsno/events/system", narrow)
    sender = new_client("lc")
    for number in range(5):
        sender.publish(topics.events_system(), EVENT, {"n": number})
    wait_until(lambda: len(wide.messages) >= 5 and len(narrow.messages) >= 5)
    assert holds_for(lambda: len(wide.messages) == len(narrow.messages) == 5, 0.2)


def test_subscriptions_and_their_qos_survive_the_brokers_death(
    broker: Mosquitto, new_client: NewClient
) -> None:
    ears = {0: Ears(), 1: Ears(), 2: Ears()}
    receiver, sender = new_client("rc"), new_client("lc")
    for qos, handler in ears.items():
        receiver.subscribe(f"pdsno/events/q{qos}", handler, qos=qos)
    assert broker.pid
    os.kill(broker.pid, signal.SIGKILL)
    wait_until(lambda: broker.restarts == 1, "the broker")
    wait_until(lambda: receiver.is_connected and sender.is_connected, "both clients")
    delivered: list[int] = []
    connection = receiver._connection
    original = connection._queue  # type: ignore[union-attr]

    def spy(incoming: object) -> None:
        delivered.append(incoming.qos)  # type: ignore[attr-defined]
        original(incoming)

    connection._queue = spy  # type: ignore[union-attr]
    for qos in ears:
        sender.publish(f"pdsno/events/q{qos}", EVENT, {"n": qos}, qos=2)
    wait_until(lambda: all(handler.messages for handler in ears.values()), "the messages")
    assert sorted(delivered) == [0, 1, 2]


def test_a_message_published_while_the_receiver_is_away_is_kept_for_it(
    new_client: NewClient,
) -> None:
    receiver, sender, ears = new_client("rc"), new_client("lc"), Ears()
    receiver.subscribe(topics.events_system(), ears)
    receiver.disconnect()
    sender.publish(topics.events_system(), EVENT, {"n": 1})
    receiver.connect()
    wait_until(lambda: ears.numbers == [1])


def test_a_message_that_came_before_its_subscriber_waits_for_it(new_client: NewClient) -> None:
    before, sender, ears = new_client("rc"), new_client("lc"), Ears()
    before.subscribe(topics.events_system(), Ears())
    before.disconnect()
    sender.publish(topics.events_system(), EVENT, {"n": 1})
    after = new_client("rc")
    connection = after._connection
    wait_until(lambda: connection.subscriptions._unclaimed)  # type: ignore[union-attr]
    after.subscribe(topics.events_system(), ears)
    wait_until(lambda: ears.numbers == [1])


def test_handlers_run_in_order_off_the_network_thread(new_client: NewClient) -> None:
    ears = Ears()
    new_client("rc").subscribe(topics.events_system(), ears)
    sender = new_client("lc")
    for number in range(100):
        sender.publish(topics.events_system(), EVENT, {"n": number})
    wait_until(lambda: len(ears.messages) == 100)
    assert ears.numbers == list(range(100))
    assert ears.threads == {"mqtt-rc"}


def test_a_slow_handler_does_not_stop_publishing_or_keepalive(new_client: NewClient) -> None:
    release, client = threading.Event(), new_client("rc")
    handled: list[int] = []

    def slow(message: Message) -> None:
        release.wait(10)
        client.publish("pdsno/events/answer", EVENT, {})  # from the handler itself
        handled.append(message.payload["n"])

    client.subscribe(topics.events_system(), slow)
    sender = new_client("lc")
    for number in range(50):
        sender.publish(topics.events_system(), EVENT, {"n": number})
    client.publish("pdsno/events/other", EVENT, {})
    release.set()
    wait_until(lambda: len(handled) == 50)
    assert handled == list(range(50))


def test_a_handler_that_crashes_does_not_stop_the_next_message(new_client: NewClient) -> None:
    ears, receiver = Ears(), new_client("rc")

    def crash_first(message: Message) -> None:
        if message.payload["n"] == 0:
            raise RuntimeError("a bug")
        ears(message)

    receiver.subscribe(topics.events_system(), crash_first)
    sender = new_client("lc")
    sender.publish(topics.events_system(), EVENT, {"n": 0})
    sender.publish(topics.events_system(), EVENT, {"n": 1})
    wait_until(lambda: ears.numbers == [1])
    assert receiver.counts["handler_failed"] == 1


def test_clients_with_equal_broker_and_id_share_one_connection(new_client: NewClient) -> None:
    first, second, ears = new_client("lc"), new_client("lc"), Ears()
    assert first._connection is second._connection
    first.subscribe(topics.events_system(), ears)
    first.disconnect()
    assert not first.is_connected
    assert second.is_connected
    second.publish(topics.events_system(), EVENT, {"n": 1})
    assert holds_for(lambda: not ears.messages, 0.2)
    second.disconnect()
    assert not [t for t in threading.enumerate() if t.name == "mqtt-lc"]


def test_callbacks_run_after_each_connect(broker: Mosquitto, new_client: NewClient) -> None:
    client, calls = new_client("lc"), []

    def announce() -> None:
        client.publish("pdsno/status/lc", MessageType.STATUS, {})
        calls.append(threading.current_thread().name)

    client.on_connect(announce)
    wait_until(lambda: len(calls) == 1)
    assert broker.pid
    os.kill(broker.pid, signal.SIGKILL)
    wait_until(lambda: len(calls) == 2, "the reconnect")
    assert set(calls) == {"mqtt-lc"}


def test_unsubscribing_ends_delivery(new_client: NewClient) -> None:
    receiver, sender, ears = new_client("rc"), new_client("lc"), Ears()
    receiver.subscribe(topics.events_system(), ears)
    sender.publish(topics.events_system(), EVENT, {"n": 1})
    wait_until(lambda: ears.messages)
    receiver.unsubscribe(topics.events_system())
    wait_until(lambda: not sender.publish(topics.events_system(), EVENT, {"n": 2}).has_subscribers)
    assert ears.numbers == [1]


def test_an_unreachable_broker_is_one_clear_line(free_port: int) -> None:
    client = ControllerMQTTClient("lc", "127.0.0.1", free_port)
    with pytest.raises(TransientError) as caught:
        client.connect(timeout_s=0.5)
    text = str(caught.value)
    assert f"cannot reach the MQTT broker at 127.0.0.1:{free_port}: Connection refused" in text
    assert "\n" not in text
    with pytest.raises(TransientError, match="not connected"):
        client.publish("pdsno/events/system", EVENT, {})


def test_connecting_without_waiting_succeeds_once_the_broker_is_there(
    broker_settings: MosquittoSettings,
) -> None:
    client, ears = ControllerMQTTClient("lc", "127.0.0.1", broker_settings.port), Ears()
    client.subscribe(topics.events_system(), ears)
    client.connect(wait=False)
    broker = Mosquitto(broker_settings)
    try:
        assert not client.is_connected
        broker.start()
        wait_until(lambda: client.is_connected, "the connection")
        client.publish(topics.events_system(), EVENT, {"n": 1})
        wait_until(lambda: ears.numbers == [1])
    finally:
        client.disconnect()
        broker.stop()


def test_a_publish_without_an_answer_fails_in_time(
    broker: Mosquitto, new_client: NewClient
) -> None:
    client = new_client("lc")
    assert broker.pid
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        with pytest.raises(TransientError, match="did not acknowledge within"):
            client.publish("pdsno/events/system", EVENT, {}, timeout_s=0.3)
    finally:
        os.kill(broker.pid, signal.SIGCONT)
    client.publish("pdsno/events/system", EVENT, {})


@pytest.mark.parametrize(("host", "port"), [("", 1883), ("a" * 80 + ".b", 1883), ("x", 0)])
def test_an_impossible_address_is_refused_at_once(host: str, port: int) -> None:
    with pytest.raises(InputError, match="no address of an MQTT broker"):
        ControllerMQTTClient("lc", host, port)
