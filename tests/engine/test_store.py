"""The store's promises, on both databases: one claim per queue entry, one finish per fence, nothing lost."""

import asyncio
from datetime import UTC, datetime

from insight_engine.adapters.store.chunks import StoredChunks
from insight_engine.adapters.store.database import Database
from insight_engine.adapters.store.jobs import StoredJobs
from insight_engine.adapters.store.leader import StoreLeadership
from insight_engine.adapters.store.outbox import StoredOutbox
from insight_engine.adapters.store.users import StoredUsers
from insight_engine.domain.jobs import Failure, Hold
from insight_engine.domain.query import QueryState
from support.jobs import RESULT, claimed, count, job_of, new_job


async def test_a_repeated_submit_makes_one_job(database: Database) -> None:
    jobs, new = StoredJobs(database), new_job()
    first = (await jobs.submit(new)).job
    assert (await jobs.submit(new)).job == first
    assert first.submitted_at.tzinfo is not None
    assert abs((first.submitted_at - datetime.now(UTC)).total_seconds()) < 5


async def test_of_many_claims_one_succeeds(database: Database) -> None:
    jobs = StoredJobs(database)
    job = (await jobs.submit(new_job())).job
    claims = await asyncio.gather(*(jobs.claim(job.id, worker=f"w:{n}", lease_s=9) for n in range(10)))
    assert sum(claim is not None for claim in claims) == 1


async def test_waiting_jobs_are_claimed_once_each_oldest_first(database: Database) -> None:
    jobs = StoredJobs(database)
    submitted = [(await jobs.submit(new_job())).job.id for _ in range(4)]
    claims = [await jobs.claim_waiting(older_than_s=0, worker="w:1", lease_s=9) for _ in range(5)]
    assert [claim.job.id if claim else None for claim in claims] == [*submitted, None]


async def test_a_job_that_has_not_waited_long_enough_is_left_to_its_doorbell(database: Database) -> None:
    jobs = StoredJobs(database)
    await jobs.submit(new_job())
    assert await jobs.claim_waiting(older_than_s=5, worker="w:1", lease_s=9) is None


async def test_a_finish_stores_state_and_last_chunk_together(database: Database) -> None:
    attempt = await claimed(database)
    await StoredChunks(database).prepare(attempt.bucket)
    assert await StoredJobs(database).finish(attempt, RESULT)
    job = await job_of(database, attempt.job.id)
    assert (job.state, job.row_count, job.chunk_count) == (QueryState.SUCCEEDED, 1, 1)
    assert job.expires_at is not None
    assert await StoredChunks(database).get(job, 0) == b"abc"


async def test_a_second_finish_changes_nothing(database: Database) -> None:
    attempt = await claimed(database)
    await StoredChunks(database).prepare(attempt.bucket)
    assert await StoredJobs(database).finish(attempt, RESULT)
    assert not await StoredJobs(database).finish(attempt, Failure(QueryState.FAILED, "late", "late"))
    assert (await job_of(database, attempt.job.id)).state is QueryState.SUCCEEDED


async def test_an_attempt_whose_job_was_given_to_another_can_do_nothing(database: Database) -> None:
    jobs = StoredJobs(database)
    late = await claimed(database, lease_s=-1)
    await jobs.reap(max_losses=3, limit=9)
    current = await jobs.claim(late.job.id, worker="w:2", lease_s=30)
    assert current is not None
    assert (current.fence, current.number) == (late.fence + 1, 2)
    await StoredChunks(database).prepare(late.bucket)
    assert await jobs.heartbeat(late, lease_s=30, rows=0, size=0) is Hold.LOST
    assert not await jobs.finish(late, RESULT)
    assert not await jobs.hand_back(late)
    assert await jobs.heartbeat(current, lease_s=30, rows=0, size=0) is Hold.HELD
    job = await job_of(database, late.job.id)
    assert (job.state, job.fence) == (QueryState.RUNNING, current.fence)
    assert await StoredChunks(database).get(job, 0) is None


async def test_a_lease_that_still_runs_is_not_reaped(database: Database) -> None:
    attempt = await claimed(database, lease_s=30)
    assert await StoredJobs(database).reap(max_losses=3, limit=9) == []
    assert (await job_of(database, attempt.job.id)).state is QueryState.RUNNING


async def test_a_lease_that_ran_out_is_queued_again_and_rung_for(database: Database) -> None:
    attempt = await claimed(database, lease_s=-1)
    outbox = StoredOutbox(database)
    await outbox.clear([attempt.job.id])
    await StoredJobs(database).reap(max_losses=3, limit=9)
    assert (await job_of(database, attempt.job.id)).state is QueryState.QUEUED
    assert await outbox.overdue(older_than_s=-1, limit=9) == [(attempt.job.id, "correlation")]


async def test_a_lease_that_ran_out_for_the_last_time_ends_the_job(database: Database) -> None:
    attempt = await claimed(database, lease_s=-1)
    assert await StoredJobs(database).reap(max_losses=1, limit=9) == [attempt.job.id]
    job = await job_of(database, attempt.job.id)
    assert (job.state, job.error_code) == (QueryState.FAILED, "worker_lost")


async def test_the_outbox_forgets_what_no_longer_waits(database: Database) -> None:
    attempt = await claimed(database)
    assert await StoredOutbox(database).overdue(older_than_s=-1, limit=9) == []
    assert await count(database, "outbox") == 0
    assert attempt.number == 1


async def test_a_young_outbox_entry_is_left_to_its_own_api_process(database: Database) -> None:
    await StoredJobs(database).submit(new_job())
    assert await StoredOutbox(database).overdue(older_than_s=5, limit=9) == []


async def test_results_of_days_gone_by_are_dropped(database: Database) -> None:
    attempt = await claimed(database)
    chunks = StoredChunks(database)
    await chunks.prepare(attempt.bucket)
    await chunks.put(attempt, 0, b"x", 1)
    job = await job_of(database, attempt.job.id)
    await chunks.drop_expired(keep_days=0)
    assert await chunks.get(job, 0) == b"x"
    await chunks.drop_expired(keep_days=-1)
    remaining = StoredChunks(database)
    await remaining.prepare(attempt.bucket)
    assert await remaining.get(job, 0) is None


async def test_one_process_leads(database: Database) -> None:
    leadership = StoreLeadership(database)
    async with leadership.lead() as first, leadership.lead() as second:
        assert first is not None
        assert await first.still_held()
        assert (second is None) == database.postgres
    async with leadership.lead() as next_one:
        assert next_one is not None


async def test_a_changed_password_ends_sessions_only_when_asked(database: Database) -> None:
    users = StoredUsers(database)
    before = await users.by_name("admin")
    assert before is not None
    await users.set_password(before.id, "upgraded", end_sessions=False)
    upgraded = await users.by_id(before.id)
    assert upgraded is not None
    assert (upgraded.password_hash, upgraded.tokens_valid_from) == ("upgraded", before.tokens_valid_from)
    await users.set_password(before.id, "new", end_sessions=True)
    changed = await users.by_id(before.id)
    assert changed is not None
    assert changed.tokens_valid_from > before.tokens_valid_from
