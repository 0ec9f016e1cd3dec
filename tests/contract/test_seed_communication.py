"""The three usage examples of the project's founding document, as printed.

Supplied here are only what it leaves undefined: the handler, the payloads behind `{...}`, and the
broker's host name, which the resolver of this process maps to a broker on a free port.
"""

import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pdsno.communication import MessageType
from pdsno.communication.broker import Mosquitto, MosquittoSettings
from pdsno.domain.messages import Message, Reply

pytestmark = pytest.mark.integration

SERVER = """
server = ControllerRESTServer(
    controller_id="global_cntl_1",
    port=8001
)
server.register_handler(MessageType.VALIDATION_REQUEST, handler)
server.start_background()
"""

CLIENT = """
client = ControllerHTTPClient()
client.register_controller("global_cntl_1", "http://localhost:8001")
response = client.send(
    sender_id="regional_cntl_zone-A_1",
    recipient_id="global_cntl_1",
    message_type=MessageType.VALIDATION_REQUEST,
    payload={...}
)
"""

MQTT = """
mqtt = ControllerMQTTClient(
    controller_id="local_cntl_1",
    broker_host="mqtt.example.com"
)
mqtt.connect()
mqtt.publish(
    topic="pdsno/discovery/zone-A/local_cntl_1",
    message_type=MessageType.DISCOVERY_REPORT,
    payload={...}
)
"""

SUBSCRIBER = """
mqtt_client = ControllerMQTTClient(
    controller_id="regional_cntl_zone-A_1",
    broker_host="mqtt.local"
)
mqtt_client.connect()
mqtt_client.subscribe(
    "pdsno/discovery/zone-A/+",
    handler=handle_discovery_report
)
"""

PAYLOAD = {"hello": "world"}


def run_printed(example: str, names: dict[str, Any]) -> None:
    """Run an example in `names`, with a payload where it says `{...}`."""
    names["supplied_payload"] = PAYLOAD
    exec(example.replace("{...}", "supplied_payload"), names)  # noqa: S102 - printed code is the test


@pytest.fixture
def _broker_host(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Not tmp_path: the broker's user could not reach it.
    directory = Path(tempfile.mkdtemp(prefix="pdsno-seed-"))
    broker = Mosquitto(MosquittoSettings(port=port, state_dir=directory))
    resolve = socket.getaddrinfo

    def alias(host: Any, service: Any, *more: Any, **options: Any) -> Any:  # noqa: ANN401
        if host in ("mqtt.example.com", "mqtt.local"):
            return resolve("127.0.0.1", port if service == 1883 else service, *more, **options)
        return resolve(host, service, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", alias)
    broker.start()
    yield
    broker.stop()
    shutil.rmtree(directory)


def test_the_rest_server_and_the_http_client_examples_run_as_printed() -> None:
    from pdsno.communication.http_client import ControllerHTTPClient  # noqa: PLC0415 - as printed
    from pdsno.communication.rest_server import ControllerRESTServer  # noqa: PLC0415 - as printed

    got: list[Message] = []

    def handler(message: Message) -> Reply:
        got.append(message)
        return Reply(message_type=MessageType.CHALLENGE, payload={"nonce": "n"})

    names: dict[str, Any] = {
        "ControllerRESTServer": ControllerRESTServer,
        "ControllerHTTPClient": ControllerHTTPClient,
        "MessageType": MessageType,
        "handler": handler,
    }
    run_printed(SERVER, names)
    try:
        run_printed(CLIENT, names)
    finally:
        names["server"].stop()
    names["client"].close()
    assert [(m.sender_id, m.payload) for m in got] == [("regional_cntl_zone-A_1", PAYLOAD)]
    assert names["response"].payload == {"nonce": "n"}


@pytest.mark.usefixtures("_broker_host")
def test_the_mqtt_examples_run_as_printed() -> None:
    from pdsno.communication.mqtt_client import ControllerMQTTClient  # noqa: PLC0415 - as printed
    from tests.integration.waiting import wait_until  # noqa: PLC0415 - beside the import above

    got: list[Message] = []
    names: dict[str, Any] = {
        "ControllerMQTTClient": ControllerMQTTClient,
        "MessageType": MessageType,
        "handle_discovery_report": got.append,
    }
    run_printed(SUBSCRIBER, names)
    try:
        run_printed(MQTT, names)
        wait_until(lambda: got, "the report")
    finally:
        names["mqtt_client"].disconnect()
        if "mqtt" in names:
            names["mqtt"].disconnect()
    assert [(m.sender_id, m.payload) for m in got] == [("local_cntl_1", PAYLOAD)]
