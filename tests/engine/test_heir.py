"""Who goes on for a query that could not run for its own user is rung for at once, not found by polling."""

import asyncio

from insight_engine.adapters.queue.local import LocalDoorbell
from insight_engine.adapters.store.database import Database
from insight_engine.adapters.store.jobs import StoredJobs
from insight_engine.domain.query import QueryState
from insight_engine.domain.sources import DataSource, Dialect
from support.jobs import claimed, job_of, new_job
from support.runners import ListedSources, runner

NOBODYS = DataSource("sales", Dialect.POSTGRES, ("shop",), frozenset())


async def test_the_heir_of_a_query_that_failed_for_its_own_user_is_rung_for(database: Database) -> None:
    doorbell = LocalDoorbell()
    attempt = await claimed(database, fingerprint="f")
    jobs = StoredJobs(database)
    first, second = [(await jobs.submit(new_job(fingerprint="f"))).job for _ in range(2)]
    await runner(database, doorbell, ListedSources(NOBODYS)).run(attempt, asyncio.Event())
    leader = await job_of(database, attempt.job.id)
    assert (leader.state, leader.error_code) == (QueryState.FAILED, "no_longer_allowed")
    async with asyncio.timeout(1):
        assert await doorbell.answer() == first.id
    assert (await job_of(database, second.id)).leader_id == first.id
