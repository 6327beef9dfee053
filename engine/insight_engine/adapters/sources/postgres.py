"""PostgreSQL as a data source: a read-only transaction per query, on a connection without a past.

READ ONLY and the timeouts set here are seat belts: the login's own rights and the deadline kept in this
process do the work. A query can be ended whoever started it: its backend carries its name.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psycopg
import pyarrow as pa

from insight_engine.adapters.sources import postgres_control, postgres_describe, postgres_errors
from insight_engine.adapters.sources.permits import Permits
from insight_engine.adapters.sources.postgres_connect import Login
from insight_engine.adapters.sources.postgres_parameters import bound
from insight_engine.adapters.sources.postgres_pool import Pool
from insight_engine.adapters.sources.postgres_rows import Batches
from insight_engine.adapters.sources.postgres_session import ConnectionBrokenError, ServerError
from insight_engine.adapters.sources.postgres_types import TYPES, Types
from insight_engine.adapters.sources.running import Running, RunningQueries, admit
from insight_engine.domain.catalog import SourceSchema
from insight_engine.domain.credentials import SourceCredential
from insight_engine.domain.plans import Plan, SourceCheck
from insight_engine.domain.query import QueryLimits
from insight_engine.domain.source_errors import SourceError
from insight_engine.domain.sources import Caller, DataSource
from insight_engine.sqlguard import PreparedQuery

Settings = tuple[tuple[str, str], ...]
LOCK_TIMEOUT_MS: Final = 5_000
IDLE_TIMEOUT_MS: Final = 60_000
ORPHAN_CHECK_MS: Final = 200
"""How often a working backend looks whether its client still lives; a killed worker's backend ends soon."""

ANSWER_GRACE_S: Final = 1.0
"""Seconds after its deadline that the server may take to say that it stopped."""

_EXPLAIN: Final = "EXPLAIN (FORMAT TEXT) "
"""With options of its own, so that nothing of the statement can be taken for one."""

_ORPHAN_CHECK_SINCE: Final = 14_00_00
_DRIVER_ERRORS: Final = (
    psycopg.Error,
    ServerError,
    ConnectionBrokenError,
    UnicodeError,
    pa.ArrowException,
    OSError,
)


class PostgresSource:
    """One PostgreSQL database, as one login."""

    def __init__(self, source: DataSource, credential: SourceCredential) -> None:
        self._source = source
        self._login = Login(source.name, credential)
        permits = Permits(source.name, source.max_connections)
        self._pool = Pool(self._login.connect, permits, self._end)
        self._types = Types(self._look_up)
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
                settings = self._settings(query_id, prepared.limits, caller, correlation_id)
                yield from self._rows(prepared.sql, prepared, settings, running)
                running.check()
            except _DRIVER_ERRORS as error:
                raise running.error(self._error(error, prepared.limits.timeout_s)) from None

    def cancel(self, query_id: str) -> bool:
        """End a query wherever it was started, and wait until its backend has let go; see `ports.Source`.

        One that ran here costs no further login: its own connection knows.
        """
        if self._running.knows(query_id):
            return self._running.cancel(query_id)
        return self._end(application_name(query_id))

    def explain(self, prepared: PreparedQuery, *, timeout_s: float, caller: Caller | None = None) -> Plan:
        """The planner's plan and cost; see `ports.Source`."""
        admit(prepared, self._source)
        name = f"explain-{time.monotonic_ns()}"
        with self._running.enter(name, timeout_s) as running:
            try:
                settings = self._settings(name, QueryLimits(timeout_s=timeout_s), caller, None)
                batches = self._rows(_EXPLAIN + prepared.sql, prepared, settings, running)
                lines = [str(line) for batch in batches for line in batch.column(0).to_pylist()]
            except _DRIVER_ERRORS as error:
                raise running.error(self._error(error, timeout_s)) from None
        return postgres_describe.plan(lines)

    def schema(self, *, timeout_s: float) -> SourceSchema:
        """What the login may read; see `ports.Source`."""
        with self._control(timeout_s) as connection:
            return postgres_describe.schema(connection, self._source.schemas)

    def check(self, *, timeout_s: float) -> SourceCheck:
        """Try the login; see `ports.Source`."""
        started = time.monotonic()
        with self._control(timeout_s) as connection:
            return postgres_describe.check(connection, self._source.schemas, started)

    def close(self) -> None:
        """End all queries started here and close what is kept open."""
        self._running.cancel_all()
        self._pool.close()
        self._login.close()

    def _rows(
        self, sql: str, prepared: PreparedQuery, settings: Settings, running: Running
    ) -> Iterator[pa.RecordBatch]:
        values = bound(prepared.parameters)
        with self._pool.session(running) as session:
            deadline = running.deadline + ANSWER_GRACE_S
            results = session.run(sql, values, _with_orphan_check(session.version, settings), deadline)
            yield from Batches(session.connection, self._types).of(results)

    def _settings(
        self, query_id: str, limits: QueryLimits, caller: Caller | None, correlation_id: str | None
    ) -> Settings:
        settings = {
            "application_name": application_name(query_id),
            "statement_timeout": f"{max(1, round(limits.timeout_s * 1000))}ms",
            "lock_timeout": f"{LOCK_TIMEOUT_MS}ms",
            "idle_in_transaction_session_timeout": f"{IDLE_TIMEOUT_MS}ms",
            "search_path": search_path(self._source.schemas),
            "standard_conforming_strings": "on",
            "DateStyle": "ISO",
            "IntervalStyle": "postgres",
            "extra_float_digits": "1",
            "bytea_output": "hex",
            "insight.user": caller.user if caller else "",
            "insight.role": caller.role.value if caller else "",
            "insight.correlation_id": correlation_id or "",
        }
        return tuple(settings.items())

    @contextmanager
    def _control(self, timeout_s: float) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """A read-only connection for questions about the database itself."""
        try:
            with self._login.connect() as connection:
                connection.execute(
                    "SELECT set_config('default_transaction_read_only', 'on', false), "
                    "set_config('search_path', '', false), set_config('statement_timeout', %s, false)",
                    (f"{max(1, round(timeout_s * 1000))}ms",),
                )
                yield connection
        except _DRIVER_ERRORS as error:
            raise self._error(error, timeout_s) from None

    def _end(self, name: str) -> bool:
        return postgres_control.end(self._login, name)

    def _look_up(self, oids: Sequence[int]) -> Sequence[tuple[Any, ...]]:
        with self._control(LOCK_TIMEOUT_MS / 1000) as connection:
            return connection.execute(TYPES, (list(oids),)).fetchall()

    def _error(self, error: Exception, timeout_s: float) -> SourceError:
        return postgres_errors.explain(error, self._source.name, self._login.secrets, timeout_s)


def application_name(query_id: str) -> str:
    """How a query's backend is called in `pg_stat_activity`; the server keeps 63 bytes."""
    return f"insight:{query_id}"[:63]


def _with_orphan_check(version: int, settings: Settings) -> Settings:
    if version < _ORPHAN_CHECK_SINCE:
        return settings
    return (*settings, ("client_connection_check_interval", f"{ORPHAN_CHECK_MS}ms"))


def search_path(schemas: tuple[str, ...]) -> str:
    """Where unqualified names are looked up: built-in ones always win, temporary ones never do."""
    named = '"' + schemas[0].replace('"', '""') + '"' if schemas else "public"
    return f"pg_catalog, {named}, pg_temp"
