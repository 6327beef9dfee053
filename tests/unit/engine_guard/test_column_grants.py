"""A column that is not granted cannot be read: not by name, star, row, join, order, group or alias."""

import pytest

from insight_engine.domain.query import QueryLimits
from insight_engine.domain.sources import Catalog, DataSource, Dialect, Grants, Role
from insight_engine.sqlguard import PreparedQuery, ReasonCode, Rejected, prepare

CATALOG: Catalog = {
    "public": {
        "customers": ("id", "name", "city", "email"),
        "orders": ("id", "customer_id", "total"),
        "letters": ("id", "email"),
    }
}
GRANTS = Grants(frozenset({"public"}), columns={"public.customers": frozenset({"id", "name", "city"})})


def judge(sql: str, dialect: Dialect = Dialect.POSTGRES, catalog: Catalog | None = CATALOG) -> PreparedQuery:
    source = DataSource("sample", dialect, ("public",), frozenset(Role))
    return prepare(sql, source=source, grants=GRANTS, limits=QueryLimits(), catalog=catalog)


def codes(
    sql: str, dialect: Dialect = Dialect.POSTGRES, catalog: Catalog | None = CATALOG
) -> set[ReasonCode]:
    with pytest.raises(Rejected) as refused:
        judge(sql, dialect, catalog)
    assert all(reason.message.count(":") for reason in refused.value.reasons)
    return {reason.code for reason in refused.value.reasons}


LEAKS = [
    "SELECT email FROM customers",
    "SELECT EMAIL FROM Customers",
    "SELECT c.email FROM customers c",
    "SELECT customers.email FROM customers",
    "SELECT customers.email FROM public.customers",
    "SELECT public.customers.email FROM public.customers",
    "SELECT * FROM customers",
    "SELECT c.* FROM customers c",
    "SELECT customers.* FROM customers, orders",
    "SELECT * FROM orders, customers",
    "SELECT o.*, c.* FROM orders o JOIN customers c ON c.id = o.customer_id",
    "SELECT * FROM (SELECT * FROM customers) x",
    "SELECT x.email FROM (SELECT * FROM customers) x",
    "WITH x AS (SELECT * FROM customers) SELECT id FROM x",
    "WITH x AS (SELECT email AS e FROM customers) SELECT e FROM x",
    "WITH x(a, b, c, d) AS (SELECT * FROM customers) SELECT d FROM x",
    "WITH RECURSIVE x AS (SELECT 1 UNION ALL SELECT c.id FROM customers c JOIN x ON c.email = '') SELECT 1",
    "SELECT a FROM customers AS c(i, n, a, b)",
    "SELECT b FROM customers AS c(i, n, a, b)",
    "SELECT id FROM customers WHERE email LIKE 'a%'",
    "SELECT id FROM customers ORDER BY email",
    "SELECT count(*) FROM customers GROUP BY email",
    "SELECT count(*) FROM customers HAVING max(email) > 'b'",
    "SELECT count(DISTINCT email) FROM customers",
    "SELECT min(c.email) FROM customers c",
    "SELECT CASE WHEN email = 'a' THEN 1 END FROM customers",
    "SELECT length(email) FROM customers",
    "SELECT row_number() OVER (ORDER BY email) FROM customers",
    "SELECT id FROM customers WINDOW w AS (ORDER BY email)",
    "SELECT sum(id) OVER w FROM customers WINDOW w AS (PARTITION BY email)",
    "SELECT o.id FROM orders o JOIN customers c ON c.email = 'a'",
    "SELECT o.id FROM orders o JOIN customers c ON email = 'a'",
    "SELECT o.id FROM orders o WHERE EXISTS (SELECT 1 FROM customers WHERE email = 'a')",
    "SELECT o.id FROM orders o WHERE 'a' IN (SELECT email FROM customers)",
    "SELECT (SELECT email FROM customers LIMIT 1)",
    "SELECT (SELECT c.email) FROM customers c",
    "SELECT (SELECT email) FROM customers c",
    "SELECT (SELECT max(email) FROM orders) FROM customers",
    "SELECT id FROM customers NATURAL JOIN letters",
    "SELECT id FROM letters NATURAL LEFT JOIN customers",
    "SELECT 1 FROM customers JOIN letters USING (email)",
    "SELECT 1 FROM letters JOIN customers USING (id, email)",
    "SELECT customers FROM customers",
    "SELECT c FROM customers c",
    "SELECT count(c) FROM customers c",
    "SELECT coalesce(customers, NULL) FROM customers",
    "SELECT 1 FROM customers c WHERE c IS NOT NULL",
    "SELECT 1 FROM customers c ORDER BY c",
    "SELECT DISTINCT c FROM (SELECT 1) x, customers c",
    "SELECT j.email FROM (customers c JOIN orders o ON c.id = o.customer_id) AS j",
    "SELECT email FROM (customers c JOIN orders o ON c.id = o.customer_id)",
    "SELECT email FROM ((customers))",
    "SELECT id FROM orders UNION SELECT length(email) FROM customers",
    "SELECT id FROM customers UNION SELECT id FROM orders ORDER BY (SELECT max(email) FROM customers)",
    "SELECT id AS email FROM customers GROUP BY email",
    "SELECT email FROM letters, customers",
    "SELECT l.id FROM letters l JOIN customers c ON l.id = c.id WHERE email = ''",
    "VALUES ((SELECT email FROM customers LIMIT 1))",
    "SELECT x.e FROM customers c, (SELECT c.email AS e) x",
    "SELECT x.e FROM customers c, LATERAL (SELECT c.email AS e) x",
    "SELECT (SELECT x.e FROM orders c, (SELECT c.email AS e) x) FROM customers c",
    "SELECT ghost.id FROM customers",
]
READS = [
    "SELECT id, name, city FROM customers",
    "SELECT c.id, customers_count.n FROM customers c, (SELECT count(*) AS n FROM customers) customers_count",
    "SELECT count(*) FROM customers",
    "SELECT city, count(*) AS n FROM customers GROUP BY city HAVING count(*) > 1 ORDER BY n DESC",
    "SELECT c.name, o.* FROM customers c JOIN orders o ON o.customer_id = c.id",
    "SELECT name, total FROM customers c JOIN orders o ON o.customer_id = c.id WHERE total > 5",
    "SELECT * FROM (SELECT id, name FROM customers) x",
    "WITH x AS (SELECT id, city FROM customers) SELECT x.*, l.email FROM x JOIN letters l ON l.id = x.id",
    "WITH x AS (SELECT id FROM customers) SELECT email FROM letters JOIN x USING (id)",
    "SELECT c.name FROM customers c JOIN letters l USING (id)",
    "SELECT l.email FROM letters l JOIN customers c ON c.id = l.id",
    "SELECT email FROM letters",
    "SELECT * FROM letters WHERE id IN (SELECT id FROM customers)",
    "SELECT name, row_number() OVER (PARTITION BY city ORDER BY id) AS n FROM customers",
    "SELECT public.customers.name FROM public.customers",
]


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize("sql", LEAKS)
def test_a_hidden_column_does_not_leak(sql: str, dialect: Dialect) -> None:
    found = codes(sql.replace("Customers", "customers") if dialect is Dialect.MYSQL else sql, dialect)
    assert ReasonCode.COLUMN_NOT_GRANTED in found or found <= {
        ReasonCode.SYNTAX, ReasonCode.CONSTRUCT_NOT_ALLOWED, ReasonCode.UNKNOWN_COLUMN,
        ReasonCode.KEYWORD_NOT_ALLOWED,
    }  # fmt: skip


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize("sql", LEAKS)
def test_a_hidden_column_does_not_leak_while_the_catalog_is_unknown(sql: str, dialect: Dialect) -> None:
    codes(sql, dialect, catalog=None)


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize("sql", READS)
def test_granted_columns_can_be_read(sql: str, dialect: Dialect) -> None:
    assert judge(sql, dialect).tables


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        (Dialect.POSTGRES, "SELECT row_to_json(c) FROM customers c"),
        (Dialect.POSTGRES, "SELECT to_jsonb(customers) FROM customers"),
        (Dialect.POSTGRES, "SELECT (c).email FROM customers c"),
        (Dialect.POSTGRES, "SELECT (c).* FROM customers c"),
        (Dialect.POSTGRES, "SELECT c.*::text FROM customers c"),
        (Dialect.POSTGRES, "SELECT ROW(c.*) FROM customers c"),
        (Dialect.POSTGRES, "SELECT jsonb_agg(c) FROM customers c"),
        (Dialect.POSTGRES, "SELECT array_agg(c ORDER BY id) FROM customers c"),
        (Dialect.POSTGRES, "SELECT count(c.*) FROM customers c"),
        (Dialect.POSTGRES, "SELECT public.customers FROM public.customers"),
        (Dialect.POSTGRES, "SELECT DISTINCT ON (email) id FROM customers"),
        (Dialect.POSTGRES, "SELECT string_agg(name, ',' ORDER BY email) FROM customers"),
        (Dialect.POSTGRES, "SELECT count(*) FILTER (WHERE email > 'a') FROM customers"),
        (Dialect.POSTGRES, "SELECT mode() WITHIN GROUP (ORDER BY email) FROM customers"),
        (Dialect.POSTGRES, "SELECT 1 FROM customers GROUP BY GROUPING SETS ((email))"),
        (Dialect.POSTGRES, "SELECT 1 FROM customers GROUP BY ROLLUP (email)"),
        (Dialect.POSTGRES, "SELECT g FROM customers, unnest(ARRAY[email]) g"),
        (Dialect.POSTGRES, "SELECT g FROM customers c, LATERAL unnest(ARRAY[c.email]) g"),
        (Dialect.POSTGRES, "SELECT g.value FROM customers c, jsonb_each(to_jsonb(c)) g"),
        (Dialect.POSTGRES, "SELECT ARRAY(SELECT email FROM customers)"),
        (Dialect.POSTGRES, "SELECT id FROM customers TABLESAMPLE BERNOULLI (50) WHERE email > ''"),
        (Dialect.POSTGRES, "SELECT * FROM ONLY customers"),
        (Dialect.DUCKDB, "FROM customers"),
        (Dialect.DUCKDB, "SELECT * EXCLUDE (email) FROM customers"),
        (Dialect.DUCKDB, "SELECT * REPLACE (1 AS email) FROM customers"),
        (Dialect.DUCKDB, "SELECT * RENAME (email AS e) FROM customers"),
        (Dialect.DUCKDB, "SELECT COLUMNS('e.*') FROM customers"),
        (Dialect.DUCKDB, "SELECT COLUMNS(*) FROM customers"),
        (Dialect.DUCKDB, "SELECT min(COLUMNS(c -> c = 'email')) FROM customers"),
        (Dialect.DUCKDB, "SELECT COLUMNS(c.*) FROM customers c"),
        (Dialect.DUCKDB, "SELECT struct_pack(x := c) FROM customers c"),
        (Dialect.DUCKDB, "SELECT c.x.y FROM customers c"),
        (Dialect.DUCKDB, "SELECT c['email'] FROM customers c"),
        (Dialect.DUCKDB, "SELECT struct_extract(c, 'email') FROM customers c"),
        (Dialect.DUCKDB, "SELECT unnest(c) FROM customers c"),
        (Dialect.DUCKDB, "SELECT list(c) FROM customers c"),
        (Dialect.DUCKDB, "SELECT [email FOR x IN [1]] FROM customers"),
        (Dialect.DUCKDB, "SELECT list_transform([1], lambda x : email) FROM customers"),
        (Dialect.DUCKDB, "SELECT list_transform([1], lambda email : email), email FROM customers"),
        (Dialect.DUCKDB, "SELECT id FROM customers QUALIFY row_number() OVER (ORDER BY email) = 1"),
        (Dialect.DUCKDB, "SELECT * FROM customers SEMI JOIN orders USING (id)"),
        (Dialect.DUCKDB, "SELECT o.id FROM orders o ASOF JOIN customers c ON o.id >= c.email"),
        (Dialect.DUCKDB, "SELECT o.id FROM orders o SEMI JOIN customers c ON c.email = 'a'"),
        (Dialect.DUCKDB, "SELECT * FROM orders POSITIONAL JOIN customers"),
        (Dialect.DUCKDB, "SELECT 1 AS a UNION ALL BY NAME SELECT email FROM customers"),
        (Dialect.DUCKDB, "SELECT arg_max(id, email) FROM customers"),
        (Dialect.DUCKDB, "PIVOT customers ON email"),
        (Dialect.DUCKDB, "SELECT v FROM customers UNPIVOT (v FOR n IN (email))"),
        # To the parser, parameters of a lambda; to the database, columns.
        (Dialect.POSTGRES, "SELECT coalesce(email -> 'vip') FROM customers"),
        (Dialect.POSTGRES, "SELECT count((email) -> 'vip') FROM customers"),
        (Dialect.POSTGRES, "SELECT json_array(email -> 'a', email -> 'b') FROM customers"),
        (Dialect.POSTGRES, "SELECT coalesce((id, email) -> 'vip') FROM customers"),
        (Dialect.MYSQL, "SELECT coalesce(email -> '$.vip', 1) FROM customers"),
        (Dialect.SQLITE, "SELECT coalesce(email -> '$.vip', 1) FROM customers"),
        (Dialect.DUCKDB, "SELECT coalesce(email -> 'vip') FROM customers"),
        (Dialect.DUCKDB, "SELECT list_transform([1], lambda c: c.email) FROM customers c"),
        (Dialect.DUCKDB, "SELECT list_transform([1], lambda C, i: upper(C.email)) FROM customers c"),
        (Dialect.DUCKDB, 'SELECT list_transform([1], lambda "c": "c".email) FROM customers c'),
        (Dialect.DUCKDB, "SELECT list_transform([1], lambda customers: customers.email) FROM customers"),
        (Dialect.DUCKDB, "SELECT list_transform([1], lambda public: public.customers.email) FROM customers"),
        (Dialect.DUCKDB, "SELECT apply([1], lambda x: apply([x], lambda c: c.email)) FROM customers c"),
        (Dialect.DUCKDB, "SELECT list_transform([1], lambda email: (SELECT email FROM customers LIMIT 1))"),
        (Dialect.DUCKDB, "SELECT id FROM customers c ORDER BY list_transform([1], lambda c: c.email)"),
        (Dialect.DUCKDB, "SELECT [c.email FOR c IN [1]] FROM customers c"),
        # To the parser, units and arguments too many, which it drops.
        (Dialect.POSTGRES, 'SELECT date_trunc("email", now()) FROM customers'),
        (Dialect.POSTGRES, 'SELECT array_agg(id, "email") FROM customers'),
        (Dialect.DUCKDB, 'SELECT date_trunc("email", now()) FROM customers'),
        (Dialect.DUCKDB, "SELECT decode('a', \"email\") FROM customers"),
        (Dialect.SQLITE, 'SELECT hex(id, "email") FROM customers'),
        (Dialect.MYSQL, "SELECT hex(id, `email`) FROM customers"),
        (Dialect.SQLITE, "SELECT rowid FROM customers"),
        (Dialect.SQLITE, "SELECT c.rowid FROM customers c"),
        (Dialect.SQLITE, "SELECT _rowid_ FROM customers"),
        (Dialect.SQLITE, "SELECT [email] FROM customers"),
        (Dialect.SQLITE, "SELECT `email` FROM [customers]"),
        (Dialect.SQLITE, "SELECT 'a' IN customers"),
        (Dialect.SQLITE, "SELECT max(id), email FROM customers"),
        (Dialect.SQLITE, 'SELECT "email" FROM customers'),
        (Dialect.MYSQL, 'SELECT "email" FROM customers'),
        (Dialect.MYSQL, "SELECT `email` FROM `customers`"),
        (Dialect.MYSQL, "SELECT GROUP_CONCAT(name ORDER BY email) FROM customers"),
        (Dialect.MYSQL, "SELECT name FROM customers WHERE MATCH(email) AGAINST('x')"),
        (Dialect.MYSQL, "SELECT j.a FROM customers, JSON_TABLE(email, '$' COLUMNS (a text PATH '$')) j"),
        (Dialect.MYSQL, "SELECT id FROM customers GROUP BY email WITH ROLLUP"),
    ],
)  # fmt: skip
def test_a_dialects_own_ways_leak_nothing(dialect: Dialect, sql: str) -> None:
    codes(sql, dialect)
    codes(sql, dialect, catalog=None)


@pytest.mark.parametrize("dialect", [Dialect.POSTGRES, Dialect.DUCKDB])
def test_a_hidden_column_that_is_named_like_a_unit_does_not_leak(dialect: Dialect) -> None:
    catalog: Catalog = {"public": {"customers": ("id", "year")}}
    assert ReasonCode.COLUMN_NOT_GRANTED in codes(
        "SELECT date_trunc(year, id) FROM customers", dialect, catalog
    )
    codes("SELECT date_trunc(year, id) FROM customers", dialect, None)
    assert judge("SELECT extract(year FROM now()), current_date FROM customers", dialect, catalog)
    assert judge("SELECT coalesce(current_date, now()) FROM customers", dialect, None)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT list_transform([1, 2], lambda x: x + 1), name FROM customers",
        "SELECT list_transform([{'a': 1}], lambda x: x.a), id FROM customers",
        "SELECT list_filter([1], lambda x, i: x > i AND id > 0) FROM customers",
        "SELECT struct_pack(email := name) FROM customers",
    ],
)
def test_a_lambda_beside_a_table_that_is_read_in_part_is_fine(sql: str) -> None:
    assert judge(sql, Dialect.DUCKDB).tables


def test_the_sentence_names_what_may_be_read() -> None:
    with pytest.raises(Rejected) as refused:
        judge("SELECT * FROM customers")
    (reason,) = refused.value.reasons
    assert "city, id, name" in reason.message


def test_another_case_is_another_table_where_names_keep_it() -> None:
    grants = Grants(frozenset({"public"}), frozenset({"public.orders"}))
    source = DataSource("sample", Dialect.MYSQL, ("public",), frozenset(Role))
    catalog: Catalog = {"public": {"orders": ("id",), "Orders": ("id",)}}
    with pytest.raises(Rejected) as refused:
        prepare("SELECT id FROM Orders", source=source, grants=grants, limits=QueryLimits(), catalog=catalog)
    assert refused.value.reasons[0].code is ReasonCode.TABLE_NOT_GRANTED
    known: Catalog = {"public": {"orders": ("id",)}}
    prepared = prepare(
        "SELECT id FROM ORDERS", source=source, grants=grants, limits=QueryLimits(), catalog=known
    )
    assert prepared.tables == ("public.orders",)


def test_a_with_query_of_another_case_hides_no_table_of_mysql() -> None:
    grants = Grants(frozenset({"public"}), frozenset({"public.orders"}))
    source = DataSource("sample", Dialect.MYSQL, ("public",), frozenset(Role))
    with pytest.raises(Rejected) as refused:
        prepare(
            "WITH Secret AS (SELECT 1) SELECT * FROM secret",
            source=source, grants=grants, limits=QueryLimits(),
        )  # fmt: skip
    assert refused.value.reasons[0].code is ReasonCode.TABLE_NOT_GRANTED


def test_a_hundred_tables_may_be_read_and_a_thousand_are_refused_at_once() -> None:
    def of(tables: int) -> str:
        return (
            "SELECT o1.id FROM "
            + " CROSS JOIN ".join(f"orders o{n}" for n in range(3))
            + "".join(f" UNION ALL SELECT id FROM orders t{n}" for n in range(tables))
        )

    commas = "SELECT o1.id FROM " + ", ".join(f"orders o{n}" for n in range(1000)) + " WHERE o1.id = o2.id"
    assert judge(of(100))
    assert codes(commas) == {ReasonCode.TOO_COMPLEX}
