"""Judges tables: which ones a statement reads, and whether they are granted and exist. Pure."""

from collections.abc import Iterator

from insight_engine.sqlguard.names import Names
from insight_engine.sqlguard.reasons import Reason, ReasonCode
from insight_engine.sqlguard.scopes import Scopes
from insight_engine.sqlguard.text import fold


def check_tables(scopes: Scopes, names: Names) -> Iterator[Reason]:
    """Yield a reason for each table that may not be read; collects the others in `names.tables`."""
    for node in scopes.tables:
        offset = node.this.meta.get("start", 0)
        if node.args.get("catalog") is not None:
            message = "Names of three parts are not allowed: write schema.table."
            yield names.where.reason(ReasonCode.SCHEMA_NOT_GRANTED, message, offset)
            continue
        schema, table = names.full_name(node)
        yield from _check_table(schema, table, offset, names)


def _check_table(schema: str, table: str, offset: int, names: Names) -> Iterator[Reason]:
    policy, reason = names.policy, names.where.reason
    folded = fold(table)
    is_system = folded.startswith(policy.system_prefixes) or folded in policy.system_tables
    if fold(schema) in policy.system_schemas or fold(schema).startswith(("pg_", "sqlite_")) or is_system:
        message = f"{schema}.{table} belongs to the database itself and may not be read."
        yield reason(ReasonCode.SYSTEM_CATALOG, message, offset)
    elif not _plain(table) or _is_file(schema, table, names):
        message = f"{table!r} looks like a file: name a table of the data source."
        yield reason(ReasonCode.FILE_AS_TABLE, message, offset)
    elif not (names.grants.any_schema or schema in names.granted_schemas):
        message = f"The schema {schema} is not granted to you: ask for it or use another."
        yield reason(ReasonCode.SCHEMA_NOT_GRANTED, message, offset)
    elif names.grants.tables and f"{schema}.{table}" not in names.granted_tables:
        message = f"The table {schema}.{table} is not granted to you: ask for it or use another."
        yield reason(ReasonCode.TABLE_NOT_GRANTED, message, offset)
    elif names.index is not None and names.columns_of((schema, table)) is None:
        message = f"There is no table {schema}.{table}: check its name."
        yield reason(ReasonCode.UNKNOWN_TABLE, message, offset)
    else:
        names.tables.add((schema, table))


def _is_file(schema: str, table: str, names: Names) -> bool:
    """Whether DuckDB would read a file: it does for `data.csv` when there is no such table."""
    return fold(table) in names.policy.file_suffixes and names.columns_of((schema, table)) is None


def _plain(table: str) -> bool:
    """Whether a name cannot be taken for a path or an address."""
    # MySQL takes a name after #mysql50# for the name of a file.
    is_path = any(c in table for c in "./\\:*?'\"`~") or table.startswith("#")
    return bool(table) and not is_path and table == table.strip()
