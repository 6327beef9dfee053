"""Reads a SQLite result in bounded memory, with column types that hold every value of it.

The types are known once all rows were seen. A small result is held until then; a large one is only looked at
and then read again, in the same transaction. Either way nothing fails in the middle of a result.
"""

import sqlite3
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa

from insight_engine.adapters.sources.sqlite_arrow import Piece, Survey, batch, declared_type, pieces
from insight_engine.domain.source_errors import QueryFailed
from insight_engine.sqlguard import PreparedQuery

HELD_BYTES: Final = 16 * 1024 * 1024
"""A result up to this size is read once."""
PIECE_ROWS: Final = 8_192
PIECE_BYTES: Final = 4 * 1024 * 1024
_UNDECODABLE: Final = "Could not decode to UTF-8"


def read(connection: sqlite3.Connection, prepared: PreparedQuery) -> Iterator[pa.RecordBatch]:
    """Run a query and yield its rows; at least one batch."""
    try:
        survey, held = _survey(connection, prepared)
    except sqlite3.OperationalError as error:
        if _UNDECODABLE not in str(error):
            raise
        # Text that is none stays exact as the bytes that it is; a second reading as this is slower.
        connection.text_factory = _text_or_bytes
        survey, held = _survey(connection, prepared)
    schema = survey.schema(_declared(connection, prepared) if survey.has_untyped else {})
    if held is not None:
        for piece in held or [Piece([], len(survey.names))]:
            yield batch(piece, schema)
        return
    left = survey.rows
    for piece in _pieces(connection.execute(prepared.sql, bound(prepared))):
        try:
            made = batch(piece, schema)
        except pa.ArrowException:
            raise QueryFailed(
                "Values changed their kind between two readings: CAST what is random to one type."
            ) from None
        yield made.slice(0, left)
        left -= made.num_rows
        if left <= 0:
            return


def _survey(connection: sqlite3.Connection, prepared: PreparedQuery) -> tuple[Survey, list[Piece] | None]:
    """Look at all rows that the limits allow, and one more; hold them while they are small."""
    cursor = connection.execute(prepared.sql, bound(prepared))
    survey = Survey([item[0] for item in cursor.description or ()])
    held: list[Piece] | None = []
    for piece in _pieces(cursor):
        survey.add(piece)
        if held is not None:
            held.append(piece)
        if survey.nbytes > HELD_BYTES:
            held = None
        # Made into text, numbers may take less room than here: hence twice the limit.
        if survey.rows > prepared.limits.rows or survey.nbytes > 2 * prepared.limits.bytes:
            break
    cursor.close()
    return survey, held


def _pieces(cursor: sqlite3.Cursor) -> Iterator[Piece]:
    width = len(cursor.description or ())
    return pieces(cursor, width, most_rows=PIECE_ROWS, most_bytes=PIECE_BYTES)


def bound(prepared: PreparedQuery) -> Any:
    """A query's values as the driver takes them."""
    given = prepared.parameters
    return given if isinstance(given, tuple) else dict(given)


def _text_or_bytes(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _declared(connection: sqlite3.Connection, prepared: PreparedQuery) -> dict[str, pa.DataType]:
    """Types by column name, of the tables that the query reads, where all of them agree."""
    connection.set_authorizer(None)
    found: dict[str, set[pa.DataType]] = {}
    for table in prepared.tables:
        for name, declaration in connection.execute(
            "SELECT name, type FROM pragma_table_xinfo(?)", (table.rpartition(".")[2],)
        ):
            found.setdefault(name, set()).add(declared_type(declaration))
    return {name: kinds.pop() for name, kinds in found.items() if len(kinds) == 1}
