"""Taking in a query, waiting for it, and reading its result. The API's side of a query's life."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from insight_engine.domain.errors import Forbidden, Gone, NotFound, NotReady, TooLarge
from insight_engine.domain.ids import uuid7
from insight_engine.domain.jobs import Job, NewJob
from insight_engine.domain.query import QueryLimits, QueryState
from insight_engine.domain.sources import DataSource, Grants, Role
from insight_engine.domain.users import User
from insight_engine.ports import Chunks, Doorbell, Jobs, Outbox, SourceCatalog, Wakeup, Wakeups
from insight_engine.services.results import Page, Position, read_page
from insight_engine.sqlguard import prepare
from insight_engine.telemetry import get_logger

MAX_SQL_BYTES: Final = 64 * 1024
FIRST_POLL_S: Final = 0.25
LAST_POLL_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Submission:
    """What a caller asks for.

    Attributes:
        wait_s: seconds the caller is ready to wait for the end.
    """

    datasource: str
    sql: str
    limits: QueryLimits
    wait_s: float
    correlation_id: str


class QueryService:
    """Submits queries and reads what became of them."""

    def __init__(
        self,
        jobs: Jobs,
        outbox: Outbox,
        chunks: Chunks,
        catalog: SourceCatalog,
        doorbell: Doorbell,
        wakeups: Wakeups,
    ) -> None:
        self._jobs, self._outbox, self._chunks = jobs, outbox, chunks
        self._catalog, self._doorbell, self._wakeups = catalog, doorbell, wakeups
        self._rung: list[UUID] = []
        self._ringing: set[asyncio.Task[None]] = set()

    def sources(self, user: User) -> list[DataSource]:
        """The sources this user may query, by name."""
        return sorted(
            (source for source in self._catalog.all().values() if user.may_query(source)),
            key=lambda s: s.name,
        )

    async def submit(self, user: User, asked: Submission) -> Job:
        """Judge, accept and wait for a query; the job as it stands after at most `wait_s`.

        Raises:
            Forbidden: the user may not write SQL, or not for that source.
            NotFound: no such source for this user.
            TooLarge: the statement is too long.
            Rejected: the SQL guard refuses it.
            Unavailable: the database could not take it: it was not accepted.
        """
        source = self._source_for(user, asked)
        prepared = prepare(asked.sql, source=source, grants=grants(source), limits=asked.limits)
        new = NewJob(
            id=uuid7(),
            user_id=user.id,
            datasource=source.name,
            sql=asked.sql,
            limits=asked.limits,
            policy_digest=prepared.policy_digest,
            correlation_id=asked.correlation_id,
        )
        async with self._wakeups.expect(new.id) as wakeup:
            job = await self._jobs.submit(new)
            get_logger("queries").info("Accepted a query", query_id=str(job.id), datasource=source.name)
            self._ring(job)
            return await self._wait(job, wakeup, asked.wait_s)

    def _source_for(self, user: User, asked: Submission) -> DataSource:
        if not user.is_at_least(Role.ANALYST):
            raise Forbidden("role_too_low", "Writing SQL needs the role analyst or admin.")
        if len(asked.sql.encode(errors="surrogatepass")) > MAX_SQL_BYTES:
            raise TooLarge("sql_too_long", f"sql is longer than {MAX_SQL_BYTES // 1024} KiB: shorten it.")
        source = self._catalog.all().get(asked.datasource)
        if source is None or not user.may_query(source):
            raise NotFound(
                "unknown_datasource",
                "There is no such data source for you: GET /api/v1/datasources lists yours.",
            )
        return source

    def _ring(self, job: Job) -> None:
        # Not awaited: the job is safe in the outbox, and a slow broker must not slow the answer.
        task = asyncio.get_running_loop().create_task(self._ring_once(job))
        self._ringing.add(task)
        task.add_done_callback(self._ringing.discard)

    async def _ring_once(self, job: Job) -> None:
        if await self._doorbell.ring(job.id, job.correlation_id):
            self._rung.append(job.id)

    async def forget_rung(self) -> None:
        """Clear the outbox of what was rung; called now and then, as losing it only rings twice."""
        if rung := self._rung:
            self._rung = []
            await self._outbox.clear(rung)

    async def _wait(self, job: Job, wakeup: Wakeup, wait_s: float) -> Job:
        deadline = time.monotonic() + wait_s
        pause = FIRST_POLL_S
        while not job.state.is_final and (left := deadline - time.monotonic()) > 0:
            await wakeup.wait(min(left, pause))
            pause = min(pause * 1.5, LAST_POLL_S)
            job = await self._jobs.get(job.id) or job
        return job

    async def get(self, user: User, query_id: UUID) -> Job:
        """A job of this user, or of anybody for an admin.

        Raises:
            NotFound: there is none that is this user's to see.
        """
        job = await self._jobs.get(query_id)
        if job is None or (job.user_id != user.id and not user.is_at_least(Role.ADMIN)):
            raise NotFound("unknown_query", "There is no such query of yours.")
        return job

    async def page(self, user: User, query_id: UUID, cursor: str | None, limit: int) -> tuple[Job, Page]:
        """Some rows of the result of a succeeded query of this user.

        Raises:
            NotFound: it is not this user's query.
            NotReady: it has not succeeded.
            Gone: the result expired or was lost.
        """
        job = await self._jobs.get(query_id)
        if job is None or job.user_id != user.id:
            raise NotFound("unknown_query", "There is no such query of yours.")
        _require_result(job)
        start = Position.decode(cursor) if cursor else Position()
        try:
            return job, await read_page(self._chunks, job, start, limit)
        except Gone as gone:
            await self._jobs.expire(job.id, gone.code, gone.message)
            raise


def grants(source: DataSource) -> Grants:
    """What a user who may query a source may read of it."""
    return Grants(schemas=frozenset(source.schemas))


def _require_result(job: Job) -> None:
    if job.state is QueryState.EXPIRED or (
        job.state is QueryState.SUCCEEDED
        and job.expires_at is not None
        and job.expires_at < datetime.now(UTC)
    ):
        raise Gone("result_expired", "The result is no longer kept. Submit the query again.")
    if not job.state.is_final:
        raise NotReady("not_finished", f"The query is {job.state.value}: ask again when it has succeeded.")
    if job.state is not QueryState.SUCCEEDED:
        raise NotReady("no_result", f"The query ended as {job.state.value} and has no result.")
