"""Asking a data source directly, past the guard: for tests of what the adapters and the databases do."""

import importlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pyarrow as pa

from insight_engine.domain.query import QueryLimits
from insight_engine.domain.source_errors import SourceError
from insight_engine.domain.sources import Caller, DataSource, Role
from insight_engine.ports import Source
from insight_engine.sqlguard import PreparedQuery
from insight_engine.sqlguard.sealed import Facts

ANN = Caller("ann", Role.ANALYST)


def unjudged(
    source: DataSource, sql: str, parameters: tuple[Any, ...] = (), timeout_s: float = 20
) -> PreparedQuery:
    """A statement that no guard has seen, sealed as if one had."""
    stamp = importlib.import_module("insight_engine.sqlguard.prepare")._seal
    sealed: PreparedQuery = stamp(
        Facts(sql, source, parameters, QueryLimits(timeout_s=timeout_s), (), "unjudged")
    )
    return sealed


class Asking:
    """One open source, asked past the guard."""

    def __init__(self, data_source: DataSource, source: Source) -> None:
        self.data_source, self.source = data_source, source

    def batches(
        self, sql: str, *parameters: Any, timeout_s: float = 20, query_id: str = "", caller: Caller = ANN
    ) -> Iterator[pa.RecordBatch]:
        prepared = unjudged(self.data_source, sql, parameters, timeout_s)
        return self.source.stream(prepared, query_id=query_id or str(uuid4()), caller=caller)

    def rows(self, sql: str, *parameters: Any, **options: Any) -> list[tuple[Any, ...]]:
        return [
            tuple(row)
            for batch in self.batches(sql, *parameters, **options)
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
        ]

    def value(self, sql: str, *parameters: Any, **options: Any) -> Any:
        ((value,),) = self.rows(sql, *parameters, **options)
        return value

    def column(self, sql: str, *parameters: Any) -> Any:
        """The only column of a result, as Arrow has it."""
        table = pa.Table.from_batches(list(self.batches(sql, *parameters)))
        return table.column(0).combine_chunks()

    @contextmanager
    def running(self, sql: str, query_id: str) -> Iterator[list[SourceError]]:
        """Ask in a thread while the block runs; what it raised is there afterwards."""
        raised: list[SourceError] = []

        def ask() -> None:
            try:
                self.rows(sql, query_id=query_id)
            except SourceError as error:
                raised.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield raised
        finally:
            thread.join(15)
            assert not thread.is_alive()
