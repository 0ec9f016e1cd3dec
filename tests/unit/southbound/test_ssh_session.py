import pytest
from netmiko.exceptions import (
    NetmikoAuthenticationException,
    NetmikoTimeoutException,
    ReadException,
    ReadTimeout,
)
from paramiko.ssh_exception import SSHException  # type: ignore[import-untyped]

from pdsno.domain.errors import LocalProtocolError
from pdsno.domain.observations import Outcome
from pdsno.southbound.ssh_errors import SshError, translated
from pdsno.southbound.ssh_session import ReadOnlySession
from pdsno.southbound.ssh_transport import SshOptions


class FakeConnection:
    """Keeps what it was sent; says what it was told to say."""

    def __init__(self, reply: str | Exception = "") -> None:
        self.sent: list[str] = []
        self._reply = reply

    def send_command(self, command: str, *, read_timeout: float) -> str:
        assert read_timeout > 0
        self.sent.append(command)
        if isinstance(self._reply, Exception):
            raise self._reply
        return self._reply


def session(connection: FakeConnection) -> ReadOnlySession:
    return ReadOnlySession(connection, SshOptions())  # type: ignore[arg-type]


def test_only_listed_commands_reach_a_device() -> None:
    connection = FakeConnection("FRRouting 8.4.4")
    opened = session(connection)
    assert opened.send("show version") == "FRRouting 8.4.4"
    opened.allow(["show interface json"])
    opened.send("show interface json")
    for forbidden in ("configure terminal", "show version", "show interface json; reboot", ""):
        with pytest.raises(LocalProtocolError):
            opened.send(forbidden)
    assert connection.sent == ["show version", "show interface json"]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ReadTimeout("pattern not detected"), Outcome.TIMEOUT),
        (ReadException("Unable to read"), Outcome.SESSION_CLOSED),
        (EOFError(), Outcome.SESSION_CLOSED),
        (ConnectionResetError(), Outcome.SESSION_CLOSED),
        (OSError("Socket is closed"), Outcome.SESSION_CLOSED),
    ],
)
def test_a_failed_command_is_named_with_its_outcome(error: Exception, outcome: Outcome) -> None:
    with pytest.raises(SshError) as failed:
        session(FakeConnection(error)).send("show version")
    assert failed.value.outcome is outcome
    assert failed.value.detail == "command 'show version'"
    assert failed.value.__cause__ is error


class PagingConnection(FakeConnection):
    """Prints a page at a time, and waits for a key between them."""

    def __init__(self, *pages: str) -> None:
        super().__init__()
        self._pages = list(pages)

    def send_command(self, command: str, *, read_timeout: float, expect_string: str = "") -> str:
        assert read_timeout > 0
        assert expect_string
        self.sent.append(command)
        return self._pages.pop(0)

    def write_channel(self, keys: str) -> None:
        self.sent.append(keys)

    def read_until_pattern(self, pattern: str, *, read_timeout: float) -> str:
        assert pattern
        assert read_timeout > 0
        return self._pages.pop(0)

    def strip_prompt(self, output: str) -> str:
        return output.removesuffix("sw1>")


def test_all_pages_of_an_output_are_read() -> None:
    connection = PagingConnection(
        "one\ntwo\n --More-- ", "\r        \rthree\n--More--", "\r \rfour\nsw1>"
    )
    opened = ReadOnlySession(connection, SshOptions(), until="sw1>")  # type: ignore[arg-type]
    assert opened.send("show version").split() == ["one", "two", "three", "four"]
    assert connection.sent == ["show version", " ", " "]


def chained(outer: Exception, inner: Exception) -> Exception:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (NetmikoAuthenticationException("no"), Outcome.AUTHENTICATION_FAILED),
        (NetmikoTimeoutException("TCP connection to device failed"), Outcome.TIMEOUT),
        (
            chained(
                NetmikoTimeoutException("x"), SSHException("Error reading SSH protocol banner")
            ),
            Outcome.SESSION_CLOSED,
        ),
        (
            chained(NetmikoTimeoutException("x"), SSHException("no acceptable kex algorithm")),
            Outcome.FAILED,
        ),
        (chained(SSHException("x"), ConnectionResetError()), Outcome.SESSION_CLOSED),
    ],
)
def test_log_in_failures_are_told_apart(error: Exception, outcome: Outcome) -> None:
    assert translated(error, "during log-in").outcome is outcome
