"""The parts of a NIB that only operators' tools use; `ports` has the whole."""

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from pdsno.domain.readers import Reader
from pdsno.domain.webhooks import Delivery, Webhook

if TYPE_CHECKING:
    from pdsno.domain.ports import DeviceFilter, NIBReader, Page

LISTED = (
    "device_id", "name", "status", "device_type", "vendor", "model", "platform", "os_version",
    "serial", "region", "namespace", "local_controller", "management_ip", "macs", "ips",
    "interfaces", "sources", "first_seen", "last_seen", "version", "notes", "tags", "site",
    "location",
)  # fmt: skip
"""What a list shows of a device, in this order, and then `pinned`: the fields that people set."""


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

    def readers(self) -> tuple[Reader, ...]:
        """Return all readers, by name."""

    def device_items(
        self,
        where: "DeviceFilter" = ...,
        *,
        limit: int = ...,
        after: str | None = ...,
        order: str | None = ...,
    ) -> "Page[str]":
        """Return the page that `devices` returns, each device as JSON: `LISTED` and `pinned`.

        Kept as it is written, so that nothing is parsed or made for it.
        """

    def revisions(self) -> Mapping[str, int]:
        """Return for tables of `REVISED` a number that has risen if anything in them changed.

        A table that never changed is left out. What was read after the number was is at least as
        new as the number says.
        """


class OperatorCalls(Protocol):
    """Of `ports.NIB`."""

    def reading(self) -> AbstractContextManager["NIBReader"]:
        """Read several things of one and the same committed state, at the price of one."""

    def state_mark(self) -> int | None:
        """Return a number that is another one after anything was committed, by whichever process.

        Never waits for anybody. None: this NIB cannot tell without being asked for what is in it.
        """


class OperatorWrites(Protocol):
    """Of `ports.NIBTransaction`."""

    def put_webhook(self, record: Webhook) -> None:
        """Insert or replace a webhook."""

    def drop_webhook(self, webhook_id: str) -> None:
        """Remove a webhook with its deliveries, if it is there."""

    def note_delivery(self, delivery: Delivery, *, keep: int) -> None:
        """Keep a try of a webhook that is there; of each webhook the newest `keep` stay."""

    def put_reader(self, record: Reader) -> None:
        """Insert a reader, or replace the one of that name."""

    def drop_reader(self, name: str) -> None:
        """Remove a reader, if it is there."""
