"""What PostgreSQL's own parser makes of a statement, and whether the guard promised anything else.

Two readers are compared: what the guard let pass must be, to the real grammar, one plain query over the
tables the guard reported, calling only functions of its list.
"""

import json
from collections.abc import Iterator
from typing import Any

from pglast.parser import ParseError, parse_sql_json

from insight_engine.domain.sources import Dialect
from insight_engine.sqlguard.policies import POLICIES
from insight_engine.sqlguard.policy import words

_POLICY = POLICIES[Dialect.POSTGRES]
Node = dict[str, Any]
_NODES = words("""
    A_ArrayExpr A_Const A_Expr A_Indices A_Indirection A_Star Alias BitString Boolean BooleanTest
    BoolExpr CaseExpr CaseWhen CoalesceExpr CollateClause ColumnDef ColumnRef CommonTableExpr Float
    FuncCall GroupingFunc GroupingSet Integer JoinExpr JsonArgument JsonArrayAgg JsonArrayConstructor
    JsonArrayQueryConstructor JsonFuncExpr JsonIsPredicate JsonKeyValue JsonObjectAgg
    JsonObjectConstructor JsonParseExpr JsonScalarExpr JsonSerializeExpr JsonValueExpr List MinMaxExpr
    NamedArgExpr NullTest ParamRef RangeFunction RangeSubselect RangeTableSample RangeVar ResTarget
    RowExpr SelectStmt SortBy SQLValueFunction String SubLink TypeCast TypeName WindowDef
""")
_GRAMMAR_FUNCTIONS = words("""
    btrim extract is_normalized json_object like_escape ltrim normalize overlaps overlay position rtrim
    similar_to_escape substring timezone
""")
_ESCAPES = frozenset({"json_object", "like_escape", "similar_to_escape"})
"""What JSON_OBJECT, LIKE … ESCAPE and SIMILAR TO become, without saying that they are grammar."""
_GRAMMAR_TYPES = words("""
    bit bool bpchar float4 float8 int2 int4 int8 interval json numeric time timestamp timestamptz timetz
    varbit varchar
""")
_CLOCKS = words("""
    SVFOP_CURRENT_DATE SVFOP_CURRENT_TIME SVFOP_CURRENT_TIME_N SVFOP_CURRENT_TIMESTAMP
    SVFOP_CURRENT_TIMESTAMP_N SVFOP_LOCALTIME SVFOP_LOCALTIME_N SVFOP_LOCALTIMESTAMP
    SVFOP_LOCALTIMESTAMP_N
""")
_SAMPLING = frozenset({"bernoulli", "system"})


def statements(sql: str) -> list[Node] | None:
    """The parse trees of a text, or None when PostgreSQL would not read it."""
    try:
        return [entry["stmt"] for entry in json.loads(parse_sql_json(sql)).get("stmts", [])]
    except (ParseError, ValueError):
        return None


def disagreements(trees: list[Node], tables: tuple[str, ...]) -> Iterator[str]:
    """Yield what is wrong with letting these trees pass as one query over `tables`."""
    if len(trees) != 1 or set(trees[0]) != {"SelectStmt"}:
        yield f"not one query: {[next(iter(tree)) for tree in trees]}"
        return
    yield from _nodes(trees[0])
    unreported = read_tables(trees[0]) - set(tables)
    if unreported:
        yield f"tables not reported: {sorted(unreported)}"


def read_tables(tree: Node) -> set[str]:
    """The `schema.table` names a statement reads, by PostgreSQL's rules for the names WITH defines."""
    found: set[str] = set()
    _collect(tree, frozenset(), found)
    return found


def _nodes(tree: Any) -> Iterator[str]:
    if isinstance(tree, list):
        for item in tree:
            yield from _nodes(item)
    if not isinstance(tree, dict):
        return
    for key, value in tree.items():
        if key[0].isupper() and isinstance(value, dict):
            if key not in _NODES:
                yield f"a {key}"
            yield from _of_kind(key, value)
        elif key in {"intoClause", "lockingClause"}:
            yield f"an {key}"
        elif key == "typeName":
            yield from _type(value)
        yield from _nodes(value)


def _of_kind(kind: str, node: Node) -> Iterator[str]:  # noqa: C901, PLR0912 - one case per kind
    if kind == "FuncCall":
        name = _name(node["funcname"])
        sql_syntax = node.get("funcformat") == "COERCE_SQL_SYNTAX" or name[-1] in _ESCAPES
        if name[:1] == ["pg_catalog"] and sql_syntax:
            allowed = name[-1] in _GRAMMAR_FUNCTIONS
        else:
            allowed = len(name) == 1 and name[0] in _POLICY.functions | _POLICY.types
        if not allowed:
            yield f"the function {'.'.join(name)}"
    elif kind == "CommonTableExpr":
        if set(node["ctequery"]) != {"SelectStmt"}:
            yield f"a {next(iter(node['ctequery']))} in WITH"
    elif kind == "SQLValueFunction":
        if node["op"] not in _CLOCKS:
            yield f"a {node['op']}"
    elif kind == "A_Expr":
        name = _name(node["name"])
        by_grammar = node["kind"] != "AEXPR_OP" and node["kind"] not in {"AEXPR_OP_ANY", "AEXPR_OP_ALL"}
        if not by_grammar and (len(name) != 1 or name[0] not in _POLICY.operators):
            yield f"the operator {'.'.join(name)}"
    elif kind == "ColumnRef":
        name = _name([field for field in node["fields"] if "String" in field])
        names_a_table = "A_Star" in node["fields"][-1]  # before `.*` stand schema and table, never a function
        may_call = name and (name[-1].startswith("pg_") or name[-1] in _POLICY.column_functions)
        if len(name) > 1 and may_call and not names_a_table:
            yield f"the column or function {'.'.join(name)}"
    elif kind == "A_Indirection":
        for one in _name([part for part in node["indirection"] if "String" in part]):
            if one.startswith("pg_") or one in _POLICY.column_functions:
                yield f"the field or function {one}"
    elif kind == "RangeTableSample":
        if _name(node["method"])[-1] not in _SAMPLING or len(node["method"]) != 1:
            yield f"the sampling {'.'.join(_name(node['method']))}"
    elif kind == "TypeName":
        yield from _type(node)
    elif kind == "SortBy" and "useOp" in node:
        yield f"ordering by {'.'.join(_name(node['useOp']))}"


def _type(node: Node) -> Iterator[str]:
    name = _name(node.get("names", []))
    of_grammar = len(name) == 2 and name[0] == "pg_catalog" and name[1] in _GRAMMAR_TYPES
    if (not of_grammar and (len(name) != 1 or name[0] not in _POLICY.types)) or node.get("pct_type"):
        yield f"the type {'.'.join(name)}"


def _collect(tree: Any, defined: frozenset[str], found: set[str]) -> None:
    if isinstance(tree, list):
        for item in tree:
            _collect(item, defined, found)
    if not isinstance(tree, dict):
        return
    if "relname" in tree:
        schema = tree.get("schemaname")
        if schema is not None or tree["relname"] not in defined:
            found.add(f"{schema or _POLICY.default_schema}.{tree['relname']}")
    clause = tree.get("withClause")
    inside = defined
    if isinstance(clause, dict):
        inside = _with(clause, defined, found)
    for key, value in tree.items():
        if key != "withClause":
            _collect(value, inside, found)


def _with(clause: Node, defined: frozenset[str], found: set[str]) -> frozenset[str]:
    expressions = [item["CommonTableExpr"] for item in clause["ctes"]]
    names = frozenset(item["ctename"] for item in expressions)
    seen = defined | names if clause.get("recursive") else defined
    for item in expressions:
        _collect(item["ctequery"], seen, found)
        seen |= {item["ctename"]}
    return defined | names


def _name(parts: list[Node]) -> list[str]:
    return [part["String"].get("sval", "") for part in parts if "String" in part]
