"""From a source's blocking stream to stored chunks: a thread pulls ahead by one, the event loop stores.

The database is told to stop only when the stream did not end by itself: that costs a login of its own.
"""

import asyncio
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from insight_engine.domain.errors import EngineError
from insight_engine.domain.jobs import Attempt, Outcome, Timings
from insight_engine.domain.query import QueryLimits
from insight_engine.domain.source_errors import QueryFailed
from insight_engine.ports import Chunks
from insight_engine.services.chunking import Chunk, chunks_of
from insight_engine.telemetry import get_logger

if TYPE_CHECKING:
    from insight_engine.services.running import Progress

STOP_WITHIN_S: Final = 20.0
"""Seconds that a source is given to end a query, over and over asked."""
STOP_AGAIN_S: Final = 0.05


class Stopwatch:
    """Measures how long a query waits for its source; used by one thread at a time."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self._first_s: float | None = None
        self._waited_s: float | None = None

    def timed(self, batches: Iterator[pa.RecordBatch]) -> Generator[pa.RecordBatch, None, None]:
        """The same batches, measured."""
        self._waited_s = 0.0
        try:
            while True:
                asked = time.monotonic()
                try:
                    batch = next(batches, None)
                finally:
                    answered = time.monotonic()
                    self._waited_s += answered - asked
                if batch is None:
                    return
                if self._first_s is None:
                    self._first_s = answered - self.started
                yield batch
        finally:
            if (close := getattr(batches, "close", None)) is not None:
                close()  # ends the database's work

    @property
    def timings(self) -> Timings:
        """What was measured so far."""
        return Timings(_milliseconds(self._waited_s), _milliseconds(self._first_s))


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


class Stream:
    """One query's chunks, pulled ahead by one on a thread."""

    def __init__(
        self, threads: ThreadPoolExecutor, batches: Iterator[pa.RecordBatch], limits: QueryLimits
    ) -> None:
        self._threads = threads
        self._chunks = _with_the_last_marked(chunks_of(batches, limits))
        self._pulling: Future[tuple[Chunk, bool] | None] | None = None

    async def stored(self, attempt: Attempt, chunks: Chunks, progress: "Progress") -> Outcome:
        """Store every chunk; in a transactional store all but the last, which goes with the finish.

        Raises:
            SourceError: the source failed.
        """
        seq = 0
        self._pull()
        while True:
            chunk, last = await self._pulled()
            if not last:
                self._pull()
            elif chunks.transactional:
                break
            await chunks.put(attempt, seq, chunk.data, chunk.rows)
            progress.add(chunk.rows, len(chunk.data))
            seq += 1
            if last:
                break
        with_finish = chunks.transactional
        if with_finish:
            progress.add(chunk.rows, len(chunk.data))
        return Outcome(
            rows=progress.rows,
            size=progress.size,
            chunks=seq + 1 if with_finish else seq,
            truncated=chunk.truncated,
            last_chunk=chunk.data if with_finish else None,
            last_chunk_rows=chunk.rows,
            store=chunks.name,
        )

    def _pull(self) -> None:
        self._pulling = self._threads.submit(_next, self._chunks)

    async def _pulled(self) -> tuple[Chunk, bool]:
        if self._pulling is None:
            raise RuntimeError("Nothing is being pulled")
        found = await asyncio.wrap_future(self._pulling)
        self._pulling = None
        if found is None:
            raise EngineError("empty_stream", "The data source sent nothing, not even its columns.")
        return found

    async def stop(self, cancel: Callable[[], bool]) -> None:
        """End the database's work unless it has ended; returns when it has, or after a good while."""
        deadline = time.monotonic() + STOP_WITHIN_S
        while self._pulling is not None and not self._pulling.done():
            if time.monotonic() > deadline:
                get_logger("worker").error("The data source does not end a query")
                return
            # Not known there yet, it has not begun: ask again. Else this returns when it has ended.
            await asyncio.to_thread(cancel)
            await asyncio.wait((asyncio.wrap_future(self._pulling),), timeout=STOP_AGAIN_S)
        if self._pulling is not None:
            self._pulling.cancelled() or self._pulling.exception()
        with suppress(Exception):  # the query is over, and whatever this meets is part of that
            await asyncio.wrap_future(self._threads.submit(self._chunks.close))


def _with_the_last_marked(chunks: Iterator[Chunk]) -> Generator[tuple[Chunk, bool], None, None]:
    """Each with whether it is the last: known only once the stream has ended, and its connection is free."""
    held: Chunk | None = None
    try:
        for chunk in chunks:
            if held is not None:
                yield held, False
            held = chunk
    finally:
        if (close := getattr(chunks, "close", None)) is not None:
            close()
    if held is not None:
        yield held, True


def _next(chunks: Iterator[tuple[Chunk, bool]]) -> tuple[Chunk, bool] | None:
    """The next one; what a driver cannot convert is the query's failure, not the engine's."""
    try:
        return next(chunks, None)
    except (OverflowError, UnicodeError, pa.ArrowException) as error:
        what = "text" if isinstance(error, UnicodeError) else "value"
        message = f"The query has a {what}, in its parameters or its rows, that cannot be carried over."
        raise QueryFailed(message) from error
