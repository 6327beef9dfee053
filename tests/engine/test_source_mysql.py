"""MySQL and MariaDB as a data source, live on MariaDB: exact values, values bound, settings, callers."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from datetime import time as daytime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from insight_engine.domain.source_errors import (
    QueryFailed,
    SourceRefusedCredentials,
    SourceUnreachable,
)
from insight_engine.domain.sources import Caller, Role
from support.mariadb import MariadbServer
from support.mysql_shop import SOURCE, mysql_shop, opened
from support.servers import free_port
from support.source_rows import Asking


@pytest.fixture(scope="module")
def server() -> Iterator[MariadbServer]:
    with mysql_shop() as server:
        yield server


@pytest.fixture(scope="module")
def shop(server: MariadbServer) -> Asking:
    return Asking(SOURCE, opened(server))


def _kind(kind: Any) -> str:
    return str(kind.type_name) if isinstance(kind, pa.OpaqueType) else str(kind)


LAST = datetime.fromisoformat("9999-12-31 23:59:59.999999")
TYPED: list[tuple[str, str, Any]] = [
    ("CAST(-1 AS signed)", "int32", -1),
    ("18446744073709551615", "uint64", 2**64 - 1),
    ("-9223372036854775808 + 0", "int64", -(2**63)),
    ("12345678901234567890.12345678901234567890", "decimal", "12345678901234567890.12345678901234567890"),
    ("0.1e0", "double", 0.1),
    ("5e-324", "double", 5e-324),
    ("'é\\n\\'😀'", "string", "é\n'😀"),
    ("NULL", "string", None),
    ("x'00ff'", "binary", b"\x00\xff"),
    ("DATE '2024-02-29'", "date32[day]", date(2024, 2, 29)),
    ("TIMESTAMP '9999-12-31 23:59:59.999999'", "timestamp[us]", LAST),
    ("TIME '-838:59:59'", "time", "-838:59:59"),
    ("TIME '12:00:00.5'", "time", "12:00:00.500000"),
    ("JSON_OBJECT('a', 1)", "string", '{"a": 1}'),
    ("true", "int32", 1),
    ("ST_GeomFromText('POINT(1 2.5)')", "geometry", "POINT(1 2.5)"),
    ("ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(0 0,1 1))')", "geometry",
     "GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(0 0,1 1))"),
]  # fmt: skip
STORED: list[tuple[str, str, Any]] = [
    ("f", "float", 16777216.0),
    ("y", "uint16", 1999),
    ("b", "uint64", 5),
    ("e", "string", "b"),
    ("s", "string", "x,y"),
    ("bl", "binary", b"\x00\xff"),
    ("bi", "binary", b"ab\x00"),
    ("l1", "string", "é"),
    ("g", "geometry", "SRID=4326;MULTIPOLYGON(((0 0,1.5 0,1 1,0 0)),((2 2,3 2,3 3,2 2)))"),
    ("u", "string", "123e4567-e89b-12d3-a456-426614174000"),
    ("i", "string", "::1"),
    ("ts", "timestamp[us, tz=UTC]", datetime(2020, 1, 1, 0, 0, 0, 1, tzinfo=UTC)),
    ("m", "int32", -8388608),
]


@pytest.mark.parametrize(("expression", "kind", "expected"), [*TYPED, *STORED])
def test_a_value_arrives_exact(shop: Asking, expression: str, kind: str, expected: Any) -> None:
    table = " FROM typed" if len(expression) <= 2 else ""
    column = shop.column(f"SELECT {expression}{table}")
    found = column.to_pylist()
    assert (found, _kind(column.type)) == ([expected], kind)


def test_dates_that_no_calendar_has_are_text_or_refused_never_changed(shop: Asking) -> None:
    assert shop.rows("SELECT * FROM zero") == [("0000-00-00", "2020-00-10 01:02:03", 1)]
    assert [_kind(b.schema.field(0).type) for b in shop.batches("SELECT d FROM zero")] == ["date"]
    with pytest.raises(QueryFailed, match="CAST it to CHAR"):
        shop.rows("SELECT d, n FROM late ORDER BY n")


VALUES = [
    5, -(2**63), 2**64 - 1, 2**70, 1.5, True, None, "it's \\ \"é😀\" ? -- \0", b"\x00\xff'", Decimal("1.10"),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_parameter_comes_back_as_it_went(shop: Asking, value: Any) -> None:
    found = shop.value("SELECT ?", value)
    assert found == (str(value) if isinstance(value, Decimal) or value == 2**70 else value)


def test_parameters_stand_where_the_statement_wants_them(shop: Asking) -> None:
    sql = "SELECT id FROM orders WHERE total > ? AND note = ? AND id <> ? ORDER BY id LIMIT ?"
    assert shop.rows(sql, 997.5, "n", 999, 1) == [(998,)]
    assert shop.value("SELECT DATE '2020-01-02' = ?", date(2020, 1, 2)) == 1
    assert shop.value("SELECT TIMESTAMP '2020-01-01 10:00:00' = ?", datetime(2020, 1, 1, 10, tzinfo=UTC)) == 1
    assert shop.value("SELECT TIME '10:00' = ?", daytime(10)) == 1
    with pytest.raises(QueryFailed, match="asks for 2 values"):
        shop.rows("SELECT ?, ?", 1)


def test_odd_results(shop: Asking) -> None:
    (empty,) = shop.batches("SELECT id, note FROM orders WHERE false")
    assert (empty.num_rows, empty.schema.names) == (0, ["id", "note"])
    (same,) = shop.batches("SELECT 1 AS a, 2 AS a")
    assert same.schema.names == ["a", "a"]
    (wide,) = shop.batches("SELECT " + ", ".join(f"{n} AS c{n}" for n in range(1_600)))
    assert wide.column(1_599)[0].as_py() == 1_599
    assert len(shop.value("SELECT repeat('x', 16000000)")) == 16_000_000
    batches = list(shop.batches("SELECT seq, repeat('y', 1000) FROM seq_1_to_20000"))
    assert sum(batch.num_rows for batch in batches) == 20_000
    assert max(batch.nbytes for batch in batches) < 5_000_000


def test_a_query_runs_read_only_with_everything_set(shop: Asking) -> None:
    sql = "SELECT @@sql_mode, @@time_zone, @@max_statement_time + 0, @insight_user, @insight_role"
    mode = "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
    assert shop.rows(sql, timeout_s=7) == [(mode, "+00:00", 7.0, "ann", "analyst")]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1; SELECT 2",
        "SET @insight_user = 'eve'",
        "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE mine",
    ],
)
def test_what_is_no_single_query_gives_nothing(shop: Asking, statement: str) -> None:
    with pytest.raises(QueryFailed):
        shop.rows(statement)


def test_a_write_is_refused_even_where_it_is_granted(server: MariadbServer) -> None:
    narrow = Asking(SOURCE, opened(server, "narrow", "narrow"))
    with pytest.raises(QueryFailed, match="READ ONLY"):
        narrow.rows("INSERT INTO mine VALUES ('eve', 3)")


def test_rows_follow_the_caller(shop: Asking) -> None:
    assert shop.rows("SELECT id FROM own") == [(1,)]
    assert shop.rows("SELECT id FROM own", caller=Caller("bob", Role.VIEWER)) == [(2,)]
    assert shop.rows("SELECT id FROM own", caller=Caller("x' OR '1'='1", Role.ADMIN)) == []


def test_errors_tell_no_secret(shop: Asking, server: MariadbServer) -> None:
    with pytest.raises(QueryFailed, match="denied") as failed:
        shop.rows("SELECT * FROM hidden.salaries")
    assert "reader" not in failed.value.message
    assert "127.0.0.1" not in failed.value.message
    with pytest.raises(QueryFailed) as failed:
        shop.rows("SELEC 'a literal'")
    assert "a literal" not in failed.value.message
    unreachable = {"port": free_port()}
    for change, kind in (
        ({"password": "wrong"}, SourceRefusedCredentials),
        (unreachable, SourceUnreachable),
        ({"host": "no-such-host.invalid"}, SourceUnreachable),
        ({"uri": f"mysql://reader:wrong@127.0.0.1:{server.port}/shop"}, SourceRefusedCredentials),
    ):
        with pytest.raises(kind) as refused:
            Asking(SOURCE, opened(server, **change)).rows("SELECT 1")
        for secret in ("reader", "wrong", "127.0.0.1", "no-such-host", str(server.port)):
            assert secret not in str(refused.value)
