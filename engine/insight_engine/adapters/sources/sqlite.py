"""SQLite files as a data source: opened read-only, every action put before an authorizer, stoppable.

The guard judges first; the authorizer here holds even for a statement that it never saw.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from insight_engine.adapters.sources.running import (
    BATCH_ROWS,
    Running,
    RunningQueries,
    admit,
    quietly_closing,
)
from insight_engine.adapters.sources.sqlite_arrow import Columns
from insight_engine.domain.source_errors import QueryFailed, SourceMisconfigured, SourceUnreachable
from insight_engine.domain.sources import Caller, DataSource, Dialect
from insight_engine.sqlguard import PreparedQuery
from insight_engine.sqlguard.policies import POLICIES

_STEPS_BETWEEN_CHECKS = 1_000
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 64 * 1024 * 1024,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 64 * 1024 + 1,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1_000,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_SETTINGS = ("query_only=ON", "trusted_schema=OFF", "temp_store=MEMORY", "cell_size_check=ON", "mmap_size=0")
_FUNCTIONS = POLICIES[Dialect.SQLITE].functions | {
    "->",
    "->>",
    "current_date",
    "current_time",
    "current_timestamp",
}


class SqliteSource:
    """One SQLite file. Every query opens it anew."""

    def __init__(self, source: DataSource) -> None:
        if source.path is None:
            raise SourceMisconfigured(f"Data source {source.name} needs a path to its database file")
        self._source = source
        self._path = Path(source.path)
        self._running = RunningQueries()

    def stream(
        self,
        prepared: PreparedQuery,
        *,
        query_id: str,
        caller: Caller | None = None,
        correlation_id: str | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Run a query and yield its rows; see `ports.Source`."""
        del caller, correlation_id
        admit(prepared, self._source)
        with self._running.enter(query_id, prepared.limits.timeout_s) as running:
            try:
                connection = _open(self._path, self._source.name)
                with quietly_closing(connection):
                    yield from _rows(connection, prepared, running)
            except sqlite3.Error as error:
                raise running.error(QueryFailed(_scrubbed(error, self._path))) from None

    def cancel(self, query_id: str) -> bool:
        """End a query; see `ports.Source`."""
        return self._running.cancel(query_id)

    def close(self) -> None:
        """End all queries."""
        self._running.cancel_all()


def _open(path: Path, name: str) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )
        for limit, value in _LIMITS.items():
            connection.setlimit(limit, value)
        for setting in _SETTINGS:
            connection.execute(f"PRAGMA {setting}")
        # A table function is built on first use by a CREATE TABLE, which the authorizer would deny.
        connection.execute("SELECT 1 FROM sqlite_master, json_each('[]'), json_tree('[]')").fetchall()
    except sqlite3.Error:
        raise SourceUnreachable(f"The database file of data source {name} cannot be opened.") from None
    connection.set_authorizer(_authorize)
    return connection


def _authorize(
    action: int, first: str | None, second: str | None, _database: str | None, _trigger: str | None
) -> int:
    """Allow selecting, reading columns of ordinary tables, and the policy's functions; deny all else."""
    if action in {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE}:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_READ:
        own = (first or "").lower().startswith(("sqlite_", "pragma_"))
        return sqlite3.SQLITE_DENY if own else sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in _FUNCTIONS:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _rows(
    connection: sqlite3.Connection, prepared: PreparedQuery, running: Running
) -> Iterator[pa.RecordBatch]:
    connection.set_progress_handler(lambda: running.ending is not None, _STEPS_BETWEEN_CHECKS)
    running.on_end(connection.interrupt)
    cursor = connection.execute(prepared.sql, prepared.parameters)
    columns: Columns | None = None
    while rows := cursor.fetchmany(BATCH_ROWS // 4):
        columns = columns or Columns([item[0] for item in cursor.description], rows)
        yield columns.batch(rows)
    if columns is None:
        yield Columns([item[0] for item in cursor.description or ()], []).batch([])


def _scrubbed(error: sqlite3.Error, path: Path) -> str:
    message = str(error).replace(str(path), "…").strip() or "SQLite refused the statement"
    return f"The database says: {message}."
