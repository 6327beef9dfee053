"""The one place that builds adapters and joins them to services. Nothing else may construct an adapter."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from insight_engine.adapters.config.endpoints import database_login
from insight_engine.adapters.config.sources import FileCatalog
from insight_engine.adapters.identity.passwords import BcryptPasswords
from insight_engine.adapters.identity.tokens import JwtTokens, watched_keyset
from insight_engine.adapters.queue.local import LocalBell, LocalDoorbell, LocalWakeups
from insight_engine.adapters.results.choose import check_results, open_results
from insight_engine.adapters.sources import open_source
from insight_engine.adapters.store.catalogs import StoredCatalogs
from insight_engine.adapters.store.chunks import StoredChunks
from insight_engine.adapters.store.control import StoredControl, StoredLoad, StoredTakeOver
from insight_engine.adapters.store.database import Database, open_postgres, open_sqlite
from insight_engine.adapters.store.history import StoredHistory
from insight_engine.adapters.store.jobs import StoredJobs
from insight_engine.adapters.store.leader import StoreLeadership
from insight_engine.adapters.store.outbox import StoredOutbox
from insight_engine.adapters.store.users import StoredUsers
from insight_engine.domain.ids import uuid7
from insight_engine.domain.sources import Role
from insight_engine.domain.users import User, normalise_username
from insight_engine.ports import ControlBell, Doorbell, LoadFigures, SourceCatalog, Wakeups
from insight_engine.services.auth import AuthService
from insight_engine.services.catalogs import CatalogService
from insight_engine.services.control import ControlService
from insight_engine.services.control_loop import ControlLoop
from insight_engine.services.control_work import ControlWork
from insight_engine.services.directory import UserDirectory
from insight_engine.services.exports import ResultService
from insight_engine.services.foreign_cancel import ForeignCancel
from insight_engine.services.health import HealthService
from insight_engine.services.housekeeping import Housekeeper
from insight_engine.services.open_sources import OpenSources
from insight_engine.services.own_queries import OwnQueries
from insight_engine.services.queries import QueryService
from insight_engine.services.running import Runner
from insight_engine.services.slot import Slot
from insight_engine.settings import Settings

if TYPE_CHECKING:
    from insight_engine.adapters.queue.bell import RedisBell
    from insight_engine.adapters.queue.wakeups import RedisWakeups

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
    results: ResultService
    control: ControlService
    catalogs: CatalogService
    health: HealthService
    load: LoadFigures


@dataclass(frozen=True, slots=True)
class Worker:
    """What a worker process needs."""

    slot: Slot
    control: ControlLoop
    housekeeper: Housekeeper
    database: Database
    load: LoadFigures


@dataclass(frozen=True, slots=True)
class Embedded:
    """API and worker in one process."""

    api: Api
    doorbell: LocalDoorbell
    slots: tuple[Slot, ...]
    control: ControlLoop
    housekeeper: Housekeeper


@dataclass(frozen=True, slots=True)
class _Links:
    """What joins processes: the store, and the ways to be heard sooner than by polling it."""

    database: Database
    doorbell: Doorbell
    wakeups: Wakeups
    bell: ControlBell


def _open_database(settings: Settings, pool_size: int) -> Database:
    login = database_login(settings.secrets_dir)
    if login.sqlite_path is not None:
        return open_sqlite(Path(login.sqlite_path))
    return open_postgres(lambda: database_login(settings.secrets_dir), pool_size=pool_size)


def _api(settings: Settings, links: _Links) -> Api:
    database = links.database
    users = StoredUsers(database)
    keyset = watched_keyset(settings.secrets_dir)
    sources = _catalog(settings)
    catalogs = CatalogService(StoredCatalogs(database))
    control = ControlService(StoredControl(database), links.bell, links.wakeups, sources, catalogs)
    chunks = open_results(settings, StoredChunks(database))
    queries = QueryService(
        _jobs(settings, database),
        StoredOutbox(database),
        chunks,
        sources,
        links.doorbell,
        links.wakeups,
        catalogs,
        control,
    )
    return Api(
        settings=settings,
        auth=AuthService(
            users,
            UserDirectory(users),
            BcryptPasswords(),
            JwtTokens(keyset, settings.instance, settings.access_token_ttl_s),
        ),
        queries=queries,
        results=ResultService(queries, chunks),
        control=control,
        catalogs=catalogs,
        health=HealthService(database, links.doorbell),
        load=StoredLoad(database),
    )


def _catalog(settings: Settings) -> SourceCatalog:
    return FileCatalog(settings.sources_file, settings.secrets_dir)


def _jobs(settings: Settings, database: Database) -> StoredJobs:
    return StoredJobs(database, result_ttl_s=settings.result_ttl_s)


def _name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _running(stack: AsyncExitStack, settings: Settings, links: _Links) -> tuple[Runner, ControlLoop]:
    """What runs queries in a process, and what answers the API beside them; they share the open sources."""
    database, sources = links.database, _catalog(settings)
    opened = _closed(stack, OpenSources(open_source, sources))
    directory = UserDirectory(StoredUsers(database))
    catalogs = CatalogService(StoredCatalogs(database))
    jobs, own = _jobs(settings, database), OwnQueries()
    runner = Runner(
        worker=_name(),
        jobs=jobs,
        chunks=open_results(settings, StoredChunks(database)),
        catalog=sources,
        directory=directory,
        sources=opened,
        wakeups=links.wakeups,
        own=own,
        catalogs=catalogs,
    )
    taking = StoredTakeOver(database, jobs)
    control = ControlLoop(
        _name(),
        StoredControl(database),
        links.bell,
        links.wakeups,
        ControlWork(sources, opened, catalogs, directory),
        own,
        ForeignCancel(_name(), jobs, taking, sources, opened, links.wakeups, links.doorbell),
    )
    return runner, control


def _housekeeper(settings: Settings, links: _Links) -> Housekeeper:
    database = links.database
    return Housekeeper(
        _jobs(settings, database),
        StoredOutbox(database),
        open_results(settings, StoredChunks(database)),
        StoreLeadership(database),
        links.doorbell,
        links.wakeups,
        StoredHistory(database),
        settings.result_ttl_s,
        settings.history_days,
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
    check_results(settings)


def check_worker(settings: Settings) -> None:
    """The same for a worker, which has no signing keys."""
    from insight_engine.adapters.queue.broker import celery_app

    database_login(settings.secrets_dir)
    celery_app(settings)
    _catalog(settings)
    check_results(settings)


@asynccontextmanager
async def api(settings: Settings) -> AsyncIterator[Api]:
    """An API process's services, with Redis between it and the workers."""
    async with AsyncExitStack() as stack:
        links = _redis_links(stack, settings, _closed(stack, _open_database(settings, API_POOL)))
        _background(stack, links.wakeups.listen_forever)
        yield _api(settings, links)


@asynccontextmanager
async def worker(settings: Settings) -> AsyncIterator[Worker]:
    """One worker process's services."""
    async with AsyncExitStack() as stack:
        links = _redis_links(stack, settings, _closed(stack, _open_database(settings, WORKER_POOL)))
        _background(stack, links.bell.listen_forever)
        runner, control = _running(stack, settings, links)
        yield Worker(
            slot=Slot(runner, links.doorbell.healthy),
            control=control,
            housekeeper=_housekeeper(settings, links),
            database=links.database,
            load=StoredLoad(links.database),
        )


@dataclass(frozen=True, slots=True)
class _RedisLinks(_Links):
    wakeups: "RedisWakeups"
    bell: "RedisBell"


def _redis_links(stack: AsyncExitStack, settings: Settings, database: Database) -> _RedisLinks:
    from insight_engine.adapters.queue.bell import RedisBell
    from insight_engine.adapters.queue.broker import (
        celery_app,
        channel_name,
        control_channel_name,
        redis_client,
    )
    from insight_engine.adapters.queue.doorbell import CeleryDoorbell
    from insight_engine.adapters.queue.wakeups import RedisWakeups

    redis = redis_client(settings.secrets_dir, socket_timeout_s=1.0)
    return _RedisLinks(
        database=database,
        doorbell=_closed(stack, CeleryDoorbell(celery_app(settings), redis)),
        wakeups=RedisWakeups(redis, channel_name(settings.instance)),
        bell=RedisBell(redis, control_channel_name(settings.instance)),
    )


@asynccontextmanager
async def embedded(settings: Settings) -> AsyncIterator[Embedded]:
    """API and worker in one process, on SQLite, with the doorbell inside."""
    async with AsyncExitStack() as stack:
        database = _closed(stack, _open_database(settings, API_POOL))
        doorbell = LocalDoorbell()
        links = _Links(database, doorbell, LocalWakeups(), LocalBell())
        runner, control = _running(stack, settings, links)
        yield Embedded(
            api=_api(settings, links),
            doorbell=doorbell,
            slots=tuple(Slot(runner, doorbell.healthy) for _ in range(settings.worker_concurrency)),
            control=control,
            housekeeper=_housekeeper(settings, links),
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
