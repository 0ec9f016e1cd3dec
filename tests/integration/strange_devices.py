"""Devices as one meets them: slow, hostile, odd. Each on an address of its own, on equal ports."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import paramiko  # type: ignore[import-untyped]

from tests.integration.snmp_agents import OddAgent, system

USERNAME, PASSWORD = "ops", "right"
_KEY = paramiko.ECDSAKey.generate()
_CHUNK = b"x" * 1023 + b"\n"

Reply = Callable[[str], str]


class Manners(paramiko.ServerInterface):  # type: ignore[misc]
    """One SSH session: lets our user in, offers a shell, greets with `banner`."""

    def __init__(self, banner: str) -> None:
        self._banner = banner

    def get_banner(self) -> tuple[str | None, str | None]:
        return (self._banner, "en-US") if self._banner else (None, None)

    def check_auth_password(self, username: str, password: str) -> int:
        is_right = (username, password) == (USERNAME, PASSWORD)
        return int(paramiko.AUTH_SUCCESSFUL if is_right else paramiko.AUTH_FAILED)

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002 - paramiko's signature
        return "password"

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002
        return int(paramiko.OPEN_SUCCEEDED)

    def check_channel_pty_request(self, *_: object) -> bool:
        return True

    def check_channel_shell_request(self, channel: object) -> bool:  # noqa: ARG002
        return True


class SshDevice:
    """A network OS at (`address`, `port`). `lines` is all that it was sent, in all sessions.

    `prompt` is asked before each prompt is printed. More than `most_sessions` at a time are
    refused. At the command `endless_at` it prints until somebody hangs up; at `reset_at` it
    resets the connection.
    """

    def __init__(
        self,
        address: str,
        port: int,
        reply: Reply,
        *,
        prompt: Callable[[], str] = lambda: "leaf1# ",
        banner: str = "",
        most_sessions: int = 100,
        endless_at: str | None = None,
        reset_at: str | None = None,
    ) -> None:
        self._reply, self._prompt, self._banner = reply, prompt, banner
        self._most = most_sessions
        self._endless_at, self._reset_at = endless_at, reset_at
        self._listener = socket.create_server((address, port))
        self._lock = threading.Lock()
        self._transports: list[paramiko.Transport] = []
        self._threads: list[threading.Thread] = []
        self.lines: list[str] = []
        self.sessions = 0
        self.refused = 0
        self._start(self._accept)

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, name="strange-device")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if sum(t.is_active() for t in self._transports) >= self._most:
                self.refused += 1
                client.close()
                continue
            transport = paramiko.Transport(client)
            self._transports.append(transport)
            self._start(self._serve, transport, client)

    def _serve(self, transport: paramiko.Transport, client: socket.socket) -> None:
        transport.add_server_key(_KEY)
        # Whoever only knocked is gone by now; so is who was refused.
        with suppress(OSError, EOFError, paramiko.SSHException):
            transport.start_server(server=Manners(self._banner))
            channel = transport.accept(10)
            if channel is not None:
                self.sessions += 1
                self._talk(transport, channel, client)
        transport.close()

    def _talk(self, transport: Any, channel: Any, client: socket.socket) -> None:  # noqa: ANN401
        channel.sendall(f"\r\n{self._prompt()}".encode())
        pending = ""
        while data := channel.recv(1024):
            pending += data.decode()
            while "\n" in pending or "\r" in pending:
                line, _, pending = pending.replace("\r", "\n").partition("\n")
                if line:
                    with self._lock:
                        self.lines.append(line)
                if line and line == self._endless_at:
                    while transport.is_active():
                        channel.sendall(_CHUNK)
                if line and line == self._reset_at:
                    # Zero seconds of lingering: the kernel sends a reset.
                    linger = struct.pack("ii", 1, 0)
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    client.close()
                    return
                output = f"{self._reply(line)}\r\n" if line else ""
                channel.sendall(f"{line}\r\n{output}{self._prompt()}".encode())

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for transport in self._transports:
            transport.close()
        for thread in self._threads:
            thread.join(10)


@contextmanager
def ssh_device(*args: Any, **manners: Any) -> Iterator[SshDevice]:  # noqa: ANN401 - handed on
    """Run a device with a shell; the arguments are those of `SshDevice`."""
    device = SshDevice(*args, **manners)
    try:
        yield device
    finally:
        device.close()


class SnmpDevice(OddAgent):
    """An agent at (`address`, `port`); with `answers_from` its answers come from there."""

    def __init__(
        self, address: str, port: int, *, delay_s: float = 0.0, answers_from: str | None = None
    ) -> None:
        super().__init__(system(name=f"agent-{address}"), delay_s=delay_s)
        self._socket.close()
        self._socket = _AgentSocket(answers_from, port)
        self._socket.bind((address, port))
        self._socket.settimeout(0.05)


class _AgentSocket(socket.socket):
    def __init__(self, answers_from: str | None, port: int) -> None:
        super().__init__(socket.AF_INET, socket.SOCK_DGRAM)
        self._from = None
        if answers_from is not None:
            self._from = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._from.bind((answers_from, port))

    def sendto(self, data: Any, *where: Any) -> int:  # noqa: ANN401 - as its base
        if self._from is not None:
            return self._from.sendto(data, *where)
        return super().sendto(data, *where)

    def close(self) -> None:
        if self._from is not None:
            self._from.close()
        super().close()


@contextmanager
def mute_port(address: str, port: int) -> Iterator[None]:
    """Accept connections and say nothing."""
    clients: list[socket.socket] = []
    listener = socket.create_server((address, port))

    def accept() -> None:
        while True:
            try:
                clients.append(listener.accept()[0])
            except OSError:
                return

    thread = threading.Thread(target=accept, name="mute-port")
    thread.start()
    try:
        yield
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)
        for client in clients:
            client.close()


class ChangingPrompt:
    """A prompt that is another one after `changes_after` prompts: somebody renamed the device."""

    def __init__(self, changes_after: int) -> None:
        self._left = changes_after

    def __call__(self) -> str:
        self._left -= 1
        return "leaf1# " if self._left >= 0 else "renamed-leaf-of-another-name# "


def slowly(reply: Reply, delay_s: float) -> Reply:
    """Return the same answers, each so much later."""

    def slow(line: str) -> str:
        time.sleep(delay_s)
        return reply(line)

    return slow
