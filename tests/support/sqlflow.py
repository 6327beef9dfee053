"""Follows text into databases, by reading source code: what may reach a driver must be constant or judged.

An expression is safe when it is a literal, a module's constant, `prepared.sql` (or the question made of it),
a concatenation of safe ones, or a variable or parameter that is only ever given safe ones.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SINKS = {
    "execute": 0, "executemany": 0, "executescript": 0, "sql": 0, "query": 0, "from_query": 0, "read_sql": 0,
    "query_df": 0, "copy": 0, "copy_expert": 0, "send_query": 0, "send_query_params": 0, "send_prepare": 1,
    "exec_": 0, "exec_params": 0, "execute_async": 0, "extract_statements": 0, "_execute_command": 1,
    "Question": 0, "from_sql": 0, "adbc_ingest": 0, "run_sync": 0, "pragma": 0, "set_sql_query": 0,
}  # fmt: skip
"""Calls that hand text to a driver, or to what does, and which argument it is."""
JUDGED = frozenset({"prepared", "asked"})
"""Names of objects whose `.sql` is a judged text; what they are is checked by types and by `admit`."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Unproven:
    """A call whose text could be anything."""

    file: str
    line: int
    text: str


class Code:
    """All modules that may reach a source."""

    def __init__(self, sources: dict[str, str]) -> None:
        self.modules = {name: ast.parse(text) for name, text in sources.items()}
        self.constants = [*self._constants()]
        self.calls = [
            call
            for module in self.modules.values()
            for call in ast.walk(module)
            if isinstance(call, ast.Call)
        ]
        self.homes = {node: module for module in self.modules.values() for node in ast.walk(module)}
        self.around = {
            child: (function, owner)
            for module in self.modules.values()
            for function, owner in _functions(module)
            for child in ast.walk(function)
        }

    @classmethod
    def of(cls, *folders: Path) -> "Code":
        """The modules below these folders."""
        return cls(
            {str(p.relative_to(f.parent)): p.read_text() for f in folders for p in sorted(f.rglob("*.py"))}
        )

    def unproven(self) -> Iterator[Unproven]:
        """Every call of a sink whose text is not provably safe."""
        for name, module in self.modules.items():
            for call in ast.walk(module):
                place = SINKS.get(_called(call)) if isinstance(call, ast.Call) else None
                if place is None or not isinstance(call, ast.Call) or len(call.args) <= place:
                    continue
                if not self.is_safe(call.args[place], frozenset()):
                    yield Unproven(name, call.lineno, ast.unparse(call.args[place]))

    def is_safe(  # noqa: C901, PLR0911 - one line per kind of expression
        self, expression: ast.expr, asked: frozenset[tuple[str, str]]
    ) -> bool:
        """Whether an expression can only be a constant or a judged text."""
        match expression:
            case ast.Constant():
                return True
            case ast.Attribute(value=ast.Name(id=owner), attr="sql"):
                return owner in JUDGED
            case ast.Attribute(value=ast.Name(), attr=name) if name.isupper():
                return self._is_constant(expression, name, asked)
            case ast.Call(func=ast.Attribute(value=text, attr="encode"), args=[]):
                return self.is_safe(text, asked)
            case ast.Call(func=ast.Attribute(value=text, attr="replace" | "format" | "join"), args=parts):
                constant = isinstance(text, ast.Constant) or (
                    isinstance(text, ast.Name) and self._is_constant(text, text.id, asked)
                )
                return constant and all(self.is_safe(part, asked) for part in parts)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.is_safe(left, asked) and self.is_safe(right, asked)
            case ast.IfExp(body=one, orelse=other):
                return self.is_safe(one, asked) and self.is_safe(other, asked)
            case ast.JoinedStr(values=values):
                return all(self.is_safe(part, asked) for part in values)
            case ast.FormattedValue(value=value, format_spec=form):
                return self.is_safe(value, asked) or (
                    form is not None and ast.unparse(form).strip("f'\"") == "d"
                )
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                return all(self.is_safe(part, asked) for part in parts)
            case ast.Name(id=name):
                return self._is_safe_name(expression, name, asked)
        return False

    def _is_safe_name(self, node: ast.Name, name: str, asked: frozenset[tuple[str, str]]) -> bool:
        function, owner = self.around.get(node, (None, None))
        if function is not None:
            if (function.name, name) in asked:
                return True
            asked |= {(function.name, name)}
            given = [*_given(function, name)]
            if name in (parameters := _parameters(function)):
                given += self._handed(function, owner, parameters.index(name), name)
            if given:
                return all(self.is_safe(value, asked) for value in given)
        return self._is_constant(node, name, asked)

    def _is_constant(self, node: ast.expr, name: str, asked: frozenset[tuple[str, str]]) -> bool:
        """Whether a module gives that name safe values only: this module, or any for an imported name."""
        home = self.homes.get(node)
        values = [value for module, known, value in self.constants if known == name and module is home]
        if not values and not name.startswith("_"):
            values = [value for _, known, value in self.constants if known == name]
        return bool(values) and all(self.is_safe(value, asked) for value in values)

    def _handed(self, function: Function, owner: str | None, place: int, name: str) -> Iterator[ast.expr]:
        """What the callers of a function give for one of its parameters."""
        called = owner if function.name == "__init__" else function.name
        is_method = owner is not None and not any("static" in ast.unparse(d) for d in function.decorator_list)
        private = function.name.startswith("_") and function.name != "__init__"
        here = self.homes[function]
        found = [c for c in self.calls if _called(c) == called and (not private or self.homes[c] is here)]
        given: list[ast.Call | None] = [*found] or [None]
        for call in given:
            keyword = next((k.value for k in call.keywords if k.arg == name), None) if call else None
            index = place - is_method
            if keyword is not None:
                yield keyword
            elif call is not None and index < len(call.args):
                yield call.args[index]
            else:
                yield ast.Name(id=f"nothing known for {name}")

    def _constants(self) -> Iterator[tuple[ast.Module, str, ast.expr]]:
        for module in self.modules.values():
            for statement in module.body:
                if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
                    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                    for target in targets:
                        if isinstance(target, ast.Name):
                            yield module, target.id, statement.value


def _called(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _functions(module: ast.Module) -> Iterator[tuple[Function, str | None]]:
    for node in ast.walk(module):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function):
                yield child, node.name if isinstance(node, ast.ClassDef) else None


def _parameters(function: Function) -> list[str]:
    return [a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]


def _given(function: Function, name: str) -> Iterator[ast.expr]:
    """What is assigned to a name anywhere in a function; a loop's target is given what it loops over."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name) and target.id == name and node.value is not None:
                    yield node.value
                elif isinstance(target, ast.Tuple):
                    yield from _unpacked(target, node.value, name)
        elif (
            isinstance(node, ast.For | ast.comprehension)
            and isinstance(node.target, ast.Name)
            and node.target.id == name
        ):
            yield node.iter


def _unpacked(target: ast.Tuple, value: ast.expr | None, name: str) -> Iterator[ast.expr]:
    for index, part in enumerate(target.elts):
        if isinstance(part, ast.Name) and part.id == name:
            yield value.elts[index] if isinstance(value, ast.Tuple) else ast.Name(id="something unpacked")
