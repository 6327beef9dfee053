"""Brings a SQLite metadata store to this release's schema. Blocking; quick when there is nothing to do."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, String, Table, create_engine
from sqlalchemy.pool import NullPool

from insight_engine.adapters.store.tables import (
    RESULTS_SCHEMA,
    REVISION,
    SCHEMA,
    VERSION_TABLE,
    metadata,
)
from insight_engine.adapters.store.upgrade import upgrade


def migrate_sqlite(path: Path) -> str:
    """Migrate a SQLite file, made if it does not exist; the revision reached."""
    if not path.exists():
        return _made(path)
    if _sqlite_revision(path) == REVISION:
        return REVISION
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, hide_parameters=True)
    with engine.begin() as connection:
        return upgrade(connection, {}, None)


def _made(path: Path) -> str:
    """A new file with the schema that the migrations lead to; loading those would take long."""
    fresh = path.with_suffix(".new")  # a crash leaves no half-made store
    fresh.unlink(missing_ok=True)
    engine = create_engine(f"sqlite:///{fresh}", poolclass=NullPool, hide_parameters=True)
    # As Alembic makes it, which a later release will look for it with.
    version = Table(
        VERSION_TABLE,
        MetaData(),
        Column("version_num", String(32), nullable=False),
        PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
    )
    unnamed = {SCHEMA: None, RESULTS_SCHEMA: None}  # SQLite knows no schemas
    with engine.connect().execution_options(schema_translate_map=unnamed) as connection, connection.begin():
        metadata.create_all(connection)
        version.create(connection)
        connection.execute(version.insert().values(version_num=REVISION))
    fresh.replace(path)
    return REVISION


def _sqlite_revision(path: Path) -> str | None:
    with closing(sqlite3.connect(path)) as connection:
        try:
            row = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()  # noqa: S608
        except sqlite3.OperationalError:
            return None
    return None if row is None else str(row[0])
