"""Lets a device answer from another address than the one we asked.

gufo-snmp uses connected sockets, and the kernel drops what comes from elsewhere. The relay
stands between: gufo talks to it on loopback, it talks to the device by an unconnected socket.
What a stranger sends is harmless: gufo checks the request ID, and in SNMPv3 the authentication.
"""

import asyncio
from types import TracebackType
from typing import Self

_Address = tuple[str, int]


class _Side(asyncio.DatagramProtocol):
    """One socket of the relay."""

    def __init__(self, relay: "SnmpRelay", *, is_inner: bool) -> None:
        self._relay = relay
        self._is_inner = is_inner

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        self._relay.forward(data, (str(addr[0]), int(addr[1])), from_inner=self._is_inner)


class SnmpRelay:
    """A relay for one device; `answered_from` is the address that really answered."""

    def __init__(self, address: str, port: int) -> None:
        self._device = (address, port)
        self._client: _Address | None = None
        self._inner: asyncio.DatagramTransport | None = None
        self._outer: asyncio.DatagramTransport | None = None
        self.answered_from: str | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        any_address = "::" if ":" in self._device[0] else "0.0.0.0"  # noqa: S104 - any source
        self._inner, _ = await loop.create_datagram_endpoint(
            lambda: _Side(self, is_inner=True), local_addr=("127.0.0.1", 0)
        )
        self._outer, _ = await loop.create_datagram_endpoint(
            lambda: _Side(self, is_inner=False), local_addr=(any_address, 0)
        )
        self.port = int(self._inner.get_extra_info("sockname")[1])
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for transport in (self._inner, self._outer):
            if transport is not None:
                transport.close()

    def forward(self, data: bytes, source: _Address, *, from_inner: bool) -> None:
        """Pass a datagram on; from outside only what comes from the device's SNMP port."""
        if from_inner and self._outer is not None:
            self._client = source
            self._outer.sendto(data, self._device)
        elif self._inner is not None and self._client and source[1] == self._device[1]:
            self.answered_from = source[0]
            self._inner.sendto(data, self._client)
