"""Makings, words, anomalies and coverage in memory; promises are in `record_ports`."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from datetime import datetime

from pdsno.domain.anomalies.entities import Anomaly
from pdsno.domain.constraints import Word
from pdsno.domain.makings import Making
from pdsno.domain.ordering import ANOMALY_ORDERS, Keyset, ordering
from pdsno.domain.ports import Page
from pdsno.domain.record_ports import EVERY_ANOMALY, AnomalyFilter, Covered
from pdsno.nib import codec, codec_records
from pdsno.nib.criteria import PAGE, check_limit
from pdsno.nib.memory_state import State


class MemoryRecordReader(ABC):
    """Reads one state."""

    @property
    @abstractmethod
    def _state(self) -> State:
        """The state that is read: the whole reader's."""

    def making(self, device_id: str) -> Making | None:
        state = self._state
        return state.makings.get(state.aliases.get(device_id, device_id))

    def makings(self) -> Mapping[str, Making]:
        return dict(sorted(self._state.makings.items()))

    def words(self) -> tuple[Word, ...]:
        return tuple(self._state.words[key] for key in sorted(self._state.words))

    def aliases(self, device_id: str) -> tuple[str, ...]:
        return tuple(sorted(k for k, v in self._state.aliases.items() if v == device_id))

    def anomalies(
        self,
        where: AnomalyFilter = EVERY_ANOMALY,
        *,
        limit: int = PAGE,
        after: str | None = None,
        order: str | None = None,
    ) -> Page[Anomaly]:
        keyset = Keyset(ordering(order, ANOMALY_ORDERS), "anomaly_id", after)
        held = self._state.anomalies.values()
        found = (row for row in held if codec_records.is_wanted(row, where))
        return keyset.page(found, check_limit(limit))

    def anomalies_by_id(self, anomaly_ids: Iterable[str]) -> Mapping[str, Anomaly]:
        held = self._state.anomalies
        return {key: held[key] for key in anomaly_ids if key in held}

    def covered(self) -> tuple[Covered, ...]:
        held = self._state.covered
        return tuple(held[key] for key in sorted(held))


class MemoryRecordWriter(MemoryRecordReader):
    """Changes a state that nobody else sees yet."""

    def put_makings(self, makings: Iterable[Making]) -> None:
        for making in makings:
            row = codec_records.making_row(making)
            self._state.makings[making.device_id] = codec_records.making_of(row)

    def put_word(self, word: Word) -> None:
        row = codec_records.word_row(word)
        self._state.words[word.word_id] = codec_records.word_of(row)

    def drop_word(self, word_id: str) -> None:
        self._state.words.pop(word_id, None)

    def drop_alias(self, alias_id: str) -> None:
        self._state.aliases.pop(alias_id, None)

    def put_anomalies(self, anomalies: Iterable[Anomaly]) -> None:
        for anomaly in anomalies:
            row = codec_records.anomaly_row(anomaly)
            self._state.anomalies[anomaly.anomaly_id] = codec_records.anomaly_of(row)

    def forget_anomalies(self, *, closed_before: datetime) -> int:
        before = codec.utc(closed_before)
        held = self._state.anomalies
        gone = [key for key, row in held.items() if row.closed_at and row.closed_at < before]
        for key in gone:
            del held[key]
        return len(gone)

    def put_covered(self, covered: Iterable[Covered]) -> None:
        held = self._state.covered
        for item in covered:
            key = (item.controller_id, item.subnet)
            if key not in held or held[key].at < item.at:
                held[key] = codec_records.covered_of(codec_records.covered_row(item))
