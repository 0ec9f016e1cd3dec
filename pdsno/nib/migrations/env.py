"""Run by Alembic: migrates over the connection that `pdsno.nib.migrate` hands over.

To write a new revision, pass a connection to a database at head in the same way.
"""

from alembic import context

from pdsno.nib.schema_operators import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite rolls schema changes back too, since we begin its transactions ourselves.
    transactional_ddl=True,
    # SQLite alters a table by copying it.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
