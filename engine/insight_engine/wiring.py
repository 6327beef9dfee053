"""The one place that builds adapters and joins them to services. Nothing else may construct an adapter."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol, TypeVar

from insight_engine.adapters.config.endpoints import database_login
from insight_engine.adapters.config.sources import FileCatalog
from insight_engine.adapters.identity.passwords import BcryptPasswords
from insight_engine.adapters.identity.tokens import JwtTokens, watched_keyset
from insight_engine.adapters.queue.local import LocalDoorbell, LocalWakeups
from insight_engine.adapters.sources import open_source
from insight_engine.adapters.store.chunks import StoredChunks
from insight_engine.adapters.store.database import Database, open_postgres, open_sqlite
from insight_engine.adapters.store.jobs import StoredJobs
from insight_engine.adapters.store.leader import StoreLeadership
from insight_engine.adapters.store.outbox import StoredOutbox
from insight_engine.adapters.store.users import StoredUsers
from insight_engine.domain.ids import uuid7
from insight_engine.domain.sources import Role
from insight_engine.domain.users import User, normalise_username
from insight_engine.ports import Doorbell, SourceCatalog, Wakeups
from insight_engine.services.auth import AuthService
from insight_engine.services.directory import UserDirectory
from insight_engine.services.health import HealthService
from insight_engine.services.housekeeping import Housekeeper
from insight_engine.services.open_sources import OpenSources
from insight_engine.services.queries import QueryService
from insight_engine.services.running import Runner
from insight_engine.services.slot import Slot
from insight_engine.settings import Settings

T = TypeVar("T", bound="Closeable")
API_POOL: Final = 5
WORKER_POOL: Final = 2


class Closeable(Protocol):
    """Something with connections."""

    async def close(self) -> None:
        """Close them."""
        ...


@dataclass(frozen=True, slots=True)
class Api:
    """What the API's routes need."""

    settings: Settings
    auth: AuthService
    queries: QueryService
    health: HealthService


@dataclass(frozen=True, slots=True)
class Worker:
    """What a worker process needs."""

    slot: Slot
    housekeeper: Housekeeper
    database: Database


@dataclass(frozen=True, slots=True)
class Embedded:
    """API and worker in one process."""

    api: Api
    doorbell: LocalDoorbell
    slots: tuple[Slot, ...]
    housekeeper: Housekeeper


def _open_database(settings: Settings, pool_size: int) -> Database:
    login = database_login(settings.secrets_dir)
    if login.sqlite_path is not None:
        return open_sqlite(Path(login.sqlite_path))
    return open_postgres(lambda: database_login(settings.secrets_dir), pool_size=pool_size)


def _api(settings: Settings, database: Database, doorbell: Doorbell, wakeups: Wakeups) -> Api:
    users = StoredUsers(database)
    keyset = watched_keyset(settings.secrets_dir)
    return Api(
        settings=settings,
        auth=AuthService(
            users,
            UserDirectory(users),
            BcryptPasswords(),
            JwtTokens(keyset, settings.instance, settings.access_token_ttl_s),
        ),
        queries=QueryService(
            StoredJobs(database),
            StoredOutbox(database),
            StoredChunks(database),
            _catalog(settings),
            doorbell,
            wakeups,
        ),
        health=HealthService(database, doorbell),
    )


def _catalog(settings: Settings) -> SourceCatalog:
    return FileCatalog(settings.sources_file, settings.secrets_dir)


def _runner(stack: AsyncExitStack, settings: Settings, database: Database, wakeups: Wakeups) -> Runner:
    catalog = _catalog(settings)
    return Runner(
        worker=f"{socket.gethostname()}:{os.getpid()}",
        jobs=StoredJobs(database),
        chunks=StoredChunks(database),
        catalog=catalog,
        directory=UserDirectory(StoredUsers(database)),
        sources=_closed(stack, OpenSources(open_source, catalog)),
        wakeups=wakeups,
    )


def _housekeeper(database: Database, doorbell: Doorbell, wakeups: Wakeups) -> Housekeeper:
    return Housekeeper(
        StoredJobs(database),
        StoredOutbox(database),
        StoredChunks(database),
        StoreLeadership(database),
        doorbell,
        wakeups,
    )


def check_api(settings: Settings) -> None:
    """Fail at once, in the parent process, on what would fail in every child.

    Raises:
        ConfigurationError: a secret set or the source list is missing or wrong.
    """
    from insight_engine.adapters.queue.broker import celery_app

    watched_keyset(settings.secrets_dir)
    database_login(settings.secrets_dir)
    celery_app(settings)
    _catalog(settings)


def check_worker(settings: Settings) -> None:
    """The same for a worker, which has no signing keys."""
    from insight_engine.adapters.queue.broker import celery_app

    database_login(settings.secrets_dir)
    celery_app(settings)
    _catalog(settings)


@asynccontextmanager
async def api(settings: Settings) -> AsyncIterator[Api]:
    """An API process's services, with Redis between it and the workers."""
    from insight_engine.adapters.queue.broker import celery_app, channel_name, redis_client
    from insight_engine.adapters.queue.doorbell import CeleryDoorbell
    from insight_engine.adapters.queue.wakeups import RedisWakeups

    async with AsyncExitStack() as stack:
        database = _closed(stack, _open_database(settings, API_POOL))
        doorbell = _closed(
            stack,
            CeleryDoorbell(celery_app(settings), redis_client(settings.secrets_dir, socket_timeout_s=1.0)),
        )
        wakeups = _closed(
            stack,
            RedisWakeups(
                redis_client(settings.secrets_dir, socket_timeout_s=None), channel_name(settings.instance)
            ),
        )
        _background(stack, wakeups.listen_forever)
        yield _api(settings, database, doorbell, wakeups)


@asynccontextmanager
async def worker(settings: Settings) -> AsyncIterator[Worker]:
    """One worker process's services."""
    from insight_engine.adapters.queue.broker import celery_app, channel_name, redis_client
    from insight_engine.adapters.queue.doorbell import CeleryDoorbell
    from insight_engine.adapters.queue.wakeups import RedisWakeups

    async with AsyncExitStack() as stack:
        database = _closed(stack, _open_database(settings, WORKER_POOL))
        redis = redis_client(settings.secrets_dir, socket_timeout_s=1.0)
        doorbell = _closed(stack, CeleryDoorbell(celery_app(settings), redis))
        wakeups = RedisWakeups(redis, channel_name(settings.instance))
        slot = Slot(_runner(stack, settings, database, wakeups), doorbell.healthy)
        yield Worker(slot, _housekeeper(database, doorbell, wakeups), database)


@asynccontextmanager
async def embedded(settings: Settings) -> AsyncIterator[Embedded]:
    """API and worker in one process, on SQLite, with the doorbell inside."""
    async with AsyncExitStack() as stack:
        database = _closed(stack, _open_database(settings, API_POOL))
        doorbell, wakeups = LocalDoorbell(), LocalWakeups()
        runner = _runner(stack, settings, database, wakeups)
        yield Embedded(
            api=_api(settings, database, doorbell, wakeups),
            doorbell=doorbell,
            slots=tuple(Slot(runner, doorbell.healthy) for _ in range(settings.worker_concurrency)),
            housekeeper=_housekeeper(database, doorbell, wakeups),
        )


def _closed(stack: AsyncExitStack, thing: T) -> T:
    stack.push_async_callback(thing.close)
    return thing


def _background(stack: AsyncExitStack, run: Callable[[], Awaitable[None]]) -> None:
    task = asyncio.ensure_future(run())

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(stop)


@asynccontextmanager
async def users(settings: Settings) -> AsyncIterator[tuple[StoredUsers, BcryptPasswords]]:
    """The user table and the hashing of passwords, for the command line."""
    async with AsyncExitStack() as stack:
        database = _closed(stack, _open_database(settings, 1))
        yield StoredUsers(database), BcryptPasswords()


async def make_first_admin(settings: Settings, username: str, password: str, now: datetime) -> bool:
    """Add an admin unless there is one; False when there was."""
    async with users(settings) as (stored, passwords):
        if any(user.role is Role.ADMIN for user in await stored.all()):
            return False
        return await stored.add_first_admin(
            User(
                id=uuid7(),
                username=normalise_username(username),
                role=Role.ADMIN,
                disabled=False,
                tokens_valid_from=now,
                password_hash=await passwords.hash(password),
            )
        )
