"""Gives SQLite's rows Arrow columns. SQLite types values, not columns: the first batch decides. Pure."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from insight_engine.domain.source_errors import QueryFailed

Row = tuple[Any, ...]


class Columns:
    """The columns of one result; all its batches have the same types."""

    def __init__(self, names: Sequence[str], first: Sequence[Row]) -> None:
        kinds = [{type(row[i]) for row in first} - {type(None)} for i in range(len(names))]
        self.schema = pa.schema(
            [pa.field(name, _type(kind)) for name, kind in zip(names, kinds, strict=True)]
        )

    def batch(self, rows: Sequence[Row]) -> pa.RecordBatch:
        """Rows as a batch.

        Raises:
            QueryFailed: when a column's later values are of another kind than its first ones.
        """
        values = zip(*rows, strict=True) if rows else ((),) * len(self.schema)
        arrays = [_array(column, field) for column, field in zip(values, self.schema, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def _type(kinds: set[type]) -> pa.DataType:
    if kinds == {int}:
        return pa.int64()
    if kinds and kinds <= {int, float}:
        return pa.float64()
    return pa.binary() if kinds == {bytes} else pa.string()


def _array(values: Sequence[Any], field: "pa.Field[Any]") -> "pa.Array[Any]":
    if field.type == pa.string():
        values = [v if v is None or isinstance(v, str) else _text(v) for v in values]
    try:
        array: pa.Array[Any] = pa.array(values, type=field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        raise QueryFailed(
            f"The column {field.name} holds values of several types: CAST it to one, for example to TEXT."
        ) from None
    return array


def _text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
