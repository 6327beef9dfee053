"""Brings a SQLite metadata store to this release's schema. Blocking; quick when there is nothing to do."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from insight_engine.adapters.store.tables import REVISION, VERSION_TABLE
from insight_engine.adapters.store.upgrade import upgrade


def migrate_sqlite(path: Path) -> str:
    """Migrate a SQLite file, made if it does not exist; the revision reached."""
    if path.exists() and _sqlite_revision(path) == REVISION:
        return REVISION
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, hide_parameters=True)
    with engine.begin() as connection:
        return upgrade(connection, {}, None)


def _sqlite_revision(path: Path) -> str | None:
    with closing(sqlite3.connect(path)) as connection:
        try:
            row = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()  # noqa: S608
        except sqlite3.OperationalError:
            return None
    return None if row is None else str(row[0])
