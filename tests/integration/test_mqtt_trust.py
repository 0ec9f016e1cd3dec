import os
import signal
import subprocess
import sys
import time

import pytest

from pdsno.communication import topics
from pdsno.communication.broker import Mosquitto, MosquittoSettings
from pdsno.communication.subscriptions import Subscription
from pdsno.domain.errors import OperationError, Refusal, RefusedError
from pdsno.domain.messages import Message, MessageType
from pdsno.signing import SigningKey
from tests.integration.ears import Ears, NewClient
from tests.integration.waiting import holds_for, wait_until
from tests.unit.communication.keys import TableVerifier

EVENT = MessageType.SYSTEM_EVENT


@pytest.mark.attack(25)
def test_only_rightly_signed_messages_reach_a_handler(new_client: NewClient) -> None:
    lc_key, rc_key, thief_key = (SigningKey.generate() for _ in range(3))
    verifier = TableVerifier({"lc": lc_key, "rc": rc_key})
    receiver, ears = new_client("rc", signer=rc_key, verifier=verifier), Ears()
    receiver.subscribe("pdsno/#", ears)
    honest = new_client("lc", signer=lc_key, verifier=verifier)
    thief = new_client("thief", signer=thief_key, verifier=verifier)
    thief.publish("pdsno/status/thief", EVENT, {"n": -1})
    thief._gate._credentials = honest._gate._credentials
    thief.publish("pdsno/status/lc", EVENT, {"n": -2})
    honest.publish("pdsno/status/other", EVENT, {"n": -3})
    honest.publish("pdsno/status/lc", EVENT, {"n": 1}, recipient_id="gc")
    honest.publish("pdsno/status/lc", EVENT, {"n": 2})
    wait_until(lambda: ears.messages)
    assert ears.numbers == [2]
    wait_until(lambda: sum(receiver.refused.values()) == 4)
    assert receiver.refused[Refusal.WRONG_RECIPIENT] == 1
    assert receiver.refused[Refusal.IDENTITY_MISMATCH] >= 1


def publish_raw(settings: MosquittoSettings, topic: str, payload: bytes) -> None:
    command = f"mosquitto_pub -V 5 -h 127.0.0.1 -p {settings.port} -q 1 -t {topic} -s"
    subprocess.run(command.split(), input=payload, check=True, timeout=20)


@pytest.mark.attack(25)
def test_garbage_is_refused_and_counted(
    new_client: NewClient, broker_settings: MosquittoSettings
) -> None:
    receiver, ears = new_client("rc"), Ears()
    receiver.subscribe("pdsno/#", ears)
    publish_raw(broker_settings, "pdsno/events/system", b"\x00\xff")
    publish_raw(broker_settings, "pdsno/events/system", b'{"n": 1}')
    new_client("lc").publish("pdsno/events/system", EVENT, {"n": 2})
    wait_until(lambda: ears.numbers == [2])
    assert receiver.refused == {"MALFORMED": 1, "UNSIGNED": 1}


def test_somebody_hears_of_what_is_refused_by_the_checks_and_by_a_handler(
    new_client: NewClient, broker_settings: MosquittoSettings
) -> None:
    receiver, told = new_client("rc"), list[tuple[str, ...]]()

    def refuse(_message: Message) -> None:
        raise RefusedError(Refusal.WRONG_REGION, "not ours")

    receiver.on_refused(lambda *words: told.append(words))
    receiver.subscribe("pdsno/#", refuse)
    publish_raw(broker_settings, "pdsno/events/system", b'{"n": 1}')
    new_client("lc").publish("pdsno/events/system", EVENT, {"n": 2})
    wait_until(lambda: len(told) == 2)
    assert told == [
        ("pdsno/events/system", "MQTT", "UNSIGNED", "not a signed message"),
        ("lc", "SYSTEM_EVENT", "WRONG_REGION", "not ours"),
    ]


@pytest.mark.attack(19)
def test_a_replayed_message_is_refused(
    new_client: NewClient, broker_settings: MosquittoSettings
) -> None:
    receiver, ears = new_client("rc"), Ears()
    raw: list[bytes] = []
    receiver.subscribe("pdsno/#", ears)
    tap = Subscription("pdsno/#", 1, lambda incoming: raw.append(incoming.payload))
    receiver._connection.subscriptions.add(tap)  # type: ignore[union-attr]
    new_client("lc").publish("pdsno/events/system", EVENT, {"n": 1})
    wait_until(lambda: raw)
    publish_raw(broker_settings, "pdsno/events/system", raw[0])
    wait_until(lambda: receiver.refused == {"REPLAYED": 1})
    assert ears.numbers == [1]


def test_too_large_a_message_is_refused_before_it_leaves(new_client: NewClient) -> None:
    client = new_client("lc")
    with pytest.raises(OperationError, match="too large"):
        client.publish("pdsno/events/system", EVENT, {"x": "y" * 2_000_000})
    assert client.is_connected


def test_a_large_report_passes(new_client: NewClient) -> None:
    ears, topic = Ears(), "pdsno/discovery/zone-A/lc"
    new_client("rc").subscribe(topic, ears)
    new_client("lc").publish(topic, MessageType.DISCOVERY_REPORT, {"x": "y" * 4_000_000})
    wait_until(lambda: ears.messages)


def test_retained_state_reaches_later_subscribers_and_every_reconnect(
    broker: Mosquitto, new_client: NewClient
) -> None:
    new_client("gc").publish(
        topics.policy_global(), MessageType.POLICY_UPDATE, {"n": 1}, retain=True
    )
    receiver, ears = new_client("rc"), Ears()
    receiver.subscribe(topics.policy_global(), ears)
    wait_until(lambda: ears.numbers == [1])
    time.sleep(6)  # mosquitto saves every 5 s
    assert broker.pid
    os.kill(broker.pid, signal.SIGKILL)
    wait_until(lambda: ears.numbers == [1, 1], "the policy again")
    assert receiver.refused == {}


def test_the_will_of_a_killed_controller_is_published_signed(
    new_client: NewClient, broker_settings: MosquittoSettings
) -> None:
    watcher, ears = new_client("rc"), Ears()
    watcher.subscribe(topics.status_all(), ears)
    program = f"""
import time
from pdsno.communication import topics
from pdsno.communication.mqtt_client import ControllerMQTTClient
from pdsno.domain.messages import Message, MessageType
client = ControllerMQTTClient("victim", "127.0.0.1", {broker_settings.port})
client.set_will(topics.status("victim"), lambda: {{"state": "offline"}}, delay_s=0)
client.connect()
client.publish(topics.status("victim"), MessageType.STATUS, {{"state": "online"}}, retain=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL) as victim:
        try:
            wait_until(lambda: ears.messages, "the status", timeout_s=30)
            assert ears.messages[-1].payload == {"state": "online"}
        finally:
            victim.kill()
    wait_until(lambda: ears.messages[-1].payload == {"state": "offline"}, "the will")
    late = Ears()
    new_client("gc").subscribe(topics.status("victim"), late)
    wait_until(lambda: late.messages)
    assert late.messages[0].payload == {"state": "offline"}


def test_an_orderly_disconnect_publishes_no_will(new_client: NewClient) -> None:
    watcher, ears = new_client("rc"), Ears()
    watcher.subscribe(topics.status_all(), ears)
    client = new_client("lc", connect=False)
    client.set_will(topics.status("lc"), lambda: {"state": "offline"}, delay_s=0)
    client.connect()
    client.disconnect()
    assert holds_for(lambda: not ears.messages, 0.3)


def test_a_will_set_on_a_live_connection_is_told_to_the_broker(new_client: NewClient) -> None:
    client = new_client("lc")
    generations = client._connection.state.generation  # type: ignore[union-attr]
    client.set_will(topics.status("lc"), lambda: {"state": "offline"})
    wait_until(lambda: client.is_connected, "the new connection")
    assert client._connection.state.generation == generations + 1  # type: ignore[union-attr]
