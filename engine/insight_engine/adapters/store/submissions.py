"""Taking a query in: once per id and per idempotency key, and at most one of a fingerprint in flight.

Unique indexes decide, so that any number of API processes may race. The usual case, a query like no other, is
one statement; only when that meets a conflict is the reason looked for.
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Executable, Row, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from insight_engine.adapters.store.database import Database, retried
from insight_engine.adapters.store.job_rows import job_of, row_of
from insight_engine.adapters.store.sharing import mark_followed, shared_values
from insight_engine.adapters.store.tables import outbox, queries
from insight_engine.domain.errors import Unavailable
from insight_engine.domain.jobs import RESULT_LIFETIME_S, NewJob, Submitted
from insight_engine.domain.query import QueryState

TRIES: Final = 5
"""Rounds of looking for what was in the way; each finds something, or that it went away meanwhile."""


class JobTable:
    """What every part of the job table's code has."""

    def __init__(self, database: Database, *, result_ttl_s: float = RESULT_LIFETIME_S) -> None:
        self._database = database
        self._result_ttl_s = result_ttl_s


class Submissions(JobTable):
    """Takes queries in."""

    @retried
    async def submit(self, new: NewJob) -> Submitted:
        """Take a query in; see `ports.Jobs`. Called again after a lost answer it changes nothing."""
        if not new.max_age_s and (row := await self._insert_alone(new)) is not None:
            return Submitted(job_of(row))
        for _ in range(TRIES):
            async with self._database.transaction() as connection:
                found = await self._known(connection, new)
                if found is None:
                    found = await self._take_in(connection, new)
            if found is not None:
                return Submitted(job_of(found), replayed=found.id != new.id)
        raise Unavailable("try_again", "Too many equal queries came at once. Try again.")

    async def _insert_alone(self, new: NewJob) -> Row[Any] | None:
        """Row and outbox entry in one statement, where the database can; None when something conflicts."""
        if self._database.postgres:
            statement = self._database.built("insert_alone", lambda: self._both(new))
            found: Row[Any] | None = await self._database.first(statement, _given(new))
            return found
        async with self._database.transaction() as connection:
            return await self._insert(connection, new)

    def _both(self, new: NewJob) -> Executable:
        job = self._row(new).returning(queries).cte("job")
        note = (
            self._database.insert(outbox)
            .from_select(
                ["query_id", "correlation_id", "created_at"],
                select(job.c.id, job.c.correlation_id, job.c.queued_at),
            )
            .cte("note")
        )
        return select(job).add_cte(note)

    def _row(self, new: NewJob) -> Any:
        now = self._database.now()
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in row_of(new)}
        return (
            self._database.insert(queries)
            .values(submitted_at=now, queued_at=now, **values)
            .on_conflict_do_nothing()
        )

    async def _known(self, connection: AsyncConnection, new: NewJob) -> Row[Any] | None:
        """The row that this request has made already."""
        same = queries.c.id == new.id
        if new.idempotency_key is not None:
            same |= (queries.c.user_id == new.user_id) & (queries.c.idempotency_key == new.idempotency_key)
        return (await connection.execute(select(queries).where(same))).first()

    async def _take_in(self, connection: AsyncConnection, new: NewJob) -> Row[Any] | None:
        """As ended, as a follower, or for itself; None when somebody else was quicker meanwhile."""
        if new.fingerprint is not None:
            if new.max_age_s and (result := await self._fresh_result(connection, new)) is not None:
                return await self._insert_ended(connection, new, result)
            leader = await mark_followed(connection, queries.c.fingerprint == new.fingerprint)
            if leader is not None:
                return await self._insert_with(connection, new, leader_id=leader)
        return await self._insert(connection, new)

    async def _fresh_result(self, connection: AsyncConnection, new: NewJob) -> Row[Any] | None:
        newest = (
            select(queries)
            .where(
                queries.c.fingerprint == new.fingerprint,
                queries.c.state == QueryState.SUCCEEDED.value,
                queries.c.finished_at >= self._database.now(-new.max_age_s),
                queries.c.expires_at > self._database.now(),
                queries.c.cached.is_(False),
            )
            .order_by(queries.c.finished_at.desc())
            .limit(1)
        )
        return (await connection.execute(newest)).first()

    async def _insert_ended(
        self, connection: AsyncConnection, new: NewJob, result: Row[Any]
    ) -> Row[Any] | None:
        now = self._database.now()
        own: dict[str, Any] = {"started_at": now, "finished_at": now, "cached": True, "queue_ms": 0}
        none = {"database_ms": None, "first_batch_ms": None}  # no source was asked
        return await self._insert_with(connection, new, **{**shared_values(result), **own, **none})

    async def _insert_with(self, connection: AsyncConnection, new: NewJob, **values: Any) -> Row[Any] | None:
        now: Any = self._database.now()
        row = {**row_of(new), "submitted_at": now, "queued_at": now, **values}
        insert = self._database.insert(queries).values(row).on_conflict_do_nothing().returning(queries)
        return (await connection.execute(insert)).first()

    async def _insert(self, connection: AsyncConnection, new: NewJob) -> Row[Any] | None:
        insert = self._database.built("insert", lambda: self._row(new).returning(queries))
        row = (await connection.execute(insert, _given(new))).first()
        if row is not None:
            note = self._database.insert(outbox).on_conflict_do_nothing()
            await connection.execute(note, _note(row.id, row.correlation_id, row.queued_at))
        return row


def _given(new: NewJob) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in row_of(new).items()}


def _note(query_id: UUID, correlation_id: str, created_at: datetime) -> dict[str, Any]:
    return {"query_id": query_id, "correlation_id": correlation_id, "created_at": created_at}
