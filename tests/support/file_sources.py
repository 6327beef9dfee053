"""Asks sources that are files, past the guard: what the adapters themselves do is what is tested."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa

from insight_engine.adapters.sources import open_source
from insight_engine.domain.query import QueryLimits
from insight_engine.domain.sources import DataSource, Dialect, Role
from insight_engine.ports import Source
from insight_engine.services.values import column_values
from insight_engine.sqlguard import PreparedQuery
from insight_engine.sqlguard.sealed import Facts

LIMITS = QueryLimits(timeout_s=20)


class FileSource:
    """One file or folder, and the adapter over it."""

    def __init__(self, dialect: Dialect, path: Path) -> None:
        self.data_source = DataSource("files", dialect, ("main",), frozenset(Role), str(path))
        self.source: Source = open_source(self.data_source, None)

    def sealed(
        self,
        sql: str,
        parameters: tuple[Any, ...] | Mapping[str, Any] = (),
        limits: QueryLimits = LIMITS,
        tables: tuple[str, ...] = (),
    ) -> PreparedQuery:
        stamp = importlib.import_module("insight_engine.sqlguard.prepare")._seal
        sealed: PreparedQuery = stamp(Facts(sql, self.data_source, parameters, limits, tables, "unjudged"))
        return sealed

    def table(self, sql: str, *args: Any, **kwargs: Any) -> pa.Table:
        """The whole result."""
        batches = list(self.source.stream(self.sealed(sql, *args, **kwargs), query_id=str(uuid4())))
        return pa.Table.from_batches(batches)

    def one(self, expression: str) -> tuple[str, Any]:
        """The Arrow type of an expression and its value as JSON."""
        column = self.table(f"SELECT {expression} AS v").column(0)
        (value,) = column_values(column)
        return str(column.type), value
