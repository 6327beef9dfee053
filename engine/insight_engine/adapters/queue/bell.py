"""Control calls over Redis pub/sub: every worker process hears each, and polls for what it did not hear."""

from uuid import UUID

from redis.asyncio import Redis

from insight_engine.adapters.queue.local import LocalBell
from insight_engine.adapters.queue.subscription import Subscription
from insight_engine.adapters.queue.wakeups import ID_BYTES, publish
from insight_engine.domain.control import ControlCall


class RedisBell:
    """Says control calls to every worker of the instance."""

    def __init__(self, redis: Redis, channel: str) -> None:
        self._redis, self._channel = redis, channel
        self._local = LocalBell()
        self.subscription = Subscription(redis, channel, on_message=self._deliver)

    async def call(self, call: ControlCall) -> None:
        """Say it to all. Never raises."""
        await publish(self._redis, self._channel, _encoded(call))

    async def heard(self, timeout_s: float) -> ControlCall | None:
        """The next call; None after the timeout."""
        return await self._local.heard(timeout_s)

    async def listen_forever(self) -> None:
        """Take in calls for `heard`; reconnects for ever."""
        await self.subscription.run_forever()

    async def _deliver(self, data: bytes) -> None:
        if len(data) in {ID_BYTES, 2 * ID_BYTES}:
            await self._local.call(_decoded(data))

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


def _encoded(call: ControlCall) -> bytes:
    return call.request_id.bytes + (call.query_id.bytes if call.query_id else b"")


def _decoded(data: bytes) -> ControlCall:
    query_id = UUID(bytes=data[ID_BYTES:]) if len(data) > ID_BYTES else None
    return ControlCall(UUID(bytes=data[:ID_BYTES]), query_id)
