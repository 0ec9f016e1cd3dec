"""The parts of a NIB that only operators' tools use; `ports` has the whole."""

import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from pdsno.domain.entities import Device
from pdsno.domain.jsonable import jsonable
from pdsno.domain.readers import Reader
from pdsno.domain.webhooks import Delivery, Webhook

if TYPE_CHECKING:
    from pdsno.domain.ports import DeviceFilter, NIBReader, Page

Summary: TypeAlias = dict[str, Any]
"""The fields `SUMMED` of a device, in this order, as `jsonable` makes them; the caller's own."""

SUMMED = (
    "device_id", "name", "status", "device_type", "vendor", "model", "platform", "os_version",
    "serial", "region", "namespace", "local_controller", "management_ip", "macs", "ips",
    "interfaces", "sources", "first_seen", "last_seen", "version", "notes", "tags", "site",
    "location", "provenance",
)  # fmt: skip
"""What a list shows of a device, and who told it."""


def summary_of(device: Device) -> Summary:
    """Return the summary of a device that was made."""
    return {name: jsonable(getattr(device, name)) for name in SUMMED}


REVISED = ("devices", "endpoints", "links", "controllers", "events", "cycles", "policies")
"""What `NIBReader.revisions` tells of."""


def next_revision(last: int) -> int:
    """Return a number above the last one: the time, so that none comes twice.

    A NIB that is restored from a backup would count from there again, and a client that still has
    the answer of a number would be told that it is current.
    """
    return max(last + 1, time.time_ns() // 1000)


class Stamp(NamedTuple):
    """What is another for each state of a device: equal stamps mean that it did not change."""

    device_id: str
    version: int
    last_seen: datetime


class OperatorReads(Protocol):
    """Of `ports.NIBReader`."""

    def webhooks(self) -> tuple[Webhook, ...]:
        """Return all webhooks, oldest first."""

    def webhook_deliveries(self, webhook_id: str, *, limit: int = ...) -> tuple[Delivery, ...]:
        """Return the tries that are kept of a webhook, the newest first."""

    def readers(self) -> tuple[Reader, ...]:
        """Return all readers, by name."""

    def device_stamps(
        self,
        where: "DeviceFilter" = ...,
        *,
        limit: int = ...,
        after: str | None = ...,
        order: str | None = ...,
    ) -> "Page[Stamp]":
        """Return which devices are on the page that `devices` returns, and how they stand."""

    def device_summaries(self, device_ids: Iterable[str]) -> Mapping[str, Summary]:
        """Return the summaries of those of these devices that are here; for any number of IDs."""

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
