"""PostgreSQL's arrays as Arrow lists, from their text. Pure.

A PostgreSQL column may hold arrays of any number of dimensions; an Arrow column has one type. So the first
rows decide: lists of lists as deep as they are; the server's text where they differ or count from elsewhere.
"""

import re
from typing import Any

import pyarrow as pa

from insight_engine.adapters.sources.postgres_values import Decode, Texts, opaque
from insight_engine.domain.source_errors import QueryFailed

_TOKEN = re.compile(r'[{},]|"(?:[^"\\]|\\.)*"|[^{},"]+', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
Nested = list[Any] | None


class ArrayColumn:
    """Decodes one column of arrays; remembers what its first rows looked like."""

    def __init__(self, name: str, type_name: str, element: Decode) -> None:
        self._name, self._element = name, element
        self._as_text = opaque(type_name)
        self._depth: int | None = None

    def __call__(self, values: Texts) -> Any:
        """The values as nested lists or as text, as decided by the first ones.

        Raises:
            QueryFailed: later values have another shape than the first ones had.
        """
        if self._depth == 0:
            return self._as_text(values)
        depths = {_depth(value) for value in values if value not in {None, "{}"}}
        if self._depth is None:
            self._depth = 0 if 0 in depths or len(depths) > 1 else max(depths, default=1)
            return self(values)
        if not depths <= {self._depth}:
            message = f"The column {self._name} holds arrays of several shapes: CAST it to text."
            raise QueryFailed(message)
        return self._lists([None if value is None else _parsed(value) for value in values], self._depth)

    def _lists(self, lists: list[Nested], depth: int) -> Any:
        offsets = [0]
        inner: list[Any] = []
        for items in lists:
            inner += items or ()
            offsets.append(len(inner))
        child = self._element(inner) if depth == 1 else self._lists(inner, depth - 1)
        mask = pa.array([items is None for items in lists], pa.bool_())
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), child, mask=mask)


def _depth(value: str | None) -> int:
    """How many dimensions; 0 for one with bounds of its own, such as `[2:3]={1,2}`."""
    return 0 if value is None else len(value) - len(value.lstrip("{"))


def _parsed(value: str) -> list[Any]:
    if '"' not in value and value.count("{") == 1:
        return [None if v == "NULL" else v for v in value[1:-1].split(",")] if len(value) > len("{}") else []
    stack: list[list[Any]] = [[]]
    for token in _TOKEN.findall(value):
        if token == "{":  # noqa: S105 - not a password
            stack[-1].append([])
            stack.append(stack[-1][-1])
        elif token == "}":  # noqa: S105
            stack.pop()
        elif token[0] == '"':
            stack[-1].append(_ESCAPED.sub(r"\1", token[1:-1]))
        elif token != ",":  # noqa: S105
            stack[-1].append(None if token == "NULL" else token)  # noqa: S105
    parsed: list[Any] = stack[0][0]
    return parsed
