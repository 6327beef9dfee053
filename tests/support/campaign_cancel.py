"""When a source stops working for a query, seen in the source's own list of running statements."""

import threading
import time
from itertools import count
from typing import Any

import psycopg

from support.waiting import eventually

_BACKENDS = (
    "SELECT pid FROM pg_stat_activity"
    " WHERE usename = 'sales_reader' AND state <> 'idle' AND query LIKE '%sleep%'"
)
_numbers = count(1)


def sleeping() -> str:
    """A statement that sleeps, unlike any before."""
    return f"SELECT n + {next(_numbers)} AS n FROM sleep"


class Watch:
    """Notes when the last backend of a sleeping query is gone."""

    def __init__(self, uri: str) -> None:
        self._connection: psycopg.Connection[Any] = psycopg.connect(uri, autocommit=True)
        self.gone_at = 0.0

    def backends(self) -> set[int]:
        """The process ids of the backends that sleep for a query."""
        return {pid for (pid,) in self._connection.execute(_BACKENDS).fetchall()}

    def until_busy(self) -> None:
        """Wait until there is one."""
        eventually("the source works", self.backends, 30, every_s=0.01)

    def until_idle(self) -> None:
        """Wait until there is none."""
        eventually("the source is idle", lambda: not self.backends(), 30, every_s=0.01)

    def watching(self) -> threading.Thread:
        """A thread that ends, and sets `gone_at`, once there is none."""

        def watch() -> None:
            while self.backends():
                time.sleep(0.003)
            self.gone_at = time.monotonic()

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        return thread

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
