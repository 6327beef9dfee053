"""What one process per instance does for all: end what nobody holds, ring what was not, drop old results."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from insight_engine.domain.errors import EngineError
from insight_engine.domain.jobs import MAX_ATTEMPTS
from insight_engine.ports import Chunks, Doorbell, Jobs, Leadership, Outbox, Term, Wakeups
from insight_engine.telemetry import get_logger

ROUND_S: Final = 2.0
CANDIDACY_S: Final = 5.0
OVERDUE_S: Final = 2.0
SWEEP_LIMIT: Final = 500
KEEP_DAYS: Final = 2
DROP_EVERY_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Housekeeper:
    """Candidates for leadership run this for ever; the leader keeps house."""

    jobs: Jobs
    outbox: Outbox
    chunks: Chunks
    leadership: Leadership
    doorbell: Doorbell
    wakeups: Wakeups

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
        dropped = float("-inf")
        while await term.still_held():
            await self.reap()
            await self.sweep()
            if time.monotonic() - dropped > DROP_EVERY_S:
                await self.chunks.drop_expired(keep_days=KEEP_DAYS)
                dropped = time.monotonic()
            await asyncio.sleep(ROUND_S)

    async def reap(self) -> None:
        """Give queries whose worker is gone another attempt, or end them."""
        for query_id in await self.jobs.reap(max_attempts=MAX_ATTEMPTS):
            get_logger("housekeeping").warning(
                "Failed a query: its workers were lost", query_id=str(query_id)
            )
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
