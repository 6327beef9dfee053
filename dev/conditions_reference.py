"""Writes the page of every condition and reason from the lists in the operator's source."""

import ast
import inspect
from collections.abc import Iterator

from insight_operator.status import conditions


def page() -> str:
    """Return the page."""
    meanings = _meanings()
    return "\n".join(
        [
            "# Conditions of an InsightEngine",
            "",
            "Every condition is always there, with a reason of its list and no other.",
            "[docs/status.md](../status.md) tells how to read and alert on them.",
            "",
            *(line for kind in conditions.REASONS for line in _section(kind, meanings)),
        ]
    )


def _section(kind: conditions.ConditionType, meanings: dict[tuple[str, str], str]) -> Iterator[str]:
    yield from (f"## {kind.value}", "", meanings["ConditionType", kind.name], "")
    yield from ("| reason | meaning |", "| --- | --- |")
    for reason in conditions.REASONS[kind]:
        yield f"| `{reason.value}` | {meanings[type(reason).__name__, reason.name]} |"
    yield ""


def _meanings() -> dict[tuple[str, str], str]:
    """Return the sentence under each member of each list: enumerations do not keep them."""
    tree = ast.parse(inspect.getsource(conditions))
    found = {}
    for owner in tree.body:
        if isinstance(owner, ast.ClassDef):
            for member, told in zip(owner.body, owner.body[1:], strict=False):
                if isinstance(member, ast.Assign) and isinstance(told, ast.Expr):
                    name, sentence = ast.unparse(member.targets[0]), ast.literal_eval(told.value)
                    found[owner.name, name] = " ".join(str(sentence).split())
    return found
