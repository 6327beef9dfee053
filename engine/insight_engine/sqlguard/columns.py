"""Judges column references, because `t.f` calls the function f when t has no column f (PostgreSQL). Pure.

With a catalog, what follows the name of a real table must be one of its columns. Without one, and always
for other row sources, a list of function names that could be meant stands guard.
"""

from collections.abc import Iterator

from sqlglot import exp

from insight_engine.sqlguard.names import Names, columns_of
from insight_engine.sqlguard.policy import words
from insight_engine.sqlguard.reasons import Reason, ReasonCode
from insight_engine.sqlguard.text import fold

_OF_TABLE_FUNCTIONS = words("key value type atom id parent fullkey path json ordinality range")
_HIDDEN = frozenset({"rowid", "oid", "_rowid_"})


def check_columns(tree: exp.Expr, names: Names) -> Iterator[Reason]:
    """Yield a reason for each reference that is not surely a column."""
    tables = _tables(tree, names) if names.catalog is not None else {}
    visible = _visible(tree, names, tables) if names.catalog is not None else None
    for node in tree.find_all(exp.Column, exp.Dot):
        identifier = node.args.get("expression") if isinstance(node, exp.Dot) else node.this
        if not isinstance(identifier, exp.Identifier):
            continue
        name, offset = names.spelled(identifier), identifier.meta.get("start", 0)
        qualifier = node.args.get("table") if isinstance(node, exp.Column) else None
        qualified = qualifier is not None or isinstance(node, exp.Dot)
        if qualified and names.policy.column_functions and _may_call(name, names):
            message = f"A dot before {name} could call a function: name a column."
            yield names.where.reason(ReasonCode.COLUMN_CALLS_FUNCTION, message, offset)
        elif visible is not None and isinstance(node, exp.Column):
            known = tables.get(names.spelled(qualifier)) if qualifier is not None else None
            if name not in (visible if known is None else known):
                message = f"There is no column {name} here: check its name and its table."
                yield names.where.reason(ReasonCode.UNKNOWN_COLUMN, message, offset)


def _may_call(name: str, names: Names) -> bool:
    return fold(name).startswith("pg_") or fold(name) in names.policy.column_functions


def _tables(tree: exp.Expr, names: Names) -> dict[str, frozenset[str]]:
    """Alias or name of each real table → its columns; a name that several row sources share is left out."""
    found: dict[str, frozenset[str]] = {}
    others: set[str] = set()
    for derived in tree.find_all(exp.TableAlias):
        if derived.this is not None and not isinstance(derived.parent, exp.Table):
            others.add(names.spelled(derived.this))
    for node in tree.find_all(exp.Table):
        alias = node.args.get("alias")
        name = alias.this if alias is not None and alias.this is not None else node.this
        if not isinstance(name, exp.Identifier):
            continue
        columns = _columns(node, names)
        if columns is None or (alias is not None and alias.args.get("columns")):
            others.add(names.spelled(name))
        else:
            found[names.spelled(name)] = found.get(names.spelled(name), frozenset()) | columns
    return {name: columns for name, columns in found.items() if name not in others}


def _columns(node: exp.Table, names: Names) -> frozenset[str] | None:
    if not isinstance(node.this, exp.Identifier):
        return None
    database = node.args.get("db")
    default = names.source.schemas[0] if names.source.schemas else names.policy.default_schema
    schema = names.spelled(database) if database is not None else names.known(default)
    table = names.spelled(node.this)
    columns = columns_of(schema, table, names) if (schema, table) in names.tables else None
    if columns is not None and not names.policy.case_sensitive_quotes:
        return columns | _HIDDEN
    return columns


def _visible(tree: exp.Expr, names: Names, tables: dict[str, frozenset[str]]) -> frozenset[str]:
    """Every name that some row source of the statement could offer as a column."""
    found = set(_HIDDEN)
    for schema, table in names.tables:
        found |= columns_of(schema, table, names) or frozenset()
    for node in tree.find_all(
        exp.Alias, exp.TableAlias, exp.Table, exp.Lambda, exp.PropertyEQ, exp.ColumnDef
    ):
        for identifier in node.find_all(exp.Identifier):
            if not isinstance(identifier.parent, exp.Column):
                found.add(names.spelled(identifier))
    for loop in tree.find_all(exp.Comprehension):
        found |= {names.spelled(name) for name in loop.args["expression"].find_all(exp.Identifier)}
    for function in tree.find_all(exp.Func):
        found.add(fold(function.name if isinstance(function, exp.Anonymous) else function.sql_name()))
    return frozenset(found) | _OF_TABLE_FUNCTIONS | set(tables)
