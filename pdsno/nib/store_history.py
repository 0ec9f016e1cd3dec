"""The calls of `NIBStore` that read the history, each of the newest committed state."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import datetime

from pdsno.domain.entities import Device, Link, LinkStatus
from pdsno.domain.history import HistoryEntry, HistoryKind
from pdsno.domain.history_ports import EVERYTHING, HistoryFilter
from pdsno.domain.ports import EVERY_DEVICE, DeviceFilter, NIBReader, Page
from pdsno.nib.criteria import PAGE


class HistoryCalls(ABC):
    """What each promises is written in `domain.history_ports`."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[NIBReader]:
        """Read several things of one state: the store's own."""

    def history(
        self, where: HistoryFilter = EVERYTHING, *, limit: int = PAGE, below: int | None = None
    ) -> tuple[HistoryEntry, ...]:
        with self.reading() as reader:
            return reader.history(where, limit=limit, below=below)

    def history_of(
        self, kind: HistoryKind, ids: Iterable[str], after: datetime
    ) -> tuple[HistoryEntry, ...]:
        with self.reading() as reader:
            return reader.history_of(kind, ids, after)

    def changed_since(self, kind: HistoryKind, after: datetime) -> tuple[str, ...]:
        with self.reading() as reader:
            return reader.changed_since(kind, after)

    def history_from(self) -> datetime:
        with self.reading() as reader:
            return reader.history_from()

    def history_count(self, before: datetime) -> int:
        with self.reading() as reader:
            return reader.history_count(before)

    def device_as_of(self, device_id: str, at: datetime) -> Device | None:
        with self.reading() as reader:
            return reader.device_as_of(device_id, at)

    def devices_as_of(
        self,
        at: datetime,
        where: DeviceFilter = EVERY_DEVICE,
        *,
        limit: int = PAGE,
        after: str | None = None,
    ) -> Page[Device]:
        with self.reading() as reader:
            return reader.devices_as_of(at, where, limit=limit, after=after)

    def links_as_of(
        self,
        at: datetime,
        *,
        device_id: str | None = None,
        status: LinkStatus | None = None,
        region: str | None = None,
        limit: int = PAGE,
        after: str | None = None,
    ) -> Page[Link]:
        with self.reading() as reader:
            return reader.links_as_of(
                at, device_id=device_id, status=status, region=region, limit=limit, after=after
            )
