"""What Alembic runs to migrate: always on the connection that the caller hands over.

The whole upgrade is one transaction, so a process killed in the middle leaves the old schema or
the new one. SQLite can do that, although Alembic does not expect it to: hence transactional_ddl.
"""

from alembic import context

from coordinator.schema import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
