"""Results as JSON: one document, or one object a line."""

from typing import Any, Final

import orjson
import pyarrow as pa

from insight_engine.services.values import column_values, sliced, type_name

_ROWS_AT_A_TIME: Final = 2048
"""Rows held as Python objects at once: they weigh many times what they weigh in Arrow."""


def schema_of(schema: pa.Schema) -> list[dict[str, str]]:
    """Column names and types, as every answer shows them."""
    return [{"name": field.name, "type": type_name(field.type)} for field in schema]


def rows_of(table: pa.Table) -> list[tuple[Any, ...]]:
    """The rows, each value in its JSON form."""
    if not table.num_columns:
        return [()] * table.num_rows
    return list(zip(*(column_values(column) for column in table.columns), strict=True))


class JsonWriter:
    """One document: `{"schema": […], "rows": [[…], …]}`."""

    def __init__(self) -> None:
        self._between = b""

    def begin(self, schema: pa.Schema) -> bytes:
        """The schema."""
        return b'{"schema":' + orjson.dumps(schema_of(schema)) + b',"rows":['

    def write(self, batch: pa.Table) -> bytes:
        """Some rows, without the brackets around all."""
        parts = []
        for start in range(0, batch.num_rows, _ROWS_AT_A_TIME):
            parts += [self._between, orjson.dumps(rows_of(sliced(batch, start, _ROWS_AT_A_TIME)))[1:-1]]
            self._between = b","
        return b"".join(parts)

    def end(self) -> bytes:
        """The closing brackets."""
        return b"]}"


class NdjsonWriter:
    """One object a line, its keys the column names, made unique."""

    def __init__(self) -> None:
        self._names: list[str] = []

    def begin(self, schema: pa.Schema) -> bytes:
        """Nothing: the lines carry the names."""
        self._names = unique_names(schema.names)
        return b""

    def write(self, batch: pa.Table) -> bytes:
        """Some lines."""
        lines = []
        for start in range(0, batch.num_rows, _ROWS_AT_A_TIME):
            rows = rows_of(sliced(batch, start, _ROWS_AT_A_TIME))
            lines += [
                orjson.dumps(dict(zip(self._names, row, strict=True)), option=orjson.OPT_APPEND_NEWLINE)
                for row in rows
            ]
        return b"".join(lines)

    def end(self) -> bytes:
        """Nothing."""
        return b""


def unique_names(names: list[str]) -> list[str]:
    """The names, a repeated one with `_2`, `_3`, … so that no column hides another."""
    taken, unique = set(names), list[str]()
    seen = set[str]()
    for name in names:
        candidate, number = name, 2
        while candidate in seen or (candidate != name and candidate in taken):
            candidate, number = f"{name}_{number}", number + 1
        seen.add(candidate)
        unique.append(candidate)
    return unique
