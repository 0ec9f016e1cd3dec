"""One SSH session: what may be sent, and how answers are read."""

import re
import time
from collections.abc import Collection
from typing import Any

from netmiko import BaseConnection
from netmiko.exceptions import NetmikoBaseException, NetmikoTimeoutException
from paramiko.ssh_exception import SSHException  # type: ignore[import-untyped]

from pdsno.domain.errors import LocalProtocolError
from pdsno.domain.observations import Outcome
from pdsno.southbound.first_contact import PAGER
from pdsno.southbound.platforms import DETECTION_COMMAND
from pdsno.southbound.ssh_channel import BoundedChannel
from pdsno.southbound.ssh_errors import SshError, translated
from pdsno.southbound.ssh_transport import SshOptions

_MAX_PAGES = 2000
_OVERWRITTEN = re.compile(r"\A[\s\x08]*(?:\r|\x08)+ *(?:\r|\x08)*")
"""How a device wipes its pager's line before the next page."""
_EXPECTED = (NetmikoBaseException, NetmikoTimeoutException, SSHException, OSError, EOFError)


class ReadOnlySession:
    """The one place where anything is sent to a device: only what its platform lists.

    `until` is the pattern that ends an output (a prompt or a pager); without it Netmiko's own.
    The session's time begins when it is made.
    """

    def __init__(
        self, connection: BaseConnection, options: SshOptions, *, until: str | None = None
    ) -> None:
        self._connection = connection
        self._options = options
        self._allowed: Collection[str] = (DETECTION_COMMAND,)
        self._until = until
        self._ends_at = time.monotonic() + options.session_timeout_s

    @property
    def connection(self) -> BaseConnection:
        """The session's connection, for Netmiko to be told whose it is."""
        return self._connection

    def is_over(self) -> bool:
        """Tell whether the session's time is up: what was read by then is all."""
        return time.monotonic() >= self._ends_at

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
                command, read_timeout=self._patience_s(command), **until
            )
            return self._all_pages(str(output), command)
        except _EXPECTED as error:
            raise translated(error, f"command {command!r}") from error

    def _patience_s(self, command: str) -> float:
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise SshError(Outcome.TIMEOUT, f"command {command!r}: the session took too long")
        return min(self._options.read_timeout_s, left)

    def _all_pages(self, output: str, command: str) -> str:
        pages = [output]
        while self._until is not None and PAGER.search(pages[-1]):
            if len(pages) > _MAX_PAGES:
                raise SshError(Outcome.FAILED, f"more than {_MAX_PAGES} pages of output")
            pages[-1] = PAGER.sub("\n", pages[-1])
            self._connection.write_channel(" ")
            page = self._connection.read_until_pattern(
                self._until, read_timeout=self._patience_s(command)
            )
            pages.append(self._connection.strip_prompt(_OVERWRITTEN.sub("", page)))
        return "".join(pages)
