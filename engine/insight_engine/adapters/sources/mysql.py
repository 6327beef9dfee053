"""MySQL and MariaDB as a data source: a connection of its own per query, read-only, statements prepared.

READ ONLY and the timeouts set here are seat belts: the login's own rights and the deadline kept in this
process do the work. Values are bound by the server (mysql_protocol.py), never written into the statement.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pyarrow as pa
import pymysql

from insight_engine.adapters.sources import mysql_describe, mysql_errors, mysql_session
from insight_engine.adapters.sources.mysql_connect import Connection, Login
from insight_engine.adapters.sources.mysql_protocol import Statement
from insight_engine.adapters.sources.mysql_session import Session
from insight_engine.adapters.sources.mysql_types import Column, read_row
from insight_engine.adapters.sources.permits import Permits
from insight_engine.adapters.sources.running import Running, RunningQueries, admit, quietly_closing
from insight_engine.domain.catalog import SourceSchema
from insight_engine.domain.credentials import SourceCredential
from insight_engine.domain.plans import Plan, SourceCheck
from insight_engine.domain.source_errors import SourceError
from insight_engine.domain.sources import Caller, DataSource
from insight_engine.sqlguard import PreparedQuery

BATCH_ROWS: Final = 8_192
BATCH_BYTES: Final = 4 * 1024 * 1024
ANSWER_GRACE_S: Final = 1.0
"""Seconds after its deadline that the server may take to say that it stopped."""

_DRIVER_ERRORS: Final = (pymysql.Error, UnicodeError, pa.ArrowException, OSError)


class MysqlSource:
    """The schemas of one MySQL or MariaDB server, as one login."""

    def __init__(self, source: DataSource, credential: SourceCredential) -> None:
        self._source = source
        self._login = Login(source.name, credential, source.schemas[0] if source.schemas else None)
        self._permits = Permits(source.name, source.max_connections)
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
        variables = _variables(caller, correlation_id)
        with self._running.enter(query_id, prepared.limits.timeout_s) as running:
            try:
                yield from self._rows(prepared.sql, prepared, query_id, variables, running)
                running.check()
            except _DRIVER_ERRORS as error:
                raise running.error(self._error(error, prepared.limits.timeout_s)) from None

    def cancel(self, query_id: str) -> bool:
        """End a query wherever it was started, and wait until the server has let go; see `ports.Source`."""
        if self._running.knows(query_id):
            return self._running.cancel(query_id)
        return mysql_session.end(self._login, query_id)

    def explain(self, prepared: PreparedQuery, *, timeout_s: float, caller: Caller | None = None) -> Plan:
        """The optimizer's plan, with a cost where the server tells one; see `ports.Source`."""
        admit(prepared, self._source)
        name, sql = f"explain-{time.monotonic_ns()}", "EXPLAIN FORMAT=JSON " + prepared.sql
        with self._running.enter(name, timeout_s) as running:
            try:
                batches = list(self._rows(sql, prepared, name, _variables(caller, None), running))
            except _DRIVER_ERRORS as error:
                raise running.error(self._error(error, timeout_s)) from None
        return mysql_describe.plan("".join(str(v) for batch in batches for v in batch.column(0).to_pylist()))

    def schema(self, *, timeout_s: float) -> SourceSchema:
        """What the login may read; see `ports.Source`."""
        with self._control(timeout_s) as connection:
            return mysql_describe.schema(connection, self._source.schemas)

    def check(self, *, timeout_s: float) -> SourceCheck:
        """Try the login; see `ports.Source`."""
        started = time.monotonic()
        with self._control(timeout_s) as connection:
            return mysql_describe.check(connection, self._source.schemas, started)

    def close(self) -> None:
        """End all queries started here."""
        self._running.cancel_all()

    def _rows(
        self, sql: str, prepared: PreparedQuery, query_id: str, variables: dict[str, str], running: Running
    ) -> Iterator[pa.RecordBatch]:
        with self._permits.one(running):
            session = Session(self._login, running.timeout_s, ANSWER_GRACE_S)
            with quietly_closing(session):
                running.on_end(session.interrupt)
                try:
                    session.begin(query_id, running.timeout_s, variables)
                    statement = Statement(session.connection, sql)
                    statement.execute(prepared.parameters)
                    yield from _batches(statement)
                except pymysql.Error:
                    raise  # the server ended the statement itself
                except BaseException:
                    session.interrupt()
                    raise

    @contextmanager
    def _control(self, timeout_s: float) -> Iterator[Connection]:
        try:
            connection = self._login.connect(timeout_s)
            with quietly_closing(connection):
                yield connection
        except _DRIVER_ERRORS as error:
            raise self._error(error, timeout_s) from None

    def _error(self, error: Exception, timeout_s: float) -> SourceError:
        return mysql_errors.explain(error, self._source.name, self._login.secrets, timeout_s)


def _variables(caller: Caller | None, correlation_id: str | None) -> dict[str, str]:
    """What views and row rules of the server may look at, as `@insight_user` and so on."""
    return {
        "insight_user": caller.user if caller else "",
        "insight_role": caller.role.value if caller else "",
        "insight_correlation_id": correlation_id or "",
    }


def _batches(statement: Statement) -> Iterator[pa.RecordBatch]:
    columns = [Column(field) for field in statement.columns]
    rows: list[list[Any]] = []
    size, sent = 0, False
    for packet in statement.rows():
        rows.append(read_row(packet, columns))
        size += len(packet)
        if len(rows) >= BATCH_ROWS or size >= BATCH_BYTES:
            yield _batch(columns, rows)
            rows, size, sent = [], 0, True
    if rows or not sent:
        yield _batch(columns, rows)


def _batch(columns: list[Column], rows: list[list[Any]]) -> pa.RecordBatch:
    values: Any = zip(*rows, strict=True) if rows else ((),) * len(columns)
    arrays = [column.decode(list(held)) for column, held in zip(columns, values, strict=True)]
    fields = [pa.field(column.name, array.type) for column, array in zip(columns, arrays, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))
