"""A real mosquitto and its clients; a REST server and its client: all on loopback."""

import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pdsno.communication.broker import Mosquitto, MosquittoSettings
from pdsno.communication.http_client import ControllerHTTPClient
from pdsno.communication.mqtt_client import ControllerMQTTClient
from pdsno.communication.rest_server import ControllerRESTServer
from pdsno.domain.messages import Message
from tests.integration.ears import NewClient
from tests.integration.identity_rig import Door, Site, site_of
from tests.integration.rest_rig import GC_KEY, RC_KEY, REQUEST, VERIFIER, Send


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def broker_settings(free_port: int) -> Iterator[MosquittoSettings]:
    """Of a broker that runs as its own user, as it does in operation, where we are root."""
    # Not tmp_path: that is closed to other users.
    directory = Path(tempfile.mkdtemp(prefix="pdsno-broker-"))
    yield MosquittoSettings(port=free_port, state_dir=directory)
    shutil.rmtree(directory)


@pytest.fixture
def broker(broker_settings: MosquittoSettings) -> Iterator[Mosquitto]:
    mosquitto = Mosquitto(broker_settings)
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


@pytest.fixture
def new_client(broker: Mosquitto, broker_settings: MosquittoSettings) -> Iterator[NewClient]:
    assert broker.pid
    clients: list[ControllerMQTTClient] = []

    def make(
        controller_id: str, *, connect: bool = True, **options: object
    ) -> ControllerMQTTClient:
        client = ControllerMQTTClient(
            controller_id,
            "127.0.0.1",
            broker_settings.port,
            **options,  # type: ignore[arg-type]
        )
        clients.append(client)
        if connect:
            client.connect()
        return client

    yield make
    for client in clients:
        client.disconnect()


@pytest.fixture
def server() -> Iterator[ControllerRESTServer]:
    rest = ControllerRESTServer("gc", 0, signer=GC_KEY, verifier=VERIFIER, info={"role": "global"})
    rest.start_background()
    yield rest
    rest.stop()


@pytest.fixture
def sleeps() -> list[float]:
    return []


@pytest.fixture
def client(server: ControllerRESTServer, sleeps: list[float]) -> Iterator[ControllerHTTPClient]:
    http = ControllerHTTPClient(signer=RC_KEY, verifier=VERIFIER, sleep=sleeps.append)
    http.register_controller("gc", f"http://127.0.0.1:{server.port}")
    yield http
    http.close()


@pytest.fixture
def send(client: ControllerHTTPClient) -> Send:
    def send_request(**changes: Any) -> Message | None:  # noqa: ANN401 - any argument of send
        arguments: dict[str, Any] = {
            "sender_id": "rc",
            "recipient_id": "gc",
            "message_type": REQUEST,
            "payload": {"n": 1},
        }
        return client.send(**arguments | changes)

    return send_request


@pytest.fixture(scope="module")
def validators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Give a global and a regional controller whose join listeners serve."""
    with site_of(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture
def undisturbed(validators: Site) -> Iterator[None]:
    """Fail unless others are served after a test."""
    with validators.unharmed():
        yield


@pytest.fixture(params=["global", "regional"])
def door(validators: Site, request: pytest.FixtureRequest) -> Door:
    return validators.doors[request.param]
