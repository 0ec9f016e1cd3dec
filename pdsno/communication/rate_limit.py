"""How often somebody may ask: a bucket of tokens for each source, and floods told in sums."""

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_REPORT_EVERY_S = 60.0
_REPORTS = 20
OTHERS = "others"
"""Source of a `Flood` that sums up those beyond the 20 that are named in a minute."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Flood:
    """Requests of one source that were refused for coming too fast, since it was last told."""

    source: str
    refused: int


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float
    refused: int = 0
    told_at: float = -math.inf


class SourceLimiter:
    """Admits `per_minute` requests a minute of each source; unused ones add up to as many at once.

    IPv6 sources are counted by their /64, which one host may have all of. Knows at most `capacity`
    sources: beyond that the one that was quiet longest is forgotten. `on_flood` hears of the first
    refusal of a source at once, then of a minute's sum at the next refusal; of at most 20 sources
    a minute. Thread-safe; `on_flood` is called on the caller's thread, and must not block it.
    """

    def __init__(
        self,
        per_minute: int,
        *,
        capacity: int = 10_000,
        on_flood: Callable[[Flood], None] = lambda _flood: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._size = float(per_minute)
        self._per_s = per_minute / 60
        self._capacity = capacity
        self._on_flood = on_flood
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._others = 0
        self._minute = -math.inf
        self._told = 0

    def admit(self, address: str) -> int | None:
        """Return None if the request may pass, else the seconds to wait for."""
        source = source_of(address)
        now = self._clock()
        with self._lock:
            bucket = self._bucket(source, now)
            if bucket.tokens >= 1:
                bucket.tokens -= 1
                return None
            wait_s = math.ceil((1 - bucket.tokens) / self._per_s)
            bucket.refused += 1
            flood = self._due(source, bucket, now)
        if flood is not None:
            self._on_flood(flood)
        return wait_s

    def __len__(self) -> int:
        return len(self._buckets)

    def _bucket(self, source: str, now: float) -> _Bucket:
        bucket = self._buckets.setdefault(source, _Bucket(tokens=self._size, at=now))
        self._buckets.move_to_end(source)
        bucket.tokens = min(self._size, bucket.tokens + (now - bucket.at) * self._per_s)
        bucket.at = now
        if len(self._buckets) > self._capacity:
            _, quiet = self._buckets.popitem(last=False)
            self._others += quiet.refused
        return bucket

    def _due(self, source: str, bucket: _Bucket, now: float) -> Flood | None:
        if now - bucket.told_at < _REPORT_EVERY_S:
            return None
        if now - self._minute >= _REPORT_EVERY_S:
            self._minute, self._told = now, 0
        bucket.told_at = now
        refused, bucket.refused = bucket.refused, 0
        if self._told < _REPORTS:
            self._told += 1
            return Flood(source=source, refused=refused)
        self._others += refused
        if self._told > _REPORTS:
            return None
        self._told += 1
        refused, self._others = self._others, 0
        return Flood(source=OTHERS, refused=refused)


def source_of(address: str) -> str:
    """Return what counts as one source: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(ip), 64), strict=False))
    return address
