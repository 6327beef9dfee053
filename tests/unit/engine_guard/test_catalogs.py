"""Catalogs of any size: a verdict's time does not grow with them, and a new one is seen at once."""

import time

import pytest

from insight_engine.domain.query import QueryLimits
from insight_engine.domain.sources import Catalog, DataSource, Dialect, Grants, Role
from insight_engine.sqlguard import PreparedQuery, ReasonCode, Rejected, prepare

SQL = "SELECT a.c1, b.c2 FROM T19999 a JOIN t1 b ON a.c1 = b.c1 WHERE EXISTS (SELECT c3 FROM t2)"


def judge(sql: str, catalog: Catalog, dialect: Dialect) -> PreparedQuery:
    source = DataSource("sample", dialect, ("main",), frozenset(Role))
    grants = Grants(frozenset({"main"}))
    return prepare(sql, source=source, grants=grants, limits=QueryLimits(), catalog=catalog)


def catalog_of(tables: int) -> Catalog:
    columns = tuple(f"c{n}" for n in range(30))
    return {"main": {f"t{n}": columns for n in range(tables)}}


@pytest.mark.parametrize("dialect", list(Dialect))
def test_twenty_thousand_tables_do_not_slow_a_verdict(dialect: Dialect) -> None:
    large = catalog_of(20_000)
    judge(SQL, large, dialect)
    started = time.thread_time()
    for _ in range(20):
        judge(SQL, large, dialect)
    assert (time.thread_time() - started) / 20 < 0.01


@pytest.mark.parametrize("dialect", list(Dialect))
def test_a_refreshed_catalog_is_seen_at_once(dialect: Dialect) -> None:
    before: Catalog = {"main": {"t": ("a",)}}
    after: Catalog = {"main": {"t": ("a", "b")}}
    with pytest.raises(Rejected) as refused:
        judge("SELECT b FROM t", before, dialect)
    assert refused.value.reasons[0].code is ReasonCode.UNKNOWN_COLUMN
    assert judge("SELECT b FROM t", after, dialect)
    with pytest.raises(Rejected):
        judge("SELECT b FROM t", before, dialect)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT o.x FROM orders o, (SELECT 1 AS x) p",
        "SELECT x FROM orders",
        "SELECT 1 FROM orders o WHERE EXISTS (SELECT o.total FROM people o)",
        "SELECT p.id FROM orders o",
        "SELECT (SELECT id FROM people p LIMIT 1) FROM orders WHERE p.id = 1",
        "WITH c AS (SELECT id AS n FROM orders) SELECT c.id FROM c",
        "SELECT q.total FROM (SELECT id FROM orders) q",
    ],
)
def test_a_column_is_looked_up_in_its_own_scope(sql: str) -> None:
    catalog: Catalog = {"main": {"orders": ("id", "total"), "people": ("id", "name")}}
    with pytest.raises(Rejected) as refused:
        judge(sql, catalog, Dialect.POSTGRES)
    assert {reason.code for reason in refused.value.reasons} == {ReasonCode.UNKNOWN_COLUMN}


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT orders.id, p.name AS who FROM orders JOIN people p ON p.id = orders.id ORDER BY who",
        "SELECT x.n FROM (SELECT count(*) AS n, total FROM orders GROUP BY total) x WHERE x.total > 1",
        "WITH a AS (SELECT id AS n FROM orders), b AS (SELECT n FROM a) SELECT b.n FROM b JOIN a USING (n)",
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT r.n + 1 FROM r WHERE r.n < 5) SELECT r.n FROM r",
        "SELECT * FROM (SELECT * FROM orders) x WHERE x.total > 1",
        "SELECT id FROM orders o WHERE EXISTS (SELECT 1 FROM people p WHERE p.id = o.id AND name = 'x')",
        "SELECT id AS k FROM orders UNION SELECT id FROM people ORDER BY k",
    ],
)
def test_columns_of_every_kind_of_row_source_are_known(sql: str, dialect: Dialect) -> None:
    catalog: Catalog = {"main": {"orders": ("id", "total"), "people": ("id", "name")}}
    assert judge(sql, catalog, dialect).policy_digest
