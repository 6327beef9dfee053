"""Every move of a query, on both stores: who may make it, what it counts as, and what is forgotten when."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from insight_engine.adapters.store.chunks import StoredChunks
from insight_engine.adapters.store.database import Database
from insight_engine.adapters.store.history import StoredHistory
from insight_engine.adapters.store.jobs import StoredJobs
from insight_engine.adapters.store.outbox import StoredOutbox
from insight_engine.domain.jobs import Failure, Hold, Outcome, Timings
from insight_engine.domain.query import QueryState
from support.jobs import RESULT, age, claimed, count, job_of, new_job

FAILED = Failure(QueryState.FAILED, "query_failed", "No.", timings=Timings(database_ms=7))
DAY_S = 86_400


async def test_a_query_handed_back_counts_no_loss(database: Database) -> None:
    jobs = StoredJobs(database)
    attempt = await claimed(database)
    assert await jobs.hand_back(attempt)
    again = await jobs.claim(attempt.job.id, worker="w:2", lease_s=30)
    assert again is not None
    assert (again.number, again.job.losses) == (2, 0)


async def test_a_query_is_tried_again_until_lost_too_often(database: Database) -> None:
    jobs = StoredJobs(database)
    job = (await jobs.submit(new_job())).job
    for losses in (1, 2, 3):
        attempt = await jobs.claim(job.id, worker="w:1", lease_s=-1)
        assert attempt is not None
        ended = await jobs.reap(max_losses=3, limit=9)
        found = await job_of(database, job.id)
        assert found.losses == losses
        assert (list(ended) == [job.id]) == (losses == 3)
    assert (found.state, found.error_code) == (QueryState.FAILED, "worker_lost")
    assert attempt is not None
    assert await jobs.finish(attempt, RESULT) is None
    assert await jobs.finish(attempt, Failure(QueryState.FAILED, "worker_lost", "")) is None


async def test_a_lost_query_that_was_to_be_cancelled_is_cancelled(database: Database) -> None:
    jobs = StoredJobs(database)
    attempt = await claimed(database, lease_s=-1)
    await jobs.cancel(attempt.job.id)
    assert list(await jobs.reap(max_losses=3, limit=9)) == [attempt.job.id]
    job = await job_of(database, attempt.job.id)
    assert (job.state, job.losses, job.error_code) == (QueryState.CANCELLED, 0, "cancelled")
    assert job.cancel_ms is not None


async def test_a_heartbeat_notes_progress_and_tells_of_a_cancel(database: Database) -> None:
    jobs = StoredJobs(database)
    attempt = await claimed(database)
    assert await jobs.heartbeat(attempt, lease_s=9, rows=5, size=50) is Hold.HELD
    job = await job_of(database, attempt.job.id)
    assert (job.progress_rows, job.progress_bytes) == (5, 50)
    await jobs.cancel(attempt.job.id)
    assert await jobs.heartbeat(attempt, lease_s=9, rows=6, size=60) is Hold.CANCEL


async def test_a_query_that_is_to_be_cancelled_is_not_handed_back(database: Database) -> None:
    jobs = StoredJobs(database)
    attempt = await claimed(database)
    await jobs.cancel(attempt.job.id)
    assert not await jobs.hand_back(attempt)
    cancelled = Failure(QueryState.CANCELLED, "cancelled", "The query was cancelled.")
    assert await jobs.finish(attempt, cancelled) is not None
    job = await job_of(database, attempt.job.id)
    assert job.cancel_ms is not None
    assert 0 <= job.cancel_ms < 60_000


async def test_a_waiting_query_is_cancelled_and_claimed_by_nobody(database: Database) -> None:
    jobs = StoredJobs(database)
    job = (await jobs.submit(new_job())).job
    found = await jobs.cancel(job.id)
    assert found is not None
    assert (found[0].state, found[0].cancel_ms) == (QueryState.CANCELLED, 0)
    assert await jobs.claim(job.id, worker="w:1", lease_s=9) is None
    assert await StoredOutbox(database).overdue(older_than_s=-1, limit=9) == []


async def test_cancelling_what_has_ended_leaves_it(database: Database) -> None:
    jobs = StoredJobs(database)
    attempt = await claimed(database)
    await jobs.finish(attempt, RESULT)
    before = await job_of(database, attempt.job.id)
    found = await jobs.cancel(attempt.job.id)
    assert found is not None
    assert found[0] == before


async def test_a_finish_repeated_after_a_lost_answer_is_recognised(database: Database) -> None:
    jobs = StoredJobs(database)
    for outcome in (RESULT, FAILED):
        attempt = await claimed(database)
        assert await jobs.finish(attempt, outcome) is not None
        assert await jobs.finish(attempt, outcome) is not None


async def test_the_row_says_where_its_result_is_and_how_long_things_took(database: Database) -> None:
    attempt = await claimed(database)
    elsewhere = Outcome(7, 70, 2, truncated=False, last_chunk=None, last_chunk_rows=3, store="folder")
    elsewhere = replace(elsewhere, timings=Timings(12, 5))
    assert await StoredJobs(database).finish(attempt, elsewhere) is not None
    job = await job_of(database, attempt.job.id)
    assert (job.result_id, job.result_attempt, job.result_store) == (job.id, 1, "folder")
    assert (job.row_count, job.byte_count, job.chunk_count) == (7, 70, 2)
    assert (job.database_ms, job.first_batch_ms, job.cancel_ms) == (12, 5, None)
    assert job.queue_ms is not None
    assert 0 <= job.queue_ms < 60_000
    assert await StoredChunks(database).get(job, 1) is None


async def test_a_result_is_kept_as_long_as_was_set(database: Database) -> None:
    attempt = await claimed(database)
    await StoredJobs(database, result_ttl_s=90).finish(attempt, RESULT)
    job = await job_of(database, attempt.job.id)
    assert job.finished_at is not None
    assert job.expires_at is not None
    kept = job.expires_at - job.finished_at
    assert timedelta(seconds=89.9) < kept < timedelta(seconds=90.1)


async def test_parameters_come_back_as_they_were_given(database: Database) -> None:
    jobs = StoredJobs(database)
    for parameters in (None, (), (1, "two", None, 2.5, True), {"a": 1, "b": None}):
        job = (await jobs.submit(new_job(parameters=parameters))).job
        assert (await job_of(database, job.id)).parameters == parameters


async def test_queries_are_listed_newest_first_in_pages(database: Database) -> None:
    jobs = StoredJobs(database)
    made = [(await jobs.submit(new_job())).job.id for _ in range(5)]
    wanted: dict[str, Any] = {"user_id": None, "state": None, "datasource": None}
    first = await jobs.find(**wanted, before=None, limit=3)
    rest = await jobs.find(**wanted, before=first[-1].id, limit=3)
    assert [job.id for job in (*first, *rest)] == made[::-1]
    await jobs.cancel(made[2])
    wanted["state"] = QueryState.CANCELLED
    assert [job.id for job in await jobs.find(**wanted, before=None, limit=9)] == [made[2]]
    assert not await jobs.find(user_id=None, state=None, datasource="other", before=None, limit=9)
    assert not await jobs.find(user_id=made[0], state=None, datasource=None, before=None, limit=9)


async def test_results_expire_when_their_time_is_over(database: Database) -> None:
    history = StoredHistory(database)
    attempt = await claimed(database)
    await StoredJobs(database).finish(attempt, RESULT)
    assert await history.expire_results(limit=9) == 0
    await age(database, attempt.job.id, 2 * DAY_S, "expires_at")
    assert await history.expire_results(limit=9) == 1
    job = await job_of(database, attempt.job.id)
    assert (job.state, job.error_code) == (QueryState.EXPIRED, "result_expired")


@pytest.mark.parametrize("state", [QueryState.FAILED, QueryState.SUCCEEDED], ids=str)
async def test_old_rows_are_forgotten_but_not_while_their_result_can_be_read(
    database: Database, state: QueryState
) -> None:
    jobs, history = StoredJobs(database), StoredHistory(database)
    attempt = await claimed(database, fingerprint="f")
    await jobs.finish(attempt, RESULT if state is QueryState.SUCCEEDED else FAILED)
    await age(database, attempt.job.id, 3 * DAY_S, "finished_at")
    assert await history.forget_queries(older_than_s=4 * DAY_S, limit=9) == 0
    forgotten = await history.forget_queries(older_than_s=2 * DAY_S, limit=9)
    assert forgotten == (state is QueryState.FAILED)


async def test_a_batch_forgets_no_more_than_it_may(database: Database) -> None:
    jobs, history = StoredJobs(database), StoredHistory(database)
    for _ in range(3):
        attempt = await claimed(database)
        await jobs.finish(attempt, FAILED)
        await age(database, attempt.job.id, 3 * DAY_S, "finished_at")
    assert await history.forget_queries(older_than_s=DAY_S, limit=2) == 2
    assert await count(database, "queries") == 1


async def test_what_waits_is_never_forgotten(database: Database) -> None:
    job = (await StoredJobs(database).submit(new_job())).job
    await age(database, job.id, 90 * DAY_S, "submitted_at", "queued_at")
    assert await StoredHistory(database).forget_queries(older_than_s=DAY_S, limit=9) == 0
