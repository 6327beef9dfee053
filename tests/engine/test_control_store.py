"""Control requests in both stores: one worker at a time, again after a lost one, void when they expired."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from insight_engine.adapters.config.endpoints import DatabaseLogin
from insight_engine.adapters.store.catalogs import StoredCatalogs
from insight_engine.adapters.store.control import StoredControl, StoredLoad
from insight_engine.adapters.store.database import Database, open_postgres, open_sqlite
from insight_engine.adapters.store.migrate import migrate_postgres
from insight_engine.adapters.store.migrate_sqlite import migrate_sqlite
from insight_engine.domain.control import ControlAnswer, ControlKind, ControlRequest
from insight_engine.domain.ids import uuid7
from support.async_waiting import until
from support.servers import PostgresServer

WORK = (ControlKind.SCHEMA, ControlKind.TEST)


@pytest.fixture(scope="module")
def postgres_login() -> Iterator[DatabaseLogin]:
    with PostgresServer() as server:
        login = f"postgresql://ie_app_a:password@127.0.0.1:{server.port}/insight"
        migrate_postgres(DatabaseLogin(login), DatabaseLogin(server.admin_uri()), wait_s=10)
        yield DatabaseLogin(login)


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    if request.param == "sqlite":
        migrate_sqlite(tmp_path / "store.db")
        database = open_sqlite(tmp_path / "store.db")
    else:
        login: DatabaseLogin = request.getfixturevalue("postgres_login")
        with psycopg.connect(login.conninfo) as connection:
            connection.execute("DELETE FROM insight.control_requests; DELETE FROM insight.catalogs")
        database = open_postgres(lambda: login, pool_size=8)
    yield database
    await database.close()


async def asked(
    store: StoredControl, kind: ControlKind = ControlKind.TEST, within_s: float = 30
) -> ControlRequest:
    request = ControlRequest(uuid7(), kind, "sales", "correlation-1", {"sql": "SELECT 1", "n": [1, None]})
    await store.ask(request, within_s=within_s)
    return request


async def claim(store: StoredControl, worker: str = "w:1", lease_s: float = 30) -> ControlRequest | None:
    return await store.claim(WORK, min_age_s=0.0, worker=worker, lease_s=lease_s)


async def test_a_request_is_given_to_one_of_many_workers(database: Database) -> None:
    store = StoredControl(database)
    requests = {(await asked(store)).id for _ in range(5)}
    claimed = await asyncio.gather(*(claim(store, f"w:{n}") for n in range(12)))
    found = [request.id for request in claimed if request is not None]
    assert len(found) == len(set(found))
    while (request := await claim(store)) is not None:  # those that met a locked row found nothing else
        found.append(request.id)
    assert sorted(found) == sorted(requests)


async def test_what_was_asked_arrives_whole(database: Database) -> None:
    store = StoredControl(database)
    request = await asked(store)
    assert await claim(store) == request


async def test_a_lost_worker_s_request_is_taken_again(database: Database) -> None:
    store = StoredControl(database)
    request = await asked(store)
    assert await claim(store, "lost:1", lease_s=0.05) is not None
    again = await _claimed_within(store, 2)
    assert again == request
    assert not await store.answer(request.id, ControlAnswer({"late": True}), worker="lost:1")
    assert await store.answer(request.id, ControlAnswer({"late": False}), worker="w:2")
    state = await store.state(request.id)
    assert state is not None
    assert state.answer == ControlAnswer({"late": False})


async def _claimed_within(store: StoredControl, within_s: float) -> ControlRequest | None:
    return await until("it is taken again", lambda: claim(store, "w:2"), within_s)


async def test_a_worker_that_lives_keeps_its_request(database: Database) -> None:
    store = StoredControl(database)
    request = await asked(store)
    assert await claim(store, "w:1", lease_s=0.3) is not None
    for _ in range(8):
        await store.extend([request.id], worker="w:1", lease_s=0.3)
        assert await claim(store, "w:2") is None
        await asyncio.sleep(0.1)
    await store.extend([request.id], worker="w:2", lease_s=30)  # it is not w:2's to extend
    assert await _claimed_within(store, 2) == request


async def test_an_expired_or_withdrawn_request_is_not_taken(database: Database) -> None:
    store = StoredControl(database)
    await asked(store, within_s=0)
    await store.withdraw((await asked(store)).id)
    assert await claim(store) is None


async def test_a_taken_request_is_not_withdrawn(database: Database) -> None:
    store = StoredControl(database)
    request = await asked(store)
    assert await claim(store, lease_s=0) is not None
    await store.withdraw(request.id)
    assert await claim(store) == request


async def test_a_request_waits_for_those_it_is_meant_for_first(database: Database) -> None:
    store = StoredControl(database)
    request = await asked(store, ControlKind.CANCEL)
    assert await store.claim(WORK, min_age_s=0.0, worker="w:1", lease_s=5) is None
    assert await store.claim((ControlKind.CANCEL,), min_age_s=60, worker="w:1", lease_s=5) is None
    assert await store.claim_one(request.id, worker="w:1", lease_s=5) == request
    assert await store.claim_one(request.id, worker="w:2", lease_s=5) is None


async def test_an_error_is_answered_with_its_code(database: Database) -> None:
    store = StoredControl(database)
    request = await asked(store)
    state = await store.state(request.id)
    assert state is not None
    assert (state.claimed, state.answer) == (False, None)
    await claim(store)
    answer = ControlAnswer({"raised": "SourceError"}, "source_unreachable", "It does not answer.")
    assert await store.answer(request.id, answer, worker="w:1")
    state = await store.state(request.id)
    assert state is not None
    assert (state.claimed, state.answer) == (True, answer)
    assert await store.state(uuid7()) is None


async def test_a_catalog_is_replaced(database: Database) -> None:
    store = StoredCatalogs(database)
    assert await store.stamp("sales") is None
    assert await store.load("sales") is None
    first = await store.save("sales", "a" * 64, b"one")
    second = await store.save("sales", "b" * 64, b"two")
    assert first <= second
    assert await store.stamp("sales") == ("b" * 64, second)
    assert await store.load("sales") == ("b" * 64, second, b"two")


async def test_an_empty_store_has_no_load(database: Database) -> None:
    assert await StoredLoad(database).load() == (0, 0, 0.0)


def test_a_locked_request_is_skipped(postgres_login: DatabaseLogin) -> None:
    """A worker that is deciding must not hold up the others."""

    async def taken_beside_a_lock() -> bool:
        database = open_postgres(lambda: postgres_login, pool_size=2)
        store = StoredControl(database)
        first, second = await asked(store), await asked(store)
        with psycopg.connect(postgres_login.conninfo) as holder:
            holder.execute("SELECT 1 FROM insight.control_requests WHERE id = %s FOR UPDATE", (first.id,))
            async with asyncio.timeout(3):
                found = await claim(store)
        await database.close()
        return found == second

    with psycopg.connect(postgres_login.conninfo, autocommit=True) as connection:
        connection.execute("DELETE FROM insight.control_requests")
    assert asyncio.run(taken_beside_a_lock())
