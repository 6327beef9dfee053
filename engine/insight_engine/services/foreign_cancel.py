"""Ending a query whose worker is gone: its backend first, through a connection of our own, then its row."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from insight_engine.domain.jobs import Failure
from insight_engine.domain.query import QueryState
from insight_engine.domain.sources import Dialect
from insight_engine.ports import Doorbell, Jobs, SourceCatalog, TakeOver, Wakeups
from insight_engine.services.open_sources import OpenSources
from insight_engine.telemetry import get_logger

LEASE_S: Final = 15.0
TRY_FOR_S: Final = 8.0
RETRY_S: Final = 0.25
_SERVERS: Final = (Dialect.POSTGRES, Dialect.MYSQL)
"""Dialects whose work goes on without its worker; that of a file ends with the process."""


@dataclass(frozen=True, slots=True)
class ForeignCancel:
    """Ends queries that other processes ran."""

    worker: str
    jobs: Jobs
    taking: TakeOver
    sources: SourceCatalog
    opened: OpenSources
    wakeups: Wakeups
    doorbell: Doorbell

    async def end(self, query_id: UUID, datasource: str) -> bool:
        """End it; whether it has ended. A query that could not be ended is left to its lease.

        Raises:
            SourceError: the source cannot be reached.
            Unavailable: the store is away.
        """
        source = self.sources.all().get(datasource)
        if source is None or source.dialect not in _SERVERS:
            return False
        # First its worker loses the right to it: what it may still say about the query is void.
        started = time.monotonic()
        attempt = await self.taking.take_over(query_id, worker=self.worker, lease_s=LEASE_S)
        if attempt is None:
            return True
        async with self.opened.borrowed(source) as opened:
            deadline = time.monotonic() + TRY_FOR_S
            while not await asyncio.to_thread(opened.cancel, attempt.session):
                if time.monotonic() > deadline:
                    return False
                await asyncio.sleep(RETRY_S)
        ended = Failure(QueryState.CANCELLED, "cancelled", "The query was cancelled.")
        if (done := await self.jobs.finish(attempt, ended)) is not None:
            get_logger("control").info(
                "Ended a query whose worker is gone",
                query_id=str(query_id),
                seconds=round(time.monotonic() - started, 3),
            )
            for changed in (query_id, *done.followers):
                await self.wakeups.announce(changed)
            if done.heir is not None:
                await self.doorbell.ring(*done.heir)
        return True
