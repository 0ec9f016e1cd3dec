"""What a NIB offers of its history; a part of `ports.NIBReader` and `ports.NIBTransaction`."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from pdsno.domain.entities import Device, Link, LinkStatus
from pdsno.domain.history import HistoryEntry, HistoryKind

if TYPE_CHECKING:
    from pdsno.domain.ports import DeviceFilter, Page


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryFilter:
    """Conditions that must all hold.

    `after` < time <= `until`: what changed between two pictures of the past. `field` is a field's
    name; that of a table, as `interfaces`, or of one row stands for all that is in it.
    """

    kind: HistoryKind | None = None
    entity_id: str | None = None
    region: str | None = None
    field: str | None = None
    after: datetime | None = None
    until: datetime | None = None


EVERYTHING = HistoryFilter()


class HistoryReader(Protocol):
    """Reading the history of devices and links."""

    def history(
        self, where: HistoryFilter = ..., *, limit: int = ..., below: int | None = ...
    ) -> tuple[HistoryEntry, ...]:
        """Return entries, the newest first; `below` is a seq that they are all lower than."""

    def history_of(
        self, kind: HistoryKind, ids: Iterable[str], after: datetime
    ) -> tuple[HistoryEntry, ...]:
        """Return all entries of some devices or links after a time, the newest first."""

    def changed_since(self, kind: HistoryKind, after: datetime) -> tuple[str, ...]:
        """Return the IDs of all that changed after a time, in order: also of what went."""

    def history_from(self) -> datetime:
        """Return since when the history is whole: before it nothing is known."""

    def history_count(self, before: datetime) -> int:
        """Return how many entries `prune_history` would remove."""

    def device_as_of(self, device_id: str, at: datetime) -> Device | None:
        """Return a device as it was here at a time; see `history.device_at`.

        Raises InputError if the history does not reach there, or it is yet to come.
        """

    def devices_as_of(
        self,
        at: datetime,
        where: "DeviceFilter" = ...,
        *,
        limit: int = ...,
        after: str | None = ...,
    ) -> "Page[Device]":
        """Return devices as they were at a time, ordered by device_id. Raises as device_as_of."""

    def links_as_of(
        self,
        at: datetime,
        *,
        device_id: str | None = ...,
        status: LinkStatus | None = ...,
        region: str | None = ...,
        limit: int = ...,
        after: str | None = ...,
    ) -> "Page[Link]":
        """Return links as they were at a time, ordered by link_id. Raises as device_as_of."""


class HistoryWriter(Protocol):
    """Changing what is kept of the history; entries themselves are written by every change."""

    def prune_history(self, before: datetime) -> int:
        """Forget what happened before a time (at most: until now); returns how many entries.

        No picture from before it is shown any more: half a history would be a wrong one.
        """
