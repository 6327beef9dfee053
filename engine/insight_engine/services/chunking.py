"""Cuts a stream of record batches into stored chunks, within the query's limits. Pure."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from insight_engine.domain.query import QueryLimits

CHUNK_ROWS: Final = 16_384
CHUNK_BYTES: Final = 2 * 1024 * 1024
FIRST_ROWS: Final = 1024
"""Rows of the first chunk of a large result: who opens it reads a page of about as many."""
NESTED_ROWS: Final = 256
_OPTIONS: Final = pa.ipc.IpcWriteOptions(compression="lz4")
SMALL_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Chunk:
    """One stored piece of a result: an Arrow IPC stream of one batch.

    Attributes:
        truncated: the result was cut after this chunk because it met a limit.
    """

    data: bytes
    rows: int
    truncated: bool


def chunks_of(batches: Iterator[pa.RecordBatch], limits: QueryLimits) -> Generator[Chunk, None, None]:
    """Cut and serialise; ends early, saying so, when the next rows would break a limit."""
    rows, size, sent = 0, 0, False
    try:
        for piece in _pieces(batches):
            if sent and piece.num_rows == 0:
                continue
            fitting, data = _fitting(piece.slice(0, limits.rows - rows), limits.bytes - size)
            kept = fitting.num_rows
            cut = kept < piece.num_rows
            yield Chunk(data, kept, truncated=cut)
            if cut:
                return
            sent = True
            rows += kept
            size += max(fitting.nbytes, len(data))
    finally:
        _end(batches)


def _pieces(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    first = True
    for batch in batches:
        for plain in _without_dictionaries(batch):
            start = FIRST_ROWS if first and plain.num_rows > CHUNK_ROWS // 2 else 0
            if start:
                yield from _halved(plain.slice(0, start))
            step, first = _rows_per_chunk(plain), False
            for offset in range(start, max(plain.num_rows, 1), step):
                yield from _halved(plain.slice(offset, step))


def _without_dictionaries(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch with every value written out, in parts: a reader holds each as often as it occurs."""
    kinds = [_written_out(kind) for kind in batch.schema.types]
    if kinds == batch.schema.types:
        yield batch
        return
    schema = pa.schema([field.with_type(kind) for field, kind in zip(batch.schema, kinds, strict=True)])
    step = min(_rows_written_out(column) for column in batch.columns)
    for start in range(0, max(batch.num_rows, 1), step):
        yield batch.slice(start, step).cast(schema)


def _written_out(kind: Any) -> Any:
    """The type without dictionaries."""
    if pa.types.is_dictionary(kind):
        return kind.value_type
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_written_out(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_written_out(field.type)) for field in kind])
    return kind


def _rows_written_out(column: Any) -> int:
    """Rows of it that are not too large however often its longest value occurs in them."""
    kind = column.type
    if not pa.types.is_dictionary(kind):
        return CHUNK_ROWS if _written_out(kind) == kind else NESTED_ROWS
    values = column.dictionary
    if not len(values) or not _has_length(kind.value_type):
        return CHUNK_ROWS
    longest = pc.max(pc.binary_length(values)).as_py() or 0
    return max(1, min(CHUNK_ROWS, CHUNK_BYTES // max(1, longest)))


def _has_length(kind: Any) -> bool:
    return any(
        fits(kind)
        for fits in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_binary,
            pa.types.is_large_binary,
        )
    )


def _halved(piece: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The piece, or its halves while it is too large: some rows are far longer than the mean."""
    if piece.nbytes <= 2 * CHUNK_BYTES or piece.num_rows <= 1:
        yield piece
        return
    half = piece.num_rows // 2
    yield from _halved(piece.slice(0, half))
    yield from _halved(piece.slice(half))


def _rows_per_chunk(batch: pa.RecordBatch) -> int:
    row_bytes = max(1, batch.nbytes // max(1, batch.num_rows))
    return max(1, min(CHUNK_ROWS, CHUNK_BYTES // row_bytes))


def _fitting(piece: pa.RecordBatch, room: int) -> tuple[pa.RecordBatch, bytes]:
    """As many leading rows as fit, to within a factor of two: a cut result is cut somewhere anyway.

    What counts is what a reader holds, not how well it compresses.
    """
    while piece.nbytes > room and piece.num_rows:
        piece = piece.slice(0, piece.num_rows // 2)
    data = _serialised(piece)
    while len(data) > room and piece.num_rows:
        piece = piece.slice(0, piece.num_rows // 2)
        data = _serialised(piece)
    return piece, data


def _serialised(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    options = _OPTIONS if batch.nbytes > SMALL_BYTES else None
    with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _end(batches: Iterator[pa.RecordBatch]) -> None:
    # Closing a source's iterator ends the database's work.
    close = getattr(batches, "close", None)
    if close is not None:
        close()
