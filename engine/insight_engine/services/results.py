"""Results read back chunk by chunk: at most a chunk or two and one page are held at a time."""

import asyncio
import base64
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import Final, NamedTuple, TypeVar

import pyarrow as pa

from insight_engine.domain.errors import Gone, InvalidRequest
from insight_engine.domain.jobs import Job
from insight_engine.domain.query import QueryState
from insight_engine.ports import Chunks
from insight_engine.services.formats import Writer
from insight_engine.services.values import sliced

T = TypeVar("T")
MAX_PAGE_ROWS: Final = 10_000
MAX_PAGE_BYTES: Final = 4 * 1024 * 1024
"""A page ends with the chunk that passes this many bytes, counted as they are in memory."""
_CURSOR: Final = re.compile(r"(\d{1,9})\.(\d{1,9})(?:\.([0-9a-f]{12}))?", re.ASCII)
_ALL_ITS_ROWS: Final = 10**9
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

    @property
    def rows(self) -> int:
        """How many they are."""
        return sum(table.num_rows for table in self.tables)


class Part(NamedTuple):
    """Some rows of one chunk.

    Attributes:
        held: rows the whole chunk holds.
    """

    table: pa.Table
    held: int


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page begins: a chunk, and a row within it.

    Attributes:
        mark: tells the attempt whose chunks are counted; empty where that is not known.
    """

    seq: int = 0
    offset: int = 0
    mark: str = ""

    def encode(self) -> str:
        """As an opaque cursor."""
        text = f"{self.seq}.{self.offset}.{self.mark}".rstrip(".")
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

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
        return cls(int(found[1]), int(found[2]), found[3] or "")

    def within(self, total: int) -> "Position":
        """The same, but in the last of `total` chunks when past it: its schema is still to be told."""
        return self if self.seq < total else replace(self, seq=max(total - 1, 0), offset=_ALL_ITS_ROWS)

    def of(self, job: Job) -> "Position":
        """The same, as a place in the result of that job, or in what its present attempt has stored.

        Raises:
            Gone: it is a place in what another attempt stored.
        """
        mark = _mark_of(job)
        known = self.mark == mark and job.state is not QueryState.QUEUED
        if not known and (self.mark or (self != Position() and not job.state.is_final)):
            raise Gone(
                "result_replaced",
                "The query was begun anew since this cursor was given out: read its result from the start.",
            )
        return replace(self, mark=mark)


def _mark_of(job: Job) -> str:
    attempt = job.attempt if job.result_attempt is None else job.result_attempt
    return sha256(f"{job.result_id or job.id}.{attempt}".encode()).hexdigest()[:12]


async def read_cut(chunks: Chunks, job: Job, start: Position, limit: int) -> Cut:
    """The rows from `start`, at most `limit`, fewer when they are large; as they are stored.

    Raises:
        Gone: a chunk is missing: the result was lost with its store.
    """
    total = job.chunk_count or 0
    tables, position = await _read(chunks, job, start.within(total), limit, total)
    return Cut(tables, position.encode() if position.seq < total else None)


async def read_so_far(chunks: Chunks, job: Job, start: Position, limit: int) -> Cut | None:
    """The same of a query that goes on; without rows when no more are stored, None when none are at all.

    Raises:
        Gone: what was stored before `start` is missing: the result was lost with its store.
    """
    tables, position = await _read(chunks, job, start, limit, None)
    if not tables:
        if not start.seq:
            return None
        # Nothing after it yet: the columns are those of the chunk before.
        data = await chunks.get(job, start.seq - 1)
        tables = [(await _part(data, _ALL_ITS_ROWS, 0)).table]
    return Cut(tables, position.encode())


async def _read(
    chunks: Chunks, job: Job, position: Position, limit: int, total: int | None
) -> tuple[list[pa.Table], Position]:
    """Chunk after chunk up to `limit` rows; where `total` is not known, up to the first that is not there."""
    tables, rows, size = list[pa.Table](), 0, 0
    while not tables or (position.seq != total and rows < limit and size < MAX_PAGE_BYTES):
        data = await chunks.get(job, position.seq)
        if data is None and total is None:
            break
        part = await _part(data, position.offset, limit - rows)
        tables.append(part.table)
        rows += part.table.num_rows
        size += part.table.nbytes
        taken = position.offset + part.table.num_rows
        if taken < part.held:
            position = replace(position, offset=taken)
        else:
            position = replace(position, seq=position.seq + 1, offset=0)
    return tables, position


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
