"""The shell of a device that we know nothing about yet: any prompt, a pager perhaps."""

import re
from typing import Any

from netmiko import BaseConnection
from netmiko.linux import LinuxSSH
from netmiko.ssh_dispatcher import CLASS_MAPPER, platforms, redispatch

from pdsno.southbound.platforms.base import Platform
from pdsno.southbound.ssh_channel import BoundedChannel
from pdsno.southbound.ssh_transport import SshOptions

FIRST_HANDLER = "pdsno_any_shell"
_PROMPT_ENDS = "$#>%]"
_ANY_KEY = "any key to continue"

PAGER = re.compile(
    r"(?:\x1b\[[0-9;?]*[A-Za-z]|[\r\n])*(?:-{2,} ?more ?-{2,}|<-+ ?more ?-+>"
    r"|---\(more(?: \d+%)?\)---"
    r"|-- MORE --.*|-- \[Q quit\|.*|lines \d+-\d+(?: \(END\))?)\s*\Z",
    re.IGNORECASE,
)
"""What devices write when they wait for a key in the middle of an output."""


class LoggedIn:
    """A connection where somebody is logged in already, in the place of Paramiko's client.

    Netmiko would connect by itself, and trust any host key.
    """

    def __init__(self, transport: Any) -> None:  # noqa: ANN401 - paramiko has no types
        self._transport = transport

    def connect(self, **_: Any) -> None:  # noqa: ANN401 - whatever Netmiko would connect with
        """Do nothing: it is done."""

    def invoke_shell(self, *, term: str = "vt100", width: int = 80, height: int = 24) -> Any:  # noqa: ANN401
        """Return a channel with a shell on a terminal of this size."""
        channel = self._transport.open_session()
        channel.get_pty(term, width, height)
        channel.invoke_shell()
        return channel

    def get_transport(self) -> Any:  # noqa: ANN401 - paramiko has no types
        """Return the connection."""
        return self._transport

    def close(self) -> None:
        """End the connection."""
        self._transport.close()


class AnyShell(LinuxSSH):
    """Reads any prompt; sends nothing but an empty line. `sock` is a paramiko transport."""

    prompt_pattern = rf"[{re.escape(_PROMPT_ENDS)}]"

    def _build_ssh_client(self) -> LoggedIn:
        return LoggedIn(self.sock)

    def special_login_handler(self, delay_factor: float = 1.0) -> None:
        """Bound the channel before anything is read."""
        del delay_factor
        self.channel = BoundedChannel(self)

    def session_preparation(self) -> None:
        """Wait for the first prompt; a greeting that asks for a key gets one."""
        self.ansi_escape_codes = True
        seen = self._test_channel_read(pattern=rf"{_ANY_KEY}|{self.prompt_pattern}")
        if _ANY_KEY in seen:
            self.write_channel(self.RETURN)
            self._test_channel_read(pattern=self.prompt_pattern)
        self.set_base_prompt()

    def set_base_prompt(
        self,
        pri_prompt_terminator: str = "$",
        alt_prompt_terminator: str = "#",
        delay_factor: float = 1.0,
        pattern: str | None = None,
    ) -> str:
        """Take the prompt as it is, less its last character."""
        del pri_prompt_terminator, alt_prompt_terminator
        prompt = self.find_prompt(delay_factor=delay_factor, pattern=pattern)
        self.base_prompt = prompt.strip()[:-1].strip()
        return self.base_prompt


def shell_parameters(transport: Any, options: SshOptions) -> dict[str, Any]:  # noqa: ANN401
    """Return what Netmiko needs for a shell on a connection where we are logged in."""
    return {
        "sock": transport,
        "blocking_timeout": options.read_timeout_s,
        "fast_cli": True,
    }


def register() -> None:
    """Make the class known to Netmiko, which finds classes by name. Idempotent."""
    if FIRST_HANDLER not in CLASS_MAPPER:
        CLASS_MAPPER[FIRST_HANDLER] = AnyShell
        platforms.append(FIRST_HANDLER)


def become(connection: BaseConnection, platform: Platform) -> None:
    """Let Netmiko treat the session as one of this platform.

    Its own preparation is left out: some of it sends `enable`. The platform lists what is sent
    instead.
    """
    if platform.session_commands or platform.netmiko_type != "linux":
        redispatch(connection, platform.netmiko_type, session_prep=False)


def until_prompt(connection: BaseConnection) -> str:
    """Return the pattern that ends an output: the prompt alone on the last line, or a pager."""
    base = re.escape(connection.base_prompt)
    return rf"(?:\A|[\r\n]){base}[^\r\n]{{0,40}}[{re.escape(_PROMPT_ENDS)}][ ]?\Z|{PAGER.pattern}"
