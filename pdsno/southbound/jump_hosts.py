"""Ways to devices through jump hosts, by OpenSSH's ssh_config.

Read are Host, Match (without exec), ProxyJump, HostName, Port; of jump hosts User and
IdentityFile as well: who logs in at a device is the credentials' business. A ProxyCommand is
never run. One connection to each jump host serves all devices behind it.
"""

import re
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paramiko  # type: ignore[import-untyped]
import structlog
from paramiko.ssh_exception import (  # type: ignore[import-untyped]
    ChannelException,
    ConfigParseError,
    SSHException,
)

from pdsno.domain.errors import InputError
from pdsno.domain.observations import Outcome
from pdsno.southbound.credential_entries import SSH_PORT, SshCredential
from pdsno.southbound.known_hosts import host_name
from pdsno.southbound.ssh_errors import SshError, translated
from pdsno.southbound.ssh_transport import SshOptions, connect, log_in, negotiate, private_key

if TYPE_CHECKING:
    from pdsno.southbound.access import DeviceAccess

log = structlog.get_logger()

MAX_HOPS = 4
MAX_CONNECTIONS = 32
FAILED_FOR_S = 30.0
"""How long a jump host that failed is not tried again: hundreds of devices may wait for it."""

_KEEPALIVE_S = 30
_EXEC = re.compile(r"^\s*match\b.*\bexec\b", re.IGNORECASE | re.MULTILINE)
_HOP = re.compile(r"(?:(?P<user>[^@\s]+)@)?(?P<host>\[[^\]]+\]|[^:\s]+)(?::(?P<port>\d{1,5}))?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Hop:
    """A jump host: where it is, and who logs in there (None: as the credentials say)."""

    name: str
    host: str
    port: int = SSH_PORT
    user: str | None = None
    key_file: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """Where a device is, and the jump hosts before it, the first one first."""

    host: str
    port: int
    hops: tuple[Hop, ...] = ()


@dataclass(kw_only=True, slots=True)
class _Jump:
    """The connection at the end of a chain of hops; opened by one thread at a time."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    transport: paramiko.Transport | None = None
    failed: SshError | None = None
    failed_at: float = 0.0


class JumpHosts:
    """Finds ways, and keeps the connections to jump hosts. Any thread may use it.

    Raises InputError for a file that cannot be read, or that wants programs to be run.
    """

    def __init__(self, path: Path | None, access: "DeviceAccess") -> None:
        self._path = path
        self._config = None if path is None else _read(path)
        self._access = access
        self._jumps: dict[tuple[Hop, ...], _Jump] = {}
        self._lock = threading.Lock()

    @property
    def has_config(self) -> bool:
        """Whether there is a file at all."""
        return self._config is not None

    def is_needed(self, address: str) -> bool:
        """Tell whether an address lies behind a jump host."""
        return self._config is not None and bool(_jump(self._config.lookup(address)))

    def way_to(self, address: str, port: int) -> Way:
        """Return the way to a device. Raises SshError where the file's way cannot be gone."""
        if self._config is None:
            return Way(host=address, port=port)
        found = self._config.lookup(address)
        if not _jump(found) and found.get("proxycommand", "none").lower() != "none":
            detail = f"{self._path} has a ProxyCommand, which is never run: use ProxyJump"
            raise SshError(Outcome.NOT_TRIED, detail)
        port = int(found.get("port", port)) if port == SSH_PORT else port
        host = str(found.get("hostname", address))
        return Way(host=host, port=port, hops=self._hops(_jump(found), 0))

    def _hops(self, jump: str, depth: int) -> tuple[Hop, ...]:
        """Return the hops of a ProxyJump, each with those before it: they may have ways as well."""
        hops: list[Hop] = []
        for number, text in enumerate(part.strip() for part in jump.split(",") if jump):
            match = _HOP.fullmatch(text)
            if match is None:
                detail = f"{self._path}: ProxyJump {text!r} is not user@host:port"
                raise SshError(Outcome.NOT_TRIED, detail)
            name = match["host"].strip("[]")
            found = self._config.lookup(name) if self._config else {}
            if depth + len(hops) >= MAX_HOPS:
                detail = f"{self._path}: more than {MAX_HOPS} jump hosts, or a circle of them"
                raise SshError(Outcome.NOT_TRIED, detail)
            if number == 0:
                hops += self._hops(_jump(found), depth + 1)
            hops.append(
                Hop(
                    name=name,
                    host=str(found.get("hostname", name)),
                    port=int(match["port"] or found.get("port", SSH_PORT)),
                    user=match["user"] or found.get("user"),
                    key_file=next(iter(found.get("identityfile", [])), None),
                )
            )
        return tuple(hops)

    # --- connections ---------------------------------------------------------------------

    def open(self, way: Way, options: SshOptions, stop: threading.Event) -> Any:  # noqa: ANN401
        """Return a socket to the device, or a channel through its jump hosts. Raises SshError."""
        if not way.hops:
            return connect(way.host, way.port, options)
        return self._through(way.hops, way.host, way.port, options, stop)

    def _through(
        self,
        hops: tuple[Hop, ...],
        host: str,
        port: int,
        options: SshOptions,
        stop: threading.Event,
    ) -> paramiko.Channel:
        transport = self._transport(hops, options, stop)
        where = f"jump host {hops[-1].name}"
        try:
            channel = transport.open_channel(
                "direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=options.login_timeout_s
            )
        except ChannelException as error:
            text = str(error).lower()
            if "refused" in text:
                raise SshError(Outcome.REFUSED, where) from error
            if "timed out" in text:
                raise SshError(Outcome.TIMEOUT, where) from error
            raise SshError(Outcome.UNREACHABLE, f"{where}: {error.text}") from error
        except (SSHException, OSError, EOFError) as error:
            failed = translated(error, where)
            raise SshError(failed.outcome, f"{where}: {failed.outcome.value}") from error
        channel.settimeout(options.login_timeout_s)
        return channel

    def _transport(
        self, hops: tuple[Hop, ...], options: SshOptions, stop: threading.Event
    ) -> paramiko.Transport:
        with self._lock:
            if hops not in self._jumps and len(self._jumps) >= MAX_CONNECTIONS:
                detail = f"more than {MAX_CONNECTIONS} jump hosts at a time"
                raise SshError(Outcome.NOT_TRIED, detail)
            jump = self._jumps.setdefault(hops, _Jump())
        with jump.lock:
            if jump.transport is not None and jump.transport.is_active():
                return jump.transport
            if jump.failed is not None and time.monotonic() - jump.failed_at < FAILED_FOR_S:
                raise jump.failed
            jump.failed = None
            try:
                jump.transport = self._connected(hops, options, stop)
            except SshError as error:
                # The device was not reached; what its jump host said is no word of its own.
                what = f"jump host {hops[-1].name}: {error.outcome.value} {error.detail}".rstrip()
                jump.failed = SshError(Outcome.UNREACHABLE, what)
                jump.failed_at = time.monotonic()
                raise jump.failed from error
            return jump.transport

    def _connected(
        self, hops: tuple[Hop, ...], options: SshOptions, stop: threading.Event
    ) -> paramiko.Transport:
        hop = hops[-1]
        credential = self._credential(hop)
        key = private_key(credential)
        if hops[:-1]:
            sock = self._through(hops[:-1], hop.host, hop.port, options, stop)
        else:
            sock = connect(hop.host, hop.port, options)
        name = host_name(hop.host, hop.port)
        transport, _ = negotiate(sock, name, self._access.known_hosts, options)
        try:
            self._access.enter(
                hop.host, credential, stop, lambda: _log_in(transport, credential, key)
            )
        except SshError:
            transport.close()
            raise
        transport.set_keepalive(_KEEPALIVE_S)
        log.info("jump_host_connected", host=hop.host, credential=credential.name)
        return transport

    def _credential(self, hop: Hop) -> SshCredential:
        """Return who logs in at a jump host: by its key of the file, or a credential in scope."""
        if hop.key_file is not None and hop.user is not None:
            name = f"ssh_config {hop.name}"
            return SshCredential(name=name, username=hop.user, key_file=hop.key_file)
        for credential in self._access.ssh_for(_address(hop.host)):
            if hop.user in (None, credential.username):
                return credential
        who = f" of user {hop.user}" if hop.user else ""
        raise SshError(Outcome.NOT_TRIED, f"no credential{who} is in scope of it")

    def close(self) -> None:
        """End all connections; they are opened again when needed. Idempotent."""
        with self._lock:
            jumps = list(self._jumps.values())
            self._jumps.clear()
        for jump in jumps:
            if jump.transport is not None:
                jump.transport.close()


def _log_in(
    transport: paramiko.Transport, credential: SshCredential, key: paramiko.PKey | None
) -> None:
    log_in(transport, credential.username, credential.password, key)


def _read(path: Path) -> paramiko.SSHConfig:
    path = path.expanduser()
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise InputError(f"{path}: cannot read the ssh_config: {why}") from error
    if _EXEC.search(text):
        raise InputError(f"{path}: 'Match exec' runs programs: name hosts instead")
    try:
        return paramiko.SSHConfig.from_text(text)
    except (ConfigParseError, SSHException, ValueError) as error:
        raise InputError(f"{path}: not an ssh_config: {' '.join(str(error).split())}") from error


def _jump(found: Any) -> str:  # noqa: ANN401 - paramiko has no types
    jump = str(found.get("proxyjump") or "none")
    return "" if jump.lower() == "none" else jump


def _address(host: str) -> str:
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError) as error:
        raise SshError(Outcome.UNREACHABLE, "its name does not resolve") from error
