"""One Redis pub/sub subscription that notices within seconds when nobody is at the other end any more.

A subscriber only ever listens, so a connection whose peer vanished without a word (a lost node, a firewall
that forgot it) would stay silent for ever. Hence the pings: silence after one means a new connection.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from insight_engine.domain.errors import EngineError
from insight_engine.telemetry import get_logger

PING_AFTER_S: Final = 2.0
"""Seconds of silence after which the server is asked whether it is there, and given as long to answer."""
RECONNECT_S: Final = 0.5
SUBSCRIBE_S: Final = 3.0


class Subscription:
    """Keeps one channel subscribed for as long as `run_forever` runs."""

    def __init__(
        self,
        redis: Redis,
        channel: str,
        *,
        on_message: Callable[[bytes], Awaitable[None]],
        on_connected: Callable[[], None] = lambda: None,
    ) -> None:
        self._redis, self._channel = redis, channel
        self._on_message, self._on_connected = on_message, on_connected
        self.connected = False
        """Whether announcements arrive now, as far as is known."""

    async def run_forever(self) -> None:
        """Listen; connects again whatever happens."""
        while True:
            try:
                await self._listen()
            except (RedisError, OSError, EngineError, TimeoutError) as error:
                get_logger("wakeups").debug("Listening again soon", error=type(error).__name__)
            except Exception:  # noqa: BLE001 - who waits would be served by polling only, for ever
                get_logger("wakeups").exception("Failed to listen")
            finally:
                self.connected = False
            _end_if_cancelled()
            await asyncio.sleep(RECONNECT_S)

    async def _listen(self) -> None:
        async with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            async with asyncio.timeout(SUBSCRIBE_S):
                await pubsub.subscribe(self._channel)
            self.connected = True
            self._on_connected()  # what was said while nobody listened is lost: whoever waits must look
            asked = False
            while True:
                message = await _next(pubsub)
                _end_if_cancelled()
                if message is None and asked:
                    raise ConnectionError("No answer to a ping")
                asked = message is None
                if asked:
                    async with asyncio.timeout(PING_AFTER_S):
                        await pubsub.ping()
                elif isinstance(message, bytes) and message:
                    await self._on_message(message)


async def _next(pubsub: PubSub) -> bytes | None:
    """What came: a message, b"" for anything else that shows life, None after a while of silence."""
    async with asyncio.timeout(2 * PING_AFTER_S):  # the client's own timeout must not be the only one
        received = await pubsub.get_message(ignore_subscribe_messages=False, timeout=PING_AFTER_S)
    if received is None:
        return None
    data = received.get("data")
    return data if received.get("type") == "message" and isinstance(data, bytes) else b""


def _end_if_cancelled() -> None:
    """Raise what the client swallowed: a cancellation in the very moment of one of its own timeouts."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
