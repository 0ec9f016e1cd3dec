import os
import signal
import socket
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pdsno.communication import broker as broker_module
from pdsno.communication.broker import Mosquitto, MosquittoSettings
from pdsno.domain.errors import InputError, OperationError
from tests.integration.waiting import holds_for, wait_until


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_it_accepts_once_started_and_is_gone_once_stopped(
    broker_settings: MosquittoSettings,
) -> None:
    broker = Mosquitto(broker_settings)
    broker.start()
    pid = broker.pid
    assert pid is not None
    with socket.create_connection(("127.0.0.1", broker_settings.port), timeout=5):
        pass
    broker.stop()
    broker.stop()
    assert not is_alive(pid)


def test_it_can_be_started_again(broker_settings: MosquittoSettings) -> None:
    broker = Mosquitto(broker_settings)
    for _ in range(2):
        broker.start()
        assert broker.pid is not None
        broker.stop()
        assert broker.pid is None


def test_a_killed_broker_comes_back(broker: Mosquitto, broker_settings: MosquittoSettings) -> None:
    first = broker.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: broker.restarts == 1, "the restart")
    assert broker.pid not in (None, first)
    with socket.create_connection(("127.0.0.1", broker_settings.port), timeout=5):
        pass


@pytest.mark.parametrize("content", [b"\x00\xb5\x00mosquitto db\x00\x00", os.urandom(200)])
def test_an_unreadable_state_file_is_moved_aside(
    broker_settings: MosquittoSettings, content: bytes
) -> None:
    database = broker_settings.state_dir / "mosquitto.db"
    database.write_bytes(content)
    broker = Mosquitto(broker_settings)
    broker.start()
    try:
        aside = list(broker_settings.state_dir.glob("mosquitto.db.corrupt-*"))
        assert [path.read_bytes() for path in aside] == [content]
    finally:
        broker.stop()


def test_a_taken_port_is_one_clear_line(broker_settings: MosquittoSettings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        broker = Mosquitto(replace(broker_settings, port=port))
        with pytest.raises(OperationError) as caught:
            broker.start()
    assert str(caught.value).startswith(f"mosquitto cannot listen on 127.0.0.1:{port}: the port is")
    assert "\n" not in str(caught.value)
    assert broker.pid is None


def test_off_loopback_it_needs_tls(broker_settings: MosquittoSettings) -> None:
    with pytest.raises(InputError, match=r"192\.0\.2\.1 needs TLS.*join"):
        Mosquitto(replace(broker_settings, listen="192.0.2.1"))


def test_a_broker_that_hangs_is_killed_and_comes_back(
    broker_settings: MosquittoSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_module, "_CHECK_S", 0.2)
    monkeypatch.setattr(broker_module, "_CHECK_TIMEOUT_S", 0.5)
    broker = Mosquitto(broker_settings)
    broker.start()
    try:
        first = broker.pid
        assert first is not None
        assert holds_for(lambda: broker.pid == first, 2)
        os.kill(first, signal.SIGSTOP)
        wait_until(lambda: broker.restarts == 1, "the restart")
        assert not is_alive(first)
    finally:
        broker.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give privileges up")
def test_it_does_not_run_as_root(broker: Mosquitto, broker_settings: MosquittoSettings) -> None:
    status = Path(f"/proc/{broker.pid}/status").read_text()
    uids = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:]
    assert "0" not in uids
    assert stat.S_IMODE((broker_settings.state_dir / "mosquitto.conf").stat().st_mode) == 0o600


def test_it_ends_with_a_program_that_was_killed(broker_settings: MosquittoSettings) -> None:
    program = (
        "import sys, time, pathlib; from pdsno.communication.broker import *; "
        "b = Mosquitto(MosquittoSettings(port=int(sys.argv[1]), "
        "state_dir=pathlib.Path(sys.argv[2]))); b.start(); print(b.pid, flush=True); time.sleep(60)"
    )
    arguments = [str(broker_settings.port), str(broker_settings.state_dir)]
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        lines = iter(owner.stdout.readline, "")
        pid = int(next(line for line in lines if line.strip().isdigit()))
        assert is_alive(pid)
        owner.kill()
    wait_until(lambda: not is_alive(pid), "the broker's end")
