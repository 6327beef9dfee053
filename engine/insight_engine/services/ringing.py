"""Ringing for queries that were taken in, beside the answer to who asked: the outbox has them safe."""

import asyncio
from collections.abc import Coroutine
from typing import Any
from uuid import UUID

from insight_engine.ports import Doorbell, Outbox


class Background:
    """Work that nobody waits for."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do it soon; the event loop itself would forget a task that nobody holds."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class Ringer:
    """Rings the doorbell, and remembers for what, so that the outbox can forget it."""

    def __init__(self, doorbell: Doorbell, outbox: Outbox, background: Background) -> None:
        self._doorbell, self._outbox, self._background = doorbell, outbox, background
        self._rung: list[UUID] = []

    def ring(self, query_id: UUID, correlation_id: str) -> None:
        """Ring soon: a slow broker must not slow the answer."""
        self._background.start(self._ring(query_id, correlation_id))

    async def _ring(self, query_id: UUID, correlation_id: str) -> None:
        if await self._doorbell.ring(query_id, correlation_id):
            self._rung.append(query_id)

    async def forget_rung(self) -> None:
        """Clear the outbox of what was rung; called now and then, as losing it only rings twice."""
        if rung := self._rung:
            self._rung = []
            await self._outbox.clear(rung)
