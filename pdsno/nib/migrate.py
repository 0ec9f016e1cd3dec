"""Bringing a database to the schema that this release knows.

A new one is created as `schema` says; one of an earlier release is migrated by Alembic. A test
holds that both end the same.
"""

import structlog
from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select

from pdsno.domain.errors import InputError, OperationError
from pdsno.nib.database import Database
from pdsno.nib.schema_operators import metadata

log = structlog.get_logger()

HEAD = "0011"
"""The newest revision in `migrations/versions`; a database there needs no Alembic, nor its import.
"""

_VERSION = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
"""Alembic's own table, as it creates it itself."""


def to_head(connection: Connection, database: Database) -> None:
    """Create or upgrade the schema in one transaction, and commit it.

    A NIB of an earlier release is copied first: that copy is the way back. The connection takes
    the write lock, so of two processes that open a new NIB together one creates it and the other
    finds it done. Raises OperationError if the database is somebody else's or was written by a
    newer release; then nothing is changed.
    """
    with connection.begin():
        revision = revision_of(connection, database.where)
        if revision is None:
            _create(connection)
        elif revision != HEAD:
            _upgrade(connection, revision, database)


def revision_of(connection: Connection, where: str) -> str | None:
    """Return the revision of a NIB's schema, None of an empty database.

    Raises OperationError if the database is somebody else's.
    """
    tables = inspect(connection).get_table_names()
    if _VERSION.name in tables:
        found = connection.execute(select(_VERSION.c.version_num)).scalar()
        if found is not None or len(tables) == 1:
            return None if found is None else str(found)
    if tables:
        raise OperationError(f"{where} is a database, but not a NIB: give another path")
    return None


def check_head(connection: Connection, where: str) -> None:
    """Raise InputError if there is no NIB, OperationError if it is not at this release's schema."""
    revision = revision_of(connection, where)
    if revision is None:
        raise InputError(f"there is no NIB at {where}")
    if revision != HEAD:
        raise OperationError(
            f"the NIB {where} has schema {revision} and this release {HEAD}: start its controller "
            "once, which upgrades it"
        )


def _create(connection: Connection) -> None:
    metadata.create_all(connection, checkfirst=False)
    _VERSION.create(connection, checkfirst=True)
    connection.execute(_VERSION.insert().values(version_num=HEAD))


def _upgrade(connection: Connection, revision: str, database: Database) -> None:
    # Alembic takes a quarter of a second to import, and most starts find the schema up to date.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    settings = Config(attributes={"connection": connection})
    settings.set_main_option("script_location", "pdsno.nib:migrations")
    known = {script.revision for script in ScriptDirectory.from_config(settings).walk_revisions()}
    if revision not in known:
        raise OperationError(
            f"the NIB {database.where} has schema {revision}, which this release does not know "
            f"(it knows {HEAD}): it was written by a newer release; upgrade PDSNO, or restore the "
            "backup from before"
        )
    copy = database.before_upgrade(revision)
    log.warning("nib_upgrades", nib=database.where, schema=revision, to=HEAD, way_back=copy)
    command.upgrade(settings, "head")
