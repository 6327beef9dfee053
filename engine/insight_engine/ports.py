"""What the services need of the outside, as Protocols. Adapters implement them, wiring.py joins the two."""

from collections.abc import Iterator
from typing import Protocol

import pyarrow as pa

from insight_engine.domain.sources import Caller
from insight_engine.sqlguard.sealed import PreparedQuery


class Source(Protocol):
    """A data source that can be asked. Every method blocks: call it from a thread."""

    def stream(
        self, prepared: PreparedQuery, *, query_id: str, caller: Caller | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Run a query on a connection of its own and yield its rows in bounded batches.

        At least one batch comes, if only an empty one that carries the schema. Closing the iterator
        early ends the database's work. Raises SourceError; QueryTimedOut after `prepared.limits.timeout_s`.
        """
        ...

    def cancel(self, query_id: str) -> bool:
        """End a running query's work, from any thread; True once the database has let go of it."""
        ...

    def close(self) -> None:
        """Cancel whatever runs and free everything held."""
        ...
