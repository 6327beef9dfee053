"""There is one door: whatever text reaches a source was judged, and nothing else reaches a source.

The source code is read: text that flows into a driver must be a constant or `prepared.sql`; only the guard
seals; only the adapters of sources import a driver of theirs; every service that asks a source judges first.
"""

# ruff: noqa: E501 - snippets of code

import ast
from pathlib import Path

import pytest

import insight_engine
from insight_engine.domain.sources import Dialect
from insight_engine.ports import Source
from insight_engine.sqlguard import NotPreparedError
from security.databases import Live
from support.sqlflow import Code

ENGINE = Path(insight_engine.__file__).parent
SOURCES = (ENGINE / "adapters" / "sources", ENGINE / "adapters" / "duckdb_process")
DRIVERS = {
    "sqlite3",
    "duckdb",
    "psycopg",
    "pymysql",
    "asyncpg",
}
OWN_DATABASE = {"adapters/store", "adapters/sample.py"}
"""Where a driver is imported for the engine's own database and for making the sample file."""
REVIEWED = {
    ("sources/mysql.py", "prepared.parameters"): "values of a statement that was prepared before, not text",
    ("sources/mysql_protocol.py", "payload"): "the packed values of a prepared statement, not text",
    (
        "sources/mysql_session.py",
        "'SET SESSION ' + ', '.join(settings)",
    ): "constants, numbers, quoted literals",
    ("sources/mysql_session.py", "f'SELECT {holders}'"): "quoted literals of our own lock names",
    ("sources/postgres_describe.py", "statement.encode()"): "one of the module's own questions about rights",
    ("sources/postgres_session.py", "sql"): "the three statements of run(): two constants and its argument",
    ("sources/sqlite.py", "f'PRAGMA hard_heap_limit={memory_share()}'"): "a number",
    (
        "duckdb_process/child.py",
        "f'CREATE VIEW {name} AS SELECT * FROM {_READERS[table.kind]}([{files}])'",
    ): "quoted names of files that the engine listed, before any question is taken",
}
"""What the reading cannot prove, looked at by a person; an entry that is no longer found fails too."""


def test_only_constants_and_judged_text_reach_a_driver() -> None:
    found = {(one.file, one.text): one.line for one in Code.of(*SOURCES).unproven()}
    assert {f"{file}:{found[file, text]}: {text}" for file, text in found.keys() - REVIEWED.keys()} == set()
    assert REVIEWED.keys() - found.keys() == set(), "reviewed, and no longer there: delete the entry"


def test_the_text_of_the_postgres_session_is_judged_by_its_callers() -> None:
    """The one reviewed call that carries users' text: who calls run() must hand it a judged one."""
    code = Code.of(*SOURCES)
    runs = [c for c in code.calls if ast.unparse(c.func) == "session.run"]
    assert runs
    assert all(code.is_safe(call.args[0], frozenset()) for call in runs)


BAD = {
    "a caller's text": "def stream(c, text):\n    c.execute(text)\ndef door(c, request):\n    stream(c, request.sql)",
    "a text that nobody hands in": "def stream(c, text):\n    c.execute(text)",
    "a rewritten text": "def stream(c, prepared):\n    c.execute(prepared.sql.replace('a', 'b'))",
    "a prefix from outside": "def explain(c, prepared, how):\n    c.sql('EXPLAIN ' + how + prepared.sql)",
    "a spliced value": "def stream(c, prepared, limit):\n    c.query(f'{prepared.sql} LIMIT {limit}')",
    "a formatted text": "def stream(c, prepared):\n    c.execute('%s' % prepared.sql)",
    "one bad way of two": "def stream(c, prepared, raw):\n    sql = prepared.sql\n    if raw:\n        sql = raw\n    c.execute(sql)",
    "an attribute": "class A:\n    def stream(self, c):\n        c.execute(self.text)",
    "another object's sql": "def stream(c, job):\n    c.execute(job.sql)",
    "bytes": "def stream(pg, text):\n    pg.send_query(text.encode())",
    "a constant that is none": "import os\nSQL = os.environ['X']\ndef stream(c):\n    c.execute(SQL)",
    "unpacking": "def stream(c, pair):\n    sql, values = pair\n    c.execute(sql, values)",
}
GOOD = {
    "judged": "def stream(c, prepared):\n    c.execute(prepared.sql, prepared.parameters)",
    "a constant prefix": "def plan(c, prepared):\n    c.execute('EXPLAIN ' + prepared.sql)",
    "through a variable and a helper": (
        "def run(c, sql):\n    c.execute(sql)\n"
        "def stream(c, prepared):\n    text = f'EXPLAIN {prepared.sql}'\n    run(c, text)"
    ),
    "a module's constants": "SQL = 'SELECT 1'\nALL = ('a', 'b')\ndef f(c):\n    c.execute(SQL)\n    for s in ALL:\n        c.execute(s)",
    "a number": "def kill(c, number):\n    c.execute(f'KILL {number:d}')",
}


@pytest.mark.parametrize("snippet", BAD.values(), ids=BAD)
def test_a_second_door_would_be_seen(snippet: str) -> None:
    assert [*Code({"bad.py": snippet}).unproven()]


@pytest.mark.parametrize("snippet", GOOD.values(), ids=GOOD)
def test_the_one_door_is_recognised(snippet: str) -> None:
    assert not [*Code({"good.py": snippet}).unproven()]


def test_only_the_guard_seals() -> None:
    sealers = {"claim_sealer", "_seal", "_sealer", "_unclaimed", "Facts", "PreparedQuery"}
    found = [
        f"{path.relative_to(ENGINE)}:{node.lineno}"
        for path in _modules()
        if path.parent.name != "sqlguard"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in sealers
    ]
    assert found == []
    sealing = [path.name for path in _modules() if "= claim_sealer()" in path.read_text()]
    assert sealing == ["prepare.py"]


def test_only_the_adapters_of_sources_open_a_source() -> None:
    strangers: list[str] = []
    for path in _modules():
        name = path.relative_to(ENGINE).as_posix()
        if name.startswith(("adapters/sources/", "adapters/duckdb_process/")):
            continue
        for module in _imports(ast.parse(path.read_text())):
            driver = module.split(".")[0] in DRIVERS and not name.startswith(tuple(OWN_DATABASE))
            adapter = ".adapters.sources" in module or ".duckdb_process" in module
            if driver or (adapter and name != "wiring.py"):
                strangers.append(f"{name} imports {module}")
    assert strangers == []


def test_a_driver_imported_elsewhere_would_be_seen() -> None:
    tree = ast.parse("import duckdb.typing\ndef f():\n    from psycopg import sql\n    __import__('sqlite3')")
    assert {module.split(".")[0] for module in _imports(tree)} == {"duckdb", "psycopg", "sqlite3"}


def test_every_module_that_asks_a_source_judges_or_is_given_what_was_judged() -> None:
    """Asking is `.stream(` and `.explain(` of a source: the first argument is `prepared`, always by that name."""
    asking = {}
    for path in _modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and any(k.arg == "query_id" for k in node.keywords):
                called = ast.unparse(node.func).split(".")[-1]
                if called == "stream":
                    asking[path.relative_to(ENGINE).as_posix(), node.lineno] = ast.unparse(node.args[0])
    assert asking
    assert {text.split(".")[-1] for text in asking.values()} == {"prepared"}, asking


def test_the_port_of_sources_takes_text_nowhere() -> None:
    """What a source may be asked: only judged queries, ids, times and callers."""
    public = {name: method for name, method in vars(Source).items() if not name.startswith("_")}
    kinds = {
        f"{name}({argument})": kind
        for name, method in public.items()
        for argument, kind in method.__annotations__.items()
        if argument not in {"return", "query_id", "correlation_id"}
    }
    assert {name for name, kind in kinds.items() if "str" in str(kind)} == set()
    assert {name for name, kind in kinds.items() if "PreparedQuery" in str(kind)} == {
        "stream(prepared)",
        "explain(prepared)",
    }


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize(
    "impostor", ["SELECT 1", type("Fake", (), {"sql": "SELECT 1", "parameters": ()})(), None]
)
def test_an_adapter_takes_nothing_but_a_sealed_query(
    live: dict[Dialect, Live], dialect: Dialect, impostor: object
) -> None:
    source = live[dialect].source
    with pytest.raises(NotPreparedError):
        list(source.stream(impostor, query_id="impostor"))  # type: ignore[arg-type]
    with pytest.raises(NotPreparedError):
        source.explain(impostor, timeout_s=1)  # type: ignore[arg-type]


def _modules() -> list[Path]:
    return sorted(ENGINE.rglob("*.py"))


def _imports(tree: ast.Module) -> list[str]:
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {
            "__import__",
            "importlib.import_module",
        }:
            found += [str(a.value) for a in node.args if isinstance(a, ast.Constant)]
    return found
