"""Values of DuckDB's types: exact in Arrow and in JSON, alone and nested, from the other process."""

import math
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import duckdb
import pytest

from insight_engine.domain.source_errors import QueryFailed
from insight_engine.domain.sources import Dialect
from insight_engine.services.values import column_values
from support.file_sources import FileSource

UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
HUGE = 2**127
LONG = "123456789012345678901234567890123456789012345678901234567890"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileSource]:
    path = tmp_path_factory.mktemp("duckdb") / "types.duckdb"
    with closing(duckdb.connect(str(path))) as database:
        database.execute("CREATE TYPE mood AS ENUM ('sad', 'so so', 'glad'); CREATE TABLE t (id int)")
    source = FileSource(Dialect.DUCKDB, path)
    yield source
    source.source.close()


VALUES: list[tuple[str, str, object]] = [
    ("(-128)::tinyint", "int8", -128),
    ("255::utinyint", "uint8", 255),
    ("(-32768)::smallint", "int16", -32768),
    ("65535::usmallint", "uint16", 65535),
    ("4294967295::uinteger", "uint32", 4294967295),
    ("9223372036854775807::bigint", "int64", str(2**63 - 1)),
    ("18446744073709551615::ubigint", "uint64", str(2**64 - 1)),
    (f"{HUGE - 1}::hugeint", "decimal256(39, 0)", str(HUGE - 1)),
    (f"'-{HUGE}'::hugeint", "decimal256(39, 0)", str(-HUGE)),
    (f"'{2 * HUGE - 1}'::uhugeint", "decimal256(39, 0)", str(2 * HUGE - 1)),
    (f"'{LONG}'::bignum", "string", LONG),
    (f"'-{LONG}'::bignum", "string", f"-{LONG}"),
    ("0::bignum", "string", "0"),
    ("1.5::float", "float", 1.5),
    ("'nan'::double", "double", "NaN"),
    ("'-infinity'::double", "double", "-Infinity"),
    ("1.10::decimal(4, 2)", "decimal128(4, 2)", "1.10"),
    ("'-0.00000001'::decimal(38, 8)", "decimal128(38, 8)", "-1E-8"),
    ("true", "bool", True),
    ("'2024-02-29'::date", "date32[day]", "2024-02-29"),
    ("'infinity'::date", "date32[day]", "infinity"),
    ("'-infinity'::date", "date32[day]", "-infinity"),
    ("'12:34:56.789012'::time", "time64[us]", "12:34:56.789012"),
    ("'12:34:56+05:30'::timetz", "string", "12:34:56+05:30"),
    ("'00:00:00.000001-15:59:59'::timetz", "string", "00:00:00.000001-15:59:59"),
    ("'2024-02-29 12:34:56'::timestamp_s", "timestamp[s]", "2024-02-29T12:34:56"),
    ("'2024-02-29 12:34:56.789'::timestamp_ms", "timestamp[ms]", "2024-02-29T12:34:56.789"),
    ("'2024-02-29 12:34:56.789012'::timestamp", "timestamp[us]", "2024-02-29T12:34:56.789012"),
    ("'2024-02-29 12:34:56.789012345'::timestamp_ns", "timestamp[ns]", "2024-02-29T12:34:56.789012345"),
    ("'infinity'::timestamp", "timestamp[us]", "infinity"),
    ("'-infinity'::timestamp", "timestamp[us]", "-infinity"),
    (
        "'2024-02-29 12:34:56.5+02'::timestamptz",
        "timestamp[us, tz=Etc/UTC]",
        "2024-02-29T10:34:56.500000+00:00",
    ),
    ("'infinity'::timestamptz", "timestamp[us, tz=Etc/UTC]", "infinity"),
    ("interval '1 month -2 days 3.000004 seconds'", "month_day_nano_interval", "P1M-2DT3.000004S"),
    (f"'{UUID}'::uuid", "extension<arrow.uuid>", UUID),
    ("""'{"a": [1, null]}'::json""", "extension<arrow.json>", '{"a": [1, null]}'),
    ("'glad'::mood", "dictionary<values=string, indices=uint8, ordered=0>", "glad"),
    ("'10101'::bit", "string", "10101"),
    ("'0000000011111111'::bit", "string", "0000000011111111"),
    (r"'\xAA\x00'::blob", "binary", "qgA="),
    ("'a' || chr(0) || 'é😀'", "string", "a\0é😀"),
    ("''", "string", ""),
    ("NULL", "null", None),
    ("NULL::hugeint", "decimal256(39, 0)", None),
    ("NULL::bit", "string", None),
    ("NULL::boolean", "bool", None),
]


@pytest.mark.parametrize(("expression", "kind", "json"), VALUES)
def test_a_value_is_exact(database: FileSource, expression: str, kind: str, json: object) -> None:
    assert database.one(expression) == (kind, json)


@pytest.mark.parametrize(
    ("expression", "json"),
    [
        ("[1, NULL, 3]", [1, None, 3]),
        ("[[true], NULL, []]", [[True], None, []]),
        (f"[{HUGE - 1}::hugeint, NULL]", [str(HUGE - 1), None]),
        ("{'a': true, 'b': {'c': '101'::bit, 'd': NULL}}", {"a": True, "b": {"c": "101", "d": None}}),
        ("[{'a': 1::uhugeint}, NULL]", [{"a": "1"}, None]),
        ("array_value(1::hugeint, 2, NULL)", ["1", "2", None]),
        ("map {'k': '1'::bit, 'l': NULL}", [["k", "1"], ["l", None]]),
        (f"map {{'{UUID}'::uuid: 1::hugeint}}", [[UUID, "1"]]),
        ("union_value(num := 2::hugeint)", "2"),
        ("['glad'::mood, NULL]", ["glad", None]),
        ("[interval '1 day', NULL]", ["P1D", None]),
        ("NULL::STRUCT(a HUGEINT, b BOOLEAN[])", None),
        ("NULL::MAP(VARCHAR, HUGEINT)", None),
        ("NULL::HUGEINT[]", None),
        ("NULL::BIT[2]", None),
    ],
)
def test_a_nested_value_is_exact(database: FileSource, expression: str, json: object) -> None:
    assert database.one(expression)[1] == json


def test_nested_values_stay_with_their_rows(database: FileSource) -> None:
    sql = (
        "SELECT CASE WHEN n % 3 = 0 THEN NULL ELSE [n::hugeint, NULL] END AS l,"
        " CASE WHEN n % 4 = 0 THEN NULL ELSE {'b': n % 2 = 0, 'h': n::hugeint} END AS s,"
        " array_value(n::hugeint, n::hugeint + 1) AS a, map {n::hugeint: n % 2 = 0} AS m"
        " FROM range(100000) AS r(n) ORDER BY n"
    )
    table = database.table(sql)
    for n, (values, pair, array, entries) in enumerate(
        zip(*(table.column(i).to_pylist() for i in range(4)), strict=True)
    ):
        assert values == (None if n % 3 == 0 else [n, None])
        assert pair == (None if n % 4 == 0 else {"b": n % 2 == 0, "h": n})
        assert (array, entries) == ([n, n + 1], [(n, n % 2 == 0)])


def test_a_sum_of_whole_numbers_is_exact(database: FileSource) -> None:
    most = 2**63 - 1
    column = database.table(f"SELECT sum(x) FROM (VALUES ({most}), ({most})) AS v(x)").column(0)
    assert (str(column.type), column_values(column)) == ("decimal256(39, 0)", [str(2 * most)])


def test_an_empty_result_has_its_types(database: FileSource) -> None:
    table = database.table("SELECT 1::hugeint AS h, true AS b, [1] AS l WHERE false")
    assert (table.num_rows, [str(kind) for kind in table.schema.types]) == (
        0,
        ["decimal256(39, 0)", "bool", "list<l: int32>"],
    )


def test_a_very_wide_result_and_equal_names_keep_every_column(database: FileSource) -> None:
    wide = database.table("SELECT " + ", ".join(f"{n} AS c{n}" for n in range(2000)))
    assert [wide.column(n).to_pylist() for n in (0, 1999)] == [[0], [1999]]
    twice = database.table("SELECT 1 AS a, 'x' AS a, 2.5 AS A")
    assert twice.schema.names == ["a", "a", "A"]
    assert [column.to_pylist()[0] for column in twice.columns[:2]] == [1, "x"]


@pytest.mark.parametrize(
    ("given", "sql", "back"),
    [
        ((1, -(2**63), 2**63 - 1), "SELECT ?, ?, ?", [1, str(-(2**63)), str(2**63 - 1)]),
        ((1.5, "é", None, True), "SELECT $1, $2, $3, $4", [1.5, "é", None, True]),
        ({"a": "x", "b": 2}, "SELECT $b, $a, $b", [2, "x", 2]),
        ((math.nan, math.inf), "SELECT ?, ?", ["NaN", "Infinity"]),
        ((2**70,), "SELECT ?", [str(2**70)]),
    ],
)
def test_parameters_come_back_as_they_were_given(
    database: FileSource, given: Any, sql: str, back: list[object]
) -> None:
    table = database.table(sql, given)
    assert [column_values(column)[0] for column in table.columns] == back


@pytest.mark.parametrize("given", [(2**200,), (1, 2), ()])
def test_a_parameter_that_duckdb_cannot_take_is_told(database: FileSource, given: Any) -> None:
    with pytest.raises(QueryFailed, match="The database says"):
        database.table("SELECT ?::bigint", given)
    assert database.one("1") == ("int32", 1)


@pytest.mark.parametrize("kind", ["time", "time_ns"])
def test_a_time_after_the_last_is_told_with_its_cure(database: FileSource, kind: str) -> None:
    sql = f"SELECT x AS closing FROM (VALUES (NULL), ('24:00:00'::{kind})) AS v(x)"
    with pytest.raises(
        QueryFailed, match=r"Column closing holds the time 24:00:00.*CAST\(closing AS VARCHAR\)"
    ):
        database.table(sql)
    assert database.one("CAST('24:00:00'::time AS VARCHAR)")[1] == "24:00:00"


def test_large_values_come_in_small_batches(database: FileSource) -> None:
    sql = "SELECT repeat('x', 1000000 + 0 * range::int) AS v FROM range(60)"
    sizes = [b.nbytes for b in database.source.stream(database.sealed(sql), query_id="large")]
    assert sum(sizes) > 60_000_000
    assert max(sizes) <= 9_000_000
