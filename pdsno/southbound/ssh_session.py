"""One SSH login: how it is opened, what may be sent, and what its failures are called."""

import logging
import re
import socket
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netmiko import BaseConnection
from netmiko.channel import SSHChannel
from netmiko.exceptions import (
    NetmikoAuthenticationException,
    NetmikoBaseException,
    NetmikoTimeoutException,
    ReadException,
    ReadTimeout,
    WriteException,
)
from paramiko.ssh_exception import SSHException  # type: ignore[import-untyped]

from pdsno.domain.errors import LocalProtocolError, OperationError
from pdsno.domain.observations import Outcome
from pdsno.southbound.credentials import SshCredential
from pdsno.southbound.first_contact import PAGER
from pdsno.southbound.platforms import DETECTION_COMMAND

# Paramiko logs a traceback from its own thread for everything that it also raises to us.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)

MAX_OUTPUT_BYTES = 16 << 20
"""Of one session: a full Internet routing table is not what we ask for."""

_MAX_PAGES = 2000
_OVERWRITTEN = re.compile(r"\A[\s\x08]*(?:\r|\x08)+ *(?:\r|\x08)*")
"""How a device wipes its pager's line before the next page."""
_BANNER_BYTES = 255  # RFC 4253 section 4.2
_EXPECTED = (NetmikoBaseException, NetmikoTimeoutException, SSHException, OSError, EOFError)


@dataclass(frozen=True, kw_only=True, slots=True)
class SshOptions:
    """How patient we are, in seconds."""

    connect_timeout_s: float = 3.0
    login_timeout_s: float = 15.0
    read_timeout_s: float = 20.0


class SshError(OperationError):
    """A session failed; `outcome` is what the record keeps, the text is its detail."""

    def __init__(self, outcome: Outcome, detail: str = "") -> None:
        super().__init__(detail or outcome.value)
        self.outcome = outcome
        self.detail = detail


class BoundedChannel(SSHChannel):
    """Netmiko's channel, that notices a device which hung up, and one that never stops talking.

    Netmiko itself waits for its read time-out in the first case, and forever in the second.
    Whatever Netmiko wants to send passes here: only what `permitted` holds goes out.
    """

    def __init__(self, connection: BaseConnection) -> None:
        super().__init__(conn=connection.remote_conn, encoding=connection.encoding)
        self._left = MAX_OUTPUT_BYTES
        self.permitted: Collection[str] = (DETECTION_COMMAND,)

    def write_channel(self, out_data: str) -> None:
        """Send a line, an empty line or a pager's key. Raises LocalProtocolError for others."""
        line = out_data.strip()
        if line and line not in self.permitted:
            raise LocalProtocolError("Netmiko wanted to send what this platform does not list")
        super().write_channel(out_data)

    def read_buffer(self) -> str:
        """Return what is there. Raises ReadException at the end of the stream."""
        output = str(super().read_buffer())
        channel = self.remote_conn
        is_over = channel is None or channel.closed or channel.eof_received
        if not output and is_over and (channel is None or not channel.recv_ready()):
            raise ReadException("the device closed the session")
        self._left -= len(output)
        if self._left < 0:
            raise SshError(Outcome.FAILED, f"more than {MAX_OUTPUT_BYTES >> 20} MB of output")
        return output


class ReadOnlySession:
    """The one place where anything is sent to a device: only what its platform lists.

    `until` is the pattern that ends an output (a prompt or a pager); without it Netmiko's own.
    """

    def __init__(
        self, connection: BaseConnection, options: SshOptions, *, until: str | None = None
    ) -> None:
        self._connection = connection
        self._options = options
        self._allowed: Collection[str] = (DETECTION_COMMAND,)
        self._until = until

    @property
    def connection(self) -> BaseConnection:
        """The session's connection, for Netmiko to be told whose it is."""
        return self._connection

    def allow(self, commands: Collection[str]) -> None:
        """Permit a platform's commands instead of the detection command alone."""
        self._allowed = commands
        channel = getattr(self._connection, "channel", None)
        if isinstance(channel, BoundedChannel):
            channel.permitted = commands

    def send(self, command: str) -> str:
        """Return what a command prints, all pages. Raises SshError; LocalProtocolError."""
        if command not in self._allowed:
            raise LocalProtocolError(f"{command!r} is not among the commands for this platform")
        until: dict[str, Any] = {} if self._until is None else {"expect_string": self._until}
        try:
            output = self._connection.send_command(
                command, read_timeout=self._options.read_timeout_s, **until
            )
            return self._all_pages(str(output))
        except _EXPECTED as error:
            raise translated(error, f"command {command!r}") from error

    def _all_pages(self, output: str) -> str:
        pages = [output]
        while self._until is not None and PAGER.search(pages[-1]):
            if len(pages) > _MAX_PAGES:
                raise SshError(Outcome.FAILED, f"more than {_MAX_PAGES} pages of output")
            pages[-1] = PAGER.sub("\n", pages[-1])
            self._connection.write_channel(" ")
            page = self._connection.read_until_pattern(
                self._until, read_timeout=self._options.read_timeout_s
            )
            pages.append(self._connection.strip_prompt(_OVERWRITTEN.sub("", page)))
        return "".join(pages)


def connect(address: str, port: int, options: SshOptions) -> tuple[socket.socket, str]:
    """Return a connected socket and the server's version line, which stays unread in it.

    Raises SshError: REFUSED, TIMEOUT, UNREACHABLE, SESSION_CLOSED (hung up without a word).
    """
    try:
        sock = socket.create_connection((address, port), timeout=options.connect_timeout_s)
    except ConnectionRefusedError as error:
        raise SshError(Outcome.REFUSED) from error
    except TimeoutError as error:
        raise SshError(Outcome.TIMEOUT) from error
    except OSError as error:
        raise SshError(Outcome.UNREACHABLE, error.strerror or "") from error
    try:
        sock.settimeout(options.login_timeout_s)
        banner = sock.recv(_BANNER_BYTES, socket.MSG_PEEK)
    except TimeoutError as error:
        sock.close()
        raise SshError(Outcome.TIMEOUT, "connected, but no SSH banner") from error
    except OSError as error:
        sock.close()
        raise SshError(Outcome.SESSION_CLOSED, "before its banner") from error
    if not banner:
        sock.close()
        raise SshError(Outcome.SESSION_CLOSED, "before its banner")
    return sock, banner.decode("ascii", errors="replace").partition("\n")[0].strip()


def login_parameters(
    credential: SshCredential, sock: socket.socket, options: SshOptions
) -> dict[str, Any]:
    """Return what Netmiko needs besides host, user and password.

    Host keys are accepted as they come and remembered by nobody: pinning them is work to be
    done. The operator's agent, keys and ssh_config are left alone: only what the credential
    names is offered, or a device would count foreign keys as failed log-ins.
    """
    if credential.key_file is not None and not Path(credential.key_file).is_file():
        raise SshError(Outcome.FAILED, f"key file {credential.key_file} does not exist")
    return {
        "sock": sock,
        "use_keys": credential.key_file is not None,
        "key_file": credential.key_file,
        "allow_agent": False,
        "ssh_strict": False,
        "system_host_keys": False,
        "ssh_config_file": None,
        "conn_timeout": options.login_timeout_s,
        "auth_timeout": options.login_timeout_s,
        "banner_timeout": options.login_timeout_s,
        "blocking_timeout": options.read_timeout_s,
        "fast_cli": True,
    }


def translated(error: BaseException, where: str = "") -> SshError:
    """Return what a library's exception means."""
    if isinstance(error, SshError):
        return error
    chain = list(_chain(error))
    if any(isinstance(item, NetmikoAuthenticationException) for item in chain):
        return SshError(Outcome.AUTHENTICATION_FAILED)
    if any(_is_hang_up(item) for item in chain):
        return SshError(Outcome.SESSION_CLOSED, where)
    if any(isinstance(item, ReadTimeout | TimeoutError) for item in chain):
        return SshError(Outcome.TIMEOUT, where)
    for item in chain:
        # Netmiko's time-out stands for any paramiko error, and is one by inheritance.
        is_reason = isinstance(item, SSHException | ValueError)
        if is_reason and not isinstance(item, NetmikoTimeoutException):
            return SshError(Outcome.FAILED, " ".join(str(item).split()) or where)
    if isinstance(error, NetmikoTimeoutException):
        return SshError(Outcome.TIMEOUT, where)
    return SshError(Outcome.FAILED, where or type(error).__name__)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_hang_up(error: BaseException) -> bool:
    if isinstance(error, ReadTimeout | NetmikoTimeoutException):
        return False
    if isinstance(error, EOFError | ConnectionError | ReadException | WriteException):
        return True
    text = str(error)
    return isinstance(error, SSHException | OSError) and (
        "not active" in text or "is closed" in text or "banner" in text
    )
