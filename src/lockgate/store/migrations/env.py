"""What Alembic runs. The caller hands in its connection, whose transaction stays the caller's."""

from alembic import context

from lockgate.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
