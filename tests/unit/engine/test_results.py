"""Pages of a result: cursors, sizes and lost chunks."""

from dataclasses import dataclass, field
from typing import Any, cast

import pyarrow as pa
import pytest

from insight_engine.domain.errors import Gone, InvalidRequest
from insight_engine.domain.jobs import Job
from insight_engine.domain.query import QueryLimits
from insight_engine.ports import Chunks
from insight_engine.services.chunking import CHUNK_BYTES, chunks_of
from insight_engine.services.formats.as_json import rows_of
from insight_engine.services.results import MAX_PAGE_BYTES, Position, read_cut


@dataclass
class MemoryChunks:
    stored: dict[int, bytes] = field(default_factory=dict)

    async def get(self, job: Job, seq: int) -> bytes | None:
        return self.stored.get(seq)


@dataclass
class FakeJob:
    chunk_count: int


def stored(*sizes: int) -> tuple[Chunks, Job]:
    numbers = iter(range(100_000))
    batches = [pa.record_batch({"n": [next(numbers) for _ in range(size)]}) for size in sizes]
    chunks = list(chunks_of(iter(batches), QueryLimits()))
    memory = MemoryChunks({seq: chunk.data for seq, chunk in enumerate(chunks)})
    return cast("Chunks", memory), cast("Job", FakeJob(len(chunks)))


@pytest.mark.parametrize("limit", [1, 3, 5, 8, 100])
async def test_following_the_cursor_reads_every_row_once(limit: int) -> None:
    chunks, job = stored(5, 1, 7)
    read: list[int] = []
    position: Position | None = Position()
    while position is not None:
        page = await read_cut(chunks, job, position, limit)
        read += [row[0] for table in page.tables for row in rows_of(table)]
        position = Position.decode(page.next_cursor) if page.next_cursor else None
    assert read == list(range(13))


async def test_a_page_that_ends_the_result_has_no_cursor() -> None:
    chunks, job = stored(5)
    assert (await read_cut(chunks, job, Position(), 5)).next_cursor is None


async def test_rows_without_columns_are_as_many_as_there_are() -> None:
    empty: Any = pa.array([{}] * 3, pa.struct([]))
    (chunk,) = chunks_of(iter([pa.RecordBatch.from_struct_array(empty)]), QueryLimits())
    chunks, job = cast("Chunks", MemoryChunks({0: chunk.data})), cast("Job", FakeJob(1))
    for limit, rows in ((100, 3), (2, 2)):
        page = await read_cut(chunks, job, Position(), limit)
        assert [table.num_rows for table in page.tables] == [rows]
    assert page.next_cursor == Position(0, 2).encode()


async def test_a_missing_chunk_is_said_not_skipped() -> None:
    chunks, job = stored(5, 5)
    del cast("MemoryChunks", chunks).stored[1]
    with pytest.raises(Gone, match="lost with its store"):
        await read_cut(chunks, job, Position(), 10)


@pytest.mark.parametrize("cursor", ["", "x", "MC4w!", "LTEuMA", "MS4yLjM", "é"])
def test_a_cursor_of_somebody_else_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRequest, match="next_cursor"):
        Position.decode(cursor)


async def test_a_page_of_text_that_compresses_well_is_bounded() -> None:
    batches = [pa.record_batch({"t": ["x" * 100_000] * 20}) for _ in range(10)]
    chunks = list(chunks_of(iter(batches), QueryLimits()))
    memory = MemoryChunks({seq: chunk.data for seq, chunk in enumerate(chunks)})
    job = cast("Job", FakeJob(len(chunks)))
    page = await read_cut(cast("Chunks", memory), job, Position(), 10_000)
    assert sum(len(row[0]) for table in page.tables for row in rows_of(table)) <= MAX_PAGE_BYTES + CHUNK_BYTES
    assert page.next_cursor is not None
