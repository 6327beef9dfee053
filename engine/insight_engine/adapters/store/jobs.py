"""The job table: every move of a query's state is one compare-and-set here, guarded by state or fence."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Executable, Row, Update, bindparam, func, select, update

from insight_engine.adapters.store.chunks import INSERT_CHUNK, chunk_row
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
        async with self._database.transaction() as connection:
            stored = (await connection.execute(self._insert_job(), _row(new))).first()
            if stored is None:
                stored = (await connection.execute(self._select(), {"job": new.id})).one()
            note = {"query_id": new.id, "correlation_id": new.correlation_id}
            await connection.execute(self._insert_note(), note)
        return _job(stored)

    def _insert_job(self) -> Executable:
        def build() -> Executable:
            now = self._database.now()
            row: Executable = (
                self._database.insert(queries)
                .values(submitted_at=now, queued_at=now)
                .on_conflict_do_nothing()
                .returning(queries)
            )
            return row

        return self._database.built("insert_job", build)

    def _insert_note(self) -> Executable:
        def build() -> Executable:
            note: Executable = (
                self._database.insert(outbox).values(created_at=self._database.now()).on_conflict_do_nothing()
            )
            return note

        return self._database.built("insert_note", build)

    def _select(self) -> Executable:
        return self._database.built("select", lambda: select(queries).where(queries.c.id == bindparam("job")))

    @retried
    async def get(self, query_id: UUID) -> Job | None:
        """Read one job."""
        async with self._database.statement() as connection:
            row = (await connection.execute(self._select(), {"job": query_id})).first()
        return None if row is None else _job(row)

    async def claim(self, query_id: UUID, *, worker: str, lease_s: float) -> Attempt | None:
        """Take one queued job; None when it is not (or no longer) queued."""
        claim = self._database.built(
            ("claim", lease_s), lambda: self._claim(queries.c.id == bindparam("job"), lease_s)
        )
        return await self._claimed(claim, {"job": query_id, "by": worker})

    async def claim_waiting(self, *, older_than_s: float, worker: str, lease_s: float) -> Attempt | None:
        """Take the oldest job that has been queued for at least that long."""

        def build() -> Update:
            oldest = (
                select(queries.c.id)
                .where(_QUEUED, queries.c.queued_at <= self._database.now(-older_than_s))
                .order_by(queries.c.queued_at)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            return self._claim(queries.c.id == oldest.scalar_subquery(), lease_s)

        return await self._claimed(
            self._database.built(("claim_waiting", older_than_s, lease_s), build), {"by": worker}
        )

    def _claim(self, which: ColumnElement[bool], lease_s: float) -> Update:
        return (
            update(queries)
            .where(which, _QUEUED)
            .values(
                state=QueryState.RUNNING.value,
                fence=queries.c.fence + 1,
                attempt=queries.c.attempt + 1,
                worker=bindparam("by"),
                lease_expires_at=self._database.now(lease_s),
                started_at=func.coalesce(queries.c.started_at, self._database.now()),
                result_bucket=self._database.today(),
            )
            .returning(queries)
        )

    async def _claimed(self, claim: Executable, values: dict[str, Any]) -> Attempt | None:
        async with self._database.statement() as connection:
            row = (await connection.execute(claim, values)).first()
        if row is None:
            return None
        return Attempt(job=_job(row), number=row.attempt, fence=row.fence, bucket=row.result_bucket)

    async def heartbeat(self, attempt: Attempt, *, lease_s: float) -> bool:
        """Extend the lease; False when the attempt is no longer ours."""
        change = self._database.built(
            ("heartbeat", lease_s), lambda: _mine().values(lease_expires_at=self._database.now(lease_s))
        )
        async with self._database.statement() as connection:
            return (await connection.execute(change, _of(attempt))).rowcount == 1

    async def finish(self, attempt: Attempt, outcome: Outcome | Failure) -> bool:
        """End the job in one transaction guarded by the fence; False when a later attempt owns it."""
        ending = _ending(outcome)
        change = self._database.built(("finish", tuple(ending)), lambda: self._finish(tuple(ending)))
        async with self._database.transaction() as connection:
            if (await connection.execute(change, {**_of(attempt), **ending})).rowcount != 1:
                return False
            if isinstance(outcome, Outcome):
                chunk = chunk_row(attempt, outcome.chunks - 1, outcome.last_chunk, outcome.last_chunk_rows)
                await connection.execute(INSERT_CHUNK, chunk)
        return True

    def _finish(self, columns: tuple[str, ...]) -> Update:
        return _mine().values(
            finished_at=self._database.now(),
            expires_at=self._database.now(RESULT_LIFETIME_S),
            worker=None,
            lease_expires_at=None,
            **{column: bindparam(column) for column in columns},
        )

    async def hand_back(self, attempt: Attempt) -> bool:
        """Queue the job again for another worker, as this one is leaving."""
        change = _mine().values(
            state=QueryState.QUEUED.value, queued_at=self._database.now(), worker=None, lease_expires_at=None
        )
        async with self._database.transaction() as connection:
            if (await connection.execute(change, _of(attempt))).rowcount != 1:
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

    def _ring_again(self, jobs: Sequence[tuple[UUID, str]]) -> Any:
        now = self._database.now()
        rows = [
            {"query_id": job, "correlation_id": correlation, "created_at": now} for job, correlation in jobs
        ]
        return self._database.insert(outbox).values(rows).on_conflict_do_nothing()


def _mine() -> Update:
    """A change of the job that only the attempt holding its fence can make; see `_of`."""
    return update(queries).where(
        queries.c.id == bindparam("job"), queries.c.fence == bindparam("held"), _RUNNING
    )


def _of(attempt: Attempt) -> dict[str, Any]:
    return {"job": attempt.job.id, "held": attempt.fence}


def _row(new: NewJob) -> dict[str, Any]:
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
