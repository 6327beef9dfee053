"""Judges the syntax tree: root, kinds of nodes, target types of casts. Pure, iterative."""

from collections.abc import Iterator

from sqlglot import exp

from insight_engine.sqlguard.policy import Policy
from insight_engine.sqlguard.reasons import Reason, ReasonCode
from insight_engine.sqlguard.text import Positions, fold

_QUERIES = (exp.Select, exp.SetOperation, exp.Subquery, exp.Values)

_QUANTIFIERS = frozenset({"all", "any", "some"})
_SAMPLERS = frozenset({"bernoulli", "system", "reservoir"})


def is_query(tree: exp.Expr) -> bool:
    """Whether the root of a statement is a query."""
    return isinstance(tree, _QUERIES)


def has_whole_names(tree: exp.Expr) -> bool:
    """Whether no table is named with an empty part, as in `a..b`, of which the parser makes a text."""
    return not any(
        isinstance(node.args.get(part), str)
        for node in tree.find_all(exp.Table)
        for part in ("db", "catalog")
    )


def check_nodes(tree: exp.Expr, policy: Policy, where: Positions) -> Iterator[Reason]:
    """Yield a reason for each node that the policy does not allow."""
    place = 0
    for node in tree.walk(bfs=False):
        place = node.meta.get("start", place)
        if isinstance(node, exp.DataType):
            known = (
                isinstance(node.this, exp.Interval) or node.this in _types(policy) or _is_named(node, policy)
            )
            if type(node) is not exp.DataType or not known:
                yield where.reason(*_type(getattr(node.this, "name", str(node.this))), place)
        elif isinstance(node, exp.Func):
            name = fold(node.name) if type(node) is exp.Anonymous else ""
            if name and not (name in policy.functions or name in policy.types or name in _QUANTIFIERS):
                message = (
                    f"The function {name} is not allowed: only functions on the dialect's list may be called."
                )
                yield where.reason(ReasonCode.FUNCTION_NOT_ALLOWED, message, place)
        elif isinstance(node, exp.Alias) and isinstance(node.parent, exp.Tuple | exp.Paren):
            message = "A name inside brackets is not read by the database: put AS after the bracket."
            yield where.reason(ReasonCode.CONSTRUCT_NOT_ALLOWED, message, place)
        elif isinstance(node, exp.TableSample) and not _samples_plainly(node):
            message = "A table is sampled by BERNOULLI, SYSTEM or RESERVOIR only: name one of them."
            yield where.reason(ReasonCode.FUNCTION_NOT_ALLOWED, message, place)
        elif type(node) not in policy.nodes:
            message = f"{_spoken(node)} is not allowed in a query on this data source: leave it out."
            yield where.reason(ReasonCode.CONSTRUCT_NOT_ALLOWED, message, place)


def _samples_plainly(node: exp.TableSample) -> bool:
    """Whether no other function is called, as PostgreSQL would by any name before the bracket."""
    method = node.args.get("method")
    return method is None or fold(method.name) in _SAMPLERS


def _is_named(node: exp.DataType, policy: Policy) -> bool:
    """Whether it is a type of the policy's list that the parser has no name of its own for."""
    kind = node.args.get("kind") if node.this is exp.DType.USERDEFINED else None
    return (
        isinstance(kind, exp.Identifier) and not kind.args.get("quoted") and fold(kind.name) in policy.types
    )


def _types(policy: Policy) -> frozenset[exp.DType]:
    known = _TYPES.get(policy.dialect)
    if known is None:
        known = _TYPES[policy.dialect] = frozenset(exp.DType[name] for name in policy.data_types)
    return known


_TYPES: dict[str, frozenset[exp.DType]] = {}


def _type(name: str) -> tuple[ReasonCode, str]:
    return ReasonCode.TYPE_NOT_ALLOWED, f"The type {name.lower()} is not allowed: use text, numbers or dates."


def _spoken(node: exp.Expr) -> str:
    return {"Into": "SELECT INTO", "Lock": "FOR UPDATE", "Command": "This command"}.get(
        type(node).__name__, type(node).__name__
    )
