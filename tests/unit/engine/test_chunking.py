"""Cutting a result into chunks, within its limits."""

from collections.abc import Iterator

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from insight_engine.domain.query import QueryLimits
from insight_engine.services.chunking import CHUNK_BYTES, CHUNK_ROWS, FIRST_ROWS, chunks_of
from insight_engine.services.formats.as_json import rows_of
from insight_engine.services.results import decode


def batch(*values: int) -> pa.RecordBatch:
    return pa.record_batch({"n": pa.array(values, pa.int64())})


def rows(chunks: list[bytes]) -> list[int]:
    return [row[0] for chunk in chunks for row in rows_of(decode(chunk, 0).table)]


def test_an_empty_result_keeps_its_columns() -> None:
    [chunk] = chunks_of(iter([batch()]), QueryLimits())
    assert (chunk.rows, chunk.truncated) == (0, False)
    assert decode(chunk.data, 0).table.schema == batch().schema


def test_a_large_batch_is_cut_into_several_chunks() -> None:
    chunks = list(chunks_of(iter([batch(*range(CHUNK_ROWS + 5))]), QueryLimits()))
    assert [chunk.rows for chunk in chunks] == [FIRST_ROWS, CHUNK_ROWS - FIRST_ROWS + 5]
    assert rows([chunk.data for chunk in chunks]) == list(range(CHUNK_ROWS + 5))


def test_only_the_first_chunk_is_small() -> None:
    batches = [batch(*range(40_000)), batch(*range(40_000, 80_000))]
    chunks = list(chunks_of(iter(batches), QueryLimits()))
    assert [chunk.rows for chunk in chunks[:2]] == [FIRST_ROWS, CHUNK_ROWS]
    assert rows([chunk.data for chunk in chunks]) == list(range(80_000))


def test_values_of_a_dictionary_count_as_often_as_they_occur() -> None:
    labels = ["x" * 100_000, "short"]
    encoded = pa.DictionaryArray.from_arrays(pa.array([0] * 300 + [1] * 300 + [None]), pa.array(labels))
    chunks = list(chunks_of(iter([pa.record_batch({"t": encoded})]), QueryLimits()))
    tables = [decode(chunk.data, 0).table for chunk in chunks]
    assert max(table.nbytes for table in tables) <= 2 * CHUNK_BYTES
    assert {str(table.schema.field("t").type) for table in tables} == {"string"}
    found = [row[0] for table in tables for row in rows_of(table)]
    assert found == [labels[0]] * 300 + ["short"] * 300 + [None]


def test_dictionaries_within_other_values_are_written_out() -> None:
    labels = pa.array(["a", "b"]).dictionary_encode()
    nested = pa.StructArray.from_arrays([labels], ["label"])
    [chunk] = chunks_of(iter([pa.record_batch({"s": nested, "n": pa.array([1, 2])})]), QueryLimits())
    assert str(decode(chunk.data, 0).table.schema.field("s").type) == "struct<label: string>"


def test_an_empty_batch_with_a_dictionary_keeps_its_columns() -> None:
    empty = pa.record_batch({"t": pa.array([], pa.string()).dictionary_encode()})
    [chunk] = chunks_of(iter([empty]), QueryLimits())
    assert decode(chunk.data, 0).table.schema.names == ["t"]


def test_exactly_the_row_limit_is_not_a_cut() -> None:
    chunks = list(chunks_of(iter([batch(1, 2), batch(3)]), QueryLimits(rows=3)))
    assert [chunk.truncated for chunk in chunks] == [False, False]


def test_one_row_over_the_limit_is_cut_and_said() -> None:
    chunks = list(chunks_of(iter([batch(1, 2), batch(3, 4), batch(5)]), QueryLimits(rows=3)))
    assert rows([chunk.data for chunk in chunks]) == [1, 2, 3]
    assert chunks[-1].truncated


def test_a_row_after_a_full_limit_is_a_cut() -> None:
    chunks = list(chunks_of(iter([batch(1, 2, 3), batch(4)]), QueryLimits(rows=3)))
    assert rows([chunk.data for chunk in chunks]) == [1, 2, 3]
    assert chunks[-1].truncated


def test_a_first_batch_over_the_byte_limit_is_cut_too() -> None:
    chunks = list(chunks_of(iter([batch(*range(10_000))]), QueryLimits(bytes=2_000)))
    assert sum(len(chunk.data) for chunk in chunks) <= 2_000
    assert chunks[-1].truncated


def test_the_stream_is_closed_when_the_result_is_cut() -> None:
    closed = []

    def stream() -> Iterator[pa.RecordBatch]:
        try:
            yield batch(1, 2)
            yield batch(3)
        finally:
            closed.append(True)

    list(chunks_of(stream(), QueryLimits(rows=1)))
    assert closed == [True]


@given(sizes=st.lists(st.integers(0, 50), min_size=1, max_size=8), limit=st.integers(1, 120))
def test_the_kept_rows_are_the_first_ones(sizes: list[int], limit: int) -> None:
    numbers = iter(range(10_000))
    batches = [batch(*(next(numbers) for _ in range(size))) for size in sizes]
    chunks = list(chunks_of(iter(batches), QueryLimits(rows=limit)))
    assert rows([chunk.data for chunk in chunks]) == list(range(min(limit, sum(sizes))))
    assert chunks[-1].truncated == (sum(sizes) > limit)
    assert not any(chunk.truncated for chunk in chunks[:-1])


def test_wide_rows_make_small_chunks() -> None:
    wide = pa.record_batch({"t": pa.array(["x" * 100_000] * 60)})
    chunks = list(chunks_of(iter([wide]), QueryLimits()))
    assert max(chunk.rows for chunk in chunks) <= 21


@pytest.mark.parametrize("limit", [1, 7])
def test_pages_of_any_size_join_to_the_result(limit: int) -> None:
    [chunk] = chunks_of(iter([batch(*range(20))]), QueryLimits())
    read = []
    for offset in range(0, 20, limit):
        read += [row[0] for row in rows_of(decode(chunk.data, offset, limit).table)]
    assert read == list(range(20))


def repetitive(rows: int, length: int) -> pa.RecordBatch:
    return pa.record_batch({"t": pa.array(["x" * length] * rows)})


def test_text_that_compresses_well_counts_by_its_own_size() -> None:
    chunks = list(chunks_of(iter([repetitive(1000, 1000)]), QueryLimits(bytes=100_000)))
    assert sum(chunk.rows for chunk in chunks) <= 100
    assert chunks[-1].truncated


def test_a_few_long_rows_among_short_ones_do_not_make_a_large_chunk() -> None:
    skewed = pa.record_batch({"t": pa.array(["x"] * 30_000 + ["x" * 1_000_000] * 12)})
    chunks = list(chunks_of(iter([skewed]), QueryLimits()))
    assert max(decode(chunk.data, 0).table.nbytes for chunk in chunks) <= 2 * CHUNK_BYTES
    assert sum(chunk.rows for chunk in chunks) == 30_012
