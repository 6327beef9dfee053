"""How a job ends: by its worker, by its user, or by its result's loss. Each end is one transaction."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Executable, Row, Update, bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from insight_engine.adapters.store.chunks import INSERT_CHUNK, chunk_row
from insight_engine.adapters.store.claims import CANCELLED
from insight_engine.adapters.store.database import retried
from insight_engine.adapters.store.job_rows import QUEUED, RUNNING, job_of, mine, of
from insight_engine.adapters.store.sharing import set_free, settle
from insight_engine.adapters.store.submissions import JobTable
from insight_engine.adapters.store.tables import queries, result_chunks
from insight_engine.domain.jobs import Attempt, Ended, Failure, Job, Outcome
from insight_engine.domain.query import QueryState


class Endings(JobTable):
    """Ends jobs."""

    @retried
    async def finish(self, attempt: Attempt, outcome: Outcome | Failure) -> Ended | None:
        """End the job and those that follow it; see `ports.Jobs`."""
        ending, chunk = _ending(attempt, outcome), _chunk(attempt, outcome)
        if self._database.postgres and await self._finish_alone(attempt, ending, chunk):
            return Ended()
        async with self._database.transaction() as connection:
            change = self._database.built(("finish", tuple(ending)), lambda: self._change(ending))
            done = change.returning(queries)
            row = (await connection.execute(done, {**of(attempt), **_given(ending)})).first()
            if row is None:
                return await self._ended_before(connection, attempt, ending["state"])
            if chunk is not None:
                await connection.execute(INSERT_CHUNK, chunk)
            if not row.followed:
                return Ended()
            if isinstance(outcome, Failure) and outcome.frees_followers:
                return Ended(heir=await set_free(connection, self._database, row.id))
            return Ended(await settle(connection, self._database, row))

    async def _finish_alone(
        self, attempt: Attempt, ending: Mapping[str, Any], chunk: Mapping[str, Any] | None
    ) -> bool:
        """End a job that nobody follows, and store its last chunk, in one statement; False if not so."""
        key = ("finish_alone", tuple(ending), chunk is None)
        statement = self._database.built(key, lambda: self._alone(ending, chunk))
        stored = {f"chunk_{name}": value for name, value in (chunk or {}).items()}
        given = {**of(attempt), **_given(ending), **stored}
        return await self._database.first(statement, given) is not None

    def _alone(self, ending: Mapping[str, Any], chunk: Mapping[str, Any] | None) -> Executable:
        change = self._change(ending).where(queries.c.followed.is_(False)).returning(queries.c.id)
        if chunk is None:
            return change
        done = change.cte("done")
        values = [bindparam(f"chunk_{name}", type_=result_chunks.c[name].type) for name in chunk]
        stored = insert(result_chunks).from_select(list(chunk), select(*values).select_from(done))
        return select(done.c.id).add_cte(stored.cte("stored"))

    def _change(self, ending: Mapping[str, Any]) -> Update:
        values: dict[str, Any] = {name: bindparam(f"set_{name}") for name in ending}
        asked = queries.c.cancel_requested_at
        if "error_code" in ending:
            values["cancel_ms"] = self._database.ms_since(asked)
        else:
            values["expires_at"] = self._database.now(self._result_ttl_s)
        return mine().values(finished_at=self._database.now(), worker=None, lease_expires_at=None, **values)

    async def _ended_before(self, connection: AsyncConnection, attempt: Attempt, state: str) -> Ended | None:
        """Whether it was this attempt that ended it so: every other end has another fence."""
        own = select(queries.c.id).where(
            queries.c.id == attempt.job.id, queries.c.fence == attempt.fence, queries.c.state == state
        )
        return Ended() if await connection.scalar(own) is not None else None

    @retried
    async def cancel(self, query_id: UUID) -> tuple[Job, Ended] | None:
        """Cancel a queued job at once; ask for the end of a running one; see `ports.Jobs`."""
        now = self._database.now()
        this = queries.c.id == query_id
        waiting = (
            update(queries)
            .where(this, QUEUED)
            .values(**CANCELLED, cancel_requested_at=now, finished_at=now, cancel_ms=0)
            .returning(queries)
        )
        running = (
            update(queries)
            .where(this, RUNNING, queries.c.cancel_requested_at.is_(None))
            .values(cancel_requested_at=now)
            .returning(queries)
        )
        async with self._database.transaction() as connection:
            for change in (waiting, running):
                row = (await connection.execute(change)).first()
                if row is not None:
                    return job_of(row), await self._left(connection, row)
            found = (await connection.execute(select(queries).where(this))).first()
        return None if found is None else (job_of(found), Ended())

    async def _left(self, connection: AsyncConnection, row: Row[Any]) -> Ended:
        """Its followers go on without it."""
        if not row.followed:
            return Ended()
        heir = await set_free(connection, self._database, row.id)
        await connection.execute(update(queries).where(queries.c.id == row.id).values(followed=False))
        return Ended(heir=heir)

    @retried
    async def expire(self, query_id: UUID, code: str, message: str) -> None:
        """Mark a succeeded job whose result is gone, and the one it shared it from: nobody else shall."""
        origin = select(queries.c.result_id).where(queries.c.id == query_id).scalar_subquery()
        change = (
            update(queries)
            .where(
                (queries.c.id == query_id) | (queries.c.id == origin),
                queries.c.state == QueryState.SUCCEEDED.value,
            )
            .values(state=QueryState.EXPIRED.value, error_code=code, error_message=message)
        )
        async with self._database.statement() as connection:
            await connection.execute(change)


def _ending(attempt: Attempt, outcome: Outcome | Failure) -> dict[str, Any]:
    timings = {
        "database_ms": outcome.timings.database_ms,
        "first_batch_ms": outcome.timings.first_batch_ms,
    }
    if isinstance(outcome, Failure):
        return {
            "state": outcome.state.value,
            "error_code": outcome.code,
            "error_message": outcome.message,
            **timings,
        }
    return {
        "state": QueryState.SUCCEEDED.value,
        "row_count": outcome.rows,
        "byte_count": outcome.size,
        "chunk_count": outcome.chunks,
        "truncated": outcome.truncated,
        "result_id": attempt.job.id,
        "result_attempt": attempt.number,
        "result_store": outcome.store,
        **timings,
    }


def _given(ending: Mapping[str, Any]) -> dict[str, Any]:
    return {f"set_{name}": value for name, value in ending.items()}


def _chunk(attempt: Attempt, outcome: Outcome | Failure) -> dict[str, Any] | None:
    """The row of the last chunk, where the result store is this one."""
    if isinstance(outcome, Failure) or outcome.last_chunk is None:
        return None
    return chunk_row(attempt, outcome.chunks - 1, outcome.last_chunk, outcome.last_chunk_rows)
