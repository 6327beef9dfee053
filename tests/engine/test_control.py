"""What the API asks of a real worker beside queries, over a real store and broker, and without a broker."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import psycopg
import pytest

from insight_engine import wiring
from insight_engine.domain.errors import Busy, Forbidden, NotFound, Unavailable
from insight_engine.domain.ids import uuid7
from insight_engine.domain.query import QueryLimits
from insight_engine.domain.source_errors import SourceRefusedCredentials
from insight_engine.domain.sources import Role
from insight_engine.domain.users import User
from insight_engine.services import control as control_module
from insight_engine.settings import Settings
from insight_engine.sqlguard import PreparedQuery, Rejected, prepare
from support.async_waiting import until
from support.engine_process import ADMIN
from support.engines import READER_PASSWORD, Service
from support.waiting import eventually


@asynccontextmanager
async def api_of(service: Service) -> AsyncIterator[wiring.Api]:
    async with wiring.api(Settings.from_env(service.home.env(1))) as api:
        yield api


async def admin_of(api: wiring.Api) -> User:
    user = await api.auth.users.by_name(ADMIN)
    assert user is not None
    return user


def prepared(api: wiring.Api, sql: str, user: User) -> PreparedQuery:
    source = next(source for source in api.queries.sources(user) if source.name == "sales")
    return prepare(sql, source=source, grants=source.grants_of(user.role), limits=QueryLimits())


@contextmanager
def frozen_worker(service: Service) -> Iterator[None]:
    """A worker that is there and takes nothing."""
    family = service.worker.children()
    for process in family:
        process.suspend()
    try:
        yield
    finally:
        for process in family:
            process.resume()


async def test_a_schema_is_read_by_a_worker_and_told(service: Service) -> None:
    async with api_of(service) as api:
        admin = await admin_of(api)
        schema, read_at = await api.control.schema(admin, "sales")
        assert [table.full_name for table in schema.tables] == ["public.orders"]
        assert [(c.name, c.type) for c in schema.tables[0].columns] == [
            ("id", "integer"),
            ("amount", "integer"),
        ]
        assert timedelta(0) <= datetime.now(UTC) - read_at < timedelta(minutes=1)
        again, read_before = await api.control.schema(admin, "sales")
        assert (again, read_before) == (schema, read_at)  # from the store: nobody was asked


async def test_a_refresh_sees_what_is_new(service: Service) -> None:
    async with api_of(service) as api:
        admin = await admin_of(api)
        before, read_at = await api.control.schema(admin, "sales")
        with psycopg.connect(service.postgres.admin_uri("sales"), autocommit=True) as owner:
            owner.execute("CREATE TABLE fresh (x int); GRANT SELECT ON fresh TO sales_reader")
        assert (await api.control.schema(admin, "sales"))[0] == before
        after, read_again = await api.control.refresh(admin, "sales")
        assert [table.name for table in after.tables] == ["fresh", "orders"]
        assert read_again > read_at
        known = api.catalogs.known(next(s for s in api.queries.sources(admin) if s.name == "sales"))
        assert known is not None
        assert known["public"]["fresh"] == ("x",)
        with psycopg.connect(service.postgres.admin_uri("sales"), autocommit=True) as owner:
            owner.execute("DROP TABLE fresh")


async def test_a_source_is_tested_with_its_worker_s_login(service: Service) -> None:
    async with api_of(service) as api:
        found = await api.control.check(await admin_of(api), "sales")
        assert found.version
        assert found.milliseconds > 0


async def test_a_source_s_refusal_arrives_as_what_it_is(service: Service) -> None:
    service.home.put("source-sales", password="wrong")
    try:
        async with api_of(service) as api:
            admin = await admin_of(api)

            async def refused() -> bool:
                with suppress(SourceRefusedCredentials):
                    await api.control.check(admin, "sales")
                    return False
                return True

            await until("the changed secret is seen", refused, 15)
            with pytest.raises(SourceRefusedCredentials) as raised:
                await api.control.check(admin, "sales")
            assert "wrong" not in raised.value.message
    finally:
        service.home.put("source-sales", password=READER_PASSWORD)
    await asyncio.to_thread(_logs_in_again, service)


def _logs_in_again(service: Service) -> None:
    async def check() -> bool:
        async with api_of(service) as api:
            try:
                return bool(await api.control.check(await admin_of(api), "sales"))
            except SourceRefusedCredentials:
                return False

    eventually("the right password is used", lambda: asyncio.run(check()), 15)


async def test_a_plan_is_made_by_the_source(service: Service) -> None:
    async with api_of(service) as api:
        admin = await admin_of(api)
        plan = await api.control.explain(admin, prepared(api, "SELECT id FROM orders WHERE id < 10", admin))
        assert "orders" in plan.text
        assert plan.cost is not None
        assert plan.cost > 0


async def test_a_plan_is_judged_by_what_the_user_may_now(service: Service) -> None:
    async with api_of(service) as api:
        admin = await admin_of(api)
        judged = prepared(api, "SELECT id FROM orders", admin)
        gone = replace(admin, id=uuid7())
        with pytest.raises(Forbidden, match="no longer"):
            await api.control.explain(gone, judged)
        with pytest.raises(Rejected, match="nothing_here"):
            await api.control.explain(admin, prepared(api, "SELECT id FROM nothing_here", admin))


async def test_only_admins_refresh_and_test_and_nobody_sees_what_is_not_theirs(service: Service) -> None:
    async with api_of(service) as api:
        admin = await admin_of(api)
        analyst = replace(admin, role=Role.ANALYST)
        for call in (api.control.refresh, api.control.check):
            with pytest.raises(Forbidden):
                await call(analyst, "sales")
        for name in ("hidden", "nowhere"):
            with pytest.raises(NotFound):
                await api.control.schema(analyst, name)


async def test_a_worker_that_takes_nothing_is_said_so_within_seconds(service: Service) -> None:
    async with api_of(service) as api:
        admin = await admin_of(api)
        with frozen_worker(service):
            started = time.monotonic()
            with pytest.raises(Unavailable, match="No worker") as raised:
                await api.control.check(admin, "sales")
            assert raised.value.code == "no_worker"
            assert 4 < time.monotonic() - started < 9
        assert (await api.control.check(admin, "sales")).version


async def test_a_killed_worker_s_request_is_done_by_another(service: Service) -> None:
    """The process that claimed it is killed in the middle; the request is wanted still."""
    async with api_of(service) as api:
        admin = await admin_of(api)
        with psycopg.connect(service.postgres.admin_uri("sales")) as owner:
            owner.execute(
                "LOCK TABLE pg_catalog.pg_class IN ACCESS EXCLUSIVE MODE"
            )  # nothing can be looked up
            asked = asyncio.create_task(api.control.refresh(admin, "sales"))
            claimer = await asyncio.to_thread(_claimer, service)
            process = next(p for p in service.worker.children() if p.pid == claimer)
            process.kill()
            owner.rollback()
        schema, _ = await asyncio.wait_for(asked, 25)
        assert schema.tables


def _claimer(service: Service) -> int:
    def claimed() -> str | None:
        with service.store() as store:
            row = store.execute(
                "SELECT claimed_by FROM insight.control_requests WHERE kind = 'refresh'"
                " AND answered_at IS NULL AND claimed_by IS NOT NULL"
            ).fetchone()
        return cast("str", row[0]) if row else None

    return int(eventually("a worker claimed it", claimed, 10).rpartition(":")[2])


async def test_one_user_cannot_fill_every_place(service: Service) -> None:
    async with api_of(service) as api:
        admin = await admin_of(api)
        with frozen_worker(service):
            asked = [asyncio.create_task(api.control.check(admin, "sales")) for _ in range(6)]
            outcomes = await asyncio.gather(*asked, return_exceptions=True)
        kinds = [type(outcome) for outcome in outcomes]
        assert kinds.count(Busy) == 6 - control_module.MAX_PER_USER
        assert kinds.count(Unavailable) == control_module.MAX_PER_USER


async def test_without_a_broker_it_is_slower_and_works(service: Service) -> None:
    async with api_of(service) as api:
        admin = await admin_of(api)
        service.redis.stop()
        try:
            started = time.monotonic()
            assert (await api.control.check(admin, "sales")).version
            print(f"without a broker: {time.monotonic() - started:.2f} s")
            assert time.monotonic() - started < 8
        finally:
            await asyncio.to_thread(service.redis.start)


async def test_with_a_broker_nobody_polls_for_an_answer(service: Service) -> None:
    async with api_of(service) as api:
        admin = await admin_of(api)
        judged = prepared(api, "SELECT id FROM orders", admin)

        async def plan_s() -> float:
            started = time.monotonic()
            await api.control.explain(admin, judged)
            return time.monotonic() - started

        async with asyncio.timeout(20):  # after a broker's restart the worker listens again soon
            while await plan_s() > 0.4:
                pass
        took = sorted([await plan_s() for _ in range(10)])
        print(f"a plan: median {took[5] * 1000:.0f} ms, slowest {took[-1] * 1000:.0f} ms")
        assert took[5] < 0.5
