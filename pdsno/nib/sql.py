"""A NIB in a SQL database."""

import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime

from pdsno.nib import migrate, schema, schema_history, sql_records
from pdsno.nib.database import Database
from pdsno.nib.orphans import orphans
from pdsno.nib.sequences import HighWater
from pdsno.nib.sql_reader import SQLReader
from pdsno.nib.sql_session import Session, translated
from pdsno.nib.sql_transaction import SQLTransaction
from pdsno.nib.sql_writes import insert_into, put
from pdsno.nib.turns import WriterTurns


class SQLNIB:
    """Readers have a connection each; writers take turns, in this process by a lock of ours."""

    def __init__(self, database: Database) -> None:
        """Create the NIB in a database, or bring its schema up to date. Closes it at the end.

        Raises InputError, OperationError or TransientError with one line for the operator.
        """
        self._database = database
        self._turns = WriterTurns()
        self._high_water = HighWater()
        try:
            self._prepare()
        except BaseException:
            self._database.close()
            raise

    def _prepare(self) -> None:
        database = self._database
        with translated(database.translate), closing(database.writer()) as connection:
            migrate.to_head(connection, database)
        with self.reading() as reader:
            if reader.has_stream():
                return
        with self._session() as session:
            if session.row(sql_records.STREAM) is None:
                now = datetime.now(UTC)
                row = {
                    "number": 1,
                    "stream_id": str(uuid.uuid4()),
                    "last_seq": 0,
                    "created_at": now,
                }
                session.run(insert_into(schema.streams), row)
                kept = {"kind": "history", "kept_from": now}
                put(session, schema_history.retention, kept)
            session.commit()

    @contextmanager
    def reading(self) -> Iterator[SQLReader]:
        """Read one committed state."""
        with closing(self._database.reader()) as connection:
            yield SQLReader(Session(connection, self._database.translate))

    @contextmanager
    def transaction(self) -> Iterator[SQLTransaction]:
        """Begin the one write transaction."""
        with self._turns.turn(), self._session() as session:
            transaction = SQLTransaction(session, self._high_water)
            yield transaction
            transaction.commit()

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """Open a write transaction; whatever was not committed at the end is rolled back."""
        with closing(self._database.writer()) as connection:
            with translated(self._database.translate):
                connection.begin()
            session = Session(connection, self._database.translate)
            try:
                yield session
            finally:
                session.end()

    def state_mark(self) -> int | None:
        """Return what tells whether anything was committed."""
        return self._database.state_mark()

    def integrity_faults(self) -> tuple[str, ...]:
        """Return what the database finds wrong with its medium, and rows that hang on nothing."""
        found = self._database.integrity_faults()
        if found:
            return found
        with closing(self._database.reader()) as connection:
            return orphans(Session(connection, self._database.translate))

    def close(self) -> None:
        """Wait for a transaction to end, and close the connections."""
        with self._turns.turn():
            self._database.close()
