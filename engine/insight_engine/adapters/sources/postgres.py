"""PostgreSQL as a data source: one read-only transaction on a connection of its own per query.

Rows come by ADBC as Arrow batches, a few megabytes at a time. READ ONLY and the timeouts set here are seat
belts: the login's own rights and the deadline kept in this process do the work. A second, short connection
ends what must end, so a query can be ended whoever started it.
"""

from collections.abc import Iterator

import adbc_driver_postgresql
import pyarrow as pa
from adbc_driver_manager import dbapi

from insight_engine.adapters.sources import postgres_control, postgres_errors
from insight_engine.adapters.sources.postgres_connect import Connections, begin, conninfo, interrupt
from insight_engine.adapters.sources.running import (
    Ending,
    Running,
    RunningQueries,
    admit,
    bounded,
    quietly_closing,
)
from insight_engine.domain.credentials import SourceCredential
from insight_engine.domain.source_errors import SourceError
from insight_engine.domain.sources import Caller, DataSource
from insight_engine.sqlguard import PreparedQuery

Settings = tuple[tuple[str, str], ...]
LOCK_TIMEOUT_MS = 5_000
IDLE_TIMEOUT_MS = 60_000
BATCH_BYTES = 4 * 1024 * 1024


class PostgresSource:
    """One PostgreSQL database, as one login."""

    def __init__(self, source: DataSource, credential: SourceCredential) -> None:
        self._source = source
        self._credential = credential
        self._conninfo = conninfo(source.name, credential)
        self._connections = Connections(self._conninfo)
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
        admit(prepared, self._source)
        with self._running.enter(query_id, prepared.limits.timeout_s) as running:
            try:
                settings = self._settings(prepared, query_id, caller, correlation_id)
                yield from self._rows(prepared, query_id, settings, running)
            except (dbapi.Error, pa.ArrowException, OSError) as error:
                raise running.error(self._error(error, prepared)) from None

    def cancel(self, query_id: str) -> bool:
        """End a query wherever it was started, and wait until its backend has let go; see `ports.Source`."""
        self._running.mark(query_id, Ending.CANCELLED)
        return postgres_control.end(self._conninfo, application_name(query_id))

    def close(self) -> None:
        """End all queries started here and close what is kept open."""
        self._running.cancel_all()
        self._connections.close()

    def _rows(
        self, prepared: PreparedQuery, query_id: str, settings: Settings, running: Running
    ) -> Iterator[pa.RecordBatch]:
        options = {adbc_driver_postgresql.StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(BATCH_BYTES)}
        with (
            quietly_closing(connection := self._connections.open()),
            quietly_closing(cursor := connection.cursor(adbc_stmt_kwargs=options)),
        ):
            begin(connection, settings)
            running.on_end(lambda: self._end(connection, query_id))
            try:
                cursor.execute(prepared.sql, prepared.parameters or None)
                yield from bounded(cursor.fetch_record_batch())
            finally:
                interrupt(connection)

    def _settings(
        self, prepared: PreparedQuery, query_id: str, caller: Caller | None, correlation_id: str | None
    ) -> Settings:
        settings = {
            "application_name": application_name(query_id),
            "statement_timeout": f"{max(1, round(prepared.limits.timeout_s * 1000))}ms",
            "lock_timeout": f"{LOCK_TIMEOUT_MS}ms",
            "idle_in_transaction_session_timeout": f"{IDLE_TIMEOUT_MS}ms",
            "search_path": _quoted(self._source.schemas[0]) if self._source.schemas else "public",
            "standard_conforming_strings": "on",
            "insight.user": caller.user if caller else "",
            "insight.role": caller.role.value if caller else "",
            "insight.correlation_id": correlation_id or "",
        }
        return tuple(settings.items())

    def _end(self, connection: dbapi.Connection, query_id: str) -> None:
        interrupt(connection)
        postgres_control.end(self._conninfo, application_name(query_id))

    def _error(self, error: Exception, prepared: PreparedQuery) -> SourceError:
        return postgres_errors.explain(error, self._source.name, self._credential, prepared.limits.timeout_s)


def application_name(query_id: str) -> str:
    """How a query's backend is called in `pg_stat_activity`; the server keeps 63 bytes."""
    return f"insight:{query_id}"[:63]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
