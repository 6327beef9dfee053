"""What joins the processes of an instance, and how each part is opened and closed."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from insight_engine.adapters.config.endpoints import database_login
from insight_engine.adapters.config.sources import FileCatalog
from insight_engine.adapters.store.database import Database, open_postgres, open_sqlite
from insight_engine.ports import ControlBell, Doorbell, SourceCatalog, Wakeups
from insight_engine.settings import Settings

if TYPE_CHECKING:
    from insight_engine.adapters.queue.bell import RedisBell
    from insight_engine.adapters.queue.wakeups import RedisWakeups

T = TypeVar("T", bound="Closeable")


class Closeable(Protocol):
    """Something with connections."""

    async def close(self) -> None:
        """Close them."""
        ...


@dataclass(frozen=True, slots=True)
class Links:
    """What joins processes: the store, and the ways to be heard sooner than by polling it."""

    database: Database
    doorbell: Doorbell
    wakeups: Wakeups
    bell: ControlBell


@dataclass(frozen=True, slots=True)
class RedisLinks(Links):
    """The same over Redis; `listen_forever` of both must be run in the background to hear anything."""

    wakeups: "RedisWakeups"
    bell: "RedisBell"


def redis_links(stack: AsyncExitStack, settings: Settings, database: Database) -> RedisLinks:
    """Links over Redis, closed with the stack; nothing connects yet."""
    from insight_engine.adapters.queue.bell import RedisBell
    from insight_engine.adapters.queue.broker import (
        channel_name,
        control_channel_name,
        redis_client,
    )
    from insight_engine.adapters.queue.doorbell import CeleryDoorbell
    from insight_engine.adapters.queue.message import queue_key
    from insight_engine.adapters.queue.wakeups import RedisWakeups

    redis = redis_client(settings.secrets_dir, socket_timeout_s=1.0)
    return RedisLinks(
        database=database,
        doorbell=closed(stack, CeleryDoorbell(queue_key(settings.instance), redis)),
        wakeups=RedisWakeups(redis, channel_name(settings.instance)),
        bell=RedisBell(redis, control_channel_name(settings.instance)),
    )


def open_database(settings: Settings, pool_size: int) -> Database:
    """The metadata store of the configured login; connects at first use."""
    login = database_login(settings.secrets_dir)
    if login.sqlite_path is not None:
        return open_sqlite(Path(login.sqlite_path))
    return open_postgres(lambda: database_login(settings.secrets_dir), pool_size=pool_size)


def source_catalog(settings: Settings) -> SourceCatalog:
    """The configured data sources, with their credentials."""
    return FileCatalog(settings.sources_file, settings.secrets_dir)


def closed(stack: AsyncExitStack, thing: T) -> T:
    """The same thing, closed with the stack."""
    stack.push_async_callback(thing.close)
    return thing


def background(stack: AsyncExitStack, run: Callable[[], Awaitable[None]]) -> None:
    """Run it until the stack ends."""
    task = asyncio.ensure_future(run())

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(stop)
