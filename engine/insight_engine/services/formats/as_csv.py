"""Results as CSV: RFC 4180, UTF-8, lines ended by LF; text in quotes, NULL as nothing, empty text as `""`.

A spreadsheet takes text that begins like a formula for one and runs it. Such text, wherever it came from,
gets an apostrophe before it; numbers are left as they are.
"""

from io import BytesIO
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from insight_engine.services.values import column_values, sliced, type_name

_FORMULA: Final = "^([=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20])"
"""How formulas begin, also in the full-width forms that some spreadsheets take for the same."""
_OPTIONS: Final = csv.WriteOptions(include_header=False, quoting_style="needed")
_ROWS_AT_A_TIME: Final = 4096
_NUMERIC: Final = "numeric"


class CsvWriter:
    """A header line, then one line a row."""

    def begin(self, schema: pa.Schema) -> bytes:
        """The header; a name is as little to be trusted as a value."""
        names = [pa.chunked_array([pa.array([name], pa.string())]) for name in schema.names]
        return _lines([_harmless(name) for name in names], 1)

    def write(self, batch: pa.Table) -> bytes:
        """Some lines."""
        parts = (sliced(batch, start, _ROWS_AT_A_TIME) for start in range(0, batch.num_rows, _ROWS_AT_A_TIME))
        return b"".join(_lines([_cells(column) for column in part.columns], part.num_rows) for part in parts)

    def end(self) -> bytes:
        """Nothing."""
        return b""


def _lines(columns: "list[pa.ChunkedArray[Any]]", rows: int) -> bytes:
    if not columns:
        return b"\n" * rows
    sink = BytesIO()
    csv.write_csv(pa.table(columns, [str(index) for index in range(len(columns))]), sink, _OPTIONS)
    return sink.getvalue()


def _cells(column: "pa.ChunkedArray[Any]") -> "pa.ChunkedArray[Any]":
    """The column as the library writes it well: numbers and booleans as they are, all else as safe text."""
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_decimal(kind):
        return column
    if pa.types.is_floating(kind) and pc.all(pc.is_finite(column)).as_py() is not False:
        return column
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _harmless(column)
    texts = [_text(value) for value in column_values(column)]
    written = pa.chunked_array([pa.array(texts, pa.string())])
    # What a float cannot hold, and exact numbers that came as text, are numbers still.
    return written if pa.types.is_floating(kind) or type_name(kind) == _NUMERIC else _harmless(written)


def _harmless(column: "pa.ChunkedArray[Any]") -> "pa.ChunkedArray[Any]":
    return pc.replace_substring_regex(column, _FORMULA, r"'\1")


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()
