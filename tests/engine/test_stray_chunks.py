"""What a worker that was frozen past its lease still writes belongs to no result, and is never read."""

import pyarrow as pa
import pytest

from insight_engine.adapters.store.chunks import StoredChunks
from insight_engine.adapters.store.database import Database
from insight_engine.adapters.store.jobs import StoredJobs
from insight_engine.domain.errors import Gone
from insight_engine.domain.jobs import Attempt, Hold, Job, Outcome
from insight_engine.domain.query import QueryLimits
from insight_engine.services.chunking import chunks_of
from insight_engine.services.formats import Format, writer_of
from insight_engine.services.formats.as_json import rows_of
from insight_engine.services.results import Position, read_cut, write_whole
from support.jobs import age, claimed, job_of


def chunk(text: str) -> bytes:
    [made] = chunks_of(iter([pa.record_batch({"who": [text]})]), QueryLimits())
    return made.data


def outcome(text: str, chunks: int) -> Outcome:
    data = chunk(text)
    return Outcome(chunks, chunks * len(data), chunks, truncated=False, last_chunk=data, last_chunk_rows=1)


async def read(database: Database, job: Job) -> list[str]:
    """Every row, page by page, and the same as a download."""
    chunks, rows, position = StoredChunks(database), list[str](), Position()
    whole = b"".join(
        [piece async for piece in write_whole(chunks, job, Position(), writer_of(Format.NDJSON))]
    )
    while True:
        cut = await read_cut(chunks, job, position, 1)
        rows += [row[0] for table in cut.tables for row in rows_of(table)]
        if cut.next_cursor is None:
            assert whole.count(b"\n") == len(rows)
            return rows
        position = Position.decode(cut.next_cursor)


async def overtaken(database: Database) -> tuple[Attempt, Attempt]:
    """An attempt whose worker froze after a chunk, and the one that took the query over."""
    jobs = StoredJobs(database)
    frozen = await claimed(database)
    await StoredChunks(database).put(frozen, 0, chunk("frozen"), 1)
    await age(database, frozen.job.id, 60, "lease_expires_at")
    await jobs.reap(max_losses=3, limit=9)
    again = await jobs.claim(frozen.job.id, worker="w:2", lease_s=30)
    assert again is not None
    return frozen, again


async def test_chunks_of_a_frozen_worker_are_never_read(database: Database) -> None:
    jobs, chunks = StoredJobs(database), StoredChunks(database)
    frozen, again = await overtaken(database)
    await chunks.put(again, 0, chunk("again"), 1)
    await chunks.put(frozen, 1, chunk("frozen"), 1)  # it wakes up, and writes before it learns anything
    assert await jobs.heartbeat(frozen, lease_s=30, rows=2, size=9) is Hold.LOST
    assert await jobs.finish(frozen, outcome("frozen", 3)) is None
    assert await jobs.finish(again, outcome("again", 2)) is not None
    await chunks.put(frozen, 2, chunk("frozen"), 1)
    assert await jobs.finish(frozen, outcome("frozen", 4)) is None
    job = await job_of(database, again.job.id)
    assert (job.result_attempt, job.chunk_count) == (2, 2)
    assert await chunks.count(job) == 2
    assert await read(database, job) == ["again", "again"]


async def test_a_lost_chunk_is_not_made_up_for_by_a_frozen_workers(database: Database) -> None:
    """The frozen worker wrote what the other one lost: gone is gone, never a mixed or short page."""
    frozen, again = await overtaken(database)
    await StoredChunks(database).put(frozen, 1, chunk("frozen"), 1)
    assert (
        await StoredJobs(database).finish(again, outcome("again", 2)) is not None
    )  # its chunk 0 is not there
    job = await job_of(database, again.job.id)
    with pytest.raises(Gone):
        await read_cut(StoredChunks(database), job, Position(), 10)
    with pytest.raises(Gone):
        await read(database, job)


async def test_a_result_that_lost_its_last_chunk_is_gone_not_short(database: Database) -> None:
    _, again = await overtaken(database)
    await StoredChunks(database).put(again, 0, chunk("again"), 1)
    told = Outcome(
        2, 9, 2, truncated=False, last_chunk=None, last_chunk_rows=1
    )  # said to be stored, and is not
    assert await StoredJobs(database).finish(again, told) is not None
    with pytest.raises(Gone):
        await read_cut(StoredChunks(database), await job_of(database, again.job.id), Position(), 10)
