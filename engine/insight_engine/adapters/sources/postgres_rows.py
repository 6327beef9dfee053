"""Makes Arrow batches of the results that a PostgreSQL session yields, bounded in rows and in memory."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import psycopg
import pyarrow as pa
from psycopg import pq
from psycopg.adapt import Transformer
from psycopg.pq.abc import PGresult

from insight_engine.adapters.sources.postgres_types import Types

if TYPE_CHECKING:
    from insight_engine.adapters.sources.postgres_values import Decode

BATCH_ROWS: Final = 16_384
BATCH_CHARACTERS: Final = 4 * 1024 * 1024
FIRST_S: Final = 0.25
"""Seconds after which the first batch is as large as it is: who asked may look at it while others come."""
_TEXT_OID: Final = 25


class Batches:
    """The batches of one result."""

    def __init__(self, connection: psycopg.Connection[Any], types: Types) -> None:
        self._transformer = Transformer(connection)
        self._types = types
        self._names: list[str] = []
        self._decoders: list[Decode] = []
        self._columns: list[list[str | None]] = []
        self._rows = 0

    def of(self, results: Iterator[PGresult]) -> Iterator[pa.RecordBatch]:
        """All rows; one empty batch when there are none."""
        sent, size, begun = False, 0, 0.0
        for result in results:
            if not self._decoders and not self._rows:
                self._begin(result)
            size += self._add(result)
            begun = begun or time.monotonic()
            early = not sent and time.monotonic() - begun > FIRST_S
            if self._rows >= BATCH_ROWS or size >= BATCH_CHARACTERS or (early and self._rows):
                yield self._batch()
                sent, size = True, 0
        if self._rows or not sent:
            yield self._batch()

    def _begin(self, result: PGresult) -> None:
        width = range(result.nfields)
        self._names = [(result.fname(i) or b"").decode() for i in width]
        types = self._types.of([result.ftype(i) for i in width])
        self._decoders = [kind.decoder(name) for kind, name in zip(types, self._names, strict=True)]
        self._columns = [[] for _ in width]
        self._transformer.set_pgresult(result, set_loaders=False)
        self._transformer.set_loader_types([_TEXT_OID] * len(width), pq.Format.TEXT)

    def _add(self, result: PGresult) -> int:
        """Take over the rows of a result; how many characters they hold."""
        self._rows += result.ntuples
        if not self._columns:
            return 0
        self._transformer.set_pgresult(result, set_loaders=False)
        size = 0
        for column, values in zip(
            self._columns,
            zip(*self._transformer.load_rows(0, result.ntuples, tuple), strict=True),
            strict=False,
        ):
            column.extend(values)
            size += sum(map(len, filter(None, values)))
        return size

    def _batch(self) -> pa.RecordBatch:
        arrays = [decode(column) for decode, column in zip(self._decoders, self._columns, strict=True)]
        fields = [pa.field(name, array.type) for name, array in zip(self._names, arrays, strict=True)]
        self._columns = [[] for _ in arrays]
        rows, self._rows = self._rows, 0
        if not arrays:
            return _without_columns(rows)
        return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _without_columns(rows: int) -> pa.RecordBatch:
    """Rows that have no column, as `SELECT FROM t` gives: only their number is left to tell."""
    empty: Any = pa.array([{}] * rows, pa.struct([]))
    return pa.RecordBatch.from_struct_array(empty)
