"""Webhooks: who wants to be told of which events, how a delivery is signed, when it is tried again.

The wire follows Standard Webhooks: `webhook-id` (the same at each try of one event),
`webhook-timestamp` (Unix time of the try) and `webhook-signature` (`v1,` and the base64 of
HMAC-SHA256 over `id.timestamp.body`).
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from pdsno.domain.entities import Event
from pdsno.domain.errors import InputError

FIRST_RETRY = timedelta(seconds=2)
LONGEST_RETRY = timedelta(minutes=15)
GIVE_UP_AFTER = timedelta(days=5)
"""A webhook that failed for so long is disabled: its receiver is gone, or was never there."""

KEPT_DELIVERIES = 200
SECRET_PREFIX = "whsec_"  # noqa: S105 - how a secret begins, not one
_LONGEST_URL = 1000
_MOST_PATTERNS = 20
_LONGEST_PATTERN = 100
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Webhook:
    """One receiver. Events up to `cursor` are done: delivered, or none of its business.

    `events` are types or patterns as `DEVICE_*`; `region` None is all regions. While it fails,
    `failing_since` tells since when, `tries` how often the present event was tried, `next_try`
    when again. A disabled one is told nothing until it is enabled.
    """

    webhook_id: str
    url: str
    events: tuple[str, ...] = ("*",)
    region: str | None = None
    created_at: datetime
    created_by: str = ""
    cursor: int = 0
    tries: int = 0
    failing_since: datetime | None = None
    next_try: datetime | None = None
    disabled_at: datetime | None = None
    delivered: int = 0

    def wants(self, event: Event) -> bool:
        """Tell whether an event is for this receiver."""
        if self.region is not None and event.region != self.region:
            return False
        return any(fnmatchcase(event.event_type, pattern) for pattern in self.events)


class DeliveryOutcome(StrEnum):
    """What came of one try."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    """The receiver answered, with another status than 2xx."""
    UNREACHABLE = "unreachable"
    FORBIDDEN = "forbidden"
    """Its name leads to an address that a webhook may not have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One try, as the log keeps it. `seq` numbers the tries of a webhook, from 1.

    `message_id` is that of the event, the same at each try; `event_seq` 0 is a test.
    """

    webhook_id: str
    seq: int
    message_id: str
    event_seq: int
    event_type: str
    at: datetime
    try_number: int
    outcome: DeliveryOutcome
    status: int | None = None
    error: str | None = None
    latency_ms: float | None = None


def check_url(url: str) -> str:
    """Return a receiver's URL. Raises InputError unless it is https, or http on loopback."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(f"{url[:100]!r} is no URL: {error}") from error
    if not host or len(url) > _LONGEST_URL or any(char <= " " or char == "\x7f" for char in url):
        raise InputError(f"{url[:100]!r} is no URL of a receiver: give https://HOST/PATH")
    if parts.username is not None or parts.password is not None:
        raise InputError("a webhook's URL holds no name and no password: it is shown in lists")
    if parts.fragment:
        raise InputError("a webhook's URL has no part behind #: it would not be sent")
    if parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK):
        return url
    raise InputError(
        f"a webhook goes over https, and over http to loopback only: not {url[:100]!r}"
    )


def check_patterns(events: Sequence[str]) -> tuple[str, ...]:
    """Return patterns of event types. Raises InputError if one can match nothing."""
    if not 0 < len(events) <= _MOST_PATTERNS:
        raise InputError(f"name 1 to {_MOST_PATTERNS} event types, as 'DEVICE_*'")
    for pattern in events:
        plain = pattern.replace("*", "").replace("?", "").replace("_", "")
        if (
            not pattern
            or len(pattern) > _LONGEST_PATTERN
            or not ((plain.isascii() and plain.isalnum()) or not plain)
            or pattern != pattern.upper()
        ):
            raise InputError(
                f"{pattern[:50]!r} is no type of event: they are as DEVICE_APPEARED, "
                "with * for any letters"
            )
    return tuple(events)


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature`."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def check_secret(secret: str) -> str:
    """Return a secret: `whsec_` and base64 of 24 to 64 bytes. Raises InputError."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith(SECRET_PREFIX) or not 24 <= len(key) <= 64:  # noqa: PLR2004 - the standard's
        raise InputError(
            f"a webhook's secret is {SECRET_PREFIX} and the base64 of 24 to 64 random bytes; "
            "leave it out, and one is made"
        )
    return secret


def retry_after(tries: int) -> timedelta:
    """Return how long to wait after so many tries that failed."""
    factor: int = 2 ** min(max(tries - 1, 0), 20)
    return min(FIRST_RETRY * factor, LONGEST_RETRY)
