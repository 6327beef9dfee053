"""Wake-ups over Redis pub/sub: one subscription per process, whatever the number of waiting requests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import RedisError

from insight_engine.adapters.queue.local import LocalWakeup, LocalWakeups
from insight_engine.domain.errors import EngineError
from insight_engine.telemetry import get_logger

RECONNECT_S: Final = 1.0
ANNOUNCE_TIMEOUT_S: Final = 1.0


class RedisWakeups:
    """Announces ends to every process of the instance and wakes those that wait in this one."""

    def __init__(self, redis: Redis, channel: str) -> None:
        self._redis, self._channel = redis, channel
        self._local = LocalWakeups()

    @asynccontextmanager
    async def expect(self, query_id: UUID) -> AsyncIterator[LocalWakeup]:
        """Register interest before the job can end."""
        async with self._local.expect(query_id) as wakeup:
            yield wakeup

    async def announce(self, query_id: UUID) -> None:
        """Say that the job ended. Never raises."""
        try:
            async with asyncio.timeout(ANNOUNCE_TIMEOUT_S):
                await self._redis.publish(self._channel, query_id.bytes)
        except (RedisError, OSError, EngineError) as error:
            get_logger("wakeups").debug(
                "Could not announce", query_id=str(query_id), error=type(error).__name__
            )

    async def listen_forever(self) -> None:
        """Deliver announcements to this process's waiters; reconnects for ever."""
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
                    await pubsub.subscribe(self._channel)
                    async for message in pubsub.listen():
                        await self._deliver(message["data"])
            except (RedisError, OSError, EngineError) as error:
                get_logger("wakeups").debug("Listening again soon", error=type(error).__name__)
            except Exception:  # noqa: BLE001 - who waits would be served by polling only, for ever
                get_logger("wakeups").exception("Failed to listen")
            await asyncio.sleep(RECONNECT_S)

    async def _deliver(self, data: object) -> None:
        if isinstance(data, bytes) and len(data) == 16:  # noqa: PLR2004 - the bytes of a UUID
            await self._local.announce(UUID(bytes=data))

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
