"""Whether a router still is there: asked by ARP, where the kernel's own table tells too late."""

import contextlib
import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from pdsno.discovery.sweep.interfaces import LocalAddress
from pdsno.discovery.sweep.neighbours import TABLE
from pdsno.discovery.sweep.pacing import Pacer

PATIENCE_S = 1.5
ASKS = 3
"""A router is lost that left so many requests unanswered, over so long a time."""

_ETH_P_ARP = 0x0806
_REQUEST = struct.Struct("!6s6sHHHBBH6s4s6s4s")
_HEADS = (_ETH_P_ARP, 1, 0x0800, 6, 4)
_ASK, _ANSWER = 1, 2
_COMPLETE, _PERMANENT = 0x02, 0x04
_COLUMNS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Gateway:
    """A router, and our address on its LAN."""

    address: str
    source: LocalAddress

    @property
    def interface(self) -> str:
        """Where it is."""
        return self.source.interface


class GatewayProbe:
    """Asks one router again and again. Without CAP_NET_RAW only the kernel's table is read."""

    def __init__(self, gateway: Gateway, *, table: Path = TABLE) -> None:
        self.gateway = gateway
        self._table = table
        self._socket = self._open()
        self._has_answered = False
        self._unanswered = 0
        self._first_unanswered_at = 0.0

    def _open(self) -> socket.socket | None:
        try:
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ARP))
            sock.bind((self.gateway.interface, _ETH_P_ARP))
        except OSError:
            return None
        sock.setblocking(False)  # noqa: FBT003 - the socket's own signature
        return sock

    def is_lost(self, pacer: Pacer) -> bool:
        """Ask once more, and tell whether it has been silent for too long.

        A router that never answered is lost only if the kernel cannot reach it either: some
        answer nobody but their neighbours' kernel.
        """
        flags = _flags(self._table, self.gateway)
        if flags is not None and flags & _PERMANENT:
            return False
        if self._socket is None:
            return flags == 0
        self._listen(self._socket)
        waited_s = time.monotonic() - self._first_unanswered_at
        if self._unanswered >= ASKS and waited_s >= PATIENCE_S:
            return self._has_answered or not flags
        self._ask(self._socket, pacer)
        return False

    def _ask(self, sock: socket.socket, pacer: Pacer) -> None:
        if not pacer.wait():
            return
        source = self.gateway.source
        mac = bytes.fromhex(source.mac.replace(":", ""))
        request = _REQUEST.pack(
            *(b"\xff" * 6, mac, *_HEADS, _ASK),
            *(mac, socket.inet_aton(source.address)),
            *(bytes(6), socket.inet_aton(self.gateway.address)),
        )
        if not self._unanswered:
            self._first_unanswered_at = time.monotonic()
        self._unanswered += 1
        with contextlib.suppress(OSError):  # a link that takes nothing is found out by its flags
            sock.send(request)

    def _listen(self, sock: socket.socket) -> None:
        wanted = socket.inet_aton(self.gateway.address)
        while True:
            try:
                frame = sock.recv(128)
            except OSError:
                return
            if len(frame) < _REQUEST.size:
                continue
            fields = _REQUEST.unpack_from(frame)
            if fields[2:7] == _HEADS and fields[7] in (_ASK, _ANSWER) and fields[9] == wanted:
                self._has_answered = True
                self._unanswered = 0

    def close(self) -> None:
        """Close the socket; idempotent."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _flags(table: Path, gateway: Gateway) -> int | None:
    """Return the flags of the kernel's entry of a router; None without one."""
    for line in table.read_text().splitlines()[1:]:
        columns = line.split()
        if len(columns) == _COLUMNS and (columns[0], columns[5]) == (
            gateway.address,
            gateway.interface,
        ):
            return int(columns[2], 16)
    return None
