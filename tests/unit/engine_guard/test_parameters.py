"""Placeholders and their values: by position and by name, in the styles of each dialect's driver."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from insight_engine.domain.query import QueryLimits
from insight_engine.domain.sources import DataSource, Dialect, Grants, Role
from insight_engine.sqlguard import PreparedQuery, ReasonCode, Rejected, prepare
from insight_engine.sqlguard.policies import POLICIES

POSTGRES, MYSQL, SQLITE, DUCKDB = Dialect


def judge(sql: str, dialect: Dialect, values: Any) -> PreparedQuery:
    source = DataSource("sample", dialect, ("main",), frozenset(Role))
    grants = Grants(frozenset({"main"}))
    return prepare(sql, source=source, grants=grants, limits=QueryLimits(), parameters=values)


def refusal(sql: str, dialect: Dialect, values: Any) -> str:
    with pytest.raises(Rejected) as refused:
        judge(sql, dialect, values)
    return " ".join(reason.message for reason in refused.value.reasons)


@pytest.mark.parametrize(
    ("dialect", "sql", "values"),
    [
        (POSTGRES, "SELECT $1, $2, $1", [1, "x"]),
        (POSTGRES, "SELECT $1::int LIMIT $2", [1, 5]),
        (MYSQL, "SELECT id FROM t WHERE a = ? AND b IN (?, ?) LIMIT ?", [1, 2, 3, 4]),
        (SQLITE, "SELECT ?, ?", [1, None]),
        (SQLITE, "SELECT ?1, ?2, ?1", [1, 2]),
        (SQLITE, "SELECT ?10, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9", list(range(10))),
        (SQLITE, "SELECT :a, :b_2, :a", {"a": 1, "b_2": "x"}),
        (DUCKDB, "SELECT ?, ?", [True, 1.5]),
        (DUCKDB, "SELECT $1 + $2", [1, 2]),
        (DUCKDB, "SELECT $low + $high", {"low": 1, "high": 2}),
        (POSTGRES, "SELECT 1", None),
        (POSTGRES, "SELECT 1", []),
        (SQLITE, "SELECT 1", {}),
        (POSTGRES, "SELECT $1, $2, $3", [b"x", Decimal("1.5"), date(2026, 1, 1)]),
    ],
)
def test_values_are_carried_as_given(dialect: Dialect, sql: str, values: Any) -> None:
    carried = judge(sql, dialect, values).parameters
    assert judge(sql, dialect, values).sql == sql
    if isinstance(values, Mapping):
        assert dict(carried) == values if isinstance(carried, Mapping) else not values
    else:
        assert carried == tuple(values or ())


@pytest.mark.parametrize("dialect", list(Dialect))
def test_a_style_that_the_driver_does_not_know_is_refused_with_the_one_it_knows(dialect: Dialect) -> None:
    native = {POSTGRES: {"$1"}, MYSQL: {"?"}, SQLITE: {"?", "?1", ":name"}, DUCKDB: {"?", "$1", "$name"}}
    unreadable = ("cannot be read", "read in two ways", "blank is missing")
    for style in {"$1", "?", "?1", ":name", "$name"} - native[dialect]:
        values = {"name": 1} if "name" in style else [1]
        refused = refusal(f"SELECT {style}", dialect, values)
        assert any(told in refused for told in (POLICIES[dialect].placeholders, *unreadable))


@pytest.mark.parametrize(
    ("dialect", "sql", "values", "told"),
    [
        (POSTGRES, "SELECT $2", [1], "from 1 to 1"),
        (POSTGRES, "SELECT $1", None, "from 1 to 0"),
        (POSTGRES, "SELECT 1", [1], "0 placeholders"),
        (POSTGRES, "SELECT $1", {"a": 1}, "as a list"),
        (SQLITE, "SELECT ?, ?", [1], "2 placeholders, and 1 values"),
        (SQLITE, "SELECT ?, ?1", [1], "mixed"),
        (SQLITE, "SELECT ?, :a", {"a": 1}, "mixed"),
        (SQLITE, "SELECT :a", [1], "as an object"),
        (SQLITE, "SELECT :a", {}, "placeholder a"),
        (SQLITE, "SELECT :a", {"a": 1, "b": 2}, "no placeholder b"),
        (SQLITE, "SELECT :a", {"A": 1}, "placeholder a"),
        (SQLITE, "SELECT :a", {"a b": 1}, "name is a letter"),
        (SQLITE, "SELECT :a", {1: 1}, "name is a letter"),
        (MYSQL, "SELECT ?", [[1]], "Parameter 1 is no single value"),
        (MYSQL, "SELECT ?", [{"a": 1}], "Parameter 1 is no single value"),
        (MYSQL, "SELECT ?", "x", "are a list"),
        (MYSQL, "SELECT ?", 5, "are a list"),
        (MYSQL, "SELECT ?", [2**63], "64 bits"),
        (MYSQL, "SELECT ?", ["a\0b"], "do not store"),
        (MYSQL, "SELECT ?", ["\ud800"], "do not store"),
        (MYSQL, "SELECT ?", ["x" * 1024 * 1024, "y"], "1 MiB"),
        (MYSQL, "SELECT ?", [1] * 1_001, "More than 1000"),
    ],
)
def test_values_that_do_not_fit_are_refused_with_a_sentence(
    dialect: Dialect, sql: str, values: Any, told: str
) -> None:
    assert told in refusal(sql, dialect, values)


def test_a_mapping_cannot_be_changed_after_the_verdict() -> None:
    given = {"a": 1}
    carried = judge("SELECT :a", SQLITE, given).parameters
    given["a"] = 2
    assert isinstance(carried, Mapping)
    assert carried["a"] == 1
    with pytest.raises(TypeError):
        carried["a"] = 3  # type: ignore[index]


def test_a_list_cannot_be_changed_after_the_verdict() -> None:
    given = [1]
    carried = judge("SELECT ?", SQLITE, given).parameters
    given[0] = 2
    assert carried == (1,)


def test_a_mismatch_has_a_code_of_its_own() -> None:
    with pytest.raises(Rejected) as refused:
        judge("SELECT ?", SQLITE, [])
    assert [reason.code for reason in refused.value.reasons] == [ReasonCode.PARAMETERS_MISMATCH]
