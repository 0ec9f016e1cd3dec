"""The calls of a NIB about makings, words, anomalies: each reads the newest committed state."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager

from pdsno.domain.anomalies.entities import Anomaly
from pdsno.domain.constraints import Word
from pdsno.domain.makings import Making
from pdsno.domain.ports import NIBReader, Page
from pdsno.domain.record_ports import EVERY_ANOMALY, AnomalyFilter, Covered
from pdsno.nib.criteria import PAGE


class RecordCalls(ABC):
    """A part of `NIBStore`."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[NIBReader]:
        """Read several things of one and the same committed state."""

    def making(self, device_id: str) -> Making | None:
        with self.reading() as reader:
            return reader.making(device_id)

    def makings(self) -> Mapping[str, Making]:
        with self.reading() as reader:
            return reader.makings()

    def words(self) -> tuple[Word, ...]:
        with self.reading() as reader:
            return reader.words()

    def aliases(self, device_id: str) -> tuple[str, ...]:
        with self.reading() as reader:
            return reader.aliases(device_id)

    def anomalies(
        self,
        where: AnomalyFilter = EVERY_ANOMALY,
        *,
        limit: int = PAGE,
        after: str | None = None,
        order: str | None = None,
    ) -> Page[Anomaly]:
        with self.reading() as reader:
            return reader.anomalies(where, limit=limit, after=after, order=order)

    def anomalies_by_id(self, anomaly_ids: Iterable[str]) -> Mapping[str, Anomaly]:
        with self.reading() as reader:
            return reader.anomalies_by_id(anomaly_ids)

    def covered(self) -> tuple[Covered, ...]:
        with self.reading() as reader:
            return reader.covered()
