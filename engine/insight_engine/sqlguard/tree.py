"""Judges the syntax tree: root, kinds of nodes, target types of casts, sizes. Pure, iterative."""

from collections.abc import Iterator

from sqlglot import exp

from insight_engine.sqlguard.policy import Policy
from insight_engine.sqlguard.reasons import Reason, ReasonCode
from insight_engine.sqlguard.text import Positions, fold

_QUERIES = (exp.Select, exp.SetOperation, exp.Subquery, exp.Values)


def is_query(tree: exp.Expr) -> bool:
    """Whether the root of a statement is a query."""
    return isinstance(tree, _QUERIES)


def check_nodes(tree: exp.Expr, policy: Policy, where: Positions) -> Iterator[Reason]:
    """Yield a reason for each node that the policy does not allow."""
    place = 0
    for node in tree.walk(bfs=False):
        place = node.meta.get("start", place)
        if isinstance(node, exp.DataType):
            is_interval = isinstance(node.this, exp.Interval)
            if type(node) is not exp.DataType or not (is_interval or node.this in _types(policy)):
                yield where.reason(*_type(getattr(node.this, "name", str(node.this))), place)
        elif isinstance(node, exp.Func):
            yield from _size(node, policy, where, place)
        elif isinstance(node, exp.Alias) and isinstance(node.parent, exp.Tuple | exp.Paren):
            message = "A name inside brackets is not read by the database: put AS after the bracket."
            yield where.reason(ReasonCode.CONSTRUCT_NOT_ALLOWED, message, place)
        elif type(node) not in policy.nodes:
            message = f"{_spoken(node)} is not allowed in a query on this data source: leave it out."
            yield where.reason(ReasonCode.CONSTRUCT_NOT_ALLOWED, message, place)


def _types(policy: Policy) -> frozenset[exp.DType]:
    known = _TYPES.get(policy.dialect)
    if known is None:
        known = _TYPES[policy.dialect] = frozenset(exp.DType[name] for name in policy.data_types)
    return known


_TYPES: dict[str, frozenset[exp.DType]] = {}


def _type(name: str) -> tuple[ReasonCode, str]:
    return ReasonCode.TYPE_NOT_ALLOWED, f"The type {name.lower()} is not allowed: use text, numbers or dates."


def _size(node: exp.Func, policy: Policy, where: Positions, place: int) -> Iterator[Reason]:
    name = fold(node.name if isinstance(node, exp.Anonymous) else _PADS.get(type(node), ""))
    if name == "pad":
        name = "lpad" if node.args.get("is_left") else "rpad"
    if name not in policy.bounded:
        return
    index, most = policy.bounded[name]
    values = [value for value in node.args.values() if isinstance(value, exp.Expr)]
    size = values[index] if index < len(values) else None
    if (
        isinstance(size, exp.Literal)
        and not size.is_string
        and size.name.isdecimal()
        and int(size.name) <= most
    ):
        return
    message = f"{name} needs a plain number of at most {most} for its length."
    yield where.reason(ReasonCode.TOO_COMPLEX, message, place)


_PADS: dict[type[exp.Expr], str] = {exp.Repeat: "repeat", exp.Pad: "pad"}


def _spoken(node: exp.Expr) -> str:
    return {"Into": "SELECT INTO", "Lock": "FOR UPDATE", "Command": "This command"}.get(
        type(node).__name__, type(node).__name__
    )
