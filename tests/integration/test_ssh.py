import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pdsno.domain.observations import Outcome
from pdsno.southbound.access import DeviceAccess
from pdsno.southbound.credentials import Credentials, SshCredential
from pdsno.southbound.platforms import DETECTION_COMMAND, frr
from pdsno.southbound.ssh import SshAnswer, SshQuerier
from pdsno.southbound.ssh_transport import SshOptions
from tests.integration.devices import fake_device, free_port, sshd, username
from tests.unit.southbound.recorded import recorded_outputs

HOST = "127.0.0.1"
FRR = recorded_outputs("frr_router")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    with sshd(tmp_path_factory.mktemp("sshd")) as found:
        yield found


def fake_login(port: int) -> SshCredential:
    return SshCredential(name="ops", username="ops", password="right", port=port)


def ask(*credentials: SshCredential, options: SshOptions | None = None) -> SshAnswer:
    access = DeviceAccess(Credentials(ssh=credentials))
    return SshQuerier(access, options=options).query([HOST])[HOST]


def test_this_machine_is_read_over_a_real_sshd(server: tuple[int, Path]) -> None:
    port, key = server
    credential = SshCredential(name="key", username=username(), key_file=str(key), port=port)
    answer = ask(credential)
    assert answer.probe.outcome is Outcome.ANSWERED, answer.probe
    assert answer.facts is not None
    assert answer.facts.name == socket.gethostname()
    loopback = next(i for i in answer.facts.interfaces if i.name == "lo")
    assert "127.0.0.1/8" in loopback.ips


def test_a_wrong_password_is_named_with_its_credential_and_the_next_one_is_tried(
    server: tuple[int, Path],
) -> None:
    port, key = server
    wrong = SshCredential(name="old", username=username(), password="no", port=port)
    answer = ask(wrong)
    assert answer.probe.outcome is Outcome.AUTHENTICATION_FAILED
    assert answer.probe.detail == "credential old"
    right = SshCredential(name="key", username=username(), key_file=str(key), port=port)
    assert ask(wrong, right).probe.detail == "credential key"


def test_a_closed_port_is_refused() -> None:
    assert ask(fake_login(free_port())).probe.outcome is Outcome.REFUSED


def test_a_key_file_that_is_missing_is_named(server: tuple[int, Path]) -> None:
    credential = SshCredential(name="k", username="x", key_file="/no/key", port=server[0])
    answer = ask(credential)
    assert answer.probe.outcome is Outcome.NOT_TRIED
    assert "/no/key" in answer.probe.detail


def test_a_device_with_an_frr_shell_is_read_and_hears_only_listed_commands() -> None:
    with fake_device(lambda line: FRR.get(line, "% Unknown command")) as device:
        answer = ask(fake_login(device.port))
    assert answer.probe.outcome is Outcome.ANSWERED, answer.probe
    assert answer.facts is not None
    assert (answer.facts.name, answer.facts.platform) == ("leaf1", "frr")
    assert len(answer.facts.interfaces) == 5
    assert set(device.lines) == {DETECTION_COMMAND, *frr.PLATFORM.commands}


def test_a_device_that_hangs_up_half_way_is_told_with_the_command() -> None:
    def reply(line: str) -> str | None:
        return FRR["show version"] if line == "show version" else None

    with fake_device(reply) as device:
        answer = ask(fake_login(device.port))
    assert answer.probe.outcome is Outcome.SESSION_CLOSED
    assert answer.probe.detail == "command 'show interface json'"
    assert answer.facts is None


def test_a_platform_that_we_do_not_know_is_left_alone() -> None:
    with fake_device(lambda _: "Whatever OS, release 7") as device:
        answer = ask(fake_login(device.port))
    assert answer.probe.outcome is Outcome.NOT_SUPPORTED
    assert device.lines == [DETECTION_COMMAND]


def test_a_server_that_hangs_up_at_once_or_says_nothing_is_told_apart() -> None:
    quick = SshOptions(login_timeout_s=0.5)
    with socket.create_server((HOST, 0)) as listener:
        port = int(listener.getsockname()[1])

        def hang_up() -> None:
            listener.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        answer = ask(fake_login(port), options=quick)
        thread.join()
        assert answer.probe.outcome is Outcome.SESSION_CLOSED
        # Accepted by the kernel, and nobody speaks.
        answer = ask(fake_login(port), options=quick)
        assert (answer.probe.outcome, answer.probe.detail) == (
            Outcome.TIMEOUT,
            "connected, but no SSH banner",
        )


def test_many_devices_at_a_time_and_one_that_fails_spoils_no_other() -> None:
    with fake_device(lambda line: FRR.get(line, "% Unknown command")) as device:
        hosts = [f"127.0.0.{n}" for n in (1, 2, 3)]
        # The fake listens on 127.0.0.1 only.
        answers = SshQuerier(DeviceAccess(Credentials(ssh=(fake_login(device.port),)))).query(hosts)
    outcomes = [answers[host].probe.outcome for host in hosts]
    assert outcomes == [Outcome.ANSWERED, Outcome.REFUSED, Outcome.REFUSED]


def test_a_stop_closes_a_session_that_waits() -> None:
    stop, waiting, over = threading.Event(), threading.Event(), threading.Event()

    def reply(_: str) -> str:
        waiting.set()
        over.wait(60)
        return ""

    def stop_when_it_waits() -> None:
        waiting.wait(30)
        stop.set()

    with fake_device(reply) as device:
        querier = SshQuerier(DeviceAccess(Credentials(ssh=(fake_login(device.port),))), stop=stop)
        thread = threading.Thread(target=stop_when_it_waits)
        thread.start()
        started = time.monotonic()
        answers = querier.query([HOST])
        took_s = time.monotonic() - started
        over.set()
        thread.join()
    assert answers == {}
    assert took_s < 15
