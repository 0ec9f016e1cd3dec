"""Watches what a sweep goes through: its link, our address there, the next hop.

Silence on a dead link says nothing about who is there, so a sweep that lost its link or gateway
stops at once and only what answered counts.
"""

import errno
import fcntl
import json
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import structlog

from pdsno.discovery.sweep.choose import Segment
from pdsno.discovery.sweep.interfaces import LocalAddress
from pdsno.discovery.sweep.next_hop import Gateway, GatewayProbe
from pdsno.discovery.sweep.pacing import Pacer
from pdsno.domain.observations import Interruption, StopReason

log = structlog.get_logger()

POLL_S = 0.1
_LOOK_S = 0.5
"""How often links and gateways are looked at."""

_COMING_UP_S = 2.0

_SIOCGIFFLAGS = 0x8913
_IFF_UP, _IFF_RUNNING = 0x1, 0x40
_IFREQ = struct.Struct("16sH14x")
_ROUTE_TIMEOUT_S = 10


@dataclass(kw_only=True, slots=True)
class Watched:
    """One segment while it is swept. `stop` ends its sweep; `lost` says why, if not all ended."""

    segment: Segment
    pacer: Pacer
    stop: threading.Event = field(default_factory=threading.Event)
    lost: Interruption | None = None

    def fail(self, detail: str) -> None:
        """End the sweep of this segment: its interface takes no more packets."""
        if self.lost is None:
            self.lost = Interruption(
                reason=StopReason.LINK_LOST, where=self.segment.leaves_by, detail=detail
            )
        self.stop.set()


class Watch:
    """Sets a segment's `stop` when its link or gateway is gone, and all when told to stop.

    A context manager; its thread ends with it.
    """

    def __init__(
        self, watched: Sequence[Watched], own: Sequence[LocalAddress], stop: threading.Event
    ) -> None:
        self._watched = watched
        self._stop = stop
        self._done = threading.Event()
        self._gateways = _Gateways(own, stop)
        self._thread = threading.Thread(target=self._run, name="sweep-watch", daemon=True)

    def __enter__(self) -> Self:
        self._await_links()
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._gateways.close()

    def _await_links(self) -> None:
        """Give links that just come up the second or two that the kernel needs to say so."""
        names = {item.segment.leaves_by for item in self._watched} - {""}
        end = time.monotonic() + _COMING_UP_S
        while not all(map(is_link_up, names)) and time.monotonic() < end:
            if self._stop.wait(POLL_S):
                return

    def end(self, item: Watched) -> None:
        """Look once more when the sweep of a segment is through: a link may just have died."""
        if not item.stop.is_set() and item.lost is None:
            item.lost = _lost_link(item.segment)

    def _run(self) -> None:
        next_look = time.monotonic() + _LOOK_S
        while not self._done.is_set():
            if self._stop.wait(POLL_S):
                for item in self._watched:
                    item.stop.set()
                return
            if time.monotonic() < next_look:
                continue
            next_look = time.monotonic() + _LOOK_S
            try:
                self._look()
            except OSError as error:
                log.warning("sweep_watch_failed", error=repr(error))

    def _look(self) -> None:
        for item in self._watched:
            if item.stop.is_set():
                continue
            item.lost = _lost_link(item.segment) or self._gateways.lost(item)
            if item.lost is not None:
                item.stop.set()
                log.warning(
                    "sweep_interrupted",
                    subnet=item.segment.target.subnet,
                    reason=item.lost.reason.value,
                    where=item.lost.where,
                    detail=item.lost.detail,
                )


class _Gateways:
    """The next hops of routed segments, each asked once for all that go through it."""

    def __init__(self, own: Sequence[LocalAddress], stop: threading.Event) -> None:
        self._own = own
        self._stop = stop
        self._by_segment: dict[int, GatewayProbe | None] = {}
        self._probes: dict[Gateway, GatewayProbe] = {}

    def lost(self, item: Watched) -> Interruption | None:
        segment = item.segment
        if segment.is_local or not segment.leaves_by:
            return None
        if not _has_route(segment.addresses[0]):
            return Interruption(
                reason=StopReason.GATEWAY_LOST,
                where=segment.leaves_by,
                detail=f"no route to {segment.target.subnet} any more",
            )
        probe = self._probe(item)
        if probe is None or not probe.is_lost(item.pacer.until(self._stop)):
            return None
        return Interruption(
            reason=StopReason.GATEWAY_LOST,
            where=probe.gateway.address,
            detail=f"{probe.gateway.address} on {probe.gateway.interface} does not answer ARP",
        )

    def _probe(self, item: Watched) -> GatewayProbe | None:
        key = id(item)
        if key not in self._by_segment:
            gateway = next_hop(item.segment.addresses[0], self._own)
            if gateway is not None and gateway not in self._probes:
                self._probes[gateway] = GatewayProbe(gateway)
            self._by_segment[key] = self._probes[gateway] if gateway is not None else None
        return self._by_segment[key]

    def close(self) -> None:
        for probe in self._probes.values():
            probe.close()


def _lost_link(segment: Segment) -> Interruption | None:
    """Return what is wrong with the link of a segment, as the kernel sees it now."""
    name = segment.leaves_by
    if not name:
        return None
    detail = None
    if not is_link_up(name):
        detail = f"{name} is down or has no carrier"
    elif segment.source is not None and not _is_ours(segment.source.address):
        detail = f"{name} has lost our address {segment.source.address}"
    if detail is None:
        return None
    return Interruption(reason=StopReason.LINK_LOST, where=name, detail=detail)


def is_link_up(interface: str) -> bool:
    """Tell whether an interface is up and has a carrier; one that is gone is not."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            answer = fcntl.ioctl(sock, _SIOCGIFFLAGS, _IFREQ.pack(interface.encode()[:15], 0))
        except OSError:
            return False
    flags: int = _IFREQ.unpack(answer)[1]
    return flags & (_IFF_UP | _IFF_RUNNING) == _IFF_UP | _IFF_RUNNING


def _is_ours(address: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((address, 0))
        except OSError as error:
            return error.errno != errno.EADDRNOTAVAIL
    return True


def _has_route(address: str) -> bool:
    """Tell whether the kernel knows a way; sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((address, 9))
        except OSError as error:
            return error.errno not in (errno.ENETUNREACH, errno.EHOSTUNREACH)
    return True


def next_hop(address: str, own: Sequence[LocalAddress]) -> Gateway | None:
    """Return the router towards an address; None if there is none, or none that speaks ARP."""
    try:
        done = subprocess.run(
            ["ip", "-j", "route", "get", address],
            capture_output=True,
            check=True,
            text=True,
            timeout=_ROUTE_TIMEOUT_S,
        )
        route = json.loads(done.stdout)[0]
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
    router, interface, source = route.get("gateway"), route.get("dev"), route.get("prefsrc")
    for item in own:
        if router and item.can_arp and (item.interface, item.address) == (interface, source):
            return Gateway(address=router, source=item)
    return None
