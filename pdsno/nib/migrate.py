"""Bringing a database to the schema that this release knows.

A new one is created as `schema` says; one of an earlier release is migrated by Alembic. A test
holds that both end the same.
"""

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select

from pdsno.domain.errors import OperationError
from pdsno.nib.schema import metadata

HEAD = "0003"
"""The newest revision in `migrations/versions`; a database there needs no Alembic, nor its import.
"""

_VERSION = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
"""Alembic's own table, as it creates it itself."""


def to_head(connection: Connection, where: str) -> None:
    """Create or upgrade the schema in one transaction, and commit it.

    The connection takes the write lock, so of two processes that open a new NIB together one
    creates it and the other finds it done. Raises OperationError if the database is somebody
    else's or was written by a newer release; then nothing is changed.
    """
    with connection.begin():
        revision = _revision(connection, where)
        if revision is None:
            _create(connection)
        elif revision != HEAD:
            _upgrade(connection, revision, where)


def _revision(connection: Connection, where: str) -> str | None:
    tables = inspect(connection).get_table_names()
    if _VERSION.name in tables:
        found = connection.execute(select(_VERSION.c.version_num)).scalar()
        if found is not None or len(tables) == 1:
            return None if found is None else str(found)
    if tables:
        raise OperationError(f"{where} is a database, but not a NIB: give another path")
    return None


def _create(connection: Connection) -> None:
    metadata.create_all(connection, checkfirst=False)
    _VERSION.create(connection, checkfirst=True)
    connection.execute(_VERSION.insert().values(version_num=HEAD))


def _upgrade(connection: Connection, revision: str, where: str) -> None:
    # Alembic takes a quarter of a second to import, and most starts find the schema up to date.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    settings = Config(attributes={"connection": connection})
    settings.set_main_option("script_location", "pdsno.nib:migrations")
    known = {script.revision for script in ScriptDirectory.from_config(settings).walk_revisions()}
    if revision not in known:
        raise OperationError(
            f"the NIB {where} has schema {revision}, which this release does not know (it knows "
            f"{HEAD}): it was written by a newer release; upgrade PDSNO, or restore the backup "
            "from before"
        )
    command.upgrade(settings, "head")
