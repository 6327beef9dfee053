"""The JSON form of values, also of those that Python has no object for."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

from insight_engine.services.values import column_values, plain, type_name

MONTHS_AND_MORE = pa.scalar((14, 3, 10**9), type=pa.month_day_nano_interval()).as_py()


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (None, None),
        (True, True),
        (2**53 - 1, 2**53 - 1),
        (1 - 2**53, 1 - 2**53),
        (2**53, "9007199254740992"),
        (-(2**53), "-9007199254740992"),
        (1.5, 1.5),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        (Decimal("1.10"), "1.10"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, tzinfo=UTC), "2026-01-02T03:00:00+00:00"),
        (datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=2))), "2026-01-02T01:00:00+00:00"),
        (timedelta(seconds=90), "PT90S"),
        (timedelta(days=-1, microseconds=500), "P-1DT0.0005S"),
        (timedelta(0), "PT0S"),
        (MONTHS_AND_MORE, "P14M3DT1S"),
        (b"\x00\xff", "AP8="),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ([Decimal(1), None], ["1", None]),
        ({"a": b"x"}, {"a": "eA=="}),
    ],
)
def test_values_become_what_json_can_hold(value: Any, form: Any) -> None:
    assert plain(value) == form


@pytest.mark.parametrize(
    ("kind", "raw", "form"),
    [
        (pa.timestamp("us"), 2**63 - 1, "infinity"),
        (pa.timestamp("us", "UTC"), -(2**63) + 1, "-infinity"),
        (pa.date32(), 2**31 - 1, "infinity"),
        (pa.date32(), -(2**31) + 1, "-infinity"),
        (pa.timestamp("us", "UTC"), 316516204800000000, "12000-01-01T00:00:00.000000+00:00"),
        (pa.timestamp("us", "Europe/Berlin"), 316516204800000000, "12000-01-01T00:00:00.000000+00:00"),
        (pa.timestamp("ns"), 1, "1970-01-01T00:00:00.000000001"),
        (pa.date32(), -735160, "-0043-03-15"),
        (pa.time64("ns"), 1, "00:00:00.000000001"),
        (pa.duration("s"), 2**62, f"{2**62} s"),
    ],
    ids=str,
)
def test_moments_that_python_cannot_hold_become_text(kind: Any, raw: int, form: str) -> None:
    whole = pa.array([raw, None], pa.int32() if kind == pa.date32() else pa.int64())
    assert column_values(pa.chunked_array([whole.cast(kind)])) == [form, None]


@pytest.mark.parametrize(
    ("column", "forms"),
    [
        (pa.array([2**53, 5, None]), ["9007199254740992", 5, None]),
        (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
        (pa.array([1.5, float("nan"), None]), [1.5, "NaN", None]),
        (pa.array([None, None], pa.int64()), [None, None]),
        (
            pa.array([0, 1_500_000, None], pa.timestamp("us")),
            ["1970-01-01T00:00:00", "1970-01-01T00:00:01.500000", None],
        ),
        (pa.array([0], pa.timestamp("ms", "Europe/Berlin")), ["1970-01-01T00:00:00+00:00"]),
        (pa.array([1], pa.timestamp("ns", "UTC")), ["1970-01-01T00:00:00.000000001+00:00"]),
        (pa.array([None], pa.timestamp("us")), [None]),
        (pa.array([date(1, 1, 1), date(9999, 12, 31)]), ["0001-01-01", "9999-12-31"]),
        (pa.array([[b"x"], None], pa.list_(pa.binary())), [["eA=="], None]),
    ],
    ids=str,
)
def test_columns_become_what_json_can_hold(column: Any, forms: list[Any]) -> None:
    assert column_values(pa.chunked_array([column])) == forms


def test_a_moment_that_python_cannot_hold_leaves_its_neighbours_as_they_are() -> None:
    column = pa.chunked_array([pa.array([0, -735160], pa.int32()).cast(pa.date32())])
    assert column_values(column)[0] == "1970-01-01"


def test_such_moments_may_be_inside_lists_and_structs() -> None:
    dates = pa.array([2**31 - 1], pa.int32()).cast(pa.date32())
    lists = pa.ListArray.from_arrays([0, 1], dates)
    structs = pa.StructArray.from_arrays([lists], ["days"])
    assert column_values(pa.chunked_array([structs])) == [{"days": ["infinity"]}]


ENDLESS: Any = pa.array([2**63 - 1, 0]).cast(pa.timestamp("us"))
NAMES: Any = pa.array(["a", "b"])
LISTS: Any = pa.ListViewArray
ENTRIES: Any = pa.array([0, 2], pa.int32())
EPOCH = "1970-01-01T00:00:00"


@pytest.mark.parametrize(
    ("column", "forms"),
    [
        (pa.MapArray.from_arrays(ENTRIES, NAMES, ENDLESS), [[["a", "infinity"], ["b", EPOCH]]]),
        (pa.MapArray.from_arrays(ENTRIES, ENDLESS, NAMES), [[["infinity", "a"], [EPOCH, "b"]]]),
        (LISTS.from_arrays([0], [2], ENDLESS), [["infinity", EPOCH]]),
        (pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [ENDLESS, NAMES]), ["infinity", "b"]),
        (
            pa.RunEndEncodedArray.from_arrays(pa.array([1, 3], pa.int32()), ENDLESS),
            ["infinity", EPOCH, EPOCH],
        ),
        (pa.DictionaryArray.from_arrays(pa.array([0, 1]), ENDLESS), ["infinity", EPOCH]),
    ],
    ids=lambda column: str(getattr(column, "type", "")),
)
def test_such_moments_may_be_inside_anything_that_holds_values(column: Any, forms: list[Any]) -> None:
    assert column_values(pa.chunked_array([column])) == forms


@pytest.mark.parametrize("raw", [-(2**63), 2**63 - 1])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_no_moment_at_all_raises(raw: int, unit: str) -> None:
    column = pa.chunked_array([pa.array([raw], pa.int64()).cast(pa.timestamp(unit))])
    assert isinstance(column_values(column)[0], str)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (pa.opaque(pa.string(), "numeric", "PostgreSQL"), "numeric"),
        (pa.uuid(), "uuid"),
        (pa.json_(), "json"),
        (pa.decimal128(10, 2), "decimal(10,2)"),
        (pa.timestamp("us"), "timestamp"),
        (pa.timestamp("us", "UTC"), "timestamptz"),
        (pa.date32(), "date"),
        (pa.time64("us"), "time"),
        (pa.month_day_nano_interval(), "interval"),
        (pa.list_(pa.opaque(pa.string(), "numeric", "PostgreSQL")), "numeric[]"),
        (pa.dictionary(pa.int8(), pa.string()), "string"),
        (pa.large_string(), "string"),
        (pa.struct([("a", pa.int8())]), "struct"),
        (pa.sparse_union([pa.field("n", pa.int8())]), "union"),
        (pa.int64(), "int64"),
        (pa.bool_(), "bool"),
    ],
    ids=str,
)
def test_types_are_called_as_databases_call_them(kind: Any, name: str) -> None:
    assert type_name(kind) == name
