"""Names, grants, columns, parameters and positions: what prepare() holds a statement against."""

import pytest

from insight_engine.domain.query import QueryLimits
from insight_engine.domain.sources import Catalog, DataSource, Dialect, Grants, Role
from insight_engine.sqlguard import Parameters, PreparedQuery, ReasonCode, Rejected, prepare
from insight_engine.sqlguard.policies import POLICIES

CATALOG: Catalog = {"public": {"orders": ("id", "total"), "people": ("id", "name")}, "hr": {"pay": ("id",)}}


def judge(
    sql: str,
    *,
    grants: Grants | None = None,
    catalog: Catalog | None = None,
    parameters: Parameters | None = None,
    dialect: Dialect = Dialect.POSTGRES,
) -> PreparedQuery:
    source = DataSource("sample", dialect, ("public", "hr"), frozenset(Role))
    grants = grants or Grants(frozenset({"public"}))
    return prepare(
        sql, source=source, grants=grants, limits=QueryLimits(), catalog=catalog, parameters=parameters
    )


def codes(sql: str, **context: object) -> set[ReasonCode]:
    with pytest.raises(Rejected) as refused:
        judge(sql, **context)  # type: ignore[arg-type]
    return {reason.code for reason in refused.value.reasons}


def test_tables_are_named_with_their_schema_and_without_ctes() -> None:
    sql = "WITH x AS (SELECT * FROM orders) SELECT * FROM x JOIN public.people p ON true"
    assert judge(sql).tables == ("public.orders", "public.people")


def test_a_schema_outside_the_grants_is_refused() -> None:
    assert codes("SELECT * FROM hr.pay") == {ReasonCode.SCHEMA_NOT_GRANTED}


def test_a_table_outside_the_grants_is_refused() -> None:
    grants = Grants(frozenset({"public"}), frozenset({"public.orders"}))
    assert judge("SELECT * FROM orders", grants=grants).tables == ("public.orders",)
    assert codes("SELECT * FROM people", grants=grants) == {ReasonCode.TABLE_NOT_GRANTED}


@pytest.mark.parametrize(
    "sql",
    [
        "WITH hr AS (SELECT 1) SELECT * FROM secret",
        "SELECT * FROM (WITH secret AS (SELECT 1) SELECT 1) x, secret",
        "WITH secret AS (SELECT * FROM secret) SELECT * FROM secret",
        "WITH a AS (SELECT * FROM secret), secret AS (SELECT 1) SELECT * FROM a",
        "WITH RECURSIVE secret AS (SELECT * FROM secret UNION ALL SELECT 1) SELECT * FROM secret",
        "WITH RECURSIVE secret AS (SELECT * FROM secret) SELECT 1",
        'WITH "SECRET" AS (SELECT 1) SELECT * FROM secret',
    ],
)
def test_a_cte_hides_a_table_only_where_it_is_in_scope(sql: str) -> None:
    grants = Grants(frozenset({"public"}), frozenset({"public.orders"}))
    assert ReasonCode.TABLE_NOT_GRANTED in codes(sql, grants=grants)


def test_an_unknown_table_is_refused_when_the_catalog_is_known() -> None:
    assert codes("SELECT * FROM nowhere", catalog=CATALOG) == {ReasonCode.UNKNOWN_TABLE}


def test_an_unknown_column_is_refused_when_the_catalog_is_known() -> None:
    assert codes("SELECT nothing FROM orders", catalog=CATALOG) == {ReasonCode.UNKNOWN_COLUMN}


def test_a_function_on_the_row_type_is_refused_when_the_catalog_is_known() -> None:
    assert codes("SELECT o.evil FROM orders o", catalog=CATALOG) == {ReasonCode.UNKNOWN_COLUMN}


def test_an_alias_does_not_lend_its_name_to_a_table() -> None:
    sql = "SELECT o.evil FROM orders o, (SELECT 1 AS evil) x"
    assert codes(sql, catalog=CATALOG) == {ReasonCode.UNKNOWN_COLUMN}


def test_columns_of_subqueries_and_ctes_are_known() -> None:
    sql = (
        "WITH c(n) AS (SELECT id FROM orders) "
        "SELECT c.n, q.t FROM c JOIN (SELECT total AS t FROM orders) q ON true"
    )
    assert judge(sql, catalog=CATALOG).tables == ("public.orders",)


def test_a_reason_points_at_its_place() -> None:
    with pytest.raises(Rejected) as refused:
        judge("SELECT id,\n  pg_sleep(1) FROM orders")
    (reason,) = refused.value.reasons
    assert (reason.code, reason.line, reason.column) == (ReasonCode.FUNCTION_NOT_ALLOWED, 2, 3)
    assert "pg_sleep" in reason.message


@pytest.mark.parametrize(
    ("sql", "values", "dialect"),
    [
        ("SELECT $1, $2, $1", (1, 2), Dialect.POSTGRES),
        ("SELECT ?, ?", (1, "a"), Dialect.SQLITE),
        ("SELECT ? + ?", (1, None), Dialect.DUCKDB),
    ],
)
def test_values_that_fit_the_placeholders_are_carried(
    sql: str, values: tuple[int, ...], dialect: Dialect
) -> None:
    assert judge(sql, parameters=values, dialect=dialect).parameters == values


@pytest.mark.parametrize(
    ("sql", "values", "dialect"),
    [
        ("SELECT $1 + ?", (1,), Dialect.DUCKDB),
        ("SELECT ?, ?", (1,), Dialect.SQLITE),
        ("SELECT $1", (), Dialect.POSTGRES),
        ("SELECT $2", (1,), Dialect.POSTGRES),
        ("SELECT 1", (1,), Dialect.POSTGRES),
    ],
)
def test_values_that_do_not_fit_the_placeholders_are_refused(
    sql: str, values: tuple[int, ...], dialect: Dialect
) -> None:
    assert codes(sql, parameters=values, dialect=dialect) == {ReasonCode.PARAMETERS_MISMATCH}


def test_too_long_a_text_is_refused() -> None:
    assert codes("SELECT '" + "é" * 40_000 + "'") == {ReasonCode.TOO_LONG}


@pytest.mark.parametrize("text", ["", " \n", ";", ";;", "-- nothing", "/* nothing */"])
def test_no_statement_is_refused(text: str) -> None:
    assert codes(text) == {ReasonCode.EMPTY}


def test_at_most_twenty_reasons_are_given() -> None:
    with pytest.raises(Rejected) as refused:
        judge("SELECT " + ", ".join(f"evil{n}()" for n in range(100)))
    assert len(refused.value.reasons) == 20


def test_each_policy_has_a_digest_of_its_own() -> None:
    assert len({policy.digest for policy in POLICIES.values()}) == len(Dialect)


@pytest.mark.parametrize("dialect", list(Dialect))
def test_every_dialect_has_a_policy_that_names_no_known_danger(dialect: Dialect) -> None:
    dangers = (
        "pg_",
        "lo_",
        "dblink",
        "read_",
        "duckdb_",
        "pragma_",
        "sqlite_",
        "query_to",
        "_scan",
        "load_ext",
    )
    allowed = POLICIES[dialect].functions | POLICIES[dialect].types
    assert not {name for name in allowed if any(danger in name for danger in dangers)}


@pytest.mark.parametrize("interval", ["'0b1 day'", "interval ':= day'"])
def test_what_the_parser_stumbles_over_is_refused_like_any_unreadable_text(interval: str) -> None:
    """Its own checks fail on such a step: found by a million mutants."""
    sql = f"SELECT d FROM generate_series('2026-01-01'::timestamp, '2026-01-10', {interval}) AS g(d)"
    assert codes(sql) == {ReasonCode.SYNTAX}
