"""DuckDB files as a data source: read-only, no file, network or extension in reach, settings locked."""

import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa

from insight_engine.adapters.sources.running import (
    BATCH_ROWS,
    RunningQueries,
    admit,
    bounded,
    quietly_closing,
)
from insight_engine.domain.source_errors import QueryFailed, SourceMisconfigured, SourceUnreachable
from insight_engine.domain.sources import Caller, DataSource
from insight_engine.sqlguard import PreparedQuery

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
    "python_enable_replacements": "false",
    "memory_limit": "1GB",
    "max_temp_directory_size": "0B",
    "threads": "2",
}


class DuckdbSource:
    """One DuckDB file. Every query has a connection of its own."""

    def __init__(self, source: DataSource) -> None:
        if source.path is None:
            raise SourceMisconfigured(f"Data source {source.name} needs a path to its database file")
        self._source = source
        self._path = source.path
        self._running = RunningQueries()
        self._lock = threading.Lock()
        self._database: tuple[object, duckdb.DuckDBPyConnection] | None = None

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
            connection = self._connect()
            with quietly_closing(connection):
                running.on_end(connection.interrupt)
                try:
                    result = connection.sql(prepared.sql, params=list(prepared.parameters))
                    yield from bounded(result.to_arrow_reader(BATCH_ROWS))
                except (duckdb.Error, pa.ArrowException, OSError, RuntimeError) as error:
                    raise running.error(QueryFailed(self._scrubbed(error))) from None

    def cancel(self, query_id: str) -> bool:
        """End a query; see `ports.Source`."""
        return self._running.cancel(query_id)

    def close(self) -> None:
        """End all queries and close the file."""
        self._running.cancel_all()
        with self._lock:
            if self._database is not None:
                self._database[1].close()
            self._database = None

    def _connect(self) -> duckdb.DuckDBPyConnection:
        """A session of its own on the open file, which is opened again when it was replaced."""
        try:
            with self._lock:
                status = Path(self._path).stat()
                version = (status.st_ino, status.st_mtime_ns, status.st_size)
                if self._database is None or self._database[0] != version:
                    self._database = (version, _open(self._path))
                session = self._database[1].cursor()
            session.execute("SET search_path = ?", [_quoted(self._source.schemas)])
        except (duckdb.Error, OSError):
            message = f"The database file of data source {self._source.name} cannot be opened."
            raise SourceUnreachable(message) from None
        return session

    def _scrubbed(self, error: Exception) -> str:
        message = str(error).replace(self._path, "…").split("\n\n", 1)[0].strip()
        return f"The database says: {message or 'the statement failed'}"


def _open(path: str) -> duckdb.DuckDBPyConnection:
    database = duckdb.connect(path, read_only=True, config=_CONFIG)
    database.execute("SET lock_configuration = true")
    return database


def _quoted(schemas: tuple[str, ...]) -> str:
    return '"' + (schemas[0] if schemas else "main").replace('"', '""') + '"'
