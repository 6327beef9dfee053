"""Words that the parser takes for grammar, or for a table, and the database for a hidden column."""

import pytest

from insight_engine.domain.query import QueryLimits
from insight_engine.domain.sources import Catalog, DataSource, Dialect, Grants, Role
from insight_engine.sqlguard import PreparedQuery, ReasonCode, Rejected, prepare

CATALOG: Catalog = {
    "public": {"customers": ("id", "name", "year", "text", "prefs"), "orders": ("id", "total")},
}
GRANTS = Grants(frozenset({"public"}), columns={"public.customers": frozenset({"id", "name"})})


def judge(sql: str, dialect: Dialect, catalog: Catalog | None) -> PreparedQuery:
    source = DataSource("sample", dialect, ("public",), frozenset(Role))
    return prepare(sql, source=source, grants=GRANTS, limits=QueryLimits(), catalog=catalog)


def codes(sql: str, dialect: Dialect, catalog: Catalog | None) -> set[ReasonCode]:
    with pytest.raises(Rejected) as refused:
        judge(sql, dialect, catalog)
    return {reason.code for reason in refused.value.reasons}


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        (Dialect.SQLITE, "SELECT text 'label' FROM customers"),
        (Dialect.MYSQL, "SELECT text 'label' FROM customers"),
        (Dialect.MYSQL, "SELECT year 'label' FROM customers"),
        (Dialect.POSTGRES, "SELECT @year FROM customers"),
        (Dialect.POSTGRES, "SELECT id * @year AS x FROM customers"),
        (Dialect.DUCKDB, "SELECT decode('a', year || '') FROM customers"),
        # DuckDB: no row source of the name has it, so it is the field of a column.
        (Dialect.DUCKDB, "SELECT prefs.vip FROM customers, (SELECT 1) AS prefs"),
        (Dialect.DUCKDB, "SELECT prefs.vip FROM customers, (SELECT 1 AS a) AS prefs"),
        (Dialect.DUCKDB, "SELECT prefs.vip FROM customers, unnest([1]) AS prefs"),
        (Dialect.DUCKDB, "SELECT (SELECT prefs.a FROM customers LIMIT 1) FROM (SELECT 1 AS a) prefs"),
        (Dialect.DUCKDB, "SELECT x.* FROM (SELECT 1 AS a) prefs, (SELECT prefs.* FROM customers) x"),
    ],
)
def test_a_hidden_column_that_looks_like_grammar_or_a_table_does_not_leak(dialect: Dialect, sql: str) -> None:
    assert ReasonCode.COLUMN_NOT_GRANTED in codes(sql, dialect, CATALOG)
    codes(sql, dialect, None)


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        (Dialect.MYSQL, "SELECT convert(id, signed), convert(id, date) FROM customers"),
        (Dialect.MYSQL, "SELECT timestampdiff(year, id, id) FROM customers"),
        (Dialect.MYSQL, "SELECT date '2020-01-01' - interval 1 day, utc_date, id FROM customers"),
        (Dialect.MYSQL, "SELECT CASE WHEN id LIKE '%|%' ESCAPE '|' THEN 1 END 'label' FROM customers"),
        (Dialect.SQLITE, "SELECT iif(id > 1, true, false), cast(id AS text) 'label' FROM customers"),
        (Dialect.POSTGRES, "SELECT normalize(name, NFC), text 'x', id::text || 'a' FROM customers"),
        (Dialect.POSTGRES, "SELECT now() - timestamp with time zone '2020-01-01', id FROM customers"),
        (Dialect.DUCKDB, "SELECT sum(id) OVER (ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) FROM customers"),
        (Dialect.DUCKDB, "SELECT c.id, o.total, x.a FROM customers c, orders o, (SELECT 1 AS a) x"),
        (Dialect.DUCKDB, "SELECT x.* FROM customers c, (SELECT 1 AS a) x"),
        (Dialect.DUCKDB, "SELECT o.id FROM orders o WHERE EXISTS (SELECT 1 FROM customers WHERE id = o.id)"),
        (Dialect.DUCKDB, "SELECT c.name, x.n FROM customers c, LATERAL (SELECT count(*) AS n FROM orders) x"),
    ],
)  # fmt: skip
def test_grammar_beside_a_table_that_is_read_in_part_is_fine(dialect: Dialect, sql: str) -> None:
    assert judge(sql, dialect, CATALOG).tables
    assert judge(sql, dialect, None).tables


@pytest.mark.parametrize("dialect", [Dialect.POSTGRES, Dialect.MYSQL, Dialect.DUCKDB])
def test_a_number_of_more_digits_than_python_reads_is_a_verdict_too(dialect: Dialect) -> None:
    assert ReasonCode.TOO_COMPLEX in codes(f"SELECT repeat('x', {'9' * 5_000})", dialect, None)
