"""The one place that builds adapters and joins them to services; nothing outside the `wiring` modules may.

What links processes is in `wiring_links`, what a parent checks before it starts any in `wiring_checks`.
"""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from insight_engine.adapters.identity.passwords import BcryptPasswords
from insight_engine.adapters.identity.tokens import JwtTokens, watched_keyset
from insight_engine.adapters.queue.local import LocalBell, LocalDoorbell, LocalWakeups
from insight_engine.adapters.results.choose import open_results
from insight_engine.adapters.sources import open_source
from insight_engine.adapters.store.catalogs import StoredCatalogs
from insight_engine.adapters.store.chunks import StoredChunks
from insight_engine.adapters.store.control import StoredControl, StoredLoad, StoredTakeOver
from insight_engine.adapters.store.database import Database
from insight_engine.adapters.store.history import StoredHistory
from insight_engine.adapters.store.jobs import StoredJobs
from insight_engine.adapters.store.leader import StoreLeadership
from insight_engine.adapters.store.outbox import StoredOutbox
from insight_engine.adapters.store.users import StoredUsers
from insight_engine.domain.ids import uuid7
from insight_engine.domain.sources import Role
from insight_engine.domain.users import User, normalise_username
from insight_engine.ports import LoadFigures
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
from insight_engine.wiring_links import Links, background, closed, open_database, redis_links, source_catalog

API_POOL: Final = 5
WORKER_POOL: Final = 2


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


def _api(settings: Settings, links: Links) -> Api:
    database = links.database
    users = StoredUsers(database)
    keyset = watched_keyset(settings.secrets_dir)
    sources = source_catalog(settings)
    catalogs = CatalogService(StoredCatalogs(database))
    control = ControlService(StoredControl(database), links.bell, links.wakeups, sources, catalogs)
    chunks = open_results(settings, StoredChunks(database))
    queries = QueryService(
        _jobs(settings, database),
        StoredOutbox(database),
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


def _jobs(settings: Settings, database: Database) -> StoredJobs:
    return StoredJobs(database, result_ttl_s=settings.result_ttl_s)


def _name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _running(stack: AsyncExitStack, settings: Settings, links: Links) -> tuple[Runner, ControlLoop]:
    """What runs queries in a process, and what answers the API beside them; they share the open sources."""
    database, sources = links.database, source_catalog(settings)
    opened = closed(stack, OpenSources(open_source, sources))
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
        doorbell=links.doorbell,
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


def _housekeeper(settings: Settings, links: Links) -> Housekeeper:
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


@asynccontextmanager
async def api(settings: Settings) -> AsyncIterator[Api]:
    """An API process's services, with Redis between it and the workers."""
    async with AsyncExitStack() as stack:
        links = redis_links(stack, settings, closed(stack, open_database(settings, API_POOL)))
        background(stack, links.wakeups.listen_forever)
        yield _api(settings, links)


@asynccontextmanager
async def worker(settings: Settings) -> AsyncIterator[Worker]:
    """One worker process's services."""
    async with AsyncExitStack() as stack:
        links = redis_links(stack, settings, closed(stack, open_database(settings, WORKER_POOL)))
        background(stack, links.bell.listen_forever)
        runner, control = _running(stack, settings, links)
        yield Worker(
            slot=Slot(runner, links.doorbell.healthy),
            control=control,
            housekeeper=_housekeeper(settings, links),
            database=links.database,
            load=StoredLoad(links.database),
        )


@asynccontextmanager
async def embedded(settings: Settings) -> AsyncIterator[Embedded]:
    """API and worker in one process, on SQLite, with the doorbell inside."""
    async with AsyncExitStack() as stack:
        database = closed(stack, open_database(settings, API_POOL))
        doorbell = LocalDoorbell()
        links = Links(database, doorbell, LocalWakeups(), LocalBell())
        runner, control = _running(stack, settings, links)
        yield Embedded(
            api=_api(settings, links),
            doorbell=doorbell,
            slots=tuple(Slot(runner, doorbell.healthy) for _ in range(settings.worker_concurrency)),
            control=control,
            housekeeper=_housekeeper(settings, links),
        )


@asynccontextmanager
async def users(settings: Settings) -> AsyncIterator[tuple[StoredUsers, BcryptPasswords]]:
    """The user table and the hashing of passwords, for the command line."""
    async with AsyncExitStack() as stack:
        database = closed(stack, open_database(settings, 1))
        yield StoredUsers(database), BcryptPasswords()


async def make_first_admin(
    settings: Settings, username: str, password: str, now: datetime, *, hashed: str | None = None
) -> bool:
    """Add an admin unless there is one; False when there was. `hashed` is the password's hash, if known."""
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
                password_hash=hashed or await passwords.hash(password),
            )
        )
