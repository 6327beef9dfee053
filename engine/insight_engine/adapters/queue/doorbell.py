"""The doorbell over Redis: publishes the id of a waiting query as a Celery task. A ring never raises."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from uuid import UUID

from celery import Celery
from redis.asyncio import Redis
from redis.exceptions import RedisError

from insight_engine.adapters.queue.broker import CORRELATION_HEADER, TASK
from insight_engine.domain.errors import EngineError
from insight_engine.telemetry import get_logger

RING_TIMEOUT_S: Final = 2.0
PAUSE_S: Final = 2.0
"""After a failed ring the broker is left alone this long; the outbox keeps what was not rung."""


class CeleryDoorbell:
    """Rings by Celery; Celery's client blocks, so one thread does it."""

    def __init__(self, app: Celery, redis: Redis) -> None:
        self._app, self._redis = app, redis
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="doorbell")
        self._silent_until = 0.0

    async def ring(self, query_id: UUID, correlation_id: str) -> bool:
        """Publish the id; False when the broker could not take it in time. Never raises."""
        if time.monotonic() < self._silent_until:
            return False
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(RING_TIMEOUT_S):
                await loop.run_in_executor(self._thread, self._publish, str(query_id), correlation_id)
        except Exception as error:  # noqa: BLE001 - kombu raises whatever its transport does
            self._silent_until = time.monotonic() + PAUSE_S
            get_logger("doorbell").warning(
                "Could not ring", query_id=str(query_id), error=type(error).__name__
            )
            return False
        return True

    def _publish(self, query_id: str, correlation_id: str) -> None:
        self._app.send_task(
            TASK, args=[query_id], task_id=query_id, headers={CORRELATION_HEADER: correlation_id}
        )

    async def healthy(self) -> bool:
        """Whether the broker answers."""
        try:
            await self._redis.ping()
        except (RedisError, OSError, EngineError):
            return False
        return True

    async def close(self) -> None:
        """Close the connections."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        await self._redis.aclose()
