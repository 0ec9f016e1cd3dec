"""One PostgreSQL database as a SQLAlchemy engine: connections, the write lock, errors."""

import ipaddress
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from pdsno.domain.errors import OperationError, PDSNOError
from pdsno.nib.password import read_password
from pdsno.nib.postgres_errors import translate
from pdsno.nib.sql_session import translated

_OLDEST = 14
"""The oldest major version that is still maintained by its makers."""
_LOCK_TIMEOUT_MS = 5000
_CONNECT_TIMEOUT_S = 5
_POOL_SIZE = 8
_MORE = 24
"""Connections beyond the pool under load: far below what a server allows by default (100)."""
_POOL_TIMEOUT_S = 10
_WRITER = "pdsno_writer"
_NAME = "pdsno"
NUL_SYMBOL = "\N{SYMBOL FOR NULL}"

# One lock for each NIB: a server may hold several, in databases or in schemas of one.
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('pdsno.nib'), hashtext(current_schema()))"

_SERVER = """
SELECT current_setting('server_version_num')::int / 10000 AS version,
       current_setting('server_version') AS version_text,
       current_setting('server_encoding') AS encoding,
       current_setting('synchronous_commit') AS synchronous_commit,
       current_schema() AS schema
"""

_FAULTS = """
SELECT format('%s pages failed their checksum since %s', checksum_failures, stats_reset)
  FROM pg_stat_database WHERE datname = current_database() AND checksum_failures > 0
UNION ALL
SELECT format('index %s is invalid: REINDEX INDEX %s', indexrelid::regclass, indexrelid::regclass)
  FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
 WHERE NOT indisvalid AND relnamespace = current_schema()::regnamespace
UNION ALL
SELECT format('constraint %s is not validated', conname)
  FROM pg_constraint
 WHERE NOT convalidated AND connamespace = current_schema()::regnamespace
"""

_OTHERS = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND application_name = 'pdsno' AND pid <> pg_backend_pid()
"""


class PostgresServer:
    """A pool of connections to one database. Safe to use from several threads."""

    def __init__(self, url: URL, *, password_file: Path | None = None) -> None:
        """Connect and see whether this server will do.

        `password_file` holds the password alone and is read for each new connection, so that a
        new password needs no restart. Raises InputError or OperationError naming what to change,
        TransientError if nobody answers.
        """
        self.where = _shown(url)
        self._engine = _engine(url)
        self._readers = self._engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        if password_file is not None:
            read_password(password_file)

            @event.listens_for(self._engine, "do_connect")
            def _give(_dialect: object, _record: object, _args: object, params: Any) -> None:  # noqa: ANN401
                params["password"] = read_password(password_file)

        try:
            self._check()
        except BaseException:
            self.close()
            raise

    def _check(self) -> None:
        with translated(self.translate), self._readers.connect() as connection:
            found = connection.exec_driver_sql(_SERVER).mappings().one()
        if found["version"] < _OLDEST:
            raise OperationError(
                f"the NIB {self.where} is on PostgreSQL {found['version_text']}: this release "
                f"needs {_OLDEST} or newer"
            )
        if found["encoding"] != "UTF8":
            raise OperationError(
                f"the NIB {self.where} has encoding {found['encoding']}: create the database with "
                "createdb -E UTF8 -T template0 NAME"
            )
        if found["synchronous_commit"] == "off":
            raise OperationError(
                f"the NIB {self.where} would lose what it acknowledged: synchronous_commit is off; "
                "ALTER DATABASE NAME SET synchronous_commit = on"
            )
        if found["schema"] is None:
            raise OperationError(
                f"the NIB {self.where} has no schema that this role may use: CREATE SCHEMA, or set "
                "search_path"
            )

    def translate(self, error: SQLAlchemyError) -> PDSNOError:
        """Return our error for a library's."""
        return translate(self.where, error)

    def writer(self) -> Connection:
        """Return a connection whose transaction begins by taking the NIB's write lock.

        READ COMMITTED: each statement sees what was committed before the lock was had.
        """
        with translated(self.translate):
            return self._engine.connect().execution_options(**{_WRITER: True})

    def reader(self) -> Connection:
        """Return a connection that sees one committed state from its first statement on."""
        with translated(self.translate):
            return self._readers.connect()

    def state_mark(self) -> int | None:
        """Return None: only a question to the server tells."""
        return None

    def integrity_faults(self) -> tuple[str, ...]:
        """Return what the server knows to be wrong with the database."""
        with translated(self.translate), self._readers.connect() as connection:
            return tuple(map(str, connection.exec_driver_sql(_FAULTS).scalars()))

    def before_upgrade(self, revision: str) -> str | None:
        """Leave the copy to the operator: pg_dump, or `pdsno nib backup` of the release before."""
        del revision
        return None

    def other_users(self) -> int:
        """Return how many connections of PDSNO there are besides ours."""
        with translated(self.translate), self._engine.connect() as connection:
            idle = self._engine.pool.checkedin()  # type: ignore[attr-defined] # QueuePool has it
            return max(0, int(connection.exec_driver_sql(_OTHERS).scalar_one()) - int(idle))

    def close(self) -> None:
        """Close the idle connections."""
        self._engine.dispose()


def _engine(url: URL) -> Engine:
    options = str(url.query.get("options", ""))
    settings = f"-c timezone=UTC -c lock_timeout={_LOCK_TIMEOUT_MS} {options}".strip()
    args: dict[str, Any] = {
        "application_name": _NAME,
        "client_encoding": "utf8",
        "connect_timeout": _CONNECT_TIMEOUT_S,
        "options": settings,
        # A server that vanished without a word is noticed in half a minute, not in hours.
        "keepalives_idle": 15,
        "tcp_user_timeout": 30_000,
    }
    if "sslmode" not in url.query and not _is_here(url):
        args["sslmode"] = "verify-full"
    rest = {name: value for name, value in url.query.items() if name != "options"}
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg", query=rest),
            connect_args=args,
            pool_size=_POOL_SIZE,
            max_overflow=_MORE,
            pool_timeout=_POOL_TIMEOUT_S,
            # A server that was restarted is found out before a statement fails.
            pool_pre_ping=True,
        )
    except ImportError as error:
        raise OperationError(
            "a NIB on PostgreSQL needs psycopg: pip install 'pdsno[postgres]'"
        ) from error
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - psycopg comes with an extra
    for dumper in _text_dumpers():
        connection.adapters.register_dumper(str, dumper)


@cache
def _text_dumpers() -> tuple[type[Any], ...]:
    """Return who writes text, in its binary form and as it is: what is registered last is used."""
    from psycopg.types.string import StrBinaryDumper, StrDumper  # noqa: PLC0415 - as above

    class WithoutNul:
        """Stores the one character that PostgreSQL's text has not as the symbol for it."""

        def dump(self, obj: str) -> Any:  # noqa: ANN401 - psycopg's Buffer
            text = obj.replace("\0", NUL_SYMBOL) if "\0" in obj else obj
            return super().dump(text)  # type: ignore[misc] # of the dumper beside it

    class BinaryWithoutNul(WithoutNul, StrBinaryDumper):
        pass

    class TextWithoutNul(WithoutNul, StrDumper):
        pass

    return BinaryWithoutNul, TextWithoutNul


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get(_WRITER, False):
        connection.exec_driver_sql(_LOCK)


def _shown(url: URL) -> str:
    without = URL.create(
        url.drivername, url.username, None, url.host, url.port, url.database, url.query
    )
    return without.render_as_string()


def _is_here(url: URL) -> bool:
    host = str(url.query.get("host", url.host or ""))
    if not host or host.startswith("/") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
