"""A place for one query at a time: rung by the doorbell, and polling for what no doorbell announced."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from asgi_correlation_id.context import correlation_id

from insight_engine.domain.errors import Unavailable
from insight_engine.domain.jobs import Attempt
from insight_engine.services.running import Runner
from insight_engine.telemetry import get_logger

POLL_S: Final = 1.0
HAND_BACK_S: Final = 4.0
"""Seconds that handing a query back may take; after that its lease, which runs out, does the same."""
MISSED_AFTER_S: Final = 2.0
"""A job that has waited this long while slots are free was not announced."""


class Slot:
    """Runs one query at a time until told to leave."""

    def __init__(self, runner: Runner, doorbell_works: Callable[[], Awaitable[bool]]) -> None:
        self._runner = runner
        self._doorbell_works = doorbell_works
        self._busy = asyncio.Lock()
        self._draining = asyncio.Event()
        self._leaving = asyncio.Event()
        self.busy_since: float | None = None
        """When the query that runs here was claimed, in seconds since 1970; None when none runs."""

    @property
    def busy(self) -> bool:
        """Whether a query runs here, or may be about to although no more are taken."""
        return self.busy_since is not None or (self._draining.is_set() and self._busy.locked())

    def rest(self) -> None:
        """Take no more queries; what runs goes on."""
        self._draining.set()

    async def ring(self, query_id: UUID) -> None:
        """A doorbell rang: run that query if it still waits."""
        async with self._busy:
            if self._draining.is_set():
                return
            try:
                attempt = await self._runner.claim(query_id)
            except Unavailable:
                # The job stays queued and is found by polling once the store is back.
                get_logger("worker").warning(
                    "Left a query queued: the database is away", query_id=str(query_id)
                )
                return
            except Exception:  # noqa: BLE001 - this slot must answer the next ring too
                get_logger("worker").exception("Failed to claim a query", query_id=str(query_id))
                return
            if attempt is not None:
                await self._run(attempt)

    async def poll_forever(self) -> None:
        """Claim what waits unannounced, one at a time, until draining."""
        while not self._draining.is_set():
            found = False
            if not self._busy.locked():
                async with self._busy:
                    found = await self._poll()
            if not found:
                await _wait(self._draining, POLL_S * random.uniform(0.8, 1.2))

    async def _poll(self) -> bool:
        if self._draining.is_set():
            return False
        try:
            grace = MISSED_AFTER_S if await self._doorbell_works() else 0.0
            attempt = await self._runner.claim_waiting(grace)
        except Unavailable:
            return False
        except Exception:  # noqa: BLE001 - a slot that stops polling would never find work again
            get_logger("worker").exception("Failed to look for waiting queries")
            return False
        if attempt is None:
            return False
        await self._run(attempt)
        return True

    async def _run(self, attempt: Attempt) -> None:
        token = correlation_id.set(attempt.job.correlation_id)
        self.busy_since = time.time()
        try:
            await self._runner.run(attempt, self._leaving)
        except Unavailable:
            # Nothing to undo: the lease runs out and the query gets another attempt.
            get_logger("worker").warning(
                "Gave up a query: the database is away", query_id=str(attempt.job.id)
            )
        except Exception:  # noqa: BLE001 - the slot must live; the lease gives the query another attempt
            get_logger("worker").exception(
                "Gave up a query by a fault of the engine", query_id=str(attempt.job.id)
            )
        finally:
            self.busy_since = None
            correlation_id.reset(token)

    async def drain(self, within_s: float) -> None:
        """Take no more; let the running query end, or hand it back when the time is over."""
        self._draining.set()
        try:
            async with asyncio.timeout(within_s), self._busy:
                return
        except TimeoutError:
            self._leaving.set()
        try:
            async with asyncio.timeout(HAND_BACK_S), self._busy:
                return
        except TimeoutError:
            get_logger("worker").warning("Left a query to its lease: it could not be handed back in time")


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
