"""SQLite files as sources: what they contain, what is wrong with them, and how a query on one is ended."""

import sqlite3
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from insight_engine.domain.source_errors import QueryCancelled, SourceError, SourceUnreachable
from insight_engine.domain.sources import Dialect
from support.file_sources import FileSource

ENDLESS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a b?.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT NOT NULL, g AS (id * 2));"
            "CREATE VIEW w AS SELECT v FROM t; INSERT INTO t (v) VALUES ('x')"
        )
    return path


@pytest.fixture
def source(path: Path) -> Iterator[FileSource]:
    source = FileSource(Dialect.SQLITE, path)
    yield source
    source.source.close()


def test_the_schema_has_tables_views_and_generated_columns(source: FileSource) -> None:
    table, view = source.source.schema(timeout_s=5).tables
    assert (table.full_name, table.kind, view.full_name, view.kind) == ("main.t", "table", "main.w", "view")
    assert [(c.name, c.type, c.nullable) for c in table.columns] == [
        ("id", "INTEGER", False),
        ("v", "TEXT", False),
        ("g", "", True),
    ]


def test_a_plan_is_told_without_running(source: FileSource) -> None:
    plan = source.source.explain(source.sealed("SELECT v FROM t WHERE id = ?", (1,)), timeout_s=5)
    assert (plan.text, plan.cost) == ("SEARCH t USING INTEGER PRIMARY KEY (rowid=?)", None)
    assert source.source.explain(source.sealed(ENDLESS), timeout_s=5).text


def test_a_check_names_the_version_and_a_file_that_it_could_write(source: FileSource) -> None:
    check = source.source.check(timeout_s=5)
    assert check.version == f"SQLite {sqlite3.sqlite_version}"
    assert "write" in check.warnings[0]


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_file_that_is_no_database_is_told(path: Path, source: FileSource, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(SourceUnreachable, match="cannot be opened") as told:
        source.table("SELECT 1")
    assert str(path) not in told.value.message


def test_a_database_in_wal_mode_is_read_while_another_writes_it(path: Path, source: FileSource) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO t (v) VALUES ('y')")
        assert source.table("SELECT count(*) AS n FROM t").to_pylist() == [{"n": 1}]
        writer.execute("COMMIT")
        assert source.table("SELECT count(*) AS n FROM t").to_pylist() == [{"n": 2}]
    assert source.table("SELECT count(*) AS n FROM t").to_pylist() == [{"n": 2}]


def test_a_locked_file_is_told_in_time(path: Path, source: FileSource) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        begun = time.monotonic()
        with pytest.raises(SourceUnreachable, match="locked"):
            source.table("SELECT count(*) FROM t")
        assert time.monotonic() - begun < 10
    assert source.table("SELECT count(*) AS n FROM t").to_pylist() == [{"n": 1}]


def ask(source: FileSource, query_id: str, ended: list[BaseException]) -> None:
    try:
        list(source.source.stream(source.sealed(ENDLESS), query_id=query_id))
    except SourceError as error:
        ended.append(error)


def test_a_cancel_ends_the_work_quickly(source: FileSource) -> None:
    took = []
    for n in range(8):
        ended: list[BaseException] = []
        thread = threading.Thread(target=ask, args=(source, f"q{n}", ended))
        thread.start()
        time.sleep(0.2)  # let it compute; a cancel that comes sooner is another test
        begun = time.monotonic()
        assert source.source.cancel(f"q{n}")
        took.append(time.monotonic() - begun)
        thread.join(5)
        assert [type(error) for error in ended] == [QueryCancelled]
    print(f"cancel of SQLite: median {statistics.median(took):.3f} s, most {max(took):.3f} s")
    assert statistics.median(took) < 0.3
