"""Pages of a result, read chunk by chunk: at most one chunk and one page are held at a time."""

import asyncio
import base64
import re
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import pyarrow as pa

from insight_engine.domain.errors import Gone, InvalidRequest
from insight_engine.domain.jobs import Job
from insight_engine.ports import Chunks
from insight_engine.services.values import column_values, type_name

MAX_PAGE_ROWS: Final = 10_000
MAX_PAGE_BYTES: Final = 4 * 1024 * 1024
"""A page ends with the chunk that passes this many bytes, counted as they are in memory."""
_CURSOR: Final = re.compile(r"(\d{1,9})\.(\d{1,9})", re.ASCII)
INLINE_BYTES: Final = 16 * 1024
"""Chunks up to this size are decoded on the event loop: quicker than handing them to a thread."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a result, ready for JSON."""

    columns: tuple[tuple[str, str], ...]
    rows: list[list[Any]]
    next_cursor: str | None


class Part(NamedTuple):
    """Some rows of one chunk.

    Attributes:
        held: rows the whole chunk holds.
        size: bytes of these rows, not compressed.
    """

    columns: tuple[tuple[str, str], ...]
    rows: list[list[Any]]
    held: int
    size: int


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


async def read_page(chunks: Chunks, job: Job, start: Position, limit: int) -> Page:
    """The rows from `start`, at most `limit`, fewer when they are large.

    Raises:
        Gone: a chunk is missing: the result was lost with its store.
    """
    total = job.chunk_count or 0
    position, rows, size = start, list[list[Any]](), 0
    columns: tuple[tuple[str, str], ...] = ()
    while position.seq < total and len(rows) < limit and size < MAX_PAGE_BYTES:
        data = await chunks.get(job, position.seq)
        if data is None:
            raise Gone("result_lost", "The result was lost with its store. Submit the query again.")
        want = limit - len(rows)
        part = await _decoded(data, position.offset, want)
        columns = part.columns
        rows += part.rows
        size += part.size
        taken = position.offset + len(part.rows)
        position = Position(position.seq, taken) if taken < part.held else Position(position.seq + 1)
    return Page(columns, rows, position.encode() if position.seq < total else None)


async def _decoded(data: bytes, offset: int, want: int) -> Part:
    if len(data) <= INLINE_BYTES:
        return decode(data, offset, want)
    return await asyncio.to_thread(decode, data, offset, want)


def decode(data: bytes, offset: int, want: int) -> Part:
    """Up to `want` rows of one chunk, from `offset`."""
    with pa.ipc.open_stream(data) as reader:
        table = reader.read_all()
    part = table.slice(offset, want)
    columns = tuple((field.name, type_name(field.type)) for field in table.schema)
    values = [column_values(column) for column in part.columns]
    rows = [list(row) for row in zip(*values, strict=True)]
    return Part(columns, rows, table.num_rows, part.nbytes)
