"""Runs the migrations on an open connection, whatever the database."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from insight_engine.adapters.store.tables import VERSION_TABLE


def upgrade(connection: Connection, attributes: dict[str, Any], schema: str | None) -> str:
    """Migrate to the newest revision, which is returned; `attributes` are what the revisions may ask for."""
    # Half a second of imports that an embedded engine, once migrated, starts without.
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes.update(attributes, connection=connection)
    command.upgrade(config, "head")
    context = MigrationContext.configure(
        connection, opts={"version_table": VERSION_TABLE, "version_table_schema": schema}
    )
    return str(context.get_current_revision())
