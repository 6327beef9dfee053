"""From a source's stream to stored chunks: in order, bounded, and stopped only when it did not end itself."""

import asyncio
import gc
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any, cast

import pyarrow as pa
import pytest

from insight_engine.domain.errors import EngineError, Unavailable
from insight_engine.domain.jobs import Attempt, Outcome
from insight_engine.domain.query import QueryLimits
from insight_engine.domain.source_errors import QueryCancelled, QueryFailed
from insight_engine.services.running import Progress
from insight_engine.services.streaming import Stopwatch, Stream

ATTEMPT = cast("Attempt", None)


class Store:
    """Keeps chunks in a list."""

    name = "memory"

    def __init__(self, *, transactional: bool = True, away: bool = False) -> None:
        self.transactional, self.away = transactional, away
        self.kept: list[tuple[int, int]] = []

    async def prepare(self, bucket: date) -> None:
        """Nothing to do."""

    async def put(self, attempt: Attempt, seq: int, data: bytes, rows: int) -> None:
        if self.away:
            raise Unavailable("away", "Away.")
        self.kept.append((seq, rows))


def batch(rows: int) -> pa.RecordBatch:
    return pa.record_batch({"n": pa.array(range(rows), pa.int64())})


def stream(batches: Iterator[pa.RecordBatch]) -> Stream:
    return Stream(ThreadPoolExecutor(1), batches, QueryLimits())


async def stored(batches: Iterator[pa.RecordBatch], store: Store) -> Outcome:
    return await stream(batches).stored(ATTEMPT, cast("Any", store), Progress())


async def test_the_last_chunk_is_left_to_the_finish_in_a_transactional_store() -> None:
    store = Store()
    outcome = await stored(iter([batch(3), batch(2)]), store)
    assert store.kept == [(0, 3)]
    assert (outcome.rows, outcome.chunks, outcome.last_chunk_rows) == (5, 2, 2)
    assert outcome.last_chunk is not None


async def test_every_chunk_is_stored_before_the_finish_elsewhere() -> None:
    store = Store(transactional=False)
    outcome = await stored(iter([batch(3), batch(2)]), store)
    assert store.kept == [(0, 3), (1, 2)]
    assert (outcome.rows, outcome.chunks, outcome.last_chunk, outcome.store) == (5, 2, None, "memory")


async def test_a_chunk_is_stored_while_the_source_takes_its_time() -> None:
    """The next one comes only once the first can be read."""
    progress, store, goes_on = Progress(), Store(), threading.Event()

    def slow() -> Iterator[pa.RecordBatch]:
        yield batch(3)
        assert goes_on.wait(30)
        yield batch(2)

    work = asyncio.create_task(stream(slow()).stored(ATTEMPT, cast("Any", store), progress))
    async with asyncio.timeout(30):
        await progress.begun.wait()
        assert store.kept == [(0, 3)]
        goes_on.set()
        outcome = await work
    assert (outcome.rows, outcome.chunks, outcome.last_chunk_rows) == (5, 2, 2)


async def test_a_stream_that_takes_long_to_end_has_all_its_chunks_stored() -> None:
    progress, store, ends = Progress(), Store(), threading.Event()

    def slow() -> Iterator[pa.RecordBatch]:
        yield batch(3)
        assert ends.wait(30)

    work = asyncio.create_task(stream(slow()).stored(ATTEMPT, cast("Any", store), progress))
    async with asyncio.timeout(30):
        await progress.begun.wait()
        ends.set()
        outcome = await work
    assert (store.kept, outcome.rows, outcome.chunks, outcome.last_chunk) == ([(0, 3)], 3, 1, None)


@pytest.mark.parametrize(
    "error",
    [UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), OverflowError("too large"), pa.ArrowInvalid()],
)
async def test_what_a_driver_cannot_convert_is_the_querys_failure(error: Exception) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield batch(1)
        raise error

    with pytest.raises(QueryFailed, match="cannot be carried over"):
        await stored(broken(), Store())


async def test_a_stream_of_nothing_at_all_is_a_fault() -> None:
    with pytest.raises(EngineError) as raised:
        await stored(iter([]), Store())
    assert raised.value.code == "empty_stream"


async def test_a_pull_in_flight_is_stopped_and_waited_for() -> None:
    """The source is told again as long as it does not hear, for it may not have begun when first told."""
    begun, heard, told = threading.Event(), threading.Event(), []

    def endless() -> Iterator[pa.RecordBatch]:
        begun.set()
        heard.wait(20)
        if heard.is_set():
            raise QueryFailed("ended")
        yield batch(1)

    def cancel() -> bool:
        told.append(True)
        if len(told) == 3:
            heard.set()
        return False

    running = stream(endless())
    work = asyncio.create_task(running.stored(ATTEMPT, cast("Any", Store()), Progress()))
    await asyncio.to_thread(begun.wait, 5)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    async with asyncio.timeout(10):
        await running.stop(cancel)
    assert len(told) >= 3


async def test_a_pull_that_brings_rows_all_the_same_is_closed_which_ends_the_query() -> None:
    """Who tells the source to stop waits for the query's end, and nothing but closing it brings that."""
    begun, told, closed = threading.Event(), threading.Event(), threading.Event()

    def deaf() -> Iterator[pa.RecordBatch]:
        try:
            begun.set()
            told.wait(20)
            yield batch(1)
        finally:
            closed.set()

    def cancel() -> bool:
        told.set()
        return closed.wait(20)

    running = stream(Stopwatch().timed(deaf()))
    work = asyncio.create_task(running.stored(ATTEMPT, cast("Any", Store()), Progress()))
    await asyncio.to_thread(begun.wait, 5)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    async with asyncio.timeout(10):
        await running.stop(cancel)
    assert closed.is_set()


async def test_the_error_of_a_stream_that_was_stopped_is_nobodys_surprise() -> None:
    """A future whose exception nobody reads is logged by asyncio as an error, with a traceback."""
    surprises: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: surprises.append(context))
    first, told = threading.Event(), threading.Event()

    def cancelled() -> Iterator[pa.RecordBatch]:
        yield batch(1)
        first.set()
        told.wait(20)
        raise QueryCancelled("cancelled")

    running = stream(cancelled())
    work = asyncio.create_task(running.stored(ATTEMPT, cast("Any", Store()), Progress()))
    await asyncio.to_thread(first.wait, 20)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)

    def cancel() -> bool:
        told.set()
        return True

    async with asyncio.timeout(30):
        await running.stop(cancel)
    del running, work
    gc.collect()
    await asyncio.sleep(0)
    assert surprises == []


async def test_a_stream_that_ended_is_not_told_to_stop() -> None:
    told: list[bool] = []

    def cancel() -> bool:
        told.append(True)
        return True

    running = stream(iter([batch(1)]))
    await running.stored(ATTEMPT, cast("Any", Store()), Progress())
    await running.stop(cancel)
    assert told == []


async def test_a_stream_whose_rows_cannot_be_stored_is_closed() -> None:
    closed = threading.Event()

    def two() -> Iterator[pa.RecordBatch]:
        try:
            yield batch(20_000)
            yield batch(20_000)
        finally:
            closed.set()

    running = stream(Stopwatch().timed(two()))
    with pytest.raises(Unavailable):
        await running.stored(ATTEMPT, cast("Any", Store(away=True)), Progress())
    await running.stop(lambda: True)
    assert closed.is_set()


async def test_waiting_for_the_source_is_measured() -> None:
    pause = threading.Event()

    def slow() -> Iterator[pa.RecordBatch]:
        pause.wait(0.05)
        yield batch(1)
        pause.wait(0.05)
        yield batch(1)

    watch = Stopwatch()
    await stored(watch.timed(slow()), Store())
    timings = watch.timings
    assert timings.first_batch_ms is not None
    assert timings.database_ms is not None
    assert 45 <= timings.first_batch_ms < timings.database_ms
    assert timings.database_ms >= 95
