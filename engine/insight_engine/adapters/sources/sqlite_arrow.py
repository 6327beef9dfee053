"""Gives SQLite's rows Arrow columns. SQLite types values, not columns: all values of a column decide. Pure.

One kind of value keeps its type: int64, double, string or binary. Integers and reals together are double
while every integer has an exact double. Any other mixture is text: numbers with all their digits, blobs as
`x'…'`. A column of NULLs alone has the type that its table declares, else string.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

Row = tuple[Any, ...]
EXACT_DOUBLE: Final = 2**53
_SIMPLE: Final[Mapping[type, pa.DataType]] = {
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    bytes: pa.binary(),
}


class Piece:
    """Some rows by column, as compact as their kinds allow."""

    def __init__(self, rows: Sequence[Row], width: int) -> None:
        columns = list(zip(*rows, strict=True)) if rows else [()] * width
        self.num_rows = len(rows)
        self.kinds = [set(map(type, column)) - {type(None)} for column in columns]
        self.columns: list[Any] = [
            _compact(column, kinds) for column, kinds in zip(columns, self.kinds, strict=True)
        ]

    @property
    def nbytes(self) -> int:
        """Roughly the memory it takes."""
        return sum(
            column.nbytes if isinstance(column, pa.Array) else 64 * len(column) for column in self.columns
        )


class Survey:
    """What kinds of values the columns of a result hold."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.rows = 0
        self.nbytes = 0
        self._kinds: list[set[type]] = [set() for _ in names]
        self._inexact = [False] * len(names)

    def add(self, piece: Piece) -> None:
        """Take the next rows into account."""
        self.rows += piece.num_rows
        self.nbytes += piece.nbytes
        for n, (column, kinds) in enumerate(zip(piece.columns, piece.kinds, strict=True)):
            self._kinds[n] |= kinds
            if int in kinds and not self._inexact[n]:
                self._inexact[n] = _has_inexact(column)

    @property
    def has_untyped(self) -> bool:
        """Whether some column holds nothing but NULL."""
        return not all(self._kinds)

    def schema(self, declared: Mapping[str, pa.DataType]) -> pa.Schema:
        """The types that hold every value seen; `declared` by column name, for columns of NULLs."""
        return pa.schema(
            [
                pa.field(name, _type(kinds, declared.get(name, pa.string()), inexact=inexact))
                for name, kinds, inexact in zip(self.names, self._kinds, self._inexact, strict=True)
            ]
        )


def batch(piece: Piece, schema: pa.Schema) -> pa.RecordBatch:
    """Rows as a batch; raises pa.ArrowException when a value does not fit, which a survey rules out."""
    columns = [_fitted(column, field.type) for column, field in zip(piece.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def pieces(rows: Iterator[Row], width: int, *, most_rows: int, most_bytes: int) -> Iterator[Piece]:
    """Rows in pieces that are small in rows and in bytes: one row may hold as much as thousands of others."""
    held: list[Row] = []
    size = 0
    for row in rows:
        held.append(row)
        for value in row:
            if type(value) is str or type(value) is bytes:
                size += len(value)
        if len(held) >= most_rows or size >= most_bytes:
            yield Piece(held, width)
            held, size = [], 0
    if held:
        yield Piece(held, width)


def declared_type(declaration: str) -> pa.DataType:
    """The Arrow type of a column's declaration, by SQLite's own rules of affinity."""
    for pattern, kind in _AFFINITIES:
        if re.search(pattern, declaration, re.IGNORECASE):
            return kind
    return pa.string()


_AFFINITIES: Final = (
    ("INT|BOOL", pa.int64()),
    ("CHAR|CLOB|TEXT|DATE|TIME", pa.string()),
    ("BLOB", pa.binary()),
    ("REAL|FLOA|DOUB|NUM|DEC", pa.float64()),
)


def _compact(column: Sequence[Any], kinds: set[type]) -> Any:
    if len(kinds) > 1:
        return column
    return pa.array(column, type=_SIMPLE[next(iter(kinds))] if kinds else pa.null())


def _has_inexact(column: Any) -> bool:
    if isinstance(column, pa.Array):
        return bool(pc.min(column).as_py() < -EXACT_DOUBLE or pc.max(column).as_py() > EXACT_DOUBLE)
    return any(type(value) is int and abs(value) > EXACT_DOUBLE for value in column)


def _type(kinds: set[type], declared: pa.DataType, *, inexact: bool) -> pa.DataType:
    if not kinds:
        return declared
    if len(kinds) == 1:
        return _SIMPLE[next(iter(kinds))]
    return pa.float64() if kinds == {int, float} and not inexact else pa.string()


def _fitted(column: Any, kind: pa.DataType) -> Any:
    if isinstance(column, pa.Array) and (column.type == kind or column.null_count == len(column)):
        return column.cast(kind)
    values = column.to_pylist() if isinstance(column, pa.Array) else column
    if kind == pa.string():
        values = [None if value is None else _text(value) for value in values]
    return pa.array(values, type=kind)


def _text(value: float | str | bytes) -> str:
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value if isinstance(value, str) else repr(value)
