"""The doorbell over Redis: publishes the id of a waiting query as a Celery task. A ring never raises."""

import asyncio
import time
from typing import Any, Final
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import RedisError

from insight_engine.adapters.queue.message import task_message
from insight_engine.domain.errors import EngineError
from insight_engine.telemetry import get_logger

RING_TIMEOUT_S: Final = 2.0
PAUSE_S: Final = 2.0
"""After a failed ring the broker is left alone this long; the outbox keeps what was not rung."""


class CeleryDoorbell:
    """Rings by putting a task into the list that Celery's workers take theirs from."""

    def __init__(self, queue: str, redis: Redis) -> None:
        self._queue, self._redis = queue, redis
        self._silent_until = 0.0

    async def ring(self, query_id: UUID, correlation_id: str) -> bool:
        """Publish the id; False when the broker could not take it in time. Never raises."""
        if time.monotonic() < self._silent_until:
            return False
        try:
            async with asyncio.timeout(RING_TIMEOUT_S):
                task: Any = task_message(str(query_id), correlation_id)
                await self._redis.lpush(self._queue, task)
        except (RedisError, OSError, EngineError, TimeoutError) as error:
            self._silent_until = time.monotonic() + PAUSE_S
            get_logger("doorbell").warning(
                "Could not ring", query_id=str(query_id), error=type(error).__name__
            )
            return False
        return True

    async def healthy(self) -> bool:
        """Whether the broker answers."""
        try:
            await self._redis.ping()
        except (RedisError, OSError, EngineError):
            return False
        return True

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
