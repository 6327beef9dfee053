"""Runs the migrations on an open connection, whatever the database."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from insight_engine.adapters.store.tables import REVISION, VERSION_TABLE
from insight_engine.domain.errors import ConfigurationError


def upgrade(connection: Connection, attributes: dict[str, Any], schema: str | None) -> str:
    """Migrate to the newest revision, which is returned; `attributes` are what the revisions may ask for.

    Raises:
        ConfigurationError: a newer release has migrated this database; nothing was touched.
    """
    # Half a second of imports that an embedded engine, once migrated, starts without.
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes.update(attributes, connection=connection)
    context = MigrationContext.configure(
        connection, opts={"version_table": VERSION_TABLE, "version_table_schema": schema}
    )
    found = context.get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise ConfigurationError(
            "schema_newer",
            f"The database has the schema {found} of a newer release, this one knows up to {REVISION}: "
            "use the image of that release, or a later one",
        )
    command.upgrade(config, "head")
    return str(context.get_current_revision())
