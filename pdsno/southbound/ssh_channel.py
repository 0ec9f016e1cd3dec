"""What passes between a device and Netmiko: bounded, and nothing out but what is permitted."""

from collections.abc import Collection

from netmiko import BaseConnection
from netmiko.channel import SSHChannel
from netmiko.exceptions import ReadException

from pdsno.domain.errors import LocalProtocolError
from pdsno.domain.observations import Outcome
from pdsno.southbound.platforms import DETECTION_COMMAND
from pdsno.southbound.ssh_errors import SshError

MAX_OUTPUT_BYTES = 16 << 20
"""Of one session: a full Internet routing table is not what we ask for."""


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
