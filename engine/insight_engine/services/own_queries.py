"""Which queries this process runs, so that cancelling one needs no question to the store."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID


class Own:
    """One query that this process runs.

    Attributes:
        cancelled: set when it is to end as cancelled.
    """

    def __init__(self) -> None:
        self.cancelled = asyncio.Event()
        self.ended = asyncio.Event()


class OwnQueries:
    """The queries of one process: runners enter them here, the control loop cancels them."""

    def __init__(self) -> None:
        self._running: dict[UUID, Own] = {}

    @contextmanager
    def running(self, query_id: UUID) -> Iterator[Own]:
        """Say that this process runs it, until its row says that it does not."""
        own = self._running[query_id] = Own()
        try:
            yield own
        finally:
            own.ended.set()
            if self._running.get(query_id) is own:
                del self._running[query_id]

    def owns(self, query_id: UUID) -> bool:
        """Whether it runs here."""
        return query_id in self._running

    async def cancel(self, query_id: UUID) -> None:
        """End it as cancelled; returns once its row says so. Nothing when it does not run here."""
        if (own := self._running.get(query_id)) is not None:
            own.cancelled.set()
            await own.ended.wait()
