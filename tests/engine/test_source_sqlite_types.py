"""Values of SQLite: exact in Arrow and in JSON, whatever is mixed in a column and however late it comes."""

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from insight_engine.adapters.sources import sqlite_rows
from insight_engine.domain.query import QueryLimits
from insight_engine.domain.source_errors import QueryFailed
from insight_engine.domain.sources import Dialect
from insight_engine.services.values import column_values
from support.file_sources import FileSource

SCHEMA = """
CREATE TABLE declared (n INTEGER, r REAL, t TEXT, b BLOB, d DATE, m DECIMAL(10, 2), o BOOLEAN, x);
CREATE TABLE mixed (v);
CREATE TABLE big AS SELECT zeroblob(1000000) AS b;
CREATE TABLE late (id INTEGER PRIMARY KEY, v);
WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
INSERT INTO late SELECT i, i FROM n;
UPDATE late SET v = 'text after all' WHERE id = 29999;
UPDATE late SET v = x'00ff' WHERE id = 30000;
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "types.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(SCHEMA)
        database.execute("INSERT INTO mixed VALUES (CAST(x'ff41' AS TEXT))")
        database.commit()
    return path


@pytest.fixture
def sqlite(path: Path) -> Iterator[FileSource]:
    source = FileSource(Dialect.SQLITE, path)
    yield source
    source.source.close()


@pytest.mark.parametrize(
    ("expression", "kind", "json"),
    [
        ("9223372036854775807", "int64", str(2**63 - 1)),
        ("-9223372036854775807 - 1", "int64", str(-(2**63))),
        ("9223372036854775807 + 1", "double", 2.0**63),
        ("0.1 + 0.2", "double", 0.1 + 0.2),
        ("9e999", "double", "Infinity"),
        ("-9e999", "double", "-Infinity"),
        ("9e999 - 9e999", "string", None),
        ("1 = 1", "int64", 1),
        ("''", "string", ""),
        ("'a' || char(0) || 'é😀'", "string", "a\0é😀"),
        ("x'00ff'", "binary", "AP8="),
        ("NULL", "string", None),
        ("date('2024-02-29')", "string", "2024-02-29"),
        ("json_array(1, NULL)", "string", "[1,null]"),
    ],
)
def test_a_value_is_exact(sqlite: FileSource, expression: str, kind: str, json: object) -> None:
    assert sqlite.one(expression) == (kind, json)


def values(rows: str) -> str:
    return f"WITH v(x) AS (VALUES {rows}) SELECT x FROM v"


@pytest.mark.parametrize(
    ("rows", "kind", "expected"),
    [
        ("(1), (NULL), (2)", "int64", [1, None, 2]),
        ("(1), (2.5), (NULL)", "double", [1.0, 2.5, None]),
        ("(2.5), (9007199254740992)", "double", [2.5, 9007199254740992.0]),
        ("(9007199254740993), (2.5)", "string", ["9007199254740993", "2.5"]),
        ("(1), ('one'), (1.0), (x'01'), (NULL)", "string", ["1", "one", "1.0", "x'01'", None]),
        ("('1'), (1)", "string", ["1", "1"]),
        ("(x'01'), (NULL)", "binary", [b"\x01", None]),
        ("('a'), (x'61')", "string", ["a", "x'61'"]),
        ("(0.1), ('x'), (9e999)", "string", ["0.1", "x", "Infinity"]),
    ],
)
def test_all_values_of_a_column_decide_its_type(
    sqlite: FileSource, rows: str, kind: str, expected: list[object]
) -> None:
    column = sqlite.table(values(rows)).column(0)
    assert (str(column.type), column.to_pylist()) == (kind, expected)


@pytest.mark.parametrize("held", [sqlite_rows.HELD_BYTES, 50_000])
def test_a_late_value_of_another_kind_fails_nothing(
    sqlite: FileSource, monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    monkeypatch.setattr(sqlite_rows, "HELD_BYTES", held)
    table = sqlite.table("SELECT id, v FROM late ORDER BY id")
    assert [str(kind) for kind in table.schema.types] == ["int64", "string"]
    assert table.column(0).to_pylist() == list(range(1, 30_001))
    told = table.column(1).to_pylist()
    assert told == [*map(str, range(1, 29_999)), "text after all", "x'00ff'"]


def test_what_is_beyond_the_row_limit_does_not_count(
    sqlite: FileSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_rows, "HELD_BYTES", 50_000)
    table = sqlite.table("SELECT v FROM late ORDER BY id", limits=QueryLimits(rows=9_000, timeout_s=20))
    assert str(table.schema.types[0]) == "int64"
    assert table.num_rows > 9_000


def test_what_changes_its_kind_at_random_is_told(sqlite: FileSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_rows, "HELD_BYTES", 50_000)
    survey = sqlite_rows._survey

    def and_then_change(connection: sqlite3.Connection, *args: Any) -> Any:
        found = survey(connection, *args)
        connection.create_function("abs", 1, lambda value: f"no number {value}")
        return found

    monkeypatch.setattr(sqlite_rows, "_survey", and_then_change)
    with pytest.raises(QueryFailed, match="CAST"):
        sqlite.table("SELECT abs(id) AS n FROM late")


def test_text_that_is_none_is_the_bytes_that_it_is(sqlite: FileSource) -> None:
    assert sqlite.table("SELECT v FROM mixed").column(0).to_pylist() == [b"\xff\x41"]
    both = sqlite.table("SELECT v FROM mixed UNION ALL SELECT 'fine'").column(0).to_pylist()
    assert set(both) == {"fine", "x'ff41'"}


@pytest.mark.parametrize("where", ["", "WHERE 0"])
def test_a_column_without_values_has_its_declared_type(path: Path, sqlite: FileSource, where: str) -> None:
    if not where:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("INSERT INTO declared DEFAULT VALUES")
    table = sqlite.table(f"SELECT *, 1 AS one FROM declared {where} LIMIT 1", tables=("main.declared",))
    kinds = ["int64", "double", "string", "binary", "string", "double", "int64", "string"]
    assert [str(kind) for kind in table.schema.types][:8] == kinds


def test_a_very_wide_result_and_equal_names_keep_every_column(sqlite: FileSource) -> None:
    wide = sqlite.table("SELECT " + ", ".join(f"{n} AS c{n}" for n in range(2000)))
    assert [wide.column(n).to_pylist() for n in (0, 1999)] == [[0], [1999]]
    twice = sqlite.table("SELECT 1 AS a, 'x' AS a, 2.5 AS A")
    assert twice.schema.names == ["a", "a", "A"]
    assert [twice.column(n).to_pylist() for n in range(3)] == [[1], ["x"], [2.5]]


@pytest.mark.parametrize(
    ("given", "sql", "back"),
    [
        ((1, -(2**63), 2**63 - 1), "SELECT ?1, ?2, ?3", [1, str(-(2**63)), str(2**63 - 1)]),
        ((1.5, "é\0", None, True), "SELECT ?, ?, ?, ?", [1.5, "é\0", None, 1]),
        ({"a": "x", "b": 2}, "SELECT :b, :a, :b", [2, "x", 2]),
        ((math.nan, math.inf), "SELECT ?, ?", [None, "Infinity"]),
    ],
)
def test_parameters_come_back_as_they_were_given(
    sqlite: FileSource, given: Any, sql: str, back: list[object]
) -> None:
    table = sqlite.table(sql, given)
    assert [column_values(column)[0] for column in table.columns] == back


@pytest.mark.parametrize("given", [(2**63,), ("\ud800",), (1, 2), ()])
def test_a_parameter_that_sqlite_cannot_take_is_told(sqlite: FileSource, given: Any) -> None:
    with pytest.raises(QueryFailed, match="The database says"):
        sqlite.table("SELECT ?", given)


def test_large_values_are_read_in_small_pieces(sqlite: FileSource) -> None:
    stream = sqlite.source.stream(sqlite.sealed("SELECT b FROM big, late WHERE id <= 40"), query_id="large")
    sizes = [batch.nbytes for batch in stream]
    assert sum(sizes) > 40_000_000
    assert max(sizes) < 6_000_000


def test_nothing_else_than_the_four_kinds_reaches_arrow() -> None:
    from insight_engine.adapters.sources.sqlite_arrow import declared_type

    assert declared_type("VARCHAR(20)") == pa.string()
    assert declared_type("bigint unsigned") == pa.int64()
    assert declared_type("") == pa.string()
