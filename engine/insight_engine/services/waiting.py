"""Waiting for a query to change, until the caller has waited long enough or this process stops."""

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Final
from uuid import UUID

from insight_engine.ports import Wakeup, Wakeups

FIRST_POLL_S: Final = 0.25
LAST_POLL_S: Final = 1.0


class Waiting:
    """Waits on behalf of callers."""

    def __init__(self, wakeups: Wakeups) -> None:
        self._wakeups = wakeups
        self.leaving = asyncio.Event()
        """Set when this process is told to stop: who waits is answered at once."""

    async def changed(self, wakeup: Wakeup, timeout_s: float) -> None:
        """Wait for a change, for the end of this process, or for the time to poll."""
        waiting = asyncio.ensure_future(wakeup.wait(timeout_s))
        leaving = asyncio.ensure_future(self.leaving.wait())
        try:
            await asyncio.wait((waiting, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            leaving.cancel()

    async def moments(self, query_id: UUID, wait_s: float) -> AsyncGenerator[None, None]:
        """Times to look at a query: now, at every change and now and then, until the wait is over."""
        yield
        if not wait_s:
            return
        deadline, pause = time.monotonic() + wait_s, FIRST_POLL_S
        async with self._wakeups.expect(query_id) as wakeup:
            yield  # it may have changed before we listened
            while (left := deadline - time.monotonic()) > 0 and not self.leaving.is_set():
                await self.changed(wakeup, min(left, pause))
                pause = min(pause * 1.5, LAST_POLL_S)
                yield
