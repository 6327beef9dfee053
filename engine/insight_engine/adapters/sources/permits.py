"""How many queries may use a source at a time: who finds no room waits until its own time is up."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from insight_engine.adapters.sources.running import Running
from insight_engine.domain.source_errors import QueryCancelled, SourceBusy


class Permits:
    """At most `size` of them at a time."""

    def __init__(self, name: str, size: int) -> None:
        self._name, self._size = name, size
        self._changed = threading.Condition()
        self._out = 0

    @contextmanager
    def one(self, running: Running) -> Iterator[None]:
        """Room for one query.

        Raises:
            SourceBusy: there was none until the query's time was up.
            QueryCancelled: the query was cancelled meanwhile.
        """
        running.on_end(self._wake)
        with self._changed:
            self._changed.wait_for(lambda: self._out < self._size or running.ending is not None)
            if running.ending is not None:
                raise self._in_vain(running)
            self._out += 1
        try:
            yield
        finally:
            with self._changed:
                self._out -= 1
                self._changed.notify()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _in_vain(self, running: Running) -> SourceBusy | QueryCancelled:
        error = running.error(QueryCancelled("The query was cancelled."))
        if isinstance(error, QueryCancelled):
            return error
        return SourceBusy(
            f"All {self._size} connections of data source {self._name} were in use for "
            f"{running.timeout_s:g} s: ask again later, or raise its max_connections."
        )
