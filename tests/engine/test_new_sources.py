"""A source that the API knows and this worker does not yet: the query waits for a worker that does."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import NoReturn

import pytest

from insight_engine.adapters.queue.local import LocalDoorbell
from insight_engine.adapters.store.database import Database
from insight_engine.adapters.store.outbox import StoredOutbox
from insight_engine.domain.jobs import Attempt
from insight_engine.domain.query import QueryState
from insight_engine.domain.source_errors import SourceUnreachable
from insight_engine.domain.sources import DataSource, Dialect, Role
from insight_engine.services import running
from insight_engine.services.permitted import NEWS_TRAVEL_S
from support.jobs import claimed, job_of
from support.runners import ListedSources, runner

SALES = DataSource("sales", Dialect.POSTGRES, ("shop",), frozenset({Role.ADMIN}))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "LOOK_AGAIN_S", 0.01)


async def ran(database: Database, attempt: Attempt, *sources: DataSource) -> None:
    await runner(database, LocalDoorbell(), ListedSources(*sources)).run(attempt, asyncio.Event())


async def test_a_young_query_is_handed_back_and_rung_for_again(database: Database) -> None:
    attempt = await claimed(database)
    for number in (1, 2, 3, 4):  # more often than a query may be lost
        assert attempt.number == number
        await ran(database, attempt)
        job = await job_of(database, attempt.job.id)
        assert (job.state, job.losses, job.error_code) == (QueryState.QUEUED, 0, None)
        worker = runner(database, LocalDoorbell(), ListedSources())
        claim = await worker.claim(job.id)
        assert claim is not None
        attempt = claim
    await ran(database, attempt)
    overdue = await StoredOutbox(database).overdue(older_than_s=-1, limit=10)
    assert attempt.job.id in {query_id for query_id, _ in overdue}


async def test_an_old_query_fails_and_says_why(database: Database) -> None:
    attempt = await claimed(database)
    long_ago = attempt.job.submitted_at - timedelta(seconds=NEWS_TRAVEL_S + 1)
    await ran(database, replace(attempt, job=replace(attempt.job, submitted_at=long_ago)))
    job = await job_of(database, attempt.job.id)
    assert (job.state, job.error_code) == (QueryState.FAILED, "datasource_not_known")
    assert job.error_message is not None
    assert "does not know the data source sales" in job.error_message


async def test_who_lost_the_right_is_told_at_once(database: Database) -> None:
    attempt = await claimed(database)
    await ran(database, attempt, replace(SALES, roles=frozenset()))
    job = await job_of(database, attempt.job.id)
    assert (job.state, job.error_code) == (QueryState.FAILED, "no_longer_allowed")


class SoonListed(ListedSources):
    """Knows its sources from the second look on."""

    def __init__(self, *sources: DataSource) -> None:
        super().__init__(*sources)
        self.looks = 0

    def all(self) -> dict[str, DataSource]:
        self.looks += 1
        return super().all() if self.looks > 1 else {}


async def test_a_source_that_becomes_known_meanwhile_is_asked(database: Database) -> None:
    def opens(source: DataSource, credential: object) -> NoReturn:
        del credential
        raise SourceUnreachable(f"{source.name} was asked")

    attempt = await claimed(database)
    await runner(database, LocalDoorbell(), SoonListed(SALES), opens).run(attempt, asyncio.Event())
    job = await job_of(database, attempt.job.id)
    assert (job.error_code, job.error_message) == ("source_unreachable", "sales was asked")


async def test_a_query_that_is_cancelled_while_it_is_kept_is_not_handed_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "LOOK_AGAIN_S", 60)
    attempt = await claimed(database)
    worker = runner(database, LocalDoorbell(), ListedSources())
    work = asyncio.create_task(worker.run(attempt, asyncio.Event()))
    await worker.jobs.cancel(attempt.job.id)
    async with asyncio.timeout(30):
        await work  # it hears with its next heartbeat
    assert (await job_of(database, attempt.job.id)).state is QueryState.CANCELLED
