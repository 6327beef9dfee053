"""What the leader forgets, and when: in bounded batches, and never while somebody may still read it."""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from insight_engine.adapters.queue.local import LocalDoorbell, LocalWakeups
from insight_engine.adapters.store.chunks import DELETED_AT_ONCE, StoredChunks
from insight_engine.adapters.store.control import StoredControl
from insight_engine.adapters.store.database import Database
from insight_engine.adapters.store.history import StoredHistory
from insight_engine.adapters.store.jobs import StoredJobs
from insight_engine.adapters.store.leader import StoreLeadership
from insight_engine.adapters.store.outbox import StoredOutbox
from insight_engine.domain.control import ControlKind, ControlRequest
from insight_engine.domain.ids import uuid7
from insight_engine.domain.jobs import Failure
from insight_engine.domain.query import QueryState
from insight_engine.ports import Chunks, History
from insight_engine.services import housekeeping
from insight_engine.services.housekeeping import DAY_S, LONGEST_QUERY_S, REQUESTS_KEPT_S, Housekeeper
from support.async_waiting import until
from support.jobs import age, claimed, count, job_of

FAILED = Failure(QueryState.FAILED, "query_failed", "No.")


@dataclass
class CountingHistory:
    """Has that much to forget of each kind, and notes what was asked."""

    left: int
    limits: list[int] = field(default_factory=list)
    ages: set[float] = field(default_factory=set)

    def _step(self, limit: int) -> int:
        self.limits.append(limit)
        done = min(limit, self.left)
        self.left -= done
        return done

    async def expire_results(self, *, limit: int) -> int:
        return self._step(limit)

    async def forget_queries(self, *, older_than_s: float, limit: int) -> int:
        self.ages.add(older_than_s)
        return self._step(limit)

    async def forget_requests(self, *, older_than_s: float, limit: int) -> int:
        self.ages.add(older_than_s)
        return self._step(limit)


@dataclass
class DroppingChunks:
    """Notes how many days are kept."""

    kept: list[int] = field(default_factory=list)

    async def drop_expired(self, *, keep_days: int) -> None:
        self.kept.append(keep_days)


def keeper(
    database: Database, *, history: object = None, chunks: object = None, ttl_s: float = DAY_S
) -> Housekeeper:
    return Housekeeper(
        StoredJobs(database),
        StoredOutbox(database),
        cast("Chunks", chunks or StoredChunks(database)),
        StoreLeadership(database),
        LocalDoorbell(),
        LocalWakeups(),
        cast("History", history or StoredHistory(database)),
        ttl_s,
        history_days=1,
    )


async def test_what_is_over_goes_in_batches_until_nothing_is_left(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "BATCH", 2)
    for _ in range(5):
        attempt = await claimed(database)
        await StoredJobs(database).finish(attempt, FAILED)
        await age(database, attempt.job.id, 2 * DAY_S, "finished_at")
    await keeper(database).forget()
    assert await count(database, "queries") == 0


async def test_one_round_does_a_bounded_number_of_batches(database: Database) -> None:
    history = CountingHistory(left=1_000_000)
    await keeper(database, history=history).expire()
    assert history.limits == [housekeeping.BATCH] * housekeeping.BATCHES
    history = CountingHistory(left=housekeeping.BATCH + 1)
    await keeper(database, history=history).expire()
    assert (len(history.limits), history.left) == (2, 0)


async def test_rows_and_requests_are_kept_as_long_as_was_set(database: Database) -> None:
    history = CountingHistory(left=0)
    await keeper(database, history=history, chunks=DroppingChunks()).forget()
    assert history.ages == {1 * DAY_S, REQUESTS_KEPT_S}


@pytest.mark.parametrize("ttl_s", [60, 3600, 20 * 3600, DAY_S, 6.9 * DAY_S, 7 * DAY_S])
async def test_chunks_are_kept_until_no_result_of_their_day_can_be_read(
    database: Database, ttl_s: float
) -> None:
    chunks = DroppingChunks()
    await keeper(database, history=CountingHistory(0), chunks=chunks, ttl_s=ttl_s).forget()
    [days] = chunks.kept
    day = datetime(2026, 3, 1, tzinfo=UTC)  # claimed in its last moment, and run for as long as any may
    readable_until = day + timedelta(days=1, seconds=LONGEST_QUERY_S + ttl_s)
    first_day_dropped = day + timedelta(days=days + 1)  # the first whose `today - keep_days` is later
    assert first_day_dropped >= readable_until
    assert first_day_dropped - readable_until < timedelta(days=1)  # and not much longer


@pytest.mark.parametrize("days_ago", [0, 7, 8, 9])
async def test_a_days_chunks_go_once_that_many_days_lie_between(database: Database, days_ago: int) -> None:
    attempt = await claimed(database)
    chunks, day = StoredChunks(database), attempt.bucket - timedelta(days=days_ago)
    await chunks.prepare(day)
    await chunks.put(replace(attempt, bucket=day), 0, b"x", 1)
    await chunks.drop_expired(keep_days=8)
    job = replace(await job_of(database, attempt.job.id), result_bucket=day)
    assert (await chunks.get(job, 0) is None) == (days_ago > 8)


async def test_many_chunks_go_though_few_go_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each deletion is a transaction of its own: the writers of a SQLite store wait for one at a time."""
    attempt, store = await claimed(database), StoredChunks(database)
    old = replace(attempt, bucket=attempt.bucket - timedelta(days=9))
    await store.prepare(old.bucket)
    for seq in range(DELETED_AT_ONCE + 1):
        await store.put(old, seq, b"x", 1)
    await store.put(attempt, 0, b"x", 1)
    statements: list[Database] = []
    made = Database.statement

    def counted(self: Database) -> AbstractAsyncContextManager[AsyncConnection]:
        statements.append(self)
        return made(self)

    monkeypatch.setattr(Database, "statement", counted)
    await store.drop_expired(keep_days=8)
    assert len(statements) == (2 if database.postgres else 3)
    job = replace(await job_of(database, attempt.job.id), result_bucket=old.bucket)
    assert await store.count(job) == 0
    assert await store.count(replace(job, result_bucket=attempt.bucket)) == 1


class NeverDone:
    """Chunks that take for ever to drop."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def drop_expired(self, *, keep_days: int) -> None:
        del keep_days
        self.begun.set()
        await asyncio.Event().wait()


async def test_lost_queries_do_not_wait_for_what_is_being_forgotten(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "ROUND_S", 0.01)
    slow = NeverDone()
    keeping = asyncio.create_task(keeper(database, chunks=slow).run_forever())
    try:
        async with asyncio.timeout(60):
            await slow.begun.wait()
        lost = await claimed(database, lease_s=-1)

        async def waits_again() -> bool:
            return (await job_of(database, lost.job.id)).state is QueryState.QUEUED

        await until("it is given to another worker", waits_again, 60)
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


async def test_requests_that_were_void_for_long_are_forgotten(database: Database) -> None:
    control, history = StoredControl(database), StoredHistory(database)
    for within_s in (-7200.0, -7100.0, -60.0, 60.0):
        await control.ask(
            ControlRequest(uuid7(), ControlKind.TEST, "sales", "correlation"), within_s=within_s
        )
    assert await history.forget_requests(older_than_s=3600, limit=1) == 1
    assert await history.forget_requests(older_than_s=3600, limit=9) == 1
    assert await count(database, "control_requests") == 2
