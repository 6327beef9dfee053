"""How a source's schema is stored: one line of compact JSON per table, compressed. Pure.

Lines, so that reading a large one holds one table at a time beside what is made of it.
"""

import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final

import orjson

from insight_engine.domain.catalog import Column, SourceSchema, Table
from insight_engine.domain.sources import Catalog

LEVEL: Final = 6


def packed(schema: SourceSchema) -> bytes:
    """The stored form."""
    return zlib.compress(b"\n".join(map(_line, schema.tables)), LEVEL)


def _line(table: Table) -> bytes:
    columns = [[column.name, column.type, column.nullable, column.comment] for column in table.columns]
    return orjson.dumps([table.schema, table.name, table.kind, table.comment, table.rows, columns])


def unpacked(content: bytes) -> SourceSchema:
    """The schema of a stored form; equal columns are one, as most repeat."""
    known: dict[tuple[Any, ...], Column] = {}

    def one(entry: list[Any]) -> Column:
        key = tuple(entry)
        column = known.get(key)
        if column is None:
            column = known[key] = Column(*key)
        return column

    return SourceSchema(
        tuple(
            Table(schema, name, kind, tuple(map(one, columns)), comment, rows)
            for schema, name, kind, comment, rows, columns in _entries(content)
        )
    )


def unpacked_names(content: bytes) -> Catalog:
    """The names of a stored form, without making a schema of it; equal names share one string."""
    words: dict[str, str] = {}
    lists: dict[tuple[str, ...], tuple[str, ...]] = {}
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for schema, name, _kind, _comment, _rows, columns in _entries(content):
        names = tuple([words.setdefault(column[0], column[0]) for column in columns])
        found.setdefault(schema, {})[name] = lists.setdefault(names, names)
    return found


def _entries(content: bytes) -> Iterator[list[Any]]:
    for line in BytesIO(zlib.decompress(content)):
        yield orjson.loads(line)
