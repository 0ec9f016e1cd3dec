"""What `pdsno up` makes sure of before it starts anything: it fails early, in one line."""

import errno
import fcntl
import ipaddress
import os
import pwd
import socket
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pdsno.domain.errors import InputError, OperationError
from pdsno.domain.policy import check_subnet

_LONGEST_SOCKET_PATH = 107
"""sun_path of unix(7) less its final zero."""
_MOST_ADDRESSES = 1 << 16
_BROKER_USER = "mosquitto"


@dataclass(frozen=True, kw_only=True, slots=True)
class WantedPort:
    """A port of loopback, what it is for, and the option that chooses another one."""

    number: int
    purpose: str
    option: str


def check_ports(ports: Sequence[WantedPort]) -> None:
    """Raise InputError if two are the same, OperationError if one is taken."""
    seen: dict[int, WantedPort] = {}
    for port in ports:
        if port.number in seen:
            raise InputError(
                f"{seen[port.number].option} and {port.option} are both {port.number}: "
                "give each a port of its own"
            )
        seen[port.number] = port
        _check_free(port)


def _check_free(port: WantedPort) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port.number))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                cause = f"is taken; stop what listens there (ss -ltnp 'sport = :{port.number}')"
            else:
                cause = f"cannot be used ({error.strerror})"
            raise OperationError(
                f"port {port.number} ({port.purpose}) {cause} or choose another one "
                f"with {port.option}"
            ) from error


def check_subnets(subnets: Sequence[str]) -> None:
    """Raise InputError for what cannot be swept."""
    for text in subnets:
        network = check_subnet(text, force=True)
        if isinstance(network, ipaddress.IPv6Network):
            raise InputError(f"{text} is IPv6, which cannot be swept: give IPv4 subnets")
        if network.num_addresses > _MOST_ADDRESSES:
            raise InputError(
                f"{text} has {network.num_addresses:,} addresses, more than a /16: "
                "name the smaller subnets that are really in use"
            )


def check_broker_reach(directory: Path) -> None:
    """Raise OperationError if the user that mosquitto becomes cannot come to its directory.

    Only root changes the user; without that user mosquitto itself says what is wrong.
    """
    try:
        user = pwd.getpwnam(_BROKER_USER)
    except KeyError:
        return
    if os.geteuid() != 0:
        return
    for parent in reversed((directory, *directory.parents)):
        found = parent.stat()
        mine = stat.S_IXUSR if found.st_uid == user.pw_uid else 0
        ours = stat.S_IXGRP if found.st_gid == user.pw_gid else 0
        if not found.st_mode & (mine | ours | stat.S_IXOTH):
            raise OperationError(
                f"mosquitto runs as user {_BROKER_USER}, who may not pass through {parent}: "
                f"name another directory with --state-dir, or chmod o+x {parent}"
            )


def _make(directory: Path) -> None:
    """Create it whatever the umask: others may pass through, the broker's user has to."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        path.chmod(0o711 if path == directory else 0o755)


@contextmanager
def held_state_dir(directory: Path, sockets: Sequence[Path]) -> Iterator[None]:
    """Create the directory and hold it: two processes on one NIB would spoil it.

    Raises OperationError naming cause and remedy. The kernel lets go when the process dies.
    """
    remedy = "name another directory with --state-dir"
    for path in sockets:
        if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
            raise InputError(f"{path} is too long for a Unix socket: {remedy}")
    try:
        _make(directory)
        descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OperationError(
            f"cannot use the state directory {directory}: {error.strerror}; {remedy}"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OperationError(
                f"another `pdsno up` runs on {directory}: stop it, or {remedy}"
            ) from error
        yield
    finally:
        os.close(descriptor)
