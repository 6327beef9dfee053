"""`python -m dev.bench.guard_peers`: the corpora judged by ours and by others' guards.

Peers: Apache Superset's own SQL parser with the lists that it ships, in an environment of its own;
sqlparse's statement type; and the usual regular expression. Prints a table for docs/sql-guard.md. The
comparison counts verdicts on the very statements of tests/security/corpus and says nothing else of a product.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests"))  # the corpora are the tests' own

from dev.bench import peers  # noqa: E402 - needs the path above
from dev.bench.superset import PACKAGES  # noqa: E402 - likewise
from insight_engine.domain.sources import Dialect  # noqa: E402 - likewise
from insight_engine.sqlguard import Rejected  # noqa: E402 - likewise
from security.corpora import attacks, benign, judge  # noqa: E402 - likewise

Statements = Sequence[tuple[str, str]]
"""(dialect, text)."""
Verdicts = list[bool]
"""For each statement, whether it may run."""
_READS: Final = re.compile(r"\s*(?:select|with)\b[^;]*;?\s*", re.IGNORECASE | re.DOTALL)
_WRITES: Final = re.compile(r"\b(?:insert|update|delete|drop|alter|create|grant|truncate)\b", re.IGNORECASE)
_ENGINES: Final = {"postgres": "postgresql", "mysql": "mysql", "sqlite": "sqlite", "duckdb": "duckdb"}

# What Superset does to a statement when DML is not allowed on a database: one of its own lists of functions
# and tables, its own test for mutation. Several statements at once are its feature, so they are not counted
# as accepted for that alone.
_SUPERSET: Final = """
import ast, importlib.util, json, pathlib, sys
from superset.sql.parse import SQLScript
tree = ast.parse((pathlib.Path(importlib.util.find_spec("superset").origin).parent / "config.py").read_text())
lists = {"DISALLOWED_SQL_FUNCTIONS": {}, "DISALLOWED_SQL_TABLES": {}}
for node in tree.body:
    name = getattr(getattr(node, "target", None), "id", None)
    if name in lists:
        lists[name] = ast.literal_eval(node.value)
def allowed(engine, sql):
    try:
        script = SQLScript(sql, engine)
        if script.has_mutation():
            return False
        functions = set(lists["DISALLOWED_SQL_FUNCTIONS"].get(engine, ()))
        if functions and script.check_functions_present(functions):
            return False
        tables = set(lists["DISALLOWED_SQL_TABLES"].get(engine, ()))
        return not (tables and script.check_tables_present(tables))
    except Exception:
        return False
print(json.dumps([allowed(*pair) for pair in json.load(sys.stdin)]))
"""
_SQLPARSE: Final = """
import json, sys, sqlparse
def allowed(sql):
    found = [s for s in sqlparse.parse(sql) if str(s).strip(" ;\\n\\t")]
    return len(found) == 1 and found[0].get_type() == "SELECT"
print(json.dumps([allowed(sql) for _, sql in json.load(sys.stdin)]))
"""


def main() -> int:
    """Print the table; 0 whatever it says."""
    hostile = [(d.value, attack.sql) for d in Dialect for attack in attacks(d)]
    harmless = [(d.value, sql) for d in Dialect for sql in benign(d)]
    print(f"{len(hostile)} hostile and {len(harmless)} benign statements in {len(Dialect)} dialects\n")
    print("| judged by | hostile let through | benign refused |\n| --- | --- | --- |")
    guards: Mapping[str, Callable[[Statements], Verdicts]] = {
        "Insight Engine": _ours,
        f"{PACKAGES[0].replace('==', ' ')}, as shipped": _superset,
        "sqlparse: one statement of type SELECT": _sqlparse,
        "begins with SELECT or WITH, no `;` inside": _begins,
        "the same, and none of eight writing words": _begins_and_lists,
    }
    for name, judged in guards.items():
        try:
            let, kept = judged(hostile), judged(harmless)
            print(
                f"| {name} | {_share(sum(let), len(let))} | {_share(kept.count(False), len(kept))} |",
                flush=True,
            )
        except peers.NotMeasuredError as reason:
            print(f"| {name} | not measured: {reason} | |", flush=True)
    return 0


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.1f} %)"


def _ours(statements: Statements) -> Verdicts:
    return [_is_allowed(sql, Dialect(dialect)) for dialect, sql in statements]


def _is_allowed(sql: str, dialect: Dialect) -> bool:
    try:
        judge(sql, dialect)
    except Rejected:
        return False
    return True


def _superset(statements: Statements) -> Verdicts:
    return _elsewhere("superset", PACKAGES, _SUPERSET, [(_ENGINES[d], sql) for d, sql in statements])


def _sqlparse(statements: Statements) -> Verdicts:
    return _elsewhere("sqlparse", ("sqlparse==0.5.3",), _SQLPARSE, statements)


def _elsewhere(name: str, packages: Sequence[str], program: str, statements: Statements) -> Verdicts:
    python = peers.environment(name, packages) / "bin" / "python"
    done = subprocess.run(
        [str(python), "-c", program],
        input=json.dumps(statements),
        capture_output=True,
        text=True,
        check=False,
        timeout=peers.INSTALL_S,
    )
    if done.returncode:
        raise peers.NotMeasuredError((done.stderr.strip().splitlines() or ["it said nothing"])[-1])
    verdicts: Verdicts = json.loads(done.stdout.splitlines()[-1])
    return verdicts


def _begins(statements: Statements) -> Verdicts:
    return [_READS.fullmatch(sql) is not None for _, sql in statements]


def _begins_and_lists(statements: Statements) -> Verdicts:
    return [_READS.fullmatch(sql) is not None and _WRITES.search(sql) is None for _, sql in statements]


if __name__ == "__main__":
    sys.exit(main())
