"""Judges column references: each must name a column that exists, and none may call a function. Pure.

In PostgreSQL `t.f` calls the function f when t has no column f. With a catalog, what follows the name of a
real table must be one of its columns; without one, and always for other row sources, a list of function
names that could be meant stands guard.
"""

from collections.abc import Iterator

from sqlglot import exp

from insight_engine.sqlguard.arrows import parameters_of
from insight_engine.sqlguard.names import Names
from insight_engine.sqlguard.policy import words
from insight_engine.sqlguard.reasons import Reason, ReasonCode
from insight_engine.sqlguard.scopes import RowSource, Scope, Scopes
from insight_engine.sqlguard.text import fold

_OF_FUNCTIONS = words("key value type atom id parent fullkey path json ordinality range case exists")
_CONSTANTS = words("utc_date utc_time utc_timestamp")
ROW_IDS = frozenset({"rowid", "oid", "_rowid_"})


def check_columns(tree: exp.Expr, scopes: Scopes, names: Names) -> Iterator[Reason]:
    """Yield a reason for each reference that is not surely a column."""
    others = _others(tree, names) if names.index is not None else frozenset()
    for node, scope in scopes.references:
        if isinstance(node, exp.In):
            yield from _check_in(node, names)
            continue
        identifier = node.args.get("expression") if isinstance(node, exp.Dot) else node.this
        if not isinstance(identifier, exp.Identifier):
            continue
        name, offset = names.spelled(identifier), identifier.meta.get("start", 0)
        qualifier = node.args.get("table") if isinstance(node, exp.Column) else None
        qualified = qualifier is not None or isinstance(node, exp.Dot)
        if name in names.policy.row_columns and _is_of_storage(node, name, scope, names):
            message = f"{name} is the database's own column, on how rows are stored, and may not be read."
            yield names.where.reason(ReasonCode.SYSTEM_CATALOG, message, offset)
        elif qualified and names.policy.column_functions and _may_call(name, names):
            message = f"A dot before {name} could call a function: name a column."
            yield names.where.reason(ReasonCode.COLUMN_CALLS_FUNCTION, message, offset)
        elif isinstance(node, exp.Dot) or _is_grammar(node, names) or _is_unknown(qualifier, scope, names):
            continue
        elif not (
            _is_plain(name, scope, others, names)
            if qualifier is None
            else _is_of(names.spelled(qualifier), name, scope, others, names)
        ):
            message = f"There is no column {name} here: check its name and its table."
            yield names.where.reason(ReasonCode.UNKNOWN_COLUMN, message, offset)


def _is_unknown(qualifier: exp.Expr | None, scope: Scope, names: Names) -> bool:
    """Whether it takes a catalog to judge it: not so where `x.f` could call f on what a function returned."""
    if names.index is not None or qualifier is None or not names.policy.column_functions:
        return names.index is None
    spelled = names.spelled(qualifier)
    found = [source for level in scope.chain() for source in level.by_name.get(spelled, ())]
    # A function without an alias goes by its own name, which may be what was not found.
    return bool(found) and not any(source.is_function for source in found)


def _is_of_storage(node: exp.Expr, name: str, scope: Scope, names: Names) -> bool:
    """Whether it may be a real table's: the innermost query with such a source has no other of that name."""
    qualifier = node.args.get("table")
    order = node.parent.parent if isinstance(node.parent, exp.Ordered) else None
    sorts = order is not None and isinstance(order.parent, exp.Select)
    if sorts and qualifier is None and name in scope.results:
        return False
    for level in scope.chain():
        sources = level.sources if qualifier is None else level.by_name.get(names.spelled(qualifier), [])
        if any(name in source.rows.columns for source in sources if source.table is None):
            return False
        if any(source.table is not None for source in sources):
            return True
    return False


def _is_grammar(node: exp.Expr, names: Names) -> bool:
    """`x IS NORMALIZED`: a word of the grammar that the parser takes for a column."""
    if is_constant(node, names):
        return True
    plain = (
        isinstance(node.parent, exp.Is) and node.arg_key == "expression" and not node.this.args.get("quoted")
    )
    return plain and fold(node.this.name) in names.policy.keywords


def is_constant(node: exp.Expr, names: Names) -> bool:
    """`UTC_DATE` without brackets: a function of MySQL that the parser takes for a column."""
    alone = node.args.get("table") is None and not node.this.args.get("quoted")
    return alone and fold(node.this.name) in _CONSTANTS & names.policy.reserved


def _check_in(node: exp.In, names: Names) -> Iterator[Reason]:
    """SQLite reads a whole table in `x IN t`, which looks like a column."""
    target = node.args.get("field")
    if isinstance(target, exp.Expr) and not names.policy.lists_in_columns:
        message = "IN needs a list or a query in brackets: write IN (SELECT … FROM …)."
        identifier = target.this if isinstance(target, exp.Column) else target
        offset = identifier.meta.get("start", 0) if isinstance(identifier, exp.Expr) else 0
        yield names.where.reason(ReasonCode.CONSTRUCT_NOT_ALLOWED, message, offset)


def _may_call(name: str, names: Names) -> bool:
    return fold(name).startswith("pg_") or fold(name) in names.policy.column_functions


def _is_plain(name: str, scope: Scope, others: frozenset[str], names: Names) -> bool:
    """Whether a name alone can be a column, a result, or a whole row here."""
    if name in others or (name in ROW_IDS and not names.policy.case_sensitive_quotes):
        return True
    return any(
        name in level.columns
        or name in level.results
        or name in level.by_name
        or (level.is_open and _fits_open(name, names))
        for level in scope.chain()
    )


def _is_of(qualifier: str, name: str, scope: Scope, others: frozenset[str], names: Names) -> bool:
    """Whether a row source of that name has that column; where a dot may call, all of that name must."""
    found = [source for level in scope.chain() for source in level.by_name.get(qualifier, ())]
    if not found:
        # A field of a column, where columns have fields.
        return not names.policy.column_functions and _is_plain(qualifier, scope, others, names)
    fits = [_offers(source, name, names) for source in found]
    return all(fits) if names.policy.column_functions else any(fits)


def _offers(source: RowSource, name: str, names: Names) -> bool:
    if name in source.rows.columns:
        return True
    if source.table is not None and not source.rows.is_open:
        return name in ROW_IDS and not names.policy.case_sensitive_quotes
    return source.rows.is_open and (name == source.name or _fits_open(name, names))


def _fits_open(name: str, names: Names) -> bool:
    """Whether a row source may offer it whose columns are not all known; where a dot may call, hardly."""
    if not names.policy.column_functions:
        return True
    is_of_values = name.startswith("column") and name[len("column") :].isdecimal()
    known = name in _OF_FUNCTIONS or name == "?column?" or is_of_values
    return known or name in names.policy.functions | names.policy.types


def _others(tree: exp.Expr, names: Names) -> frozenset[str]:
    """Names that a statement gives to things that are no rows: parameters of lambdas, fields, arguments."""
    found: set[str] = set()
    for node in tree.find_all(exp.Lambda, exp.PropertyEQ, exp.ColumnDef, exp.Comprehension, exp.TableAlias):
        if isinstance(node, exp.Lambda):
            found.update(names.spelled(name) for name in parameters_of(node))
        for identifier in node.find_all(exp.Identifier):
            if not isinstance(identifier.parent, exp.Column) or isinstance(node, exp.Comprehension):
                found.add(names.spelled(identifier))
    return frozenset(found)
