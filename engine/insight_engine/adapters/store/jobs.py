"""The job table: every move of a query's state is one compare-and-set here, guarded by state or fence."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Update, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from insight_engine.adapters.store.chunks import insert_chunk
from insight_engine.adapters.store.database import Database, retried
from insight_engine.adapters.store.tables import outbox, queries
from insight_engine.domain.jobs import RESULT_LIFETIME_S, Attempt, Failure, Job, NewJob, Outcome
from insight_engine.domain.query import QueryLimits, QueryState

_QUEUED: Final = queries.c.state == QueryState.QUEUED.value
_RUNNING: Final = queries.c.state == QueryState.RUNNING.value


class StoredJobs:
    """Jobs in the metadata store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @retried
    async def submit(self, new: NewJob) -> Job:
        """Insert the job row and its outbox row in one transaction; a repeated call changes nothing."""
        now = self._database.now()
        job = self._insert(queries).values(_row(new, now)).on_conflict_do_nothing().returning(queries)
        async with self._database.transaction() as connection:
            stored = (await connection.execute(job)).first()
            if stored is None:
                stored = (await connection.execute(select(queries).where(queries.c.id == new.id))).one()
            await connection.execute(
                self._insert(outbox)
                .values(query_id=new.id, correlation_id=new.correlation_id, created_at=now)
                .on_conflict_do_nothing()
            )
        return _job(stored)

    @retried
    async def get(self, query_id: UUID) -> Job | None:
        """Read one job."""
        async with self._database.statement() as connection:
            row = (await connection.execute(select(queries).where(queries.c.id == query_id))).first()
        return None if row is None else _job(row)

    async def claim(self, query_id: UUID, *, worker: str, lease_s: float) -> Attempt | None:
        """Take one queued job; None when it is not (or no longer) queued."""
        return await self._claim(queries.c.id == query_id, worker, lease_s)

    async def claim_waiting(self, *, older_than_s: float, worker: str, lease_s: float) -> Attempt | None:
        """Take the oldest job that has been queued for at least that long."""
        oldest = (
            select(queries.c.id)
            .where(_QUEUED, queries.c.queued_at <= self._database.now(-older_than_s))
            .order_by(queries.c.queued_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        return await self._claim(queries.c.id == oldest.scalar_subquery(), worker, lease_s)

    async def _claim(self, which: ColumnElement[bool], worker: str, lease_s: float) -> Attempt | None:
        now = self._database.now()
        claim = (
            update(queries)
            .where(which, _QUEUED)
            .values(
                state=QueryState.RUNNING.value,
                fence=queries.c.fence + 1,
                attempt=queries.c.attempt + 1,
                worker=worker,
                lease_expires_at=self._database.now(lease_s),
                started_at=func.coalesce(queries.c.started_at, now),
                result_bucket=self._database.today(),
            )
            .returning(queries)
        )
        async with self._database.statement() as connection:
            row = (await connection.execute(claim)).first()
        if row is None:
            return None
        return Attempt(job=_job(row), number=row.attempt, fence=row.fence, bucket=row.result_bucket)

    async def heartbeat(self, attempt: Attempt, *, lease_s: float) -> bool:
        """Extend the lease; False when the attempt is no longer ours."""
        change = self._mine(attempt).values(lease_expires_at=self._database.now(lease_s))
        async with self._database.statement() as connection:
            return (await connection.execute(change)).rowcount == 1

    async def finish(self, attempt: Attempt, outcome: Outcome | Failure) -> bool:
        """End the job in one transaction guarded by the fence; False when a later attempt owns it."""
        ending = _ending(outcome) | {
            "finished_at": self._database.now(),
            "expires_at": self._database.now(RESULT_LIFETIME_S),
            "worker": None,
            "lease_expires_at": None,
        }
        async with self._database.transaction() as connection:
            if (await connection.execute(self._mine(attempt).values(ending))).rowcount != 1:
                return False
            if isinstance(outcome, Outcome):
                await connection.execute(
                    insert_chunk(attempt, outcome.chunks - 1, outcome.last_chunk, outcome.last_chunk_rows)
                )
        return True

    async def hand_back(self, attempt: Attempt) -> bool:
        """Queue the job again for another worker, as this one is leaving."""
        change = self._mine(attempt).values(
            state=QueryState.QUEUED.value, queued_at=self._database.now(), worker=None, lease_expires_at=None
        )
        async with self._database.transaction() as connection:
            if (await connection.execute(change)).rowcount != 1:
                return False
            await connection.execute(self._ring_again([(attempt.job.id, attempt.job.correlation_id)]))
        return True

    async def expire(self, query_id: UUID, code: str, message: str) -> None:
        """Mark a succeeded job whose result is gone."""
        change = (
            update(queries)
            .where(queries.c.id == query_id, queries.c.state == QueryState.SUCCEEDED.value)
            .values(state=QueryState.EXPIRED.value, error_code=code, error_message=message)
        )
        async with self._database.statement() as connection:
            await connection.execute(change)

    async def reap(self, *, max_attempts: int) -> Sequence[UUID]:
        """Re-queue jobs whose lease ran out, fail those out of attempts; returns the ids that ended."""
        lost = (_RUNNING, queries.c.lease_expires_at < self._database.now())
        fail = (
            update(queries)
            .where(*lost, queries.c.attempt >= max_attempts)
            .values(
                state=QueryState.FAILED.value,
                error_code="worker_lost",
                error_message=f"The worker was lost {max_attempts} times while running it. Make it smaller.",
                finished_at=self._database.now(),
                lease_expires_at=None,
                worker=None,
            )
            .returning(queries.c.id)
        )
        requeue = (
            update(queries)
            .where(*lost)
            .values(
                state=QueryState.QUEUED.value,
                queued_at=self._database.now(),
                lease_expires_at=None,
                worker=None,
            )
            .returning(queries.c.id, queries.c.correlation_id)
        )
        async with self._database.transaction() as connection:
            ended: Sequence[UUID] = (await connection.execute(fail)).scalars().all()
            again = [(row.id, row.correlation_id) for row in await connection.execute(requeue)]
            if again:
                await connection.execute(self._ring_again(again))
        return ended

    def _mine(self, attempt: Attempt) -> Update:
        return update(queries).where(
            queries.c.id == attempt.job.id, queries.c.fence == attempt.fence, _RUNNING
        )

    def _insert(self, table: Any) -> Any:
        return (postgresql.insert if self._database.postgres else sqlite.insert)(table)

    def _ring_again(self, jobs: Sequence[tuple[UUID, str]]) -> Any:
        now = self._database.now()
        rows = [
            {"query_id": job, "correlation_id": correlation, "created_at": now} for job, correlation in jobs
        ]
        return self._insert(outbox).values(rows).on_conflict_do_nothing()


def _row(new: NewJob, now: ColumnElement[datetime]) -> dict[str, Any]:
    return {
        "id": new.id,
        "user_id": new.user_id,
        "datasource": new.datasource,
        "sql": new.sql,
        "row_limit": new.limits.rows,
        "byte_limit": new.limits.bytes,
        "timeout_s": new.limits.timeout_s,
        "policy_digest": new.policy_digest,
        "correlation_id": new.correlation_id,
        "state": QueryState.QUEUED.value,
        "fence": 0,
        "attempt": 0,
        "submitted_at": now,
        "queued_at": now,
    }


def _ending(outcome: Outcome | Failure) -> dict[str, Any]:
    if isinstance(outcome, Failure):
        return {
            "state": outcome.state.value,
            "error_code": outcome.code,
            "error_message": outcome.message,
        }
    return {
        "state": QueryState.SUCCEEDED.value,
        "row_count": outcome.rows,
        "byte_count": outcome.size,
        "chunk_count": outcome.chunks,
        "truncated": outcome.truncated,
    }


def _job(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        user_id=row.user_id,
        datasource=row.datasource,
        sql=row.sql,
        limits=QueryLimits(rows=row.row_limit, bytes=row.byte_limit, timeout_s=row.timeout_s),
        policy_digest=row.policy_digest,
        correlation_id=row.correlation_id,
        state=QueryState(row.state),
        fence=row.fence,
        attempt=row.attempt,
        submitted_at=row.submitted_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        expires_at=row.expires_at,
        row_count=row.row_count,
        chunk_count=row.chunk_count,
        result_bucket=row.result_bucket,
        truncated=row.truncated,
        error_code=row.error_code,
        error_message=row.error_message,
    )
