"""What every adapter shares: which queries run or ran, how to end one from another thread, and its deadline.

The deadline is kept here, outside the database: no statement can talk its way past it.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto
from functools import partial
from typing import Protocol

import pyarrow as pa

from insight_engine.adapters.sources.watchdog import WATCHDOG
from insight_engine.domain.source_errors import (
    QueryCancelled,
    QueryFailed,
    QueryTimedOut,
    SourceError,
    SourceMisconfigured,
)
from insight_engine.domain.sources import DataSource
from insight_engine.sqlguard.sealed import PreparedQuery, facts

BATCH_ROWS = 65_536
_RELEASE_TIMEOUT_S = 10.0
_END_AGAIN_S = 0.1
_REMEMBERED_S = 3.0


class Ending(Enum):
    """Why a query was ended from outside."""

    CANCELLED = auto()
    TIMED_OUT = auto()


class Running:
    """One query that runs: remembers why it was ended and knows how to end it."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self.deadline = time.monotonic() + timeout_s
        self.ending: Ending | None = None
        self.released = threading.Event()
        self._lock = threading.Lock()
        self._interrupt: Callable[[], None] | None = None

    def on_end(self, interrupt: Callable[[], None]) -> None:
        """Say how to interrupt the database's work; at once if the end came first."""
        with self._lock:
            self._interrupt = interrupt
            ended = self.ending is not None
        if ended:
            interrupt()

    def end(self, why: Ending) -> None:
        """End the query; the first reason given stays."""
        with self._lock:
            self.ending = self.ending or why
            interrupt = self._interrupt
        if interrupt is not None and not self.released.is_set():
            interrupt()

    def check(self) -> None:
        """Raise when it was ended from outside: an answer that came all the same may not be the whole one."""
        if self.ending is None and time.monotonic() > self.deadline:
            self.ending = Ending.TIMED_OUT
        if self.ending is not None:
            raise self.error(QueryCancelled("The query was cancelled."))

    def error(self, otherwise: SourceError) -> SourceError:
        """The error to raise: why it was ended, or `otherwise` when nobody ended it."""
        if self.ending is Ending.CANCELLED:
            return QueryCancelled("The query was cancelled.")
        if self.ending is Ending.TIMED_OUT:
            return timed_out(self.timeout_s)
        return otherwise


class RunningQueries:
    """The queries that one adapter runs, by id."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queries: dict[str, Running] = {}
        self._ended: dict[str, float] = {}

    @contextmanager
    def enter(self, query_id: str, timeout_s: float) -> Iterator[Running]:
        """Register a query, and end it when its time is up."""
        running = Running(timeout_s)
        with self._lock:
            if query_id in self._queries:
                raise QueryFailed(f"Query {query_id} runs already.")
            self._queries[query_id] = running
        deadline = WATCHDOG.call_at(running.deadline, partial(running.end, Ending.TIMED_OUT))
        try:
            yield running
        finally:
            WATCHDOG.forget(deadline)
            running.released.set()
            with self._lock:
                del self._queries[query_id]
                self._remember(query_id)

    def knows(self, query_id: str) -> bool:
        """Whether it runs here or lately did."""
        with self._lock:
            return query_id in self._queries or self._ended_lately(query_id)

    def cancel(self, query_id: str) -> bool:
        """End a query and wait until the database has let go; True at once when it ended here lately.

        False when it did not run here or does not end in time.
        """
        with self._lock:
            running = self._queries.get(query_id)
            if running is None:
                return self._ended_lately(query_id)
        deadline = time.monotonic() + _RELEASE_TIMEOUT_S
        running.end(Ending.CANCELLED)
        while not running.released.wait(_END_AGAIN_S):
            if time.monotonic() > deadline:
                return False
            running.end(Ending.CANCELLED)  # what was asked for before the statement began was not heard
        return True

    def _remember(self, query_id: str) -> None:
        now = time.monotonic()
        while (oldest := next(iter(self._ended), None)) and now - self._ended[oldest] >= _REMEMBERED_S:
            del self._ended[oldest]
        self._ended.pop(query_id, None)  # the order is by time
        self._ended[query_id] = now

    def _ended_lately(self, query_id: str) -> bool:
        """For a moment only: a query that was handed back may soon run elsewhere under the same id."""
        return time.monotonic() - self._ended.get(query_id, -_REMEMBERED_S) < _REMEMBERED_S

    def cancel_all(self) -> None:
        """End every query."""
        with self._lock:
            queries = tuple(self._queries.values())
        for running in queries:
            running.end(Ending.CANCELLED)
        for running in queries:
            running.released.wait(_RELEASE_TIMEOUT_S)


def timed_out(timeout_s: float) -> QueryTimedOut:
    """The error of a query that met its time limit."""
    return QueryTimedOut(
        f"The query took longer than {timeout_s:g} s and was ended: narrow it or ask for a longer limit."
    )


def admit(prepared: PreparedQuery, source: DataSource) -> None:
    """Let only what was judged for this very source pass.

    Raises:
        NotPreparedError: when `prepared` is not from `prepare()`.
        SourceMisconfigured: when it was judged for another source.
    """
    if facts(prepared).source != source:
        raise SourceMisconfigured(f"The query was judged for another data source than {source.name}.")


def bounded(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """The batches of a reader, cut to at most BATCH_ROWS rows; an empty one when there is none."""
    empty = True
    for batch in reader:
        for offset in range(0, batch.num_rows, BATCH_ROWS):
            empty = False
            yield batch.slice(offset, BATCH_ROWS)
    if empty:
        yield pa.RecordBatch.from_pylist([], schema=reader.schema)


class Closable(Protocol):
    """Something that is closed when done with."""

    def close(self) -> None:
        """Let go."""
        ...


@contextmanager
def quietly_closing(thing: Closable) -> Iterator[None]:
    """Close a thing at the end; that it fails to close changes nothing any more."""
    try:
        yield
    finally:
        with suppress(Exception):
            thing.close()
