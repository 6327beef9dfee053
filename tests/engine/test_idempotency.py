"""The same request again is the same query, whoever else asks at that moment; another request is refused."""

import asyncio

import pytest

from insight_engine.adapters.store.database import Database
from insight_engine.adapters.store.jobs import StoredJobs
from insight_engine.domain.query import QueryState
from support.engines import Asked
from support.jobs import RESULT, claimed, count, job_of, new_job


async def test_of_many_requests_with_one_key_one_makes_a_query(database: Database) -> None:
    jobs = StoredJobs(database)
    asked = [new_job(idempotency_key="k", request_digest="d") for _ in range(8)]
    made = await asyncio.gather(*(jobs.submit(new) for new in asked))
    assert len({submitted.job.id for submitted in made}) == 1
    assert sorted(submitted.replayed for submitted in made) == [False] + [True] * 7
    assert (await count(database, "queries"), await count(database, "outbox")) == (1, 1)


async def test_the_digest_of_the_first_request_comes_back_to_be_compared(database: Database) -> None:
    jobs = StoredJobs(database)
    await jobs.submit(new_job(idempotency_key="k", request_digest="one"))
    again = await jobs.submit(new_job(idempotency_key="k", request_digest="two"))
    assert (again.replayed, again.job.request_digest) == (True, "one")


async def test_a_submit_repeated_after_a_lost_answer_is_no_replay(database: Database) -> None:
    jobs = StoredJobs(database)
    new = new_job(idempotency_key="k", request_digest="d", fingerprint="f")
    first = await jobs.submit(new)
    assert await jobs.submit(new) == first
    assert not first.replayed


async def test_a_key_is_known_after_the_query_has_ended(database: Database) -> None:
    jobs = StoredJobs(database)
    attempt = await claimed(database, idempotency_key="k")
    await jobs.finish(attempt, RESULT)
    again = await jobs.submit(new_job(idempotency_key="k", max_age_s=60.0, fingerprint="f"))
    assert (again.replayed, again.job.id, again.job.state) == (True, attempt.job.id, QueryState.SUCCEEDED)


async def test_no_key_is_no_name(database: Database) -> None:
    jobs = StoredJobs(database)
    made = [await jobs.submit(new_job()) for _ in range(2)]
    assert len({submitted.job.id for submitted in made}) == 2
    assert (await job_of(database, made[0].job.id)).leader_id is None


@pytest.mark.parametrize("sql", ["SELECT 11 AS eleven"])
def test_a_repeated_request_is_answered_by_the_same_query(asked: Asked, sql: str) -> None:
    headers = {"Idempotency-Key": f"report-{asked.source}"}
    body = {"datasource": asked.source, "sql": sql, "wait_s": 20}
    first = asked.client.http.post("/api/v1/queries", json=body, headers=headers)
    again = asked.client.http.post("/api/v1/queries", json=body, headers=headers)
    assert again.json()["id"] == first.json()["id"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    other = asked.client.http.post(
        "/api/v1/queries", json={**body, "sql": "SELECT 12 AS twelve"}, headers=headers
    )
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
