"""Wake-ups over Redis pub/sub: one subscription per process, whatever the number of waiting requests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import RedisError

from insight_engine.adapters.queue.local import LocalWakeup, LocalWakeups
from insight_engine.adapters.queue.subscription import Subscription
from insight_engine.domain.errors import EngineError
from insight_engine.telemetry import get_logger

ANNOUNCE_TIMEOUT_S: Final = 1.0
ID_BYTES: Final = 16


class RedisWakeups:
    """Announces changes to every process of the instance and wakes those that wait in this one."""

    def __init__(self, redis: Redis, channel: str) -> None:
        self._redis, self._channel = redis, channel
        self._local = LocalWakeups()
        self.subscription = Subscription(
            redis, channel, on_message=self._deliver, on_connected=self._local.announce_all
        )

    @asynccontextmanager
    async def expect(self, query_id: UUID) -> AsyncIterator[LocalWakeup]:
        """Register interest before it can change; any number may wait for the same one."""
        async with self._local.expect(query_id) as wakeup:
            yield wakeup

    async def announce(self, query_id: UUID) -> None:
        """Say that it changed. Never raises."""
        await publish(self._redis, self._channel, query_id.bytes)

    async def listen_forever(self) -> None:
        """Deliver announcements to this process's waiters; reconnects for ever."""
        await self.subscription.run_forever()

    async def _deliver(self, data: bytes) -> None:
        if len(data) == ID_BYTES:
            await self._local.announce(UUID(bytes=data))

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


async def publish(redis: Redis, channel: str, data: bytes) -> None:
    """Say something on a channel, within a second or not at all. Never raises."""
    try:
        async with asyncio.timeout(ANNOUNCE_TIMEOUT_S):
            await redis.publish(channel, data)
    except (RedisError, OSError, EngineError, TimeoutError) as error:
        get_logger("wakeups").debug("Could not announce", channel=channel, error=type(error).__name__)
