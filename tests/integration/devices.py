"""Devices for tests: a real snmpd and sshd on loopback, and an SSH server that misbehaves."""

import getpass
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import paramiko  # type: ignore[import-untyped]

COMMUNITY = "pdsno-test"
V3_USER, V3_AUTH, V3_PRIV = "pdsno", "authpass12", "privpass12"

_SNMPD = """\
agentAddress udp:{address}:{port}
rocommunity {community}
rocommunity limited default .1.3.6.1.2.1.1
createUser {user} SHA "{auth}" AES "{priv}"
rouser {user} authPriv
sysName test-agent
"""
_SSHD = """\
ListenAddress {address}
Port {port}
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication yes
KbdInteractiveAuthentication no
PermitRootLogin yes
UseDNS no
PrintMotd no
PrintLastLog no
"""


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM, address: str = "127.0.0.1") -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def wait_for(is_so: Callable[[], object], what: str, timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.05)


@contextmanager
def daemon(command: list[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a daemon in the foreground; end it by its process, whatever happens."""
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=environment or None
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def snmpd(
    directory: Path,
    *,
    address: str = "127.0.0.1",
    community: str = COMMUNITY,
    v3: tuple[str, str] = (V3_AUTH, V3_PRIV),
) -> Iterator[int]:
    """Run net-snmp's agent; yields its UDP port."""
    port = free_port(socket.SOCK_DGRAM, address)
    configuration = directory / "snmpd.conf"
    configuration.write_text(
        _SNMPD.format(
            address=address,
            port=port,
            community=community,
            user=V3_USER,
            auth=v3[0],
            priv=v3[1],
        )
    )
    program = shutil.which("snmpd", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    assert program, "snmpd is not installed"
    command = [program, "-f", "-Lo", "-C", "-c", str(configuration), "-I", "-smux"]
    environment = {"SNMP_PERSISTENT_DIR": str(directory / "var"), "MIBS": "", "PATH": "/usr/bin"}
    log = directory / "snmpd.log"
    with daemon(command, log, **environment) as process:
        wait_for(
            lambda: process.poll() is not None or "NET-SNMP version" in log.read_text(),
            "snmpd answers",
        )
        assert process.poll() is None, log.read_text()
        yield port


@contextmanager
def sshd(directory: Path, *, address: str = "127.0.0.1") -> Iterator[tuple[int, Path]]:
    """Run OpenSSH's server for the user who runs the tests; yields port and private key."""
    port = free_port(address=address)
    for name in ("host_key", "user_key"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)],
            check=True,
            stdin=subprocess.DEVNULL,
        )
    (directory / "authorized_keys").write_text((directory / "user_key.pub").read_text())
    (directory / "sshd_config").write_text(
        _SSHD.format(address=address, port=port, directory=directory)
    )
    with suppress(PermissionError):
        Path("/run/sshd").mkdir(exist_ok=True)
    command = ["/usr/sbin/sshd", "-D", "-e", "-f", str(directory / "sshd_config")]
    log = directory / "sshd.log"
    with daemon(command, log) as process:
        wait_for(
            lambda: process.poll() is not None or "Server listening" in log.read_text(),
            "sshd listens",
        )
        assert process.poll() is None, log.read_text()
        yield port, directory / "user_key"


def username() -> str:
    return getpass.getuser()


class FakeDevice(paramiko.ServerInterface):  # type: ignore[misc]
    """An SSH server with a prompt, that keeps every line that it is sent.

    `reply` returns what a line prints, or None to hang up in the middle of the session.
    """

    def __init__(self, reply: Callable[[str], str | None], prompt: str = "device# ") -> None:
        self._reply = reply
        self._prompt = prompt
        self.lines: list[str] = []
        self._key = paramiko.RSAKey.generate(2048)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._transports: list[paramiko.Transport] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name="fake-device")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(client)
            self._transports.append(transport)
            transport.add_server_key(self._key)
            transport.start_server(server=self)
            channel = transport.accept(10)
            if channel is not None:
                self._start(partial(self._converse, transport, channel))

    def _converse(self, transport: paramiko.Transport, channel: paramiko.Channel) -> None:
        # The other side may leave at any time; that is what some tests are about.
        with suppress(OSError, EOFError):
            self._talk(transport, channel)

    def _talk(self, transport: paramiko.Transport, channel: paramiko.Channel) -> None:
        channel.sendall(f"\r\n{self._prompt}".encode())
        pending = ""
        while data := channel.recv(1024):
            pending += data.decode()
            while "\n" in pending or "\r" in pending:
                line, _, pending = pending.replace("\r", "\n").partition("\n")
                if line:
                    self.lines.append(line)
                output = self._reply(line) if line else ""
                if output is None:
                    transport.close()
                    return
                channel.sendall(f"{line}\r\n{output}\r\n{self._prompt}".encode())

    def check_auth_password(self, username: str, password: str) -> int:
        accepted = (username, password) == ("ops", "right")
        return int(paramiko.AUTH_SUCCESSFUL if accepted else paramiko.AUTH_FAILED)

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002 - paramiko's signature
        return "password"

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002
        return int(paramiko.OPEN_SUCCEEDED)

    def check_channel_pty_request(self, *_: object) -> bool:
        return True

    def check_channel_shell_request(self, channel: object) -> bool:  # noqa: ARG002
        return True

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for transport in self._transports:
            transport.close()
        for thread in self._threads:
            thread.join(10)


@contextmanager
def fake_device(
    reply: Callable[[str], str | None], prompt: str = "device# "
) -> Iterator[FakeDevice]:
    device = FakeDevice(reply, prompt)
    try:
        yield device
    finally:
        device.close()
