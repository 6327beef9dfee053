"""MySQL's own ways to write text, comments and names, and what is refused because it has two readings."""

import pytest

from insight_engine.domain.query import QueryLimits
from insight_engine.domain.sources import Catalog, DataSource, Dialect, Grants, Role
from insight_engine.sqlguard import PreparedQuery, ReasonCode, Rejected, prepare

CATALOG: Catalog = {"main": {"orders": ("id", "status", "total", "note")}}


def judge(sql: str) -> PreparedQuery:
    source = DataSource("sample", Dialect.MYSQL, ("main",), frozenset(Role))
    grants = Grants(frozenset({"main"}))
    return prepare(sql, source=source, grants=grants, limits=QueryLimits(), catalog=CATALOG)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT `id`, `note` AS `a b` FROM `main`.`orders`",
        "SELECT total AS 'Total', id AS \"Id\" FROM orders",
        'SELECT id FROM orders WHERE status = "paid"',
        "SELECT 'C:\\\\', 'a\\nb', 'It''s', \"say \"\"x\"\"\"",
        "SELECT 1 -- a comment\n",
        "SELECT 1 # a comment\n",
        "SELECT 1 --",
        "SELECT 2--1",
        "SELECT 1 FROM DUAL",
        "SELECT DATE'2026-01-01', TIMESTAMP '2026-01-01 10:00:00', x'41'",
        "SELECT note COLLATE utf8mb4_general_ci, CONVERT(note USING utf8mb4) FROM orders",
        "SELECT FORMAT(total, 2), DATE_FORMAT(NOW(), '%Y-%m') FROM orders",
        "VALUES ROW(1, 2), ROW(3, 4)",
    ],
)
def test_what_analysts_write_is_read(sql: str) -> None:
    assert judge(sql).policy_digest


def test_dual_is_no_table() -> None:
    assert judge("SELECT 1 FROM dual").tables == ()


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT 'a\\'b'", ReasonCode.AMBIGUOUS_TEXT),
        ("SELECT 'a\\', SLEEP(1) -- '", ReasonCode.AMBIGUOUS_TEXT),
        ('SELECT "a\\", SLEEP(1) -- "', ReasonCode.AMBIGUOUS_TEXT),
        ("SELECT 'a\\\\\\'b'", ReasonCode.AMBIGUOUS_TEXT),
        ("SELECT 1 /*!99999 + 1 */", ReasonCode.FORBIDDEN_COMMENT),
        ("SELECT 1 /*M! + 1 */", ReasonCode.FORBIDDEN_COMMENT),
        ("SELECT /*+ NO_ICP(orders) */ 1", ReasonCode.FORBIDDEN_COMMENT),
        ("SELECT _utf8'x'", ReasonCode.AMBIGUOUS_TEXT),
        ("SELECT @a", ReasonCode.FORBIDDEN_CHARACTER),
        ("SELECT @@version", ReasonCode.FORBIDDEN_CHARACTER),
        ('SELECT id FROM "orders"', ReasonCode.FILE_AS_TABLE),
        ("SELECT `dual`.x FROM `dual`", ReasonCode.UNKNOWN_TABLE),
        ("SELECT note COLLATE sleep(1) FROM orders", ReasonCode.FUNCTION_NOT_ALLOWED),
        ("SELECT SPACE(99999999)", ReasonCode.TOO_COMPLEX),
    ],
)  # fmt: skip
def test_what_has_two_readings_is_refused(sql: str, code: ReasonCode) -> None:
    with pytest.raises(Rejected) as refused:
        judge(sql)
    assert code in {reason.code for reason in refused.value.reasons}


def test_the_text_that_two_settings_end_at_different_places_is_explained() -> None:
    with pytest.raises(Rejected) as refused:
        judge("SELECT 'it\\'s'")
    assert "write '' for a quote" in refused.value.reasons[0].message
