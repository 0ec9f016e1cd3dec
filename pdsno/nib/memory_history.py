"""The history in memory; what each call promises is in `domain.history_ports`."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import UTC, datetime

from pdsno.domain.history import Change, HistoryEntry, HistoryKind
from pdsno.domain.history_ports import EVERYTHING, HistoryFilter
from pdsno.nib.codec import utc
from pdsno.nib.codec_history import entry_of, fits, history_rows
from pdsno.nib.criteria import PAGE, check_limit
from pdsno.nib.memory_state import State
from pdsno.nib.past import PastReader

KIND = "history"


class MemoryHistoryReader(PastReader, ABC):
    """The part of a reader that knows the history."""

    @property
    @abstractmethod
    def _state(self) -> State:
        """The state that is read: the whole reader's."""

    def history(
        self, where: HistoryFilter = EVERYTHING, *, limit: int = PAGE, below: int | None = None
    ) -> tuple[HistoryEntry, ...]:
        limit = check_limit(limit)
        found: list[HistoryEntry] = []
        for seq, entry in reversed(self._state.history.items()):
            if (below is None or seq < below) and fits(entry, where):
                found.append(entry)
                if len(found) == limit:
                    break
        return tuple(found)

    def history_of(
        self, kind: HistoryKind, ids: Iterable[str], after: datetime
    ) -> tuple[HistoryEntry, ...]:
        wanted, since = set(ids), HistoryFilter(kind=kind, after=after)
        entries = reversed(self._state.history.values())
        return tuple(e for e in entries if e.change.entity_id in wanted and fits(e, since))

    def changed_since(self, kind: HistoryKind, after: datetime) -> tuple[str, ...]:
        since = HistoryFilter(kind=kind, after=after)
        found = (e.change.entity_id for e in self._state.history.values() if fits(e, since))
        return tuple(sorted(set(found)))

    def history_from(self) -> datetime:
        return self._state.retention[KIND]

    def history_count(self, before: datetime) -> int:
        before = utc(before)
        return sum(entry.at < before for entry in self._state.history.values())


def time_after(state: State) -> datetime:
    """Return when a transaction counts as learnt: now, but never before the one before."""
    last = next(reversed(state.history.values()), None)
    now = datetime.now(UTC)
    return max(now, last.at) if last else now


def record(state: State, changes: Iterable[Change], at: datetime) -> None:
    """Add changes to the history."""
    first = next(reversed(state.history), 0) + 1
    for row in history_rows(changes, at, first):
        state.history[row["seq"]] = entry_of(row)


def prune(state: State, before: datetime) -> int:
    """Forget what happened before a time."""
    before = min(utc(before), datetime.now(UTC))
    kept = {seq: entry for seq, entry in state.history.items() if entry.at >= before}
    gone = len(state.history) - len(kept)
    state.history = kept
    state.retention[KIND] = max(before, state.retention[KIND])
    return gone
