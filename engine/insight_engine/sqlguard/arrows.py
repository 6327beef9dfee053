"""Gives back the columns that the parser took for parameters of a lambda. Pure.

Inside a call the parser reads `a -> 'key'` as a lambda whose parameter is `a`, and every `a` and `a.b` in it
as no column. Most databases read a JSON path there; and DuckDB prefers, in `lambda c: c.email` too, a table
named c. The judges of columns must see what the database may see.
"""

from sqlglot import exp

from insight_engine.sqlguard.lexer import Kind, Token
from insight_engine.sqlguard.policy import Policy

_MOST_PARTS = 4
_NAMING = (
    exp.Column, exp.Table, exp.TableAlias, exp.PropertyEQ, exp.ColumnDef, exp.Dot, exp.DataType, exp.Aliases,
)  # fmt: skip


def restore_columns(tree: exp.Expr, tokens: tuple[Token, ...], policy: Policy) -> None:
    """Turn back into columns what may be one, in and below each lambda of the tree."""
    if not any(token.text in {"->", "lambda"} and token.kind is not Kind.STRING for token in tokens):
        return
    declared = _declared(tokens)
    for node in [*tree.find_all(exp.Lambda)]:
        parameters = {name.name for name in node.expressions}
        is_declared = all(name.meta.get("start") in declared for name in node.expressions)
        is_declared = is_declared and node.find(exp.Query) is None
        for name in [*node.find_all(exp.Identifier)]:
            if isinstance(name.parent, exp.Dot):
                _restore_dotted(name)
            elif not is_declared and name.name in parameters and not _is_naming(name):
                name.replace(exp.Column(this=name.copy()))
        if not policy.has_lambdas:
            _make_path(node)


def parameters_of(node: exp.Lambda) -> list[exp.Expr]:
    """The names of a lambda's parameters."""
    return [name.this if isinstance(name, exp.Column) else name for name in node.expressions]


def _declared(tokens: tuple[Token, ...]) -> set[int]:
    """Where the parameters of `lambda x, y:` stand; a name alone is theirs in it, to DuckDB as well."""
    found: set[int] = set()
    is_open = False
    for token in tokens:
        if token.kind is Kind.WORD and token.text == "lambda":
            is_open = True
        elif token.text == ":":
            is_open = False
        elif is_open:
            found.add(token.start)
    return found


def _is_naming(name: exp.Identifier) -> bool:
    return isinstance(name.parent, _NAMING) or name.arg_key == "alias"


def _restore_dotted(first: exp.Identifier) -> None:
    """`a.b.c` as the column that it would have been outside of the lambda."""
    top = first.parent
    if not isinstance(top, exp.Dot) or first.arg_key != "this":
        return
    parts = [top.this, top.expression]
    while isinstance(top.parent, exp.Dot) and top.arg_key == "this" and len(parts) < _MOST_PARTS:
        top = top.parent
        parts.append(top.expression)
    if all(isinstance(part, exp.Identifier) for part in parts):
        keys = ("this", "table", "db", "catalog")
        top.replace(exp.Column(**dict(zip(keys, [p.copy() for p in reversed(parts)], strict=False))))


def _make_path(node: exp.Lambda) -> None:
    """What every database but DuckDB reads: a JSON document and a path into it."""
    given = node.expressions
    subject = given[0] if len(given) == 1 else exp.Tuple(expressions=given)
    node.replace(exp.JSONExtract(this=subject, expression=node.this))
