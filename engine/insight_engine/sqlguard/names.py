"""Judges names: which tables a statement reads, whether they are granted, whether its columns are columns.

Pure. A name that WITH defines is looked up exactly where every database would see it too; in doubt it
counts as a real table, which needs a grant.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlglot import exp

from insight_engine.domain.sources import Catalog, DataSource, Grants
from insight_engine.sqlguard.policy import Policy
from insight_engine.sqlguard.reasons import Reason, ReasonCode
from insight_engine.sqlguard.text import Positions, fold


@dataclass(slots=True)
class Names:
    """What the names of one statement are held against, and the tables found in it."""

    policy: Policy
    source: DataSource
    grants: Grants
    catalog: Catalog | None
    where: Positions
    tables: set[tuple[str, str]] = field(default_factory=set)

    def spelled(self, name: exp.Expr) -> str:
        """A name as the database compares it."""
        quoted = bool(name.args.get("quoted")) and self.policy.case_sensitive_quotes
        return name.name if quoted else fold(name.name)

    def known(self, name: str) -> str:
        """A name of the grants or the catalog as the database compares it."""
        return name if self.policy.case_sensitive_quotes else fold(name)


def check_tables(tree: exp.Expr, names: Names) -> Iterator[Reason]:
    """Yield a reason for each table that may not be read; collects the others in `names.tables`."""
    for node in tree.find_all(exp.Table):
        identifier = node.this
        if not isinstance(identifier, exp.Identifier):
            continue
        offset = identifier.meta.get("start", 0)
        table = names.spelled(identifier)
        database = node.args.get("db")
        if database is None and _is_cte(node, table, names):
            continue
        if node.args.get("catalog") is not None:
            message = "Names of three parts are not allowed: write schema.table."
            yield names.where.reason(ReasonCode.SCHEMA_NOT_GRANTED, message, offset)
            continue
        default = names.source.schemas[0] if names.source.schemas else names.policy.default_schema
        schema = names.spelled(database) if database is not None else names.known(default)
        yield from _check_table(schema, table, offset, names)


def _check_table(schema: str, table: str, offset: int, names: Names) -> Iterator[Reason]:
    policy, reason = names.policy, names.where.reason
    folded = fold(table)
    is_system = folded.startswith(policy.system_prefixes) or folded in policy.system_tables
    if fold(schema) in policy.system_schemas or fold(schema).startswith(("pg_", "sqlite_")) or is_system:
        message = f"{schema}.{table} belongs to the database itself and may not be read."
        yield reason(ReasonCode.SYSTEM_CATALOG, message, offset)
    elif not _plain(table):
        message = f"{table!r} looks like a file: name a table of the data source."
        yield reason(ReasonCode.FILE_AS_TABLE, message, offset)
    elif not (names.grants.any_schema or schema in {names.known(s) for s in names.grants.schemas}):
        message = f"The schema {schema} is not granted to you: ask for it or use another."
        yield reason(ReasonCode.SCHEMA_NOT_GRANTED, message, offset)
    elif names.grants.tables and f"{schema}.{table}" not in {names.known(t) for t in names.grants.tables}:
        message = f"The table {schema}.{table} is not granted to you: ask for it or use another."
        yield reason(ReasonCode.TABLE_NOT_GRANTED, message, offset)
    elif names.catalog is not None and columns_of(schema, table, names) is None:
        message = f"There is no table {schema}.{table}: check its name."
        yield reason(ReasonCode.UNKNOWN_TABLE, message, offset)
    else:
        names.tables.add((schema, table))


def _plain(table: str) -> bool:
    """Whether a name cannot be taken for a path or an address."""
    return not any(c in table for c in "./\\:*?'\"`~") and table == table.strip()


def columns_of(schema: str, table: str, names: Names) -> frozenset[str] | None:
    """The columns the catalog knows, or None when it does not know the table."""
    for known_schema, tables in (names.catalog or {}).items():
        if names.known(known_schema) != schema:
            continue
        for known_table, columns in tables.items():
            if names.known(known_table) == table:
                return frozenset(names.known(column) for column in columns)
    return None


def _is_cte(node: exp.Table, name: str, names: Names) -> bool:
    child: exp.Expr = node
    parent = node.parent
    while parent is not None:
        clause = parent.args.get("with_")
        if isinstance(clause, exp.With) and child is not clause:
            if any(names.spelled(cte.args["alias"].this) == name for cte in clause.expressions):
                return True
        elif isinstance(parent, exp.With):
            for cte in parent.expressions:
                if cte is child:
                    break
                if names.spelled(cte.args["alias"].this) == name:
                    return True
        elif isinstance(parent, exp.CTE) and _sees_itself(parent, node, name, names):
            return True
        child, parent = parent, parent.parent
    return False


def _sees_itself(cte: exp.CTE, node: exp.Table, name: str, names: Names) -> bool:
    """In WITH RECURSIVE, the right arm of a set operation sees the name being defined; nothing else does."""
    clause = cte.parent
    if not (isinstance(clause, exp.With) and clause.args.get("recursive")):
        return False
    body = cte.this
    if names.spelled(cte.args["alias"].this) != name or not isinstance(body, exp.SetOperation):
        return False
    inner: exp.Expr | None = node
    while inner is not None and inner.parent is not body:
        inner = inner.parent
    return inner is body.args.get("expression")
