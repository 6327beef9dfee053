"""PostgreSQL as a data source: one read-only transaction on a connection of its own per query.

Rows come by ADBC as Arrow batches, a few megabytes at a time. READ ONLY and the timeouts set here are seat
belts: the login's own rights and the deadline kept in this process do the work. A second, short connection
ends what must end, so a query can be ended whoever started it.
"""

from collections.abc import Iterator

import adbc_driver_postgresql
import psycopg
import pyarrow as pa
from adbc_driver_manager import dbapi

from insight_engine.adapters.sources import postgres_control, postgres_errors
from insight_engine.adapters.sources.running import Ending, Running, RunningQueries, admit, bounded, quietly_closing
from insight_engine.domain.credentials import SourceCredential
from insight_engine.domain.source_errors import SourceError, SourceMisconfigured
from insight_engine.domain.sources import Caller, DataSource
from insight_engine.sqlguard import PreparedQuery

CONNECT_TIMEOUT_S = 5
LOCK_TIMEOUT_MS = 5_000
IDLE_TIMEOUT_MS = 60_000
BATCH_BYTES = 4 * 1024 * 1024
_DRIVER = adbc_driver_postgresql._driver_path()  # noqa: SLF001 - the way its own dbapi module finds it


class PostgresSource:
    """One PostgreSQL database, as one login."""

    def __init__(self, source: DataSource, credential: SourceCredential) -> None:
        self._source = source
        self._credential = credential
        self._conninfo = _conninfo(source, credential)
        self._running = RunningQueries()

    def stream(
        self, prepared: PreparedQuery, *, query_id: str, caller: Caller | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Run a query and yield its rows; see `ports.Source`."""
        admit(prepared, self._source)
        with self._running.enter(query_id, prepared.limits.timeout_s) as running:
            try:
                yield from self._rows(prepared, query_id, caller, running)
            except (dbapi.Error, pa.ArrowException, OSError) as error:
                raise running.error(self._error(error, prepared)) from None

    def cancel(self, query_id: str) -> bool:
        """End a query wherever it was started, and wait until its backend has let go; see `ports.Source`."""
        self._running.mark(query_id, Ending.CANCELLED)
        return postgres_control.end(self._conninfo, application_name(query_id))

    def close(self) -> None:
        """End all queries started here."""
        self._running.cancel_all()

    def _rows(
        self, prepared: PreparedQuery, query_id: str, caller: Caller | None, running: Running
    ) -> Iterator[pa.RecordBatch]:
        options = {adbc_driver_postgresql.StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(BATCH_BYTES)}
        with (
            quietly_closing(connection := self._connect()),
            quietly_closing(cursor := connection.cursor(adbc_stmt_kwargs=options)),
        ):
            _begin(connection, self._settings(prepared, query_id, caller))
            running.on_end(lambda: self._end(connection, query_id))
            try:
                cursor.execute(prepared.sql, prepared.parameters or None)
                yield from bounded(cursor.fetch_record_batch())
            finally:
                _interrupt(connection)

    def _connect(self) -> dbapi.Connection:
        return dbapi.connect(
            driver=_DRIVER,
            entrypoint="AdbcDriverPostgresqlInit",
            db_kwargs={"uri": self._conninfo},
            autocommit=True,
        )

    def _settings(self, prepared: PreparedQuery, query_id: str, caller: Caller | None) -> dict[str, str]:
        return {
            "application_name": application_name(query_id),
            "statement_timeout": f"{max(1, round(prepared.limits.timeout_s * 1000))}ms",
            "lock_timeout": f"{LOCK_TIMEOUT_MS}ms",
            "idle_in_transaction_session_timeout": f"{IDLE_TIMEOUT_MS}ms",
            "search_path": _quoted(self._source.schemas[0]) if self._source.schemas else "public",
            "standard_conforming_strings": "on",
            "insight.user": caller.user if caller else "",
            "insight.role": caller.role.value if caller else "",
        }

    def _end(self, connection: dbapi.Connection, query_id: str) -> None:
        _interrupt(connection)
        postgres_control.end(self._conninfo, application_name(query_id))

    def _error(self, error: Exception, prepared: PreparedQuery) -> SourceError:
        return postgres_errors.explain(error, self._source.name, self._credential, prepared.limits.timeout_s)


def application_name(query_id: str) -> str:
    """How a query's backend is called in `pg_stat_activity`; the server keeps 63 bytes."""
    return f"insight:{query_id}"[:63]


def _conninfo(source: DataSource, credential: SourceCredential) -> str:
    single = {
        "host": credential.host,
        "port": credential.port,
        "dbname": credential.dbname,
        "user": credential.username,
        "password": credential.password,
    }
    if credential.uri is None and credential.host is None:
        raise SourceMisconfigured(f"The secret of data source {source.name} has neither uri nor host: add one.")
    parts = {} if credential.uri is not None else {k: v for k, v in single.items() if v is not None}
    try:
        return psycopg.conninfo.make_conninfo(
            credential.uri or "", connect_timeout=CONNECT_TIMEOUT_S, client_encoding="UTF8", **parts
        )
    except psycopg.Error:
        message = f"The secret of data source {source.name} holds no usable connection URI: check its uri."
        raise SourceMisconfigured(message) from None


def _begin(connection: dbapi.Connection, settings: dict[str, str]) -> None:
    """Open the read-only transaction; settings end with it, so a pooler hands none of them on."""
    calls = ", ".join(f"set_config(${2 * n + 1}, ${2 * n + 2}, true)" for n in range(len(settings)))
    with connection.cursor() as cursor:
        cursor.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {calls}", tuple(part for pair in settings.items() for part in pair))  # noqa: S608
        cursor.fetchall()


def _interrupt(connection: dbapi.Connection) -> None:
    try:
        connection.adbc_cancel()
    except dbapi.Error:
        return


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
