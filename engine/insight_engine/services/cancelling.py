"""Ending a query from the API: by its row when it waits, else by the workers, whoever of them runs it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from insight_engine.domain.errors import Unavailable
from insight_engine.domain.jobs import Ended, Job
from insight_engine.domain.query import QueryState
from insight_engine.ports import Jobs, Wakeups
from insight_engine.services.control import ControlService
from insight_engine.telemetry import get_logger

CANCEL_POLL_S: Final = 0.05
CANCEL_WITHIN_S: Final = 10.0
"""Seconds that a cancel waits for the database to let go."""


@dataclass(frozen=True, slots=True)
class Canceller:
    """Ends queries.

    Attributes:
        ring: rings for a query that has to do without the one it followed.
    """

    jobs: Jobs
    wakeups: Wakeups
    ring: Callable[[UUID, str], None]
    control: ControlService | None

    async def cancel(self, job: Job) -> Job:
        """End it; the job as it stands once its database has let go, or after 10 s."""
        deadline, asked = time.monotonic() + CANCEL_WITHIN_S, False
        async with self.wakeups.expect(job.id) as wakeup:
            while not job.state.is_final and time.monotonic() < deadline:
                if job.cancel_requested_at is None or job.state is QueryState.QUEUED:
                    job = await self._asked_to_end(job)
                if not job.state.is_final:
                    if not asked:
                        asked = True
                        await self._tell_workers(job)
                    await wakeup.wait(CANCEL_POLL_S)
                    job = await self.jobs.get(job.id) or job
        return job

    async def _asked_to_end(self, job: Job) -> Job:
        job, left = await self.jobs.cancel(job.id) or (job, Ended())
        if left.heir is not None:
            self.ring(*left.heir)
        if job.state is QueryState.CANCELLED:
            get_logger("queries").info("Cancelled a waiting query", query_id=str(job.id))
        await self.wakeups.announce(job.id)
        return job

    async def _tell_workers(self, job: Job) -> None:
        if self.control is None:
            return
        try:
            await self.control.ask_cancel(job)
        except Unavailable as error:  # its worker learns of it when it says that it lives
            get_logger("queries").warning("Could not ask for an end", query_id=str(job.id), code=error.code)
