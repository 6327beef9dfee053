"""Alembic's entry: runs the revisions on the connection that `migrate.py` gives. Never opens one itself."""

from alembic import context

from insight_engine.adapters.store.tables import SCHEMA, VERSION_TABLE, metadata

connection = context.config.attributes["connection"]
postgres = connection.dialect.name == "postgresql"

context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    version_table_schema=SCHEMA if postgres else None,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
