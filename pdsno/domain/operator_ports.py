"""The parts of a NIB that only operators' tools use; `ports` has the whole."""

from collections.abc import Mapping
from typing import Protocol

from pdsno.domain.webhooks import Delivery, Webhook

REVISED = ("devices", "endpoints", "links", "controllers", "events", "cycles", "policies")
"""What `NIBReader.revisions` tells of."""


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
