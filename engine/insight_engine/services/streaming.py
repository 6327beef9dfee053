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
HOLD_S: Final = 0.25
"""Seconds that a chunk is held back, for it may be the last: after that it can be read."""


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


class Keeping:
    """Stores one attempt's chunks, in order."""

    def __init__(self, attempt: Attempt, chunks: Chunks, progress: "Progress") -> None:
        self._attempt, self._chunks, self._progress = attempt, chunks, progress
        self._seq, self._truncated = 0, False

    async def put(self, chunk: Chunk) -> None:
        """Store the next one, which may be read from now on."""
        await self._chunks.put(self._attempt, self._seq, chunk.data, chunk.rows)
        if not self._seq:
            self._progress.begun.set()
        self._count(chunk)

    async def outcome(self, last: Chunk | None) -> Outcome:
        """The whole result; its last chunk, unless stored, is left to the finish where that can take it."""
        if last is not None and not self._chunks.transactional:
            await self._chunks.put(self._attempt, self._seq, last.data, last.rows)
        if last is not None:
            self._count(last)
        with_finish = last if self._chunks.transactional else None
        return Outcome(
            rows=self._progress.rows,
            size=self._progress.size,
            chunks=self._seq,
            truncated=self._truncated,
            last_chunk=with_finish.data if with_finish is not None else None,
            last_chunk_rows=last.rows if last is not None else 0,
            store=self._chunks.name,
        )

    def _count(self, chunk: Chunk) -> None:
        self._progress.add(chunk.rows, len(chunk.data))
        self._seq += 1
        self._truncated = chunk.truncated


class Stream:
    """One query's chunks, pulled ahead by one on a thread."""

    def __init__(
        self, threads: ThreadPoolExecutor, batches: Iterator[pa.RecordBatch], limits: QueryLimits
    ) -> None:
        self._threads = threads
        self._chunks = chunks_of(batches, limits)
        self._pulling: Future[Chunk | None] | None = None
        self._coming: asyncio.Future[Chunk | None]

    async def stored(self, attempt: Attempt, chunks: Chunks, progress: "Progress") -> Outcome:
        """Store every chunk; in a transactional store all but the last, which goes with the finish.

        That it is the last is known when the stream ends: if that takes long, it is stored as the others are.

        Raises:
            SourceError: the source failed.
        """
        keeping = Keeping(attempt, chunks, progress)
        before: Chunk | None = None
        held: Chunk | None = await self._first()
        while held is not None:
            self._pull()
            if before is not None:
                await keeping.put(before)
            if not await self._comes_soon():
                await keeping.put(held)
                held = None
            before, held = held, await self._pulled()
        return await keeping.outcome(before)

    def _pull(self) -> None:
        self._pulling = self._threads.submit(_next, self._chunks)
        self._coming = asyncio.wrap_future(self._pulling)
        # Who stops the stream does not wait for this one: asyncio would log what nobody has read.
        self._coming.add_done_callback(_read)

    async def _comes_soon(self) -> bool:
        done, _ = await asyncio.wait((self._coming,), timeout=HOLD_S)
        return bool(done)

    async def _pulled(self) -> Chunk | None:
        """What is being pulled; None after the last, when the source's connection is free."""
        found = await self._coming
        self._pulling = None
        return found

    async def _first(self) -> Chunk:
        self._pull()
        found = await self._pulled()
        if found is None:
            raise EngineError("empty_stream", "The data source sent nothing, not even its columns.")
        return found

    async def stop(self, cancel: Callable[[], bool]) -> None:
        """End the database's work unless it has ended; returns when it has, or after a good while."""
        telling: asyncio.Future[bool] | None = None
        if self._pulling is not None:
            telling = await self._let_go(self._pulling, cancel)
            if not self._pulling.done():
                get_logger("worker").error("The data source does not end a query")
                return
        # A pull that brought rows all the same leaves the query open: closing is what ends it then.
        with suppress(Exception):  # the query is over, and whatever this meets is part of that
            await asyncio.wrap_future(self._threads.submit(self._chunks.close))
        if telling is not None:
            await asyncio.gather(telling, return_exceptions=True)

    async def _let_go(
        self, pulling: "Future[Chunk | None]", cancel: Callable[[], bool]
    ) -> "asyncio.Future[bool] | None":
        """Wait until nothing is pulled any more, telling the source to stop; what still tells it then."""
        telling: asyncio.Future[bool] | None = None
        pulled = asyncio.wrap_future(pulling)
        pulled.add_done_callback(_read)
        deadline = time.monotonic() + STOP_WITHIN_S
        while not pulling.done() and (left := deadline - time.monotonic()) > 0:
            # Not known there yet, it has not begun: ask again. Else this returns when it has ended.
            telling = asyncio.ensure_future(asyncio.to_thread(cancel))
            await asyncio.wait((telling, pulled), timeout=left, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((pulled,), timeout=STOP_AGAIN_S)
        return telling


def _read(over: "asyncio.Future[Chunk | None]") -> None:
    """Take note of how it ended, so that an error is nobody's surprise."""
    if not over.cancelled():
        over.exception()


def _next(chunks: Iterator[Chunk]) -> Chunk | None:
    """The next one; what a driver cannot convert is the query's failure, not the engine's."""
    try:
        return next(chunks, None)
    except (OverflowError, UnicodeError, pa.ArrowException) as error:
        what = "text" if isinstance(error, UnicodeError) else "value"
        message = f"The query has a {what}, in its parameters or its rows, that cannot be carried over."
        raise QueryFailed(message) from error
