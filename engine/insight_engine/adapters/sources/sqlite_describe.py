"""What a SQLite file contains, by its own pragmas. The adapter asks these; no caller's SQL is here."""

import sqlite3
from collections.abc import Sequence

from insight_engine.domain.catalog import Column, SourceSchema, Table

_NOT_A_COLUMN = 1
"""`hidden` of a column of a table function's own; 2 and 3 are generated columns, which can be read."""


def schema(connection: sqlite3.Connection, schemas: Sequence[str]) -> SourceSchema:
    """Its tables and views, when `schemas` names `main`, the one schema that a file has."""
    if "main" not in schemas:
        return SourceSchema(())
    listed = connection.execute(
        "SELECT name, type FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'view')"
        " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
    ).fetchall()
    return SourceSchema(tuple(Table("main", name, kind, _columns(connection, name)) for name, kind in listed))


def _columns(connection: sqlite3.Connection, table: str) -> tuple[Column, ...]:
    found = connection.execute(
        'SELECT name, type, "notnull", pk FROM pragma_table_xinfo(?) WHERE hidden <> ? ORDER BY cid',
        (table, _NOT_A_COLUMN),
    ).fetchall()
    return tuple(Column(name, kind, nullable=not (required or key)) for name, kind, required, key in found)


def plan_text(rows: Sequence[tuple[int, int, int, str]]) -> str:
    """The rows of EXPLAIN QUERY PLAN as an indented text."""
    depth = {0: -1}
    lines = []
    for step, parent, _, detail in rows:
        depth[step] = depth.get(parent, -1) + 1
        lines.append("  " * depth[step] + detail)
    return "\n".join(lines)
