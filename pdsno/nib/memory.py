"""A NIB in memory: for embedding and tests, with the semantics of the stored one."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from pdsno.nib import memory_history
from pdsno.nib.memory_reader import MemoryReader
from pdsno.nib.memory_state import State
from pdsno.nib.memory_transaction import MemoryTransaction
from pdsno.nib.sequences import HighWater
from pdsno.nib.turns import WriterTurns


class MemoryNIB:
    """One committed state; a transaction works on a copy and puts it in place at the end."""

    def __init__(self) -> None:
        kept_from = {memory_history.KIND: datetime.now(UTC)}
        self._committed = State(stream_id=str(uuid.uuid4()), retention=kept_from)
        self._commits = 0
        self._turns = WriterTurns()
        self._high_water = HighWater()

    @contextmanager
    def reading(self) -> Iterator[MemoryReader]:
        """Read the state that is committed now."""
        yield MemoryReader(self._committed)

    @contextmanager
    def transaction(self) -> Iterator[MemoryTransaction]:
        """Begin the one write transaction."""
        with self._turns.turn():
            state = self._committed.copy()
            transaction = MemoryTransaction(state, self._high_water)
            try:
                yield transaction
                state.count_changes(self._committed)
                self._committed = state
                self._commits += 1
            finally:
                transaction.end()

    def state_mark(self) -> int | None:
        """Return how many transactions were committed."""
        return self._commits

    def integrity_faults(self) -> tuple[str, ...]:
        """Memory has no medium that could fail by itself."""
        return ()

    def close(self) -> None:
        """Wait for a transaction to end."""
        with self._turns.turn():
            pass
