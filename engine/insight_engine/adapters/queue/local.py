"""Doorbell and wake-ups inside one process, for the embedded mode and for tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID


class LocalDoorbell:
    """A queue of ids within the process."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[UUID] = asyncio.Queue()

    async def ring(self, query_id: UUID, correlation_id: str) -> bool:
        """Queue the id; always possible."""
        del correlation_id  # the job row carries it too
        self._waiting.put_nowait(query_id)
        return True

    async def answer(self) -> UUID:
        """Wait for the next ring."""
        return await self._waiting.get()

    async def healthy(self) -> bool:
        """It cannot fail."""
        return True

    async def close(self) -> None:
        """There is nothing to close."""


class LocalWakeup:
    """One registered interest."""

    def __init__(self) -> None:
        self._ended = asyncio.Event()

    async def wait(self, timeout_s: float) -> bool:
        """Wait for the announcement; False after the timeout."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._ended.wait()
        except TimeoutError:
            return False
        return True

    def announce(self) -> None:
        """It ended."""
        self._ended.set()


class LocalWakeups:
    """Wakes waiters of this process."""

    def __init__(self) -> None:
        self._expected: dict[UUID, LocalWakeup] = {}

    @asynccontextmanager
    async def expect(self, query_id: UUID) -> AsyncIterator[LocalWakeup]:
        """Register interest before the job can end."""
        wakeup = self._expected[query_id] = LocalWakeup()
        try:
            yield wakeup
        finally:
            del self._expected[query_id]

    async def announce(self, query_id: UUID) -> None:
        """Say that the job ended."""
        if (wakeup := self._expected.get(query_id)) is not None:
            wakeup.announce()

    async def close(self) -> None:
        """There is nothing to close."""
