"""What one process per instance does for all: end what nobody holds, ring what was not, drop old results."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from insight_engine.domain.errors import EngineError
from insight_engine.domain.jobs import MAX_LOSSES, RESULT_LIFETIME_S
from insight_engine.ports import (
    Chunks,
    Doorbell,
    History,
    Jobs,
    Leadership,
    Outbox,
    Term,
    Wakeups,
)
from insight_engine.telemetry import get_logger

ROUND_S: Final = 2.0
CANDIDACY_S: Final = 5.0
OVERDUE_S: Final = 2.0
SWEEP_LIMIT: Final = 500
BATCH: Final = 500
BATCHES: Final = 20
"""Batches of one kind in one round: what is left waits for the next."""
LONGEST_QUERY_S: Final = 4 * 3600
DAY_S: Final = 86_400
REQUESTS_KEPT_S: Final = 3600
FORGET_EVERY_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Housekeeper:
    """Candidates for leadership run this for ever; the leader keeps house."""

    jobs: Jobs
    outbox: Outbox
    chunks: Chunks
    leadership: Leadership
    doorbell: Doorbell
    wakeups: Wakeups
    history: History | None = None
    result_ttl_s: float = RESULT_LIFETIME_S
    history_days: int = 30

    async def run_forever(self) -> None:
        """Lead when possible; never ends by itself, whatever fails."""
        while True:
            try:
                async with self.leadership.lead() as term:
                    if term is not None:
                        await self._serve(term)
            except EngineError as error:
                get_logger("housekeeping").debug("Could not keep house", code=error.code)
            except Exception:  # noqa: BLE001 - the instance needs a housekeeper whatever happened
                get_logger("housekeeping").exception("Failed to keep house")
            await asyncio.sleep(CANDIDACY_S)

    async def _serve(self, term: Term) -> None:
        get_logger("housekeeping").info("Took the lead")
        # By itself: deleting much, in a store that may be slow, must not keep lost queries waiting.
        forgetting = asyncio.create_task(self._forget_forever())
        try:
            while await term.still_held():
                await self.reap()
                await self.sweep()
                await self.expire()
                await asyncio.sleep(ROUND_S)
        finally:
            forgetting.cancel()
            await asyncio.gather(forgetting, return_exceptions=True)

    async def _forget_forever(self) -> None:
        while True:
            try:
                await self.forget()
            except EngineError as error:
                get_logger("housekeeping").info("Could not forget what is over", code=error.code)
            except Exception:  # noqa: BLE001 - what is left now goes the next time
                get_logger("housekeeping").exception("Failed to forget what is over")
            await asyncio.sleep(FORGET_EVERY_S)

    async def reap(self) -> None:
        """Give queries whose worker is gone another attempt, or end them."""
        for query_id in await self.jobs.reap(max_losses=MAX_LOSSES, limit=BATCH):
            get_logger("housekeeping").warning("Ended a query: its workers were lost", query_id=str(query_id))
            await self.wakeups.announce(query_id)

    async def sweep(self) -> None:
        """Ring for queries whose doorbell did not."""
        rung = []
        for query_id, correlation_id in await self.outbox.overdue(older_than_s=OVERDUE_S, limit=SWEEP_LIMIT):
            if not await self.doorbell.ring(query_id, correlation_id):
                break
            rung.append(query_id)
        if rung:
            await self.outbox.clear(rung)

    async def expire(self) -> None:
        """Say of results whose time is over that they are."""
        if (history := self.history) is not None:
            await _in_batches(lambda: history.expire_results(limit=BATCH))

    async def forget(self) -> None:
        """Drop what is kept for a while only: chunks, rows of queries, control requests."""
        # A query is filed under the day of its claim, may run into the next one, and is read after that.
        days = math.ceil((self.result_ttl_s + LONGEST_QUERY_S) / DAY_S)
        if (history := self.history) is not None:
            older_than_s = self.history_days * DAY_S
            await _in_batches(lambda: history.forget_queries(older_than_s=older_than_s, limit=BATCH))
            await _in_batches(lambda: history.forget_requests(older_than_s=REQUESTS_KEPT_S, limit=BATCH))
        await self.chunks.drop_expired(keep_days=days)


async def _in_batches(step: Callable[[], Awaitable[int]]) -> None:
    for _ in range(BATCHES):
        if await step() < BATCH:
            return
