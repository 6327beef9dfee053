"""SQLite files as a data source: opened read-only, every action put before an authorizer, stoppable.

The guard judges first; the authorizer here holds even for a statement that it never saw.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pyarrow as pa

from insight_engine.adapters.memory import memory_share
from insight_engine.adapters.sources import sqlite_describe, sqlite_rows
from insight_engine.adapters.sources.running import Running, RunningQueries, admit, quietly_closing
from insight_engine.domain.catalog import SourceSchema
from insight_engine.domain.plans import Plan, SourceCheck
from insight_engine.domain.source_errors import QueryFailed, SourceMisconfigured, SourceUnreachable
from insight_engine.domain.sources import Caller, DataSource, Dialect
from insight_engine.sqlguard import PreparedQuery
from insight_engine.sqlguard.policies import POLICIES

_STEPS_BETWEEN_CHECKS = 1_000
_LOCK_TIMEOUT_S = 2.0
_WRITABLE = "This process may write to the file: mount it read-only."
_TOO_MUCH = "The query needs more memory than it may have: narrow it, or sort and group less."
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 16 * 1024 * 1024,
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
        with self._asked(query_id, prepared.limits.timeout_s) as connection:
            # Both readings of a large result see the same data.
            connection.execute("BEGIN")
            connection.set_authorizer(_authorize)
            yield from sqlite_rows.read(connection, prepared)

    def cancel(self, query_id: str) -> bool:
        """End a query; see `ports.Source`."""
        return self._running.cancel(query_id)

    def explain(self, prepared: PreparedQuery, *, timeout_s: float, caller: Caller | None = None) -> Plan:
        """SQLite's plan; see `ports.Source`."""
        del caller
        admit(prepared, self._source)
        with self._asked(_own_id(), timeout_s) as connection:
            connection.set_authorizer(_authorize)
            rows = _plan(connection, prepared)
        return Plan(sqlite_describe.plan_text(rows), cost=None, rows=None)

    def schema(self, *, timeout_s: float) -> SourceSchema:
        """Its tables; see `ports.Source`."""
        with self._asked(_own_id(), timeout_s) as connection:
            return sqlite_describe.schema(connection, self._source.schemas)

    def check(self, *, timeout_s: float) -> SourceCheck:
        """Open it and read a page; see `ports.Source`."""
        started = time.monotonic()
        with self._asked(_own_id(), timeout_s) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        took = (time.monotonic() - started) * 1000
        writable = os.access(self._path, os.W_OK)
        return SourceCheck(f"SQLite {sqlite3.sqlite_version}", took, (_WRITABLE,) if writable else ())

    def close(self) -> None:
        """End all queries."""
        self._running.cancel_all()

    @contextmanager
    def _asked(self, query_id: str, timeout_s: float) -> Iterator[sqlite3.Connection]:
        """The file, open for one query that can be ended."""
        with (
            self._running.enter(query_id, timeout_s) as running,
            quietly_closing(connection := self._open(running)),
        ):
            try:
                yield connection
            except MemoryError:
                raise running.error(QueryFailed(_TOO_MUCH)) from None
            except (sqlite3.Error, OverflowError, UnicodeError) as error:
                raise running.error(QueryFailed(f"The database says: {self._scrubbed(error)}.")) from None

    def _open(self, running: Running) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode=ro",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
                timeout=_LOCK_TIMEOUT_S,
            )
            _stoppable(connection, running)
            _prepare(connection)
        except (sqlite3.Error, OSError) as error:
            message = (
                f"The database file of data source {self._source.name} cannot be opened: "
                f"{self._scrubbed(error)}."
            )
            raise running.error(SourceUnreachable(message)) from None
        return connection

    def _scrubbed(self, error: Exception) -> str:
        return str(error).replace(str(self._path), "…").strip().rstrip(".") or "the statement failed"


def _plan(connection: sqlite3.Connection, prepared: PreparedQuery) -> list[tuple[int, int, int, str]]:
    return connection.execute(f"EXPLAIN QUERY PLAN {prepared.sql}", sqlite_rows.bound(prepared)).fetchall()


def _own_id() -> str:
    return f"own {uuid4()}"


def _prepare(connection: sqlite3.Connection) -> None:
    for limit, value in _LIMITS.items():
        connection.setlimit(limit, value)
    # The heap is the process's: the library knows no limit per connection.
    connection.execute(f"PRAGMA hard_heap_limit={memory_share()}")
    for setting in _SETTINGS:
        connection.execute(f"PRAGMA {setting}")
    # A table function is built on first use by a CREATE TABLE, which the authorizer would deny.
    connection.execute("SELECT 1 FROM sqlite_master, json_each('[]'), json_tree('[]')").fetchall()


def _stoppable(connection: sqlite3.Connection, running: Running) -> None:
    def interrupt() -> None:
        with suppress(sqlite3.Error):  # closed already
            connection.interrupt()

    connection.set_progress_handler(lambda: running.ending is not None, _STEPS_BETWEEN_CHECKS)
    running.on_end(interrupt)


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
