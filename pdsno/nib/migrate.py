"""Bringing a database to the schema that this release knows, by Alembic migrations."""

from sqlalchemy import Connection, inspect, text

from pdsno.domain.errors import OperationError

HEAD = "0003"
"""The newest revision in `migrations/versions`; a database there needs no Alembic, nor its import.
"""

_VERSION_TABLE = "alembic_version"


def to_head(connection: Connection, where: str) -> None:
    """Create or upgrade the schema in one transaction, and commit it.

    The connection takes the write lock, so of two processes that open a new NIB together one
    creates it and the other finds it done. Raises OperationError if the database is somebody
    else's or was written by a newer release; then nothing is changed.
    """
    with connection.begin():
        revision = _revision(connection, where)
        if revision != HEAD:
            _upgrade(connection, revision, where)


def _revision(connection: Connection, where: str) -> str | None:
    tables = inspect(connection).get_table_names()
    if _VERSION_TABLE in tables:
        found = connection.execute(text(f"SELECT version_num FROM {_VERSION_TABLE}")).scalar()  # noqa: S608
        return None if found is None else str(found)
    if tables:
        raise OperationError(f"{where} is a database, but not a NIB: give another path")
    return None


def _upgrade(connection: Connection, revision: str | None, where: str) -> None:
    # Alembic takes a quarter of a second to import, and most starts find the schema up to date.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    settings = Config(attributes={"connection": connection})
    settings.set_main_option("script_location", "pdsno.nib:migrations")
    known = {script.revision for script in ScriptDirectory.from_config(settings).walk_revisions()}
    if revision is not None and revision not in known:
        raise OperationError(
            f"the NIB {where} has schema {revision}, which this release does not know (it knows "
            f"{HEAD}): it was written by a newer release; upgrade PDSNO, or restore the backup "
            "from before"
        )
    command.upgrade(settings, "head")
