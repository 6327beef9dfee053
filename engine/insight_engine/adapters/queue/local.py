"""Doorbell, wake-ups and control bell inside one process, for the embedded mode and for tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from insight_engine.domain.control import ControlCall

MAX_CALLS: Final = 256
"""Calls kept for a listener that is slow; what is dropped is found by polling."""


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
        self._changed = asyncio.Event()

    async def wait(self, timeout_s: float) -> bool:
        """Wait for the next announcement since the last wait; False after the timeout."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True

    def announce(self) -> None:
        """It changed."""
        self._changed.set()


class LocalWakeups:
    """Wakes waiters of this process; any number may wait for one id."""

    def __init__(self) -> None:
        self._expected: dict[UUID, set[LocalWakeup]] = {}

    @asynccontextmanager
    async def expect(self, query_id: UUID) -> AsyncIterator[LocalWakeup]:
        """Register interest before it can change."""
        wakeup = LocalWakeup()
        waiting = self._expected.setdefault(query_id, set())
        waiting.add(wakeup)
        try:
            yield wakeup
        finally:
            waiting.discard(wakeup)
            if not waiting and self._expected.get(query_id) is waiting:
                del self._expected[query_id]

    async def announce(self, query_id: UUID) -> None:
        """Say that it changed."""
        for wakeup in self._expected.get(query_id, ()):
            wakeup.announce()

    def announce_all(self) -> None:
        """Wake everybody: announcements may have been lost, the store knows."""
        for waiting in self._expected.values():
            for wakeup in waiting:
                wakeup.announce()

    async def close(self) -> None:
        """There is nothing to close."""


class LocalBell:
    """Control calls within the process."""

    def __init__(self) -> None:
        self._calls: asyncio.Queue[ControlCall] = asyncio.Queue(MAX_CALLS)

    async def call(self, call: ControlCall) -> None:
        """Say it to this process."""
        if not self._calls.full():
            self._calls.put_nowait(call)

    async def heard(self, timeout_s: float) -> ControlCall | None:
        """The next call; None after the timeout."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._calls.get()
        except TimeoutError:
            return None

    async def close(self) -> None:
        """There is nothing to close."""
