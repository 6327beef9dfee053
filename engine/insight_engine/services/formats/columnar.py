"""Results as an Arrow IPC stream, and as a Parquet file. Both keep every type that they have."""

from io import RawIOBase
from typing import Any, Final

import orjson
import pyarrow as pa
from pyarrow import parquet

from insight_engine.services.formats.as_json import unique_names
from insight_engine.services.values import column_values

_GROUP_ROWS: Final = 32_768
_GROUP_BYTES: Final = 4 * 1024 * 1024
"""A row group ends with the chunk that passes either: small ones read slowly, large ones are held whole."""


class _Sink(RawIOBase):
    """Collects what a library writes until somebody takes it."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        return len(part)

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken


class ArrowWriter:
    """One stream of record batches, as the source gave them."""

    def __init__(self) -> None:
        self._sink = _Sink()
        self._writer: pa.RecordBatchStreamWriter | None = None

    def begin(self, schema: pa.Schema) -> bytes:
        """The schema message."""
        self._writer = pa.ipc.new_stream(pa.PythonFile(self._sink, "w"), schema)
        return self._sink.take()

    def write(self, batch: pa.Table) -> bytes:
        """Some batches."""
        if self._writer is not None:
            self._writer.write_table(batch)
        return self._sink.take()

    def end(self) -> bytes:
        """The end of the stream."""
        if self._writer is not None:
            self._writer.close()
        return self._sink.take()


class ParquetWriter:
    """One file, a row group for every few chunks. A type that Parquet has not becomes text, as in JSON."""

    def __init__(self) -> None:
        self._sink = _Sink()
        self._writer: parquet.ParquetWriter | None = None
        self._schema = pa.schema([])
        self._held: list[pa.Table] = []

    def begin(self, schema: pa.Schema) -> bytes:
        """The magic number."""
        names = unique_names(schema.names)
        self._schema = pa.schema(
            [
                pa.field(name, field.type if _has_type(field.type) else pa.string())
                for name, field in zip(names, schema, strict=True)
            ]
        )
        self._writer = parquet.ParquetWriter(
            pa.PythonFile(self._sink, "w"), self._schema, compression="zstd", write_statistics=True
        )
        return self._sink.take()

    def write(self, batch: pa.Table) -> bytes:
        """Some row groups, or none yet."""
        columns = [
            column if column.type == field.type else _texts(column)
            for column, field in zip(batch.columns, self._schema, strict=True)
        ]
        self._held.append(pa.Table.from_arrays(columns, schema=self._schema))
        full = sum(held.num_rows for held in self._held) >= _GROUP_ROWS
        if full or sum(held.nbytes for held in self._held) >= _GROUP_BYTES:
            self._flush()
        return self._sink.take()

    def end(self) -> bytes:
        """What was held back, and the footer."""
        self._flush()
        if self._writer is not None:
            self._writer.close()
        return self._sink.take()

    def _flush(self) -> None:
        if self._held and self._writer is not None:
            group = pa.concat_tables(self._held)
            self._held = []
            if group.num_rows:
                self._writer.write_table(group)


def _has_type(kind: Any) -> bool:
    # Parquet has no seconds: they are written as milliseconds, which not all of them fit in.
    if "timestamp[s" in str(kind):
        return False
    try:
        parquet.write_table(pa.schema([("x", kind)]).empty_table(), pa.BufferOutputStream())
    except (OSError, pa.ArrowException):
        return False
    return True


def _texts(column: "pa.ChunkedArray[Any]") -> "pa.ChunkedArray[Any]":
    values = column_values(column)
    texts = [
        value if value is None or isinstance(value, str) else orjson.dumps(value).decode() for value in values
    ]
    return pa.chunked_array([pa.array(texts, pa.string())])
