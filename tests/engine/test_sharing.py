"""Equal queries share one run: nobody joins one unseen while it ends, and nobody is lost with its leader."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import text, update

from insight_engine.adapters.store.chunks import StoredChunks
from insight_engine.adapters.store.database import Database
from insight_engine.adapters.store.jobs import StoredJobs
from insight_engine.adapters.store.outbox import StoredOutbox
from insight_engine.adapters.store.tables import queries
from insight_engine.domain.ids import uuid7
from insight_engine.domain.jobs import Attempt, Failure, Job
from insight_engine.domain.query import QueryState
from support.jobs import RESULT, age, claimed, count, job_of, new_job

FAILED = Failure(QueryState.FAILED, "query_failed", "The database says: no.")


async def followed(database: Database, followers: int = 2) -> tuple[Attempt, list[Job]]:
    """A claimed query and those that follow it."""
    attempt = await claimed(database, fingerprint="f")
    jobs = StoredJobs(database)
    made = [(await jobs.submit(new_job(fingerprint="f"))).job for _ in range(followers)]
    assert {job.leader_id for job in made} == {attempt.job.id}
    return attempt, made


async def waiting(database: Database) -> list[UUID]:
    """What could be claimed, in order."""
    found: list[UUID] = []
    while True:
        attempt = await StoredJobs(database).claim_waiting(older_than_s=0, worker="w:9", lease_s=30)
        if attempt is None:
            return found
        found.append(attempt.job.id)


async def test_of_equal_queries_at_once_one_works(database: Database) -> None:
    jobs = StoredJobs(database)
    made = await asyncio.gather(*(jobs.submit(new_job(fingerprint="f")) for _ in range(8)))
    [leader] = [submitted.job for submitted in made if submitted.job.leader_id is None]
    assert {s.job.leader_id for s in made if s.job.id != leader.id} == {leader.id}
    assert (await count(database, "queries"), await count(database, "outbox")) == (8, 1)
    assert await waiting(database) == [leader.id]


async def test_a_follower_is_never_claimed_by_its_id(database: Database) -> None:
    _, [follower, _] = await followed(database)
    assert await StoredJobs(database).claim(follower.id, worker="w:2", lease_s=30) is None


async def test_followers_succeed_with_their_leader_and_read_its_result(database: Database) -> None:
    attempt, followers = await followed(database)
    ended = await StoredJobs(database).finish(attempt, RESULT)
    assert ended is not None
    assert set(ended.followers) == {job.id for job in followers}
    leader = await job_of(database, attempt.job.id)
    for follower in followers:
        job = await job_of(database, follower.id)
        assert (job.state, job.row_count, job.expires_at) == (QueryState.SUCCEEDED, 1, leader.expires_at)
        assert (job.result_id, job.result_attempt, job.cached) == (leader.id, 1, False)
        assert await StoredChunks(database).get(job, 0) == b"abc"


async def test_followers_fail_with_their_leader(database: Database) -> None:
    attempt, [follower, _] = await followed(database)
    await StoredJobs(database).finish(attempt, FAILED)
    job = await job_of(database, follower.id)
    assert (job.state, job.error_code, job.result_id) == (QueryState.FAILED, "query_failed", None)


@pytest.mark.parametrize(
    "end",
    [
        Failure(QueryState.CANCELLED, "cancelled", "Cancelled."),
        Failure(QueryState.FAILED, "no_longer_allowed", "Not you.", personal=True),
    ],
    ids=["cancelled", "personal"],
)
async def test_an_end_of_the_leader_alone_leaves_one_follower_to_work_for_all(
    database: Database, end: Failure
) -> None:
    attempt, [first, second] = await followed(database)
    ended = await StoredJobs(database).finish(attempt, end)
    assert ended is not None
    assert ended.heir == (first.id, "correlation")
    assert await StoredOutbox(database).overdue(older_than_s=-1, limit=9) == [(first.id, "correlation")]
    assert await waiting(database) == [first.id]
    assert (await job_of(database, second.id)).leader_id == first.id


async def test_a_leader_that_is_to_be_cancelled_is_not_followed_any_more(database: Database) -> None:
    jobs = StoredJobs(database)
    attempt, [first, second] = await followed(database)
    found = await jobs.cancel(attempt.job.id)
    assert found is not None
    assert (found[0].state, found[1].heir) == (QueryState.RUNNING, (first.id, "correlation"))
    assert (await jobs.submit(new_job(fingerprint="f"))).job.leader_id == first.id
    assert (await job_of(database, second.id)).leader_id == first.id
    # What its worker still makes of it is its own.
    assert await jobs.finish(attempt, RESULT) is not None
    assert (await job_of(database, first.id)).state is QueryState.QUEUED


async def test_cancelling_a_waiting_leader_ends_it_and_promotes_a_follower(database: Database) -> None:
    jobs = StoredJobs(database)
    leader = (await jobs.submit(new_job(fingerprint="f"))).job
    follower = (await jobs.submit(new_job(fingerprint="f"))).job
    found = await jobs.cancel(leader.id)
    assert found is not None
    assert (found[0].state, found[1].heir) == (QueryState.CANCELLED, (follower.id, "correlation"))
    assert await waiting(database) == [follower.id]


async def test_cancelling_a_follower_only_detaches_it(database: Database) -> None:
    jobs = StoredJobs(database)
    attempt, [first, second] = await followed(database)
    found = await jobs.cancel(first.id)
    assert found is not None
    assert (found[0].state, found[1].heir) == (QueryState.CANCELLED, None)
    assert (await job_of(database, attempt.job.id)).cancel_requested_at is None
    ended = await jobs.finish(attempt, RESULT)
    assert ended is not None
    assert ended.followers == (second.id,)
    assert (await job_of(database, first.id)).state is QueryState.CANCELLED


async def test_nobody_who_joins_while_the_leader_ends_is_left_behind(database: Database) -> None:
    """Each joiner ends with the leader, or leads after it; none waits for one that is gone."""
    jobs = StoredJobs(database)
    for number in range(12):
        fingerprint = f"race-{number}"
        attempt = await claimed(database, fingerprint=fingerprint)
        joined, *_ = await asyncio.gather(
            asyncio.gather(*(jobs.submit(new_job(fingerprint=fingerprint)) for _ in range(4))),
            jobs.finish(attempt, RESULT if number % 3 else FAILED),
        )
        left = [await job_of(database, submitted.job.id) for submitted in joined]
        left = [job for job in left if not job.state.is_final]
        leaders = [job.id for job in left if job.leader_id is None]
        assert len(leaders) == bool(left)
        assert {job.leader_id for job in left} <= {None, *leaders}


async def test_who_waited_for_the_leaders_end_to_be_committed_does_not_follow_it(database: Database) -> None:
    if not database.postgres:
        pytest.skip("SQLite has one writer at a time, so nobody can wait in between")
    attempt = await claimed(database, fingerprint="f")
    async with database.transaction() as ending:
        change = update(queries).where(queries.c.id == attempt.job.id).values(state="failed")
        await ending.execute(change)
        joining = asyncio.create_task(StoredJobs(database).submit(new_job(fingerprint="f", max_age_s=0.001)))
        async with asyncio.timeout(4):
            while not await _somebody_waits(database):  # noqa: ASYNC110 - the server tells no event
                await asyncio.sleep(0.02)
    assert (await joining).job.leader_id is None


async def _somebody_waits(database: Database) -> bool:
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    async with database.statement() as connection:
        return bool(await connection.scalar(waiting))


async def test_a_repeated_finish_of_a_followed_query_is_recognised(database: Database) -> None:
    attempt, _ = await followed(database)
    jobs = StoredJobs(database)
    assert await jobs.finish(attempt, RESULT) is not None
    assert await jobs.finish(attempt, RESULT) is not None


async def test_followers_of_a_query_lost_too_often_fail_with_it(database: Database) -> None:
    attempt, followers = await followed(database)
    await age(database, attempt.job.id, 60, "lease_expires_at")
    ended = await StoredJobs(database).reap(max_losses=1, limit=9)
    assert set(ended) == {attempt.job.id, *(job.id for job in followers)}
    assert (await job_of(database, followers[0].id)).error_code == "worker_lost"


async def test_followers_of_a_query_ended_by_an_older_release_are_set_free(database: Database) -> None:
    attempt, [first, second] = await followed(database)
    jobs = StoredJobs(database)
    async with database.transaction() as connection:  # as a release would that knows no followers
        change = update(queries).where(queries.c.id == attempt.job.id).values(state="failed")
        await connection.execute(change)
    await jobs.reap(max_losses=3, limit=9)
    assert await waiting(database) == [first.id]
    assert (await job_of(database, second.id)).leader_id == first.id


async def test_a_young_result_is_shared_at_once(database: Database) -> None:
    jobs = StoredJobs(database)
    attempt = await claimed(database, fingerprint="f")
    await jobs.finish(attempt, RESULT)
    shared = (await jobs.submit(new_job(fingerprint="f", max_age_s=60.0))).job
    assert (shared.state, shared.cached, shared.result_id) == (QueryState.SUCCEEDED, True, attempt.job.id)
    assert shared.expires_at == (await job_of(database, attempt.job.id)).expires_at
    assert await StoredChunks(database).get(shared, 0) == b"abc"
    assert await waiting(database) == []


async def test_who_asks_for_no_age_gets_a_new_run(database: Database) -> None:
    jobs = StoredJobs(database)
    await jobs.finish(await claimed(database, fingerprint="f"), RESULT)
    assert (await jobs.submit(new_job(fingerprint="f"))).job.state is QueryState.QUEUED


@pytest.mark.parametrize("column", ["finished_at", "expires_at"])
async def test_a_result_too_old_or_expired_is_not_shared(database: Database, column: str) -> None:
    jobs = StoredJobs(database)
    attempt = await claimed(database, fingerprint="f")
    await jobs.finish(attempt, RESULT)
    await age(database, attempt.job.id, 100_000, column)
    assert (await jobs.submit(new_job(fingerprint="f", max_age_s=60.0))).job.state is QueryState.QUEUED


async def test_the_age_of_a_shared_result_is_that_of_its_making(database: Database) -> None:
    jobs = StoredJobs(database)
    attempt = await claimed(database, fingerprint="f")
    await jobs.finish(attempt, RESULT)
    await age(database, attempt.job.id, 50, "finished_at")
    assert (await jobs.submit(new_job(fingerprint="f", max_age_s=60.0))).job.cached
    assert not (await jobs.submit(new_job(fingerprint="f", max_age_s=40.0))).job.cached


async def test_a_lost_result_is_shared_with_nobody_any_more(database: Database) -> None:
    jobs = StoredJobs(database)
    attempt = await claimed(database, fingerprint="f")
    await jobs.finish(attempt, RESULT)
    shared = (await jobs.submit(new_job(fingerprint="f", max_age_s=60.0))).job
    await jobs.expire(shared.id, "result_lost", "Lost.")
    assert (await job_of(database, attempt.job.id)).state is QueryState.EXPIRED
    assert not (await jobs.submit(new_job(id=uuid7(), fingerprint="f", max_age_s=60.0))).job.cached
