"""ARP sweep of the part of a subnet that is on our own LAN (RFC 826).

Who is not heard is asked again: three passes, and a last wait of a second. Replies queue in the
kernel while this process waits for a loaded CPU, and are all read before the sweep ends.
"""

import errno
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from pdsno.discovery.sweep.interfaces import LocalAddress
from pdsno.discovery.sweep.pacing import Pacer
from pdsno.domain.errors import OperationError
from pdsno.domain.observations import Method, Sighting

PASSES = 3
FINAL_WAIT_S = 1.0
MIN_WAIT_S = 0.3
CHUNK = 1024
"""So many addresses are asked in all passes before the next ones: what was covered is known
early, and a sweep that is stopped has finished what it began with."""

_ETH_P_ARP = 0x0806
_SOL_PACKET = 263
_PACKET_IGNORE_OUTGOING = 23
_RECEIVE_BUFFER = 4 << 20
_REPLY = struct.Struct("!6s6sHHHBBH6s4s6s4s")  # Ethernet header, then ARP for IPv4 over it
_IS_REPLY = 2
_IPV4_OVER_ETHERNET = (0x0001, 0x0800, 6, 4)
_TARGET_OFFSET = 38
_POLL_S = 0.05
_GONE = frozenset({errno.ENETDOWN, errno.ENXIO, errno.ENODEV})


def is_possible() -> bool:
    """Tell whether we may send raw frames (CAP_NET_RAW)."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except OSError:
        return False
    return True


@dataclass(kw_only=True, slots=True)
class ArpSweep:
    """What a sweep heard so far. `covered` were asked in every pass, or answered.

    `failure` is what the interface said when it took no more frames.
    """

    sightings: list[Sighting] = field(default_factory=list)
    covered: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)
    failure: str = ""


def sweep_arp(
    addresses: Sequence[str],
    source: LocalAddress,
    *,
    pacer: Pacer,
    stop: threading.Event,
    on_progress: Callable[[int], None] = lambda _: None,
    on_sighting: Callable[[Sighting], None] = lambda _: None,
) -> ArpSweep:
    """Ask each address for its MAC; `on_progress` is told how many were asked in a pass.

    A second MAC that answers for an address is a second sighting: two machines claim it.
    Raises OperationError if the interface cannot be used.
    """
    found = ArpSweep()
    try:
        with _Wire(source, on_sighting) as wire:
            for start in range(0, len(addresses), CHUNK):
                chunk = addresses[start : start + CHUNK]
                _sweep_chunk(chunk, wire, found, pacer, stop, on_progress)
                if stop.is_set() or found.failure:
                    break
    except PermissionError as error:
        raise OperationError(f"{source.interface}: ARP needs CAP_NET_RAW: run as root") from error
    except OSError as error:
        raise OperationError(f"{source.interface}: ARP failed: {error.strerror}") from error
    return found


def _sweep_chunk(
    chunk: Sequence[str],
    wire: "_Wire",
    found: ArpSweep,
    pacer: Pacer,
    stop: threading.Event,
    on_progress: Callable[[int], None],
) -> None:
    wire.expect(chunk)
    for number in range(PASSES):
        left = [address for address in chunk if address not in wire.answered]
        for address in left:
            if not pacer.wait() or not _ask(wire, address, found):
                wire.settle(0.0, stop)
                _keep(wire, found)
                return
        on_progress(len(left))
        is_last = number == PASSES - 1
        wait_s = max(MIN_WAIT_S, min(1.0, 4 * wire.slowest_s))
        wire.settle(FINAL_WAIT_S if is_last else wait_s, stop)
    _keep(wire, found)
    found.covered.update(chunk)


def _ask(wire: "_Wire", address: str, found: ArpSweep) -> bool:
    """Send one request; False if the interface went away, and what was heard stays."""
    try:
        wire.ask(address)
    except OSError as error:
        if error.errno not in _GONE:
            raise
        found.failure = error.strerror or "the interface is gone"
        return False
    return True


def _keep(wire: "_Wire", found: ArpSweep) -> None:
    found.sightings.extend(wire.sightings)
    found.answered |= wire.answered
    found.covered |= wire.answered


class _Wire:
    """One raw socket on one interface, with a thread that reads from it."""

    def __init__(self, source: LocalAddress, on_sighting: Callable[[Sighting], None]) -> None:
        from scapy.layers.l2 import ARP, Ether  # noqa: PLC0415 - half a second; only sweeps pay

        self._source_ip = socket.inet_aton(source.address)
        self._source_mac = bytes.fromhex(source.mac.replace(":", ""))
        frame = Ether(src=source.mac, dst="ff:ff:ff:ff:ff:ff") / ARP(
            op="who-has", hwsrc=source.mac, psrc=source.address
        )
        self._template = bytearray(bytes(frame))
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ARP))
        try:
            self._socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            self._socket.bind((source.interface, _ETH_P_ARP))
        except OSError:
            self._socket.close()
            raise
        self._socket.settimeout(_POLL_S)
        self._on_sighting = on_sighting
        self._closing = threading.Event()
        self._reader = threading.Thread(target=self._read, name="arp-reader")
        self._sent: dict[bytes, tuple[float, int]] = {}
        self._seen: set[tuple[bytes, bytes]] = set()
        self._last_idle = 0.0
        self.sightings: list[Sighting] = []
        self.answered: set[str] = set()
        self.slowest_s = 0.0

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._reader.join()
        self._socket.close()

    def expect(self, addresses: Sequence[str]) -> None:
        """Forget what was heard, and listen for these."""
        self._seen = set()
        self.sightings = []
        self.answered = set()
        self._sent = {socket.inet_aton(address): (0.0, 0) for address in addresses}

    def ask(self, address: str) -> None:
        """Send one request."""
        packed = socket.inet_aton(address)
        self._template[_TARGET_OFFSET : _TARGET_OFFSET + 4] = packed
        self._sent[packed] = (time.monotonic(), self._sent[packed][1] + 1)
        self._socket.send(self._template)

    def settle(self, wait_s: float, stop: threading.Event) -> None:
        """Wait, then until everything that the kernel holds has been read."""
        stop.wait(wait_s)
        ready = time.monotonic()
        while self._last_idle < ready:
            time.sleep(_POLL_S / 5)

    def _read(self) -> None:
        while not self._closing.is_set():
            started = time.monotonic()
            try:
                frame = self._socket.recv(128)
            except TimeoutError:
                # Nothing was waiting when this read began.
                self._last_idle = started
                continue
            except OSError:
                # The interface went down: sending fails as well, and says so.
                self._last_idle = time.monotonic()
                self._closing.wait(_POLL_S)
                continue
            self._hear(frame, time.monotonic())

    def _hear(self, frame: bytes, now: float) -> None:
        if len(frame) < _REPLY.size:
            return
        fields = _REPLY.unpack_from(frame)
        operation, mac, ip, to_mac, to_ip = fields[7:12]
        if fields[3:7] != _IPV4_OVER_ETHERNET or operation != _IS_REPLY:
            return
        if to_ip != self._source_ip or to_mac != self._source_mac or ip not in self._sent:
            return
        sent, times = self._sent[ip]
        if times == 0 or (ip, mac) in self._seen:
            return
        self._seen.add((ip, mac))
        rtt_s = now - sent
        self.slowest_s = max(self.slowest_s, rtt_s)
        address = socket.inet_ntoa(ip)
        self.answered.add(address)
        sighting = Sighting(
            address=address,
            mac=mac.hex(":"),
            method=Method.ARP,
            at=datetime.now(UTC),
            # Asked twice, nobody knows which request this answers (Karn's rule).
            rtt_ms=round(rtt_s * 1000, 3) if times == 1 else None,
        )
        self.sightings.append(sighting)
        self._on_sighting(sighting)
