"""Keeps DuckDB processes between queries: starting one takes longer than most queries do."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from insight_engine.adapters.duckdb_process.messages import Opening
from insight_engine.adapters.duckdb_process.process import DatabaseProcess

KEPT: Final = 2
"""Most processes that wait for a question, per source."""
STALE_S: Final = 240.0
"""A process that waited this long is not asked any more: it is about to end by itself."""


class _Lease:
    """A process while one query has it; its end cannot reach the query that has it next."""

    def __init__(self, process: DatabaseProcess) -> None:
        self._process = process
        self._lock = threading.Lock()
        self._over = False

    def kill(self) -> None:
        with self._lock:
            if not self._over:
                self._process.kill()

    def finish(self) -> None:
        with self._lock:
            self._over = True


class ProcessPool:
    """The processes of one source."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[DatabaseProcess] = []
        self._closed = False

    @contextmanager
    def borrowed(
        self, opening: Opening, on_kill: Callable[[Callable[[], None]], None]
    ) -> Iterator[DatabaseProcess]:
        """A process for one query; `on_kill` is told how to end it. Gone, or idle, when this returns."""
        process = self._taken(opening)
        lease = _Lease(process)
        try:
            on_kill(lease.kill)
            yield process
        finally:
            lease.finish()
            if not self._kept(process):
                process.close()
                # Not here: whoever cancelled the query waits for nothing but its end.
                threading.Thread(target=self._prepare, args=(opening,), daemon=True).start()

    def close(self) -> None:
        """End the processes that wait; those that run are their queries' to end."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for process in idle:
            process.close()

    def _taken(self, opening: Opening) -> DatabaseProcess:
        with self._lock:
            idle, self._idle = self._idle, []
            fit = [process for process in idle if _fits(process, opening)]
            taken = fit.pop() if fit else None
            self._idle = fit
        for process in idle:
            if process is not taken and process not in fit:
                process.close()
        return taken or DatabaseProcess(opening)

    def _kept(self, process: DatabaseProcess) -> bool:
        if not process.idle or not process.alive:
            return False
        with self._lock:
            if self._closed or len(self._idle) >= KEPT:
                return False
            self._idle.append(process)
        return True

    def _prepare(self, opening: Opening) -> None:
        """Have the next process start now when none waits, so that the next query need not wait for it."""
        with self._lock:
            if not self._closed and not self._idle:
                with suppress(OSError):  # the next query will start its own, or say why not
                    self._idle.append(DatabaseProcess(opening))


def _fits(process: DatabaseProcess, opening: Opening) -> bool:
    fresh = time.monotonic() - process.idle_since < STALE_S
    return fresh and process.alive and process.opening == opening
