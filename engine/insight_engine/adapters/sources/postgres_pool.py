"""A few connections kept between queries: making one costs more than a small query does."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import psycopg

from insight_engine.adapters.sources.permits import Permits
from insight_engine.adapters.sources.postgres_session import Session
from insight_engine.adapters.sources.running import Running

KEEP_IDLE_S: Final = 60.0
MAX_AGE_S: Final = 600.0


class Pool:
    """The connections of one source in one process.

    `end` is called with a query's name when its own connection could not end it.
    """

    def __init__(
        self,
        connect: Callable[[], psycopg.Connection[tuple[object, ...]]],
        permits: Permits,
        end: Callable[[str], object],
    ) -> None:
        self._connect, self._permits, self._end = connect, permits, end
        self._lock = threading.Lock()
        self._idle: list[tuple[float, Session]] = []
        self._closed = False

    @contextmanager
    def session(self, running: Running) -> Iterator[Session]:
        """A connection that carries nothing of an earlier query.

        It is kept when the block ends well, its answer read to the end; else it is closed, its work ended.

        Raises:
            SourceError: there was no room in time, or the query was ended meanwhile.
            psycopg.Error: the server lets nobody in.
        """
        with self._permits.one(running):
            session = self._recycled() or Session(self._connect())
            complete = False
            try:
                running.on_end(session.interrupt)
                yield session
                complete = True
            finally:
                if complete and session.finish():
                    self._keep(session)
                elif not session.abandon():
                    self._end(session.name)

    def close(self) -> None:
        """Close the idle ones; those in use are closed as they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for _, session in idle:
            session.close()

    def _keep(self, session: Session) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append((time.monotonic(), session))
                return
        session.close()

    def _recycled(self) -> Session | None:
        now = time.monotonic()
        while True:
            with self._lock:
                stale = [entry for entry in self._idle if now - entry[0] > KEEP_IDLE_S]
                self._idle = [entry for entry in self._idle if now - entry[0] <= KEEP_IDLE_S]
                session = self._idle.pop()[1] if self._idle else None
            for _, old in stale:
                old.close()
            if session is None or (now - session.made < MAX_AGE_S and session.ready()):
                return session
            session.close()
