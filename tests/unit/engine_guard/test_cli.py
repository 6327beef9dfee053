"""`insight-engine guard`: one verdict per line, whatever the line."""

import argparse
import io
import json
from pathlib import Path
from typing import Any

import pytest

from insight_engine.cli.guard import InputError, add_parser, judge_lines, read_catalog, read_grants
from insight_engine.domain.sources import Catalog, Dialect


def verdicts(*lines: str | bytes, catalog: Catalog | None = None) -> list[dict[str, Any]]:
    raw = b"\n".join(line.encode() if isinstance(line, str) else line for line in lines)
    out = io.StringIO()
    judge_lines(io.BytesIO(raw), out, Dialect.POSTGRES, catalog)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_an_allowed_statement_names_its_tables() -> None:
    line = json.dumps({"id": 7, "sql": "SELECT * FROM sales.orders JOIN people ON true"})
    (verdict,) = verdicts(line)
    assert verdict == {"id": 7, "allowed": True, "reasons": [], "tables": ["public.people", "sales.orders"]}


def test_a_refused_statement_names_code_sentence_and_place() -> None:
    (verdict,) = verdicts(json.dumps({"id": "a", "sql": "SELECT pg_sleep(1)"}))
    assert verdict["allowed"] is False
    assert verdict["tables"] == []
    (reason,) = verdict["reasons"]
    assert (reason["code"], reason["line"], reason["column"]) == ("function_not_allowed", 1, 8)


@pytest.mark.parametrize(
    "line",
    ["nonsense", "[1]", "7", "null", '{"id": 1}', '{"id": 1, "sql": 5}', b'{"sql": "\xff"}', "[" * 100_000],
)
def test_a_line_that_cannot_be_read_gets_a_verdict(line: str | bytes) -> None:
    (verdict,) = verdicts(line)
    assert verdict["allowed"] is False
    assert verdict["reasons"][0]["code"] == "bad_request"


def test_a_lone_surrogate_gets_a_verdict() -> None:
    (verdict,) = verdicts('{"id": 1, "sql": "SELECT \\ud800"}')
    assert verdict["reasons"][0]["code"] == "forbidden_character"


def test_blank_lines_are_passed_over() -> None:
    assert len(verdicts("", '{"id": 1, "sql": "SELECT 1"}', "  ", '{"id": 2, "sql": "SELECT 2"}')) == 2


def test_system_tables_are_refused_without_a_catalog_too() -> None:
    (verdict,) = verdicts('{"id": 1, "sql": "SELECT * FROM pg_catalog.pg_authid"}')
    assert verdict["reasons"][0]["code"] == "system_catalog"


def test_a_catalog_limits_schemas_tables_and_columns() -> None:
    catalog = {"sales": {"orders": ("id",)}}
    texts = ["SELECT id FROM orders", "SELECT x FROM orders", "SELECT id FROM people", "SELECT 1 FROM hr.pay"]
    lines = [json.dumps({"id": text, "sql": text}) for text in texts]
    assert [verdict["allowed"] for verdict in verdicts(*lines, catalog=catalog)] == [
        True,
        False,
        False,
        False,
    ]


def test_a_catalog_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    file.write_text('{"public": {"orders": ["id", "total"]}}')
    assert read_catalog(str(file)) == {"public": {"orders": ("id", "total")}}


@pytest.mark.parametrize(
    "text", ["/nowhere/schema.json", "{", "{[]}", '{"public": ["orders"]}', '{"public": {"o": 1}}']
)
def test_an_unusable_catalog_is_named(text: str) -> None:
    with pytest.raises(InputError):
        read_catalog(text)


def test_an_unusable_catalog_ends_with_the_configuration_code(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    args = parser.parse_args(["guard", "--dialect", "duckdb", "--schema", "/nowhere/schema.json"])
    assert args.run(args) == 78
    assert "--schema: cannot read the file" in capsys.readouterr().err


@pytest.mark.parametrize("sql", ["FROM data.csv", "SELECT * FROM a.parquet", "SELECT 1 FROM orders, x.JSON"])
def test_two_words_that_are_the_name_of_a_file_are_refused_though_every_schema_is_granted(sql: str) -> None:
    out = io.StringIO()
    judge_lines(io.BytesIO(json.dumps({"sql": sql}).encode()), out, Dialect.DUCKDB, None)
    assert json.loads(out.getvalue())["reasons"][0]["code"] == "file_as_table"


def test_parameters_are_a_list_or_an_object() -> None:
    lines = [
        json.dumps({"id": 1, "sql": "SELECT $1", "parameters": [1]}),
        json.dumps({"id": 2, "sql": "SELECT $1", "parameters": {"a": 1}}),
        json.dumps({"id": 3, "sql": "SELECT $1", "parameters": "x"}),
    ]
    first, second, third = verdicts(*lines)
    assert first["allowed"]
    assert second["reasons"][0]["code"] == "parameters_mismatch"
    assert third["reasons"][0]["code"] == "bad_request"


def test_grants_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "grants.json"
    file.write_text('{"tables": ["public.people"], "columns": {"public.people": ["id"]}}')
    granted = read_grants(str(file))
    texts = ["SELECT id FROM people", "SELECT * FROM people", "SELECT id FROM orders"]
    lines = b"\n".join(json.dumps({"sql": text}).encode() for text in texts)
    out = io.StringIO()
    judge_lines(io.BytesIO(lines), out, Dialect.POSTGRES, None, granted)
    found = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [[reason["code"] for reason in verdict["reasons"]] for verdict in found] == [
        [],
        ["column_not_granted"],
        ["table_not_granted"],
    ]


@pytest.mark.parametrize("text", ['{"rows": []}', '{"tables": "a"}', '{"columns": {"a": [1]}}', "[]", "{"])
def test_unusable_grants_are_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "grants.json").write_text(text)
    with pytest.raises(InputError):
        read_grants(str(tmp_path / "grants.json"))


@pytest.mark.parametrize("name", ["trino", "mariadb", "mssql", "Postgres", ""])
def test_a_dialect_without_a_policy_is_refused_with_those_there_are(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["guard", "--dialect", name])
    assert ended.value.code == 2
    assert "use postgres, mysql, sqlite or duckdb" in capsys.readouterr().err
