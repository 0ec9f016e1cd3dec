"""A real mosquitto on a free port of loopback."""

import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pdsno.communication.broker import Mosquitto, MosquittoSettings


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
