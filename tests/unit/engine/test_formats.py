"""Each form of a result: what it keeps, what it escapes, and that it can be read back."""

import csv
import io
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from insight_engine.services.formats import Format, writer_of
from insight_engine.services.formats.as_json import unique_names
from insight_engine.services.formats.columnar import _GROUP_ROWS

TABLE = pa.table(
    {
        "id": pa.array([1, 2**60, None]),
        "amount": pa.array([Decimal("1.10"), Decimal("-0.05"), None], pa.decimal128(10, 2)),
        "ratio": pa.array([0.1, float("nan"), None]),
        "name": pa.array(["a", "", None]),
        "at": pa.array([0, 1_500_000, None], pa.timestamp("us", "UTC")),
        "raw": pa.array([b"\x00\xff", b"", None]),
        "tags": pa.array([["x", None], [], None]),
        "ok": pa.array([True, False, None]),
    }
)
ROWS = [
    [1, "1.10", 0.1, "a", "1970-01-01T00:00:00+00:00", "AP8=", ["x", None], True],
    ["1152921504606846976", "-0.05", "NaN", "", "1970-01-01T00:00:01.500000+00:00", "", [], False],
    [None] * 8,
]


def written(form: Format, *tables: pa.Table) -> bytes:
    writer = writer_of(form)
    return b"".join(
        (writer.begin(tables[0].schema), *(writer.write(table) for table in tables), writer.end())
    )


def csv_of(*values: str | None) -> list[str]:
    text = written(
        Format.CSV, pa.table({"v": pa.array(values, pa.string()), "n": [1] * len(values)})
    ).decode()
    return [row[0] for row in csv.reader(io.StringIO(text, newline=""), strict=True)][1:]


def test_json_has_the_schema_and_every_row() -> None:
    found = json.loads(written(Format.JSON, TABLE, TABLE.slice(0, 0), TABLE))
    assert found["rows"] == ROWS * 2
    assert found["schema"][1] == {"name": "amount", "type": "decimal(10,2)"}


@pytest.mark.parametrize("form", list(Format))
def test_an_empty_result_can_be_read(form: Format) -> None:
    body = written(form, TABLE.slice(0, 0))
    if form is Format.JSON:
        assert json.loads(body)["rows"] == []
    elif form is Format.NDJSON:
        assert body == b""
    elif form is Format.CSV:
        assert body.count(b"\n") == 1
    elif form is Format.ARROW:
        assert pa.ipc.open_stream(body).read_all().schema == TABLE.schema
    else:
        assert parquet.read_table(io.BytesIO(body)).column_names == TABLE.column_names


def test_each_line_of_ndjson_is_an_object() -> None:
    lines = written(Format.NDJSON, TABLE).splitlines()
    assert [list(json.loads(line).values()) for line in lines] == ROWS


def test_columns_of_one_name_do_not_hide_each_other() -> None:
    assert unique_names(["a", "a", "a_2", "a"]) == ["a", "a_3", "a_2", "a_4"]
    double = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    assert json.loads(written(Format.NDJSON, double)) == {"a": 1, "a_2": 2}
    assert parquet.read_table(io.BytesIO(written(Format.PARQUET, double))).column_names == ["a", "a_2"]
    assert written(Format.CSV, double) == b'"a","a"\n1,2\n'


def test_arrow_and_parquet_give_back_what_the_source_gave() -> None:
    streamed = pa.ipc.open_stream(written(Format.ARROW, TABLE, TABLE)).read_all()
    assert (streamed.schema, streamed.num_rows) == (TABLE.schema, 6)
    filed = parquet.read_table(io.BytesIO(written(Format.PARQUET, TABLE, TABLE)))
    assert filed.drop_columns("ratio").equals(pa.concat_tables([TABLE, TABLE]).drop_columns("ratio"))


def test_a_long_parquet_file_is_cut_into_row_groups() -> None:
    chunk = pa.table({"n": range(16_384)})
    found = parquet.ParquetFile(io.BytesIO(written(Format.PARQUET, *[chunk] * 10)))
    groups = [found.metadata.row_group(index).num_rows for index in range(found.num_row_groups)]
    assert groups == [_GROUP_ROWS] * 5


def test_what_parquet_has_no_type_for_becomes_text() -> None:
    intervals = pa.array([(1, 2, 3 * 10**9), None], pa.month_day_nano_interval())
    table = parquet.read_table(io.BytesIO(written(Format.PARQUET, pa.table({"i": intervals}))))
    assert table["i"].to_pylist() == ["P1M2DT3S", None]


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_parquet_takes_seconds_that_its_milliseconds_cannot_hold(zone: str | None) -> None:
    endless = pa.array([2**63 - 1, 0, None]).cast(pa.timestamp("s", zone))
    lists = pa.ListArray.from_arrays([0, 1, 3, 3], endless.slice(0, 3))
    body = written(Format.PARQUET, pa.table({"at": endless, "all": lists}))
    found = parquet.read_table(io.BytesIO(body))
    epoch = "1970-01-01T00:00:00" + ("+00:00" if zone else "")
    assert found["at"].to_pylist() == ["infinity", epoch, None]
    assert found["all"].to_pylist() == ['["infinity"]', f'["{epoch}",null]', "[]"]


def test_rows_without_columns_are_counted_right() -> None:
    empty: Any = pa.array([{}] * 3, pa.struct([]))
    bare = pa.Table.from_batches([pa.RecordBatch.from_struct_array(empty)])
    assert json.loads(written(Format.JSON, bare))["rows"] == [[], [], []]
    assert written(Format.NDJSON, bare) == b"{}\n" * 3
    assert written(Format.CSV, bare).count(b"\n") == 1 + 3


def test_csv_is_read_back_value_by_value() -> None:
    text = written(Format.CSV, TABLE).decode()
    first, second, third = text.splitlines()[1:]
    assert first == '1,1.10,"0.1","a","1970-01-01T00:00:00+00:00","AP8=","[""x"",null]",true'
    assert second.startswith('1152921504606846976,-0.05,"NaN","",')
    assert third == "," * 7


def test_csv_tells_null_from_empty_text() -> None:
    text = written(Format.CSV, pa.table({"v": pa.array(["", None]), "n": [1, 1]})).decode()
    assert text == '"v","n"\n"",1\n,1\n'


@pytest.mark.parametrize("value", ['a"b', "a,b", "a\nb", "a\r\nb", '"', "ünïcödé", " =1", "x=1"])
def test_csv_keeps_any_text(value: str) -> None:
    assert csv_of(value) == [value]


@pytest.mark.parametrize(
    "value", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("x")', "\uff1d1", "\uff20x"]
)
def test_csv_text_that_a_spreadsheet_would_run_is_made_harmless(value: str) -> None:
    assert csv_of(value) == [f"'{value}"]


def test_csv_header_names_are_made_harmless_too() -> None:
    assert written(Format.CSV, pa.table({'=cmd|"x"': [1]})).splitlines()[0] == b'"\'=cmd|""x"""'


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        (pa.array([-5]), "-5"),
        (pa.array([-0.5]), "-0.5"),
        (pa.array([float("-inf")]), '"-Infinity"'),
        (pa.array([Decimal("-1.50")]), "-1.50"),
        (pa.array([["=1"]]), '"[""=1""]"'),
        (pa.array(["=1"], pa.large_string()), '"\'=1"'),
        (pa.array(["=1"], pa.string_view()), '"\'=1"'),
        (pa.array(["=1"]).dictionary_encode(), '"\'=1"'),
        (pa.ExtensionArray.from_storage(pa.json_(), pa.array(["-1"])), '"\'-1"'),
        (
            pa.ExtensionArray.from_storage(pa.opaque(pa.string(), "numeric", "PG"), pa.array(["-1.5"])),
            '"-1.5"',
        ),
    ],
    ids=str,
)
def test_csv_numbers_are_left_and_other_kinds_of_text_are_not(column: Any, cell: str) -> None:
    assert written(Format.CSV, pa.table({"c": column})).decode() == f'"c"\n{cell}\n'
