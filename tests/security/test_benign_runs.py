"""What the guard accepts really runs, as written, on the live databases."""

import pytest

from insight_engine.domain.sources import Dialect
from security.corpora import benign, judge
from security.databases import Live


@pytest.mark.parametrize(("dialect", "sql"), [(d, sql) for d in Dialect for sql in benign(d)])
def test_an_analysts_statement_runs(live: dict[Dialect, Live], dialect: Dialect, sql: str) -> None:
    database = live[dialect]
    batches = list(database.batches(judge(sql, dialect, of=database.data_source)))
    assert batches
    assert all(batch.num_columns for batch in batches)
