"""docs/reference/problems.md lists every code that the API can answer, with its status, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import insight_engine
from insight_engine.api.problems import HTTP_CODES, STATUSES
from insight_engine.domain import source_errors

PACKAGE = Path(insight_engine.__file__).parent
TABLES = (PACKAGE.parents[1] / "docs" / "reference" / "problems.md").read_text()
BY_CLASS = {kind.__name__: status for kind, status in STATUSES}
NOT_IN_THE_API = {"adapters/store/migrate.py"}
MANY = {"sql_rejected": {400, 403, 422}}


def documented() -> dict[str, set[int]]:
    rows = re.findall(r"^\| `(\w+)` \| ([\d, ]+) \|", TABLES, re.MULTILINE)
    return {code: {int(status) for status in statuses.split(",")} for code, statuses in rows}


def calls() -> Iterator[tuple[str, list[ast.expr]]]:
    for path in PACKAGE.rglob("*.py"):
        if str(path.relative_to(PACKAGE)) in NOT_IN_THE_API:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = (
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                )
                yield name, node.args


def text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def raised() -> dict[str, set[int]]:
    found = {code: {status} for status, (code, _) in HTTP_CODES.items()} | {"bad_request": {400}} | MANY
    for name, arguments in calls():
        if name in BY_CLASS and arguments and (code := text(arguments[0])):
            found.setdefault(code, set()).add(BY_CLASS[name])
        if name == "problem" and len(arguments) > 1 and (code := text(arguments[1])):
            given = found.setdefault(code, set())
            if isinstance(arguments[0], ast.Constant):
                given.add(int(str(arguments[0].value)))
    return found


def test_every_code_is_documented_with_its_status() -> None:
    assert documented() == raised()


def test_every_code_of_a_data_source_is_documented() -> None:
    kinds = [kind for kind in vars(source_errors).values() if isinstance(kind, type)]
    codes = {kind.code for kind in kinds if issubclass(kind, source_errors.SourceError)}
    assert codes == set(re.findall(r"^\| `(\w+)` \| [a-z]", TABLES, re.MULTILINE))
