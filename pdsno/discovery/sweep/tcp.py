"""TCP connects: a host that accepts or refuses is there. Needs no privilege."""

import errno
import select
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pdsno.discovery.sweep.interfaces import LocalAddress
from pdsno.discovery.sweep.pacing import Pacer
from pdsno.domain.observations import Method, Outcome, Sighting

PORTS = (22, 80, 443)
TIMEOUT_S = 1.5
_MAX_OPEN = 512
"""Below the usual limit of 1,024 open files."""

_POLL_S = 0.1
_NOT_SENT = frozenset({errno.ENETUNREACH, errno.ENETDOWN, errno.EACCES, errno.EPERM})
_NO_WAY = _NOT_SENT | {errno.EHOSTUNREACH}


@dataclass(kw_only=True, slots=True)
class TcpSweep:
    """What a sweep found: the outcome by (address, port), and what was asked on all ports.

    `unreachable` could not be asked from here (no route, not allowed).
    """

    ports: dict[tuple[str, int], Outcome] = field(default_factory=dict)
    sightings: list[Sighting] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)
    covered: set[str] = field(default_factory=set)
    unreachable: set[str] = field(default_factory=set)


def sweep_tcp(
    addresses: Sequence[str],
    *,
    pacer: Pacer,
    stop: threading.Event,
    ports: Sequence[int] = PORTS,
    timeout_s: float = TIMEOUT_S,
    source: LocalAddress | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
    on_sighting: Callable[[Sighting], None] = lambda _: None,
) -> TcpSweep:
    """Connect to each port of each address; the connection is closed at once."""
    attempts = _Attempts(timeout_s, source, on_sighting)
    for port in ports:
        for address in addresses:
            while len(attempts.pending) >= _MAX_OPEN and not stop.is_set():
                attempts.harvest(_POLL_S)
            if not pacer.wait():
                break
            attempts.begin(address, port)
            attempts.harvest(0.0)
        on_progress(len(addresses))
    while attempts.pending and not stop.is_set():
        attempts.harvest(_POLL_S)
    attempts.close()
    found = attempts.found
    found.covered = {a for a in addresses if all((a, port) in found.ports for port in ports)}
    found.covered -= found.unreachable
    found.covered |= found.answered
    return found


class _Attempts:
    """Connects under way, without blocking."""

    def __init__(
        self,
        timeout_s: float,
        source: LocalAddress | None,
        on_sighting: Callable[[Sighting], None],
    ) -> None:
        self._on_sighting = on_sighting
        self._timeout_s = timeout_s
        self._source = source
        self._poll = select.poll()
        self.pending: dict[int, tuple[socket.socket, str, int, float]] = {}
        self.found = TcpSweep()

    def begin(self, address: str, port: int) -> None:
        """Start a connect."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.settimeout(0.0)
        started = time.monotonic()
        try:
            if self._source is not None:
                sock.bind((self._source.address, 0))
            code = sock.connect_ex((address, port))
        except OSError as error:
            code = error.errno or errno.EHOSTUNREACH
        if code == errno.EINPROGRESS:
            self.pending[sock.fileno()] = (sock, address, port, started)
            self._poll.register(sock, select.POLLOUT)
            return
        self._done(address, port, code, started)
        sock.close()

    def harvest(self, wait_s: float) -> None:
        """Take in what was answered, and give up on what is too old."""
        for fd, _ in self._poll.poll(wait_s * 1000):
            sock, address, port, started = self._drop(fd)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            sock.close()
            self._done(address, port, code, started)
        now = time.monotonic()
        old = [fd for fd, item in self.pending.items() if now - item[3] > self._timeout_s]
        for fd in old:
            sock, address, port, started = self._drop(fd)
            sock.close()
            self._done(address, port, errno.ETIMEDOUT, started)

    def close(self) -> None:
        """Abandon what is under way."""
        for fd in list(self.pending):
            self._drop(fd)[0].close()

    def _drop(self, fd: int) -> tuple[socket.socket, str, int, float]:
        self._poll.unregister(fd)
        return self.pending.pop(fd)

    def _done(self, address: str, port: int, code: int, started: float) -> None:
        outcome = Outcome.TIMEOUT
        if code == 0:
            outcome = Outcome.ANSWERED
        elif code in (errno.ECONNREFUSED, errno.ECONNRESET):
            outcome = Outcome.REFUSED
        elif code in _NO_WAY:
            outcome = Outcome.UNREACHABLE
        if code in _NOT_SENT:
            self.found.unreachable.add(address)
        self.found.ports[address, port] = outcome
        if outcome in (Outcome.ANSWERED, Outcome.REFUSED) and address not in self.found.answered:
            self.found.answered.add(address)
            sighting = Sighting(
                address=address,
                mac=None,
                method=Method.TCP,
                at=datetime.now(UTC),
                rtt_ms=round((time.monotonic() - started) * 1000, 3),
            )
            self.found.sightings.append(sighting)
            self._on_sighting(sighting)
