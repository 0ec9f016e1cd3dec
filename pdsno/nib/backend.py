"""What a store of the NIB offers to `NIBStore`."""

from contextlib import AbstractContextManager
from typing import Protocol

from pdsno.domain.ports import NIBReader, NIBTransaction


class Backend(Protocol):
    """One place where a NIB is kept."""

    def reading(self) -> AbstractContextManager[NIBReader]:
        """Read one committed state; any number of threads at once, never waiting for a writer."""

    def transaction(self) -> AbstractContextManager[NIBTransaction]:
        """Begin the one write transaction: see `ports.NIB.transaction`."""

    def state_mark(self) -> int | None:
        """Return what tells whether anything was committed: see `ports.NIB.state_mark`."""

    def integrity_faults(self) -> tuple[str, ...]:
        """Return what is wrong with the medium itself and between its tables, one line each."""

    def close(self) -> None:
        """Wait for a transaction to end, and let go of everything."""
