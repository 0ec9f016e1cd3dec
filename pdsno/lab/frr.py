"""Asks an FRR daemon over its vty socket, as vtysh does, but without starting a process."""

import json
import socket
from typing import Any

from pdsno.domain.errors import TransientError

_TIMEOUT_S = 5.0
_END = b"\x00\x00\x00"  # then one byte of status


def show(init: int, daemon: str, command: str) -> str:
    """Run a show command in the daemon of the node whose PID 1 is `init`.

    The socket is reached through /proc/PID/root. Raises TransientError if the daemon does
    not answer.
    """
    path = f"/proc/{init}/root/run/frr/{daemon}.vty"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_TIMEOUT_S)
        try:
            connection.connect(path)
            _ask(connection, "enable")
            return _ask(connection, command)
        except OSError as error:
            raise TransientError(f"{daemon} does not answer: {error}") from error


def show_json(init: int, daemon: str, command: str) -> dict[str, Any]:
    """Run a show command that answers in JSON; anything else is an empty answer."""
    text = show(init, daemon, command)
    try:
        answer = json.loads(text)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _ask(connection: socket.socket, command: str) -> str:
    connection.sendall(command.encode() + b"\x00")
    answer = b""
    while answer[-4:-1] != _END:
        received = connection.recv(65536)
        if not received:
            break
        answer += received
    return answer.partition(_END)[0].decode(errors="replace")
