"""PostgreSQL as a data source, live: exact values, and a connection that is never seen by two queries."""

import math
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from insight_engine.adapters.sources import open_source
from insight_engine.domain.credentials import SourceCredential
from insight_engine.domain.source_errors import QueryFailed, SourceBusy
from insight_engine.domain.sources import Caller, DataSource, Dialect, Role
from insight_engine.services.values import column_values
from support.servers import PostgresServer
from support.source_rows import Asking

SOURCE = DataSource("shop", Dialect.POSTGRES, ("public",), frozenset(Role), max_connections=2)
_SETUP = """
CREATE ROLE reader LOGIN PASSWORD 'reader-only';
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE DOMAIN age AS int CHECK (VALUE > 0);
CREATE TYPE pair AS (a int, b text);
CREATE EXTENSION hstore;
CREATE EXTENSION citext;
CREATE TABLE mine (owner text, kept_for text, id int);
INSERT INTO mine VALUES ('ann', 'analyst', 1), ('bob', 'analyst', 2), ('bob', 'viewer', 3);
ALTER TABLE mine ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON mine USING (
    owner = current_setting('insight.user', true) AND kept_for = current_setting('insight.role', true));
CREATE FUNCTION lower(text) RETURNS text LANGUAGE sql AS 'SELECT ''shadow''';
CREATE TABLE pg_class (shadow int);
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        with psycopg.connect(server.admin_uri(), autocommit=True) as admin:
            admin.execute(_SETUP)
        yield server


@pytest.fixture(scope="module")
def shop(server: PostgresServer) -> Iterator[Asking]:
    login = SourceCredential(
        host="127.0.0.1", port=server.port, dbname="postgres", username="reader", password="reader-only"
    )
    source = open_source(SOURCE, login)
    yield Asking(SOURCE, source)
    source.close()


TYPED: list[tuple[str, str, Any]] = [
    ("32767::int2", "int16", 32767),
    ("(-2147483648)::int4", "int32", -(2**31)),
    ("9223372036854775807::int8", "int64", 2**63 - 1),
    ("'4294967295'::oid", "uint32", 2**32 - 1),
    ("1.1::float4", "float", pytest.approx(1.1, rel=1e-6)),
    ("0.1::float8", "double", 0.1),
    ("5e-324::float8", "double", 5e-324),
    ("'Infinity'::float8", "double", math.inf),
    ("'-Infinity'::float4", "float", -math.inf),
    ("'NaN'::float8", "double", math.nan),
    ("true", "bool", True),
    ("NULL::bool", "bool", None),
    ("'x '::char(3)", "string", "x  "),
    ("'é'::varchar", "string", "é"),
    ("'n'::name", "string", "n"),
    ("'Ab'::citext", "string", "Ab"),
    ("'glad'::mood", "string", "glad"),
    ("7::age", "int32", 7),
    ("'unknown'", "string", "unknown"),
    ("NULL", "string", None),
    ("'\\x00ff41'::bytea", "binary", b"\x00\xffA"),
    ("date '2024-02-29'", "date32[day]", date(2024, 2, 29)),
    ("'infinity'::date", "date32[day]", "infinity"),
    ("'-infinity'::date", "date32[day]", "-infinity"),
    (
        "timestamp '2020-01-01 00:00:00.000001'",
        "timestamp[us]",
        datetime.fromisoformat("2020-01-01 00:00:00.000001"),
    ),
    (
        "timestamptz '2020-01-01 00:00+05:30'",
        "timestamp[us, tz=UTC]",
        datetime(2019, 12, 31, 18, 30, tzinfo=UTC),
    ),
    ("timestamptz '1890-01-01 00:00:00+00'", "timestamp[us, tz=UTC]", datetime(1890, 1, 1, tzinfo=UTC)),
    ("'infinity'::timestamp", "timestamp[us]", "infinity"),
    ("'-infinity'::timestamptz", "timestamp[us, tz=UTC]", "-infinity"),
    ("uuid '00000000-0000-0000-0000-00000000000a'", "uuid", uuid.UUID(int=10)),
    ("'{\"a\": [1, 2.50]}'::json", "json", '{"a": [1, 2.50]}'),
    ("'{\"b\":1}'::jsonb", "json", '{"b": 1}'),
    ("ARRAY[1, NULL, 3]", "int32[]", [1, None, 3]),
    ("ARRAY[[1, 2], [3, NULL]]", "int32[][]", [[1, 2], [3, None]]),
    ("'{}'::int[]", "int32[]", []),
    ("NULL::int[]", "int32[]", None),
    (
        "ARRAY['a,b', 'c\"d\\', '{e}', 'NULL', NULL, '']",
        "string[]",
        ["a,b", 'c"d\\', "{e}", "NULL", None, ""],
    ),
    ("ARRAY[1.50, 'NaN']::numeric[]", "numeric[]", ["1.50", "NaN"]),
    ("ARRAY['infinity'::date]", "date32[day][]", ["infinity"]),
    ("ARRAY['\\x00'::bytea]", "binary[]", [b"\0"]),
    ("ARRAY['sad'::mood]", "string[]", ["sad"]),
]


@pytest.mark.parametrize(("expression", "kind", "expected"), TYPED)
def test_a_value_arrives_exact_in_a_type_of_its_own(
    shop: Asking, expression: str, kind: str, expected: Any
) -> None:
    column = shop.column(f"SELECT {expression}")
    (found,) = column_values(pa.chunked_array([column])) if "infinity" in expression else column.to_pylist()
    assert found == expected or (math.isnan(expected) and math.isnan(found))
    assert _kind(column.type) == kind


def _kind(kind: Any) -> str:
    """Arrow's own name of a type, short for lists and extensions."""
    if isinstance(kind, pa.OpaqueType):
        return str(kind.type_name)
    if isinstance(kind, pa.BaseExtensionType):
        return str(kind.extension_name).removeprefix("arrow.")
    return f"{_kind(kind.value_type)}[]" if pa.types.is_list(kind) else str(kind)


PRINTED: list[tuple[str, str, str]] = [
    ("123456789012345678901234567890.123456789", "numeric", "123456789012345678901234567890.123456789"),
    ("'NaN'::numeric", "numeric", "NaN"),
    ("'Infinity'::numeric", "numeric", "Infinity"),
    ("1::numeric(10, 2)", "numeric", "1.00"),
    ("time '24:00'", "time", "24:00:00"),
    ("timetz '12:00+02'", "timetz", "12:00:00+02"),
    ("interval '1 year -2 days 03:04:05.6'", "interval", "1 year -2 days +03:04:05.6"),
    ("inet '10.0.0.1/8'", "inet", "10.0.0.1/8"),
    ("cidr '::/0'", "cidr", "::/0"),
    ("macaddr '08:00:2b:01:02:03'", "macaddr", "08:00:2b:01:02:03"),
    ("point(1, 2.5)", "point", "(1,2.5)"),
    ("box(point(1, 2), point(3, 4))", "box", "(3,4),(1,2)"),
    ("circle(point(1, 2), 3)", "circle", "<(1,2),3>"),
    ("polygon '((1,2),(3,4))'", "polygon", "((1,2),(3,4))"),
    ("int4range(1, 5)", "int4range", "[1,5)"),
    ("'empty'::numrange", "numrange", "empty"),
    ("'{[1,3),[5,7)}'::int4multirange", "int4multirange", "{[1,3),[5,7)}"),
    ("B'0101'", "bit", "0101"),
    ("B'01'::varbit", "varbit", "01"),
    ("(1, 'x, y')::pair", "pair", '(1,"x, y")'),
    ("ROW(1, NULL, ROW(2))", "record", '(1,,"(2)")'),
    ("'a=>1, b=>NULL'::hstore", "hstore", '"a"=>"1", "b"=>NULL'),
    ("'pg_catalog.pg_class'::regclass", "regclass", "pg_class"),
    ("to_tsvector('simple', 'b a')", "tsvector", "'a':2 'b':1"),
    ("'a & b'::tsquery", "tsquery", "'a' & 'b'"),
    ("'0/16B3748'::pg_lsn", "pg_lsn", "0/16B3748"),
    ("'[2:3]={1,2}'::int[]", "int4[]", "[2:3]={1,2}"),
    ("ARRAY[box(point(1, 2), point(3, 4))]", "box[]", "{(3,4),(1,2)}"),
    ("'$.a'::jsonpath", "jsonpath", '$."a"'),
    ("'1.5'::money", "money", "$1.50"),
]


@pytest.mark.parametrize(("expression", "name", "expected"), PRINTED)
def test_what_arrow_has_no_type_for_is_the_servers_own_text(
    shop: Asking, expression: str, name: str, expected: str
) -> None:
    column = shop.column(f"SELECT {expression}")
    assert (column.to_pylist(), _kind(column.type)) == ([expected], name)


def test_void_is_an_empty_text(shop: Asking) -> None:
    assert shop.value("SELECT pg_sleep(0)") == ""


def test_moments_far_from_now_keep_their_distance(shop: Asking) -> None:
    first = shop.column("SELECT timestamp '4713-01-01 00:00 BC'").cast(pa.int64())[0].as_py()
    last = shop.column("SELECT timestamp '294246-12-31 23:59:59.999999'").cast(pa.int64())[0].as_py()
    assert (first, last) == (-210_863_520_000_000_000, 9_223_371_244_799_999_999)
    assert shop.column("SELECT date '5874897-12-31'").cast(pa.int32())[0].as_py() == 2_145_042_905
    with pytest.raises(QueryFailed, match="294246"):
        shop.rows("SELECT timestamp '294276-12-31 23:59:59.999999'")


def test_arrays_of_several_shapes_are_text_or_refused_never_flattened(shop: Asking) -> None:
    shapes = "SELECT CASE WHEN n < {} THEN ARRAY[n] ELSE ARRAY[[n]] END FROM generate_series(0, 40000) g(n)"
    column = shop.column(shapes.format(1))
    assert (column[0].as_py(), column[1].as_py()) == ("{0}", "{{1}}")
    with pytest.raises(QueryFailed, match="CAST it to text"):
        shop.rows(shapes.format(39_000))


PARAMETERS = [
    5, 2**40, -(2**70), 1.5, math.inf, True, "it's \\ \"é\" $1", b"\x00\xff", Decimal("1.10"),
    date(2020, 2, 29), datetime.fromisoformat("2020-01-01 01:02:03.000004"), datetime(2020, 1, 1, tzinfo=UTC),
]  # fmt: skip


@pytest.mark.parametrize("value", PARAMETERS, ids=repr)
def test_a_parameter_comes_back_as_it_went(shop: Asking, value: Any) -> None:
    found = shop.value("SELECT $1", value)
    assert found == (str(value) if isinstance(value, Decimal) or value == -(2**70) else value)


def test_parameters_take_the_type_that_the_statement_needs(shop: Asking) -> None:
    sql = "SELECT date '2020-01-01' + $1, $2 = 7::numeric, $3::uuid, coalesce($4, 'none'), time '12:00' > $5"
    identity = "00000000-0000-0000-0000-000000000001"
    row = (date(2020, 1, 3), True, uuid.UUID(identity), "none", True)
    assert shop.rows(sql, 2, 7.0, identity, None, time(11)) == [row]


@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
def test_text_that_postgres_cannot_hold_is_refused_not_cut(shop: Asking, value: str) -> None:
    with pytest.raises(QueryFailed, match="parameter"):
        shop.rows("SELECT $1::text", value)


def test_odd_shapes_of_results(shop: Asking) -> None:
    assert [(b.num_rows, b.num_columns) for b in shop.batches("SELECT FROM generate_series(1, 3)")] == [
        (3, 0)
    ]
    (same,) = shop.batches("SELECT 1 AS a, 2 AS a, 3")
    assert same.schema.names == ["a", "a", "?column?"]
    (wide,) = shop.batches("SELECT " + ", ".join(f"{n} AS c{n}" for n in range(1_600)))
    assert wide.num_columns == 1_600
    assert wide.column(1_599)[0].as_py() == 1_599
    (empty,) = shop.batches("SELECT 1 AS a, ARRAY[1] AS b, now() AS c WHERE false")
    assert [str(kind) for kind in empty.schema.types] == [
        "int32", "list<item: int32>", "timestamp[us, tz=UTC]",
    ]  # fmt: skip


def test_a_huge_value_passes_and_many_rows_come_in_bounded_batches(shop: Asking) -> None:
    assert len(shop.value("SELECT repeat('x', 50000000)")) == 50_000_000
    batches = list(shop.batches("SELECT n, repeat('y', 1000) FROM generate_series(1, 20000) g(n)"))
    assert sum(batch.num_rows for batch in batches) == 20_000
    assert max(batch.nbytes for batch in batches) < 5_000_000
    assert max(b.num_rows for b in shop.batches("SELECT generate_series(1, 100000)")) <= 20_000


LEAVINGS = [
    "SELECT set_config('insight.user', 'eve', false), set_config('statement_timeout', '0', false)",
    "SELECT set_config('search_path', 'evil', false)",
    "SELECT pg_advisory_lock(42)",
    "PREPARE evil AS SELECT 1",
    "DECLARE evil CURSOR WITH HOLD FOR SELECT 1",
    "LISTEN evil",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    "SET ROLE NONE",
    "COMMIT",
]
_STATE = """
    SELECT pg_backend_pid(), current_setting('insight.user'), current_setting('statement_timeout'),
        current_setting('search_path'), current_setting('transaction_read_only'),
        (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
        (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_cursors WHERE is_holdable),
        to_regclass('pg_temp.evil') IS NULL, (SELECT count(*) FROM pg_listening_channels())
"""


@pytest.mark.parametrize("statement", LEAVINGS)
def test_nothing_of_a_query_is_left_for_the_next_one(shop: Asking, statement: str) -> None:
    clean = shop.rows(_STATE, timeout_s=7)[0]
    try:
        shop.rows(statement)
    except QueryFailed:
        pytest.fail(f"the server refused {statement}: the test tests nothing")
    after = shop.rows(_STATE, timeout_s=7)[0]
    assert after[1:] == clean[1:] == (
        "ann", "7s", 'pg_catalog, "public", pg_temp', "on", 0, 0, 0, True, 0,
    )  # fmt: skip


def test_a_connection_is_used_again_after_success_only(shop: Asking) -> None:
    pid = "SELECT pg_backend_pid()"
    first = shop.value(pid)
    assert shop.value(pid) == first
    with pytest.raises(QueryFailed):
        shop.rows("SELECT 1 / 0")
    second = shop.value(pid)
    assert second != first
    stream = shop.batches("SELECT generate_series(1, 1000000)")
    next(iter(stream))
    stream.close()  # type: ignore[attr-defined]
    assert shop.value(pid) != second


def test_a_connection_that_died_while_idle_is_replaced_unseen(shop: Asking, server: PostgresServer) -> None:
    pid = shop.value("SELECT pg_backend_pid()")
    with psycopg.connect(server.admin_uri(), autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    assert shop.value("SELECT 1") == 1


def test_rows_follow_the_caller(shop: Asking) -> None:
    def seen(user: str, role: Role) -> list[tuple[Any, ...]]:
        return shop.rows("SELECT id FROM mine ORDER BY id", caller=Caller(user, role))

    assert seen("ann", Role.ANALYST) == [(1,)]
    assert seen("bob", Role.ANALYST) == [(2,)]
    assert seen("bob", Role.VIEWER) == [(3,)]
    assert seen("nobody'; --", Role.ADMIN) == []


def test_no_object_of_a_user_shadows_a_builtin_one(shop: Asking) -> None:
    assert shop.value("SELECT lower('ABC'::text)") == "abc"
    assert shop.value("SELECT count(*) > 100 FROM pg_class")


def test_more_queries_than_connections_wait_and_then_say_so(shop: Asking) -> None:
    held = [iter(shop.batches("SELECT generate_series(1, 1000000)")) for _ in range(2)]
    for stream in held:
        next(stream)
    with pytest.raises(SourceBusy, match="max_connections"):
        shop.rows("SELECT 1", timeout_s=0.3)
    for stream in held:
        stream.close()  # type: ignore[attr-defined]
    assert shop.value("SELECT 1") == 1
