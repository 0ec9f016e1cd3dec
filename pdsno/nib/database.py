"""What a SQL database offers to `SQLNIB`: connections, transactions, errors; a dialect a module."""

from typing import Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from pdsno.domain.errors import PDSNOError


class Database(Protocol):
    """One database that holds one NIB. Safe to use from several threads."""

    @property
    def where(self) -> str:
        """The path or URL, fit for errors and logs: never with a password."""

    def translate(self, error: SQLAlchemyError) -> PDSNOError:
        """Return our error for a library's: one line with cause and remedy."""

    def writer(self) -> Connection:
        """Return a connection whose transaction begins by taking the NIB's one write lock.

        The lock holds over processes; it is waited for some seconds, then a TransientError.
        """

    def reader(self) -> Connection:
        """Return a connection that sees one committed state from its first statement on."""

    def state_mark(self) -> int | None:
        """Return what tells whether anything was committed: see `ports.NIB.state_mark`."""

    def integrity_faults(self) -> tuple[str, ...]:
        """Return what the database finds wrong with its medium, an empty tuple if nothing."""

    def before_upgrade(self, revision: str) -> str | None:
        """Keep a copy of the NIB with the schema of `revision`; return where.

        Called while the write lock is held and nothing is changed yet. None: a copy of this kind
        of database is the operator's to make.
        """

    def close(self) -> None:
        """Close the idle connections."""
