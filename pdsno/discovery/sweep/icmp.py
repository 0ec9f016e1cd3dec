"""ICMP echo (RFC 792): by a raw socket where we may, else by a datagram socket."""

import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pdsno.discovery.sweep.interfaces import LocalAddress
from pdsno.discovery.sweep.pacing import Pacer
from pdsno.domain.observations import Method, Sighting

PASSES = 3
FINAL_WAIT_S = 1.0
MIN_WAIT_S = 0.3
CHUNK = 1024

_ECHO_REQUEST, _ECHO_REPLY = 8, 0
_HEADER = struct.Struct("!BBHHH")
_RECEIVE_BUFFER = 4 << 20
_NO_WAY = "no route"


class NotPermittedError(Exception):
    """Neither kind of ICMP socket is allowed to this process."""


@dataclass(kw_only=True, slots=True)
class IcmpSweep:
    """What a sweep heard. `covered` were asked in every pass, or answered.

    `unreachable` maps addresses that could not even be asked to the reason.
    """

    sightings: list[Sighting] = field(default_factory=list)
    covered: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)
    unreachable: dict[str, str] = field(default_factory=dict)


def open_socket() -> tuple[socket.socket, bool]:
    """Return an ICMP socket and whether it is a raw one. Raises NotPermittedError."""
    try:
        return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP), True
    except PermissionError:
        pass
    try:
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP), False
    except PermissionError as error:
        raise NotPermittedError from error


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(word for (word,) in struct.iter_unpack("!H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return int(~total & 0xFFFF)


def sweep_icmp(
    addresses: Sequence[str],
    *,
    pacer: Pacer,
    stop: threading.Event,
    source: LocalAddress | None = None,
    passes: int = PASSES,
    on_progress: Callable[[int], None] = lambda _: None,
    on_sighting: Callable[[Sighting], None] = lambda _: None,
) -> IcmpSweep:
    """Ping each address, up to `passes` times; `source` binds to one of our addresses.

    Raises NotPermittedError.
    """
    found = IcmpSweep()
    sock, is_raw = open_socket()
    with sock:
        sock.settimeout(0.0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        if source is not None:
            sock.bind((source.address, 0))
        echo = _Echo(sock, found, on_sighting, is_raw=is_raw)
        for start in range(0, len(addresses), CHUNK):
            chunk = addresses[start : start + CHUNK]
            for number in range(passes):
                left = [a for a in chunk if a not in found.answered and a not in found.unreachable]
                if not echo.ask_all(left, pacer):
                    break
                on_progress(len(left))
                wait_s = max(MIN_WAIT_S, min(1.0, 4 * echo.slowest_s))
                is_last = number == passes - 1
                echo.listen(FINAL_WAIT_S if is_last else wait_s, stop)
            found.covered |= found.answered
            if stop.is_set():
                break
            found.covered.update(a for a in chunk if a not in found.unreachable)
    return found


class _Echo:
    """Sends echo requests and matches the replies by source, sequence and a random token."""

    def __init__(
        self,
        sock: socket.socket,
        found: IcmpSweep,
        on_sighting: Callable[[Sighting], None],
        *,
        is_raw: bool,
    ) -> None:
        self._on_sighting = on_sighting
        self._sock = sock
        self._is_raw = is_raw
        self._found = found
        self._token = os.urandom(16)
        self._id = int.from_bytes(os.urandom(2))
        self._sent: dict[str, tuple[float, int]] = {}
        self._asked = 0
        self.slowest_s = 0.0

    def ask_all(self, addresses: Sequence[str], pacer: Pacer) -> bool:
        """Ask each address once, reading meanwhile; False if told to stop."""
        for address in addresses:
            if not pacer.wait():
                self._drain()
                return False
            self._ask(address)
            self._drain()
        return True

    def listen(self, wait_s: float, stop: threading.Event) -> None:
        """Read replies for a while; then read what the kernel still holds."""
        end = time.monotonic() + wait_s
        while (left := end - time.monotonic()) > 0 and not stop.is_set():
            if not self._is_waited_for():
                break
            select.select([self._sock], [], [], min(left, 0.1))
            self._drain()
        self._drain()

    def _is_waited_for(self) -> bool:
        found = self._found
        return any(a not in found.answered and a not in found.unreachable for a in self._sent)

    def _ask(self, address: str) -> None:
        self._asked = (self._asked + 1) & 0xFFFF
        head = _HEADER.pack(_ECHO_REQUEST, 0, 0, self._id, self._asked)
        total = checksum(head + self._token)
        packet = _HEADER.pack(_ECHO_REQUEST, 0, total, self._id, self._asked) + self._token
        self._sent[address] = (time.monotonic(), self._sent.get(address, (0.0, 0))[1] + 1)
        try:
            self._sock.sendto(packet, (address, 0))
        except BlockingIOError:
            select.select([], [self._sock], [], 0.1)
        except OSError as error:
            # ENETUNREACH, EHOSTUNREACH, EACCES (broadcast): this address cannot be asked.
            self._found.unreachable[address] = error.strerror or _NO_WAY

    def _drain(self) -> None:
        while True:
            try:
                data, origin = self._sock.recvfrom(1024)
            except BlockingIOError:
                return
            except OSError:
                # An ICMP error that the kernel hands over on this socket; replies follow.
                continue
            self._hear(data, str(origin[0]), time.monotonic())

    def _hear(self, data: bytes, address: str, now: float) -> None:
        if self._is_raw and data:
            data = data[(data[0] & 0x0F) * 4 :]
        if len(data) < _HEADER.size or data[0] != _ECHO_REPLY:
            return
        if data[_HEADER.size :] != self._token or address not in self._sent:
            return
        if address in self._found.answered:
            return
        sent, times = self._sent[address]
        rtt_s = now - sent
        self.slowest_s = max(self.slowest_s, rtt_s)
        self._found.answered.add(address)
        sighting = Sighting(
            address=address,
            mac=None,
            method=Method.ICMP,
            at=datetime.now(UTC),
            rtt_ms=round(rtt_s * 1000, 3) if times == 1 else None,
        )
        self._found.sightings.append(sighting)
        self._on_sighting(sighting)
