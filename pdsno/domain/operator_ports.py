"""The parts of a NIB that only operators' tools use; `ports` has the whole."""

import time
from collections.abc import Mapping
from typing import Protocol

from pdsno.domain.webhooks import Delivery, Webhook

REVISED = ("devices", "endpoints", "links", "controllers", "events", "cycles", "policies")
"""What `NIBReader.revisions` tells of."""


def next_revision(last: int) -> int:
    """Return a number above the last one: the time, so that none comes twice.

    A NIB that is restored from a backup would count from there again, and a client that still has
    the answer of a number would be told that it is current.
    """
    return max(last + 1, time.time_ns() // 1000)


class OperatorReads(Protocol):
    """Of `ports.NIBReader`."""

    def webhooks(self) -> tuple[Webhook, ...]:
        """Return all webhooks, oldest first."""

    def webhook_deliveries(self, webhook_id: str, *, limit: int = ...) -> tuple[Delivery, ...]:
        """Return the tries that are kept of a webhook, the newest first."""

    def revisions(self) -> Mapping[str, int]:
        """Return for tables of `REVISED` a number that has risen if anything in them changed.

        A table that never changed is left out. What was read after the number was is at least as
        new as the number says.
        """


class OperatorWrites(Protocol):
    """Of `ports.NIBTransaction`."""

    def put_webhook(self, record: Webhook) -> None:
        """Insert or replace a webhook."""

    def drop_webhook(self, webhook_id: str) -> None:
        """Remove a webhook with its deliveries, if it is there."""

    def note_delivery(self, delivery: Delivery, *, keep: int) -> None:
        """Keep a try of a webhook that is there; of each webhook the newest `keep` stay."""
