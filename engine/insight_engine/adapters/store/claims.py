"""Who works on a job: claiming it, keeping it, giving it back, losing it. Guarded by state or fence."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Executable, Row, Update, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from insight_engine.adapters.store.job_rows import QUEUED, RUNNING, job_of, mine, of
from insight_engine.adapters.store.sharing import set_free, settle
from insight_engine.adapters.store.submissions import JobTable
from insight_engine.adapters.store.tables import outbox, queries
from insight_engine.domain.jobs import Attempt, Hold
from insight_engine.domain.query import QueryState

_FREE: Final[dict[str, Any]] = {
    "state": QueryState.QUEUED.value,
    "worker": None,
    "lease_expires_at": None,
}
CANCELLED: Final[dict[str, Any]] = {
    "state": QueryState.CANCELLED.value,
    "error_code": "cancelled",
    "error_message": "The query was cancelled.",
}


class Claims(JobTable):
    """Moves jobs between waiting and being worked on."""

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
                .where(
                    QUEUED,
                    queries.c.leader_id.is_(None),
                    queries.c.queued_at <= self._database.now(-older_than_s),
                )
                .order_by(queries.c.queued_at)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            return self._claim(queries.c.id == oldest.scalar_subquery(), lease_s)

        return await self._claimed(
            self._database.built(("claim_waiting", older_than_s, lease_s), build), {"by": worker}
        )

    def _claim(self, which: ColumnElement[bool], lease_s: float) -> Update:
        waited = self._database.ms_since(queries.c.submitted_at)
        return (
            update(queries)
            .where(which, QUEUED, queries.c.leader_id.is_(None))
            .values(
                state=QueryState.RUNNING.value,
                fence=queries.c.fence + 1,
                attempt=queries.c.attempt + 1,
                worker=bindparam("by"),
                lease_expires_at=self._database.now(lease_s),
                started_at=func.coalesce(queries.c.started_at, self._database.now()),
                queue_ms=func.coalesce(queries.c.queue_ms, waited),
                result_bucket=self._database.today(),
                progress_rows=None,
                progress_bytes=None,
            )
            .returning(queries)
        )

    async def _claimed(self, claim: Executable, values: dict[str, Any]) -> Attempt | None:
        row = await self._database.first(claim, values)
        if row is None:
            return None
        return Attempt(job=job_of(row), number=row.attempt, fence=row.fence, bucket=row.result_bucket)

    async def heartbeat(self, attempt: Attempt, *, lease_s: float, rows: int, size: int) -> Hold:
        """Extend the lease and note the progress; see `ports.Jobs`."""

        def build() -> Executable:
            return (
                mine()
                .values(
                    lease_expires_at=self._database.now(lease_s),
                    progress_rows=bindparam("rows_so_far"),
                    progress_bytes=bindparam("bytes_so_far"),
                )
                .returning(queries.c.cancel_requested_at)
            )

        progress = {"rows_so_far": rows, "bytes_so_far": size}
        change = self._database.built(("heartbeat", lease_s), build)
        found = await self._database.first(change, {**of(attempt), **progress})
        if found is None:
            return Hold.LOST
        return Hold.HELD if found.cancel_requested_at is None else Hold.CANCEL

    async def hand_back(self, attempt: Attempt) -> bool:
        """Queue the job again for another worker; False when it is to be cancelled, or is not ours."""
        change = mine().where(queries.c.cancel_requested_at.is_(None))
        change = change.values(**_FREE, queued_at=self._database.now())
        async with self._database.transaction() as connection:
            if (await connection.execute(change, of(attempt))).rowcount != 1:
                return False
            await connection.execute(self._ring_again([(attempt.job.id, attempt.job.correlation_id)]))
        return True

    async def reap(self, *, max_losses: int, limit: int) -> Sequence[UUID]:
        """Re-queue jobs whose lease ran out, end those lost too often or to be cancelled; the ended ids."""
        now = self._database.now()
        lost = (
            select(queries.c.id)
            .where(RUNNING, queries.c.lease_expires_at < now)
            .order_by(queries.c.lease_expires_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        async with self._database.transaction() as connection:
            ids = (await connection.execute(lost)).scalars().all()
            if not ids:
                return await self._free_orphans(connection, limit)
            these = (queries.c.id.in_(ids), RUNNING)
            # A new fence: whoever still works on it must not take the end for its own.
            gone = {"worker": None, "lease_expires_at": None, "fence": queries.c.fence + 1}
            ended = await self._end_cancelled(connection, these, gone)
            ended += await self._fail_lost(connection, these, gone, max_losses)
            again = await connection.execute(
                update(queries)
                .where(*these)
                .values(**_FREE, queued_at=now, losses=queries.c.losses + 1)
                .returning(queries.c.id, queries.c.correlation_id)
            )
            if waiting := [(row.id, row.correlation_id) for row in again]:
                await connection.execute(self._ring_again(waiting))
        return ended

    async def _end_cancelled(
        self, connection: AsyncConnection, these: tuple[ColumnElement[bool], ...], gone: dict[str, Any]
    ) -> list[UUID]:
        asked = queries.c.cancel_requested_at
        change = (
            update(queries)
            .where(*these, asked.is_not(None))
            .values(
                **gone,
                **CANCELLED,
                finished_at=self._database.now(),
                cancel_ms=self._database.ms_since(asked),
            )
            .returning(queries.c.id)
        )
        return list((await connection.execute(change)).scalars().all())

    async def _fail_lost(
        self,
        connection: AsyncConnection,
        these: tuple[ColumnElement[bool], ...],
        gone: dict[str, Any],
        max_losses: int,
    ) -> list[UUID]:
        change = (
            update(queries)
            .where(*these, queries.c.losses + 1 >= max_losses)
            .values(
                **gone,
                losses=queries.c.losses + 1,
                state=QueryState.FAILED.value,
                error_code="worker_lost",
                error_message=f"The worker was lost {max_losses} times while running it. Make it smaller.",
                finished_at=self._database.now(),
            )
            .returning(queries)
        )
        rows: Sequence[Row[Any]] = (await connection.execute(change)).all()
        ended = [row.id for row in rows]
        for row in rows:
            if row.followed:
                ended += await settle(connection, self._database, row)
        return ended

    async def _free_orphans(self, connection: AsyncConnection, limit: int) -> list[UUID]:
        """Followers of what has ended: a release that knew no followers ended it."""
        leaders = queries.alias("leaders")
        alive = select(leaders.c.id).where(
            leaders.c.id == queries.c.leader_id,
            leaders.c.state.in_((QueryState.QUEUED.value, QueryState.RUNNING.value)),
        )
        orphans = (
            select(queries.c.leader_id)
            .where(queries.c.leader_id.is_not(None), QUEUED, ~alive.exists())
            .distinct()
            .limit(limit)
        )
        for leader_id in (await connection.execute(orphans)).scalars().all():
            await set_free(connection, self._database, leader_id)
        return []

    def _ring_again(self, jobs: Sequence[tuple[UUID, str]]) -> Any:
        now = self._database.now()
        rows = [
            {"query_id": job, "correlation_id": correlation, "created_at": now} for job, correlation in jobs
        ]
        return self._database.insert(outbox).values(rows).on_conflict_do_nothing()
