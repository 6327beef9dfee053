"""DuckDB files as a data source: read-only, in a process of its own that can reach nothing else.

A sealed query stays on this side; the process runs the text that it is sent, and is ended to end a query.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pyarrow as pa

from insight_engine.adapters.duckdb_process.messages import THREADS, Question
from insight_engine.adapters.duckdb_process.pool import ProcessPool
from insight_engine.adapters.duckdb_process.process import DatabaseProcess, ProcessDiedError, RefusedError
from insight_engine.adapters.sources import duckdb_describe, duckdb_files
from insight_engine.adapters.sources.duckdb_arrow import standard
from insight_engine.adapters.sources.running import Running, RunningQueries, admit
from insight_engine.domain.catalog import SourceSchema
from insight_engine.domain.plans import Plan, SourceCheck
from insight_engine.domain.source_errors import QueryFailed, SourceMisconfigured, SourceUnreachable
from insight_engine.domain.sources import Caller, DataSource
from insight_engine.sqlguard import PreparedQuery

_CPU_SLACK_S: Final = 5.0
_DIED = (
    "The database process of this query ended ({why}): it needed too much memory, or met a fault of DuckDB. "
    "Narrow the query."
)
_TOO_MUCH = "the query needs more memory than it may have: narrow it, or sort and group less."
_UNCONFINED = (
    "The kernel takes no system call filter: DuckDB is kept from files and the network by its settings alone."
)


class DuckdbSource:
    """One DuckDB file, or one folder of Parquet and CSV files."""

    def __init__(self, source: DataSource) -> None:
        if source.path is None:
            raise SourceMisconfigured(f"Data source {source.name} needs a path to its file or folder")
        self._source = source
        self._path = Path(source.path).absolute()
        self._running = RunningQueries()
        self._pool = ProcessPool()

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
        question = _question(prepared, prepared.limits.timeout_s)
        with self._asked(query_id, prepared.limits.timeout_s, prepared.tables) as (process, _):
            for batch in process.batches(question):
                yield standard(batch)

    def cancel(self, query_id: str) -> bool:
        """End a query; see `ports.Source`."""
        return self._running.cancel(query_id)

    def explain(self, prepared: PreparedQuery, *, timeout_s: float, caller: Caller | None = None) -> Plan:
        """DuckDB's plan; see `ports.Source`."""
        del caller
        admit(prepared, self._source)
        with self._asked(_own_id(), timeout_s, prepared.tables) as (process, _):
            rows = process.rows(_question(prepared, timeout_s, plan=True))
        return Plan(self._scrubbed("\n".join(str(row[-1]) for row in rows)), cost=None, rows=None)

    def schema(self, *, timeout_s: float) -> SourceSchema:
        """Its tables; see `ports.Source`. A file that cannot be read is none."""
        question = Question(duckdb_describe.COLUMNS, timeout_s, own=True, rows=True)
        with self._asked(_own_id(), timeout_s) as (process, _):
            rows = process.rows(question)
            files = process.opening.path is None
        return duckdb_describe.schema(rows, self._source.schemas, files=files)

    def check(self, *, timeout_s: float) -> SourceCheck:
        """Open it and read its catalog; see `ports.Source`."""
        started = time.monotonic()
        question = Question("SELECT count(*) FROM duckdb_tables()", timeout_s, own=True, rows=True)
        with self._asked(_own_id(), timeout_s) as (process, problems):
            process.rows(question)
            told = process.wait_until_ready()
        took = (time.monotonic() - started) * 1000
        warnings = [f"Table main.{name} cannot be read: {why}." for name, why in sorted(problems.items())]
        if not told["confined"]:
            warnings.append(_UNCONFINED)
        if os.access(self._path, os.W_OK):
            warnings.append("This process may write to the files: mount them read-only.")
        return SourceCheck(f"DuckDB {told['version']}", took, tuple(warnings))

    def close(self) -> None:
        """End all queries and processes."""
        self._running.cancel_all()
        self._pool.close()

    @contextmanager
    def _asked(
        self, query_id: str, timeout_s: float, tables: tuple[str, ...] = ()
    ) -> Iterator[tuple[DatabaseProcess, dict[str, str]]]:
        """A process with the files as they are now open, and what is wrong with which of them."""
        with self._running.enter(query_id, timeout_s) as running:
            opening, problems = duckdb_files.look(self._source, self._path)
            try:
                with self._pool.borrowed(opening, running.on_end) as process:
                    problems |= self._opened(process, running)
                    self._refuse_unreadable(tables, problems)
                    yield process, problems
            except RefusedError as error:
                raise running.error(QueryFailed(f"The database says: {self._reason(error)}")) from None
            except ProcessDiedError as error:
                raise running.error(QueryFailed(_DIED.format(why=error))) from None
            except OSError as error:
                message = f"Data source {self._source.name} could get no process: {error.strerror}."
                raise running.error(SourceUnreachable(message)) from None

    def _opened(self, process: DatabaseProcess, running: Running) -> dict[str, str]:
        try:
            problems: dict[str, Any] = process.wait_until_ready()["problems"]
        except RefusedError as error:
            message = f"Data source {self._source.name} cannot be opened: {self._reason(error)}"
            raise running.error(SourceUnreachable(message)) from None
        return {name: self._scrubbed(str(why)) for name, why in problems.items()}

    @staticmethod
    def _refuse_unreadable(tables: tuple[str, ...], problems: dict[str, str]) -> None:
        for name, why in problems.items():
            if f"main.{name}".lower() in {table.lower() for table in tables}:
                raise QueryFailed(f"Table main.{name} cannot be read: {why}.")

    def _reason(self, error: RefusedError) -> str:
        """DuckDB's own words, less the piece of the statement that follows them."""
        if str(error).startswith("Out of Memory"):
            return _TOO_MUCH
        return self._scrubbed(str(error)).split("\n\n", 1)[0].strip() or "the statement failed"

    def _scrubbed(self, message: str) -> str:
        for path in {str(self._path), str(self._path.resolve())}:
            message = message.replace(path, "…")
        return message


def _question(prepared: PreparedQuery, timeout_s: float, *, plan: bool = False) -> Question:
    given = prepared.parameters
    bound = tuple(given) if isinstance(given, tuple) else dict(given)
    cpu_s = timeout_s * THREADS + _CPU_SLACK_S
    return Question(prepared.sql, cpu_s, bound, plan=plan, rows=plan)


def _own_id() -> str:
    return f"own {uuid4()}"
