"""What a DuckDB source contains, by DuckDB's own catalog functions. No caller's SQL is here."""

from collections.abc import Sequence
from typing import Any, Final

from insight_engine.domain.catalog import Column, SourceSchema, Table

COLUMNS: Final = """
    SELECT c.schema_name, c.table_name, t.table_name IS NOT NULL AS stored, t.estimated_size,
        coalesce(t.comment, v.comment), c.column_name, c.data_type, c.is_nullable, c.comment
    FROM duckdb_columns() AS c
    LEFT JOIN duckdb_tables() AS t
        ON t.database_oid = c.database_oid AND t.schema_oid = c.schema_oid AND t.table_oid = c.table_oid
    LEFT JOIN duckdb_views() AS v
        ON v.database_oid = c.database_oid AND v.schema_oid = c.schema_oid AND v.view_oid = c.table_oid
    WHERE c.database_name = current_database() AND NOT c.internal
    ORDER BY c.schema_name, c.table_name, c.column_index
"""


def schema(rows: Sequence[Sequence[Any]], schemas: Sequence[str], *, files: bool) -> SourceSchema:
    """The tables of `schemas` from the rows of COLUMNS; `files` says that views stand for data files."""
    tables: dict[tuple[str, str], tuple[str, int | None, str | None]] = {}
    columns: dict[tuple[str, str], list[Column]] = {}
    for where, table, stored, size, comment, *column in rows:
        if where in schemas:
            kind = "table" if stored else ("file" if files else "view")
            tables[where, table] = (kind, size, comment)
            name, data_type, nullable, remark = column
            columns.setdefault((where, table), []).append(Column(name, data_type, nullable, remark))
    return SourceSchema(
        tuple(
            Table(*names, kind, tuple(columns[names]), comment, size)
            for names, (kind, size, comment) in tables.items()
        )
    )
