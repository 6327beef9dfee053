"""Results read back chunk by chunk: at most a chunk or two and one page are held at a time."""

import asyncio
import base64
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple, TypeVar

import pyarrow as pa

from insight_engine.domain.errors import Gone, InvalidRequest
from insight_engine.domain.jobs import Job
from insight_engine.ports import Chunks
from insight_engine.services.formats import Writer
from insight_engine.services.values import sliced

T = TypeVar("T")
MAX_PAGE_ROWS: Final = 10_000
MAX_PAGE_BYTES: Final = 4 * 1024 * 1024
"""A page ends with the chunk that passes this many bytes, counted as they are in memory."""
_CURSOR: Final = re.compile(r"(\d{1,9})\.(\d{1,9})", re.ASCII)
INLINE_BYTES: Final = 16 * 1024
"""Chunks up to this size are decoded on the event loop: quicker than handing them to a thread."""


_POOL: Final = ThreadPoolExecutor(2, "results")


class Cut(NamedTuple):
    """Some rows of a result, as they are stored.

    Attributes:
        tables: at least one, if only an empty one that carries the schema.
    """

    tables: list[pa.Table]
    next_cursor: str | None


class Part(NamedTuple):
    """Some rows of one chunk.

    Attributes:
        held: rows the whole chunk holds.
    """

    table: pa.Table
    held: int


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page begins: a chunk, and a row within it."""

    seq: int = 0
    offset: int = 0

    def encode(self) -> str:
        """As an opaque cursor."""
        return base64.urlsafe_b64encode(f"{self.seq}.{self.offset}".encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, cursor: str) -> "Position":
        """Read a cursor.

        Raises:
            InvalidRequest: it is none of ours.
        """
        try:
            text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        except ValueError:
            text = ""
        found = _CURSOR.fullmatch(text)
        if found is None:
            raise InvalidRequest(
                "bad_cursor", "cursor is not one that this API gave out: use next_cursor of the page before"
            )
        return cls(int(found[1]), int(found[2]))

    def within(self, total: int) -> "Position":
        """The same, but in the last of `total` chunks when past it: its schema is still to be told."""
        return self if self.seq < total else Position(max(total - 1, 0), 10**9)


async def read_cut(chunks: Chunks, job: Job, start: Position, limit: int) -> Cut:
    """The rows from `start`, at most `limit`, fewer when they are large; as they are stored.

    Raises:
        Gone: a chunk is missing: the result was lost with its store.
    """
    total = job.chunk_count or 0
    position, tables, rows, size = start.within(total), list[pa.Table](), 0, 0
    while not tables or (position.seq < total and rows < limit and size < MAX_PAGE_BYTES):
        part = await _part(await chunks.get(job, position.seq), position.offset, limit - rows)
        tables.append(part.table)
        rows += part.table.num_rows
        size += part.table.nbytes
        taken = position.offset + part.table.num_rows
        position = Position(position.seq, taken) if taken < part.held else Position(position.seq + 1)
    return Cut(tables, position.encode() if position.seq < total else None)


async def write_whole(chunks: Chunks, job: Job, start: Position, writer: Writer) -> AsyncIterator[bytes]:
    """Everything from `start`, in a writer's form, piece by piece as the reader takes it.

    Raises:
        Gone: a chunk is missing: nothing more comes, and the form is not ended.
    """
    position = start.within(job.chunk_count or 0)
    offset, begun = position.offset, False
    async with aclosing(_ahead(chunks, job, position.seq)) as stored:  # no read outlives its reader
        async for data in stored:
            piece = await in_pool(partial(_written, writer, data, offset, begin=not begun))
            offset, begun = 0, True
            if piece:
                yield piece
    if ending := await in_pool(writer.end):
        yield ending


async def _ahead(chunks: Chunks, job: Job, first: int) -> AsyncGenerator[bytes | None, None]:
    """Every chunk from `first`, the next one being read while the last is used."""
    total = max(job.chunk_count or 0, first + 1)
    coming = asyncio.ensure_future(chunks.get(job, first))
    try:
        for seq in range(first, total):
            data = await coming
            if seq + 1 < total:
                coming = asyncio.ensure_future(chunks.get(job, seq + 1))
            yield data
    finally:
        coming.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await coming


def _written(writer: Writer, data: bytes | None, offset: int, *, begin: bool) -> bytes:
    table = decode(data, offset).table
    return (writer.begin(table.schema) if begin else b"") + writer.write(table)


async def _part(data: bytes | None, offset: int, want: int) -> Part:
    if data is None or len(data) <= INLINE_BYTES:
        return decode(data, offset, want)
    return await in_pool(partial(decode, data, offset, want))


async def in_pool(call: Callable[[], T]) -> T:
    """Run it on one of two threads: each thread that handles chunks keeps megabytes for itself."""
    return await asyncio.get_running_loop().run_in_executor(_POOL, call)


def decode(data: bytes | None, offset: int, want: int | None = None) -> Part:
    """Up to `want` rows of one chunk, from `offset`.

    Raises:
        Gone: there is no such chunk, or what is there is not one.
    """
    try:
        with pa.ipc.open_stream(data or b"") as reader:
            table = reader.read_all()
    except (OSError, pa.ArrowException):
        raise Gone("result_lost", "The result was lost with its store. Submit the query again.") from None
    return Part(sliced(table, offset, want), table.num_rows)
