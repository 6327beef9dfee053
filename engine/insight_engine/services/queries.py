"""Taking in a query, following it and ending it. The API's side of a query's life."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Literal
from uuid import UUID

from insight_engine.domain.errors import Conflict, Forbidden, Gone
from insight_engine.domain.ids import uuid7
from insight_engine.domain.jobs import Job, NewJob, Parameters, Submitted
from insight_engine.domain.query import QueryLimits, QueryState
from insight_engine.domain.sources import DataSource, Role
from insight_engine.domain.users import User
from insight_engine.metrics import QUERIES_SHARED
from insight_engine.ports import Doorbell, Jobs, Outbox, SourceCatalog, Wakeup, Wakeups
from insight_engine.services.cancelling import Canceller
from insight_engine.services.catalogs import CatalogService
from insight_engine.services.control import ControlService
from insight_engine.services.judging import Judge, canonical, fingerprint
from insight_engine.services.readable import require_result, unknown_query
from insight_engine.services.ringing import Background, Ringer
from insight_engine.services.waiting import FIRST_POLL_S, LAST_POLL_S, Waiting
from insight_engine.sqlguard import PreparedQuery
from insight_engine.telemetry import get_logger


@dataclass(frozen=True, slots=True)
class Submission:
    """What a caller asks for.

    Attributes:
        wait_s: seconds the caller is ready to wait for the end.
        on_wait_timeout: what becomes of the query when the caller has waited that long, or is gone.
        max_age_s: seconds that an existing result may be old to be taken; 0 for a new one.
        idempotency_key: the caller's name for this request; repeating it makes no second query.
    """

    datasource: str
    sql: str
    limits: QueryLimits
    wait_s: float
    correlation_id: str
    parameters: Parameters = None
    on_wait_timeout: Literal["continue", "cancel"] = "continue"
    max_age_s: float = 0.0
    idempotency_key: str | None = None


class QueryService:
    """Submits queries and reads what became of them."""

    def __init__(
        self,
        jobs: Jobs,
        outbox: Outbox,
        catalog: SourceCatalog,
        doorbell: Doorbell,
        wakeups: Wakeups,
        catalogs: CatalogService | None = None,
        control: ControlService | None = None,
    ) -> None:
        self._jobs, self._catalog, self._wakeups = jobs, catalog, wakeups
        self._background = Background()
        self._ringer = Ringer(doorbell, outbox, self._background)
        self._canceller = Canceller(jobs, wakeups, self._ringer.ring, control)
        self._judge = Judge(catalog, catalogs, control)
        self.waiting = Waiting(wakeups)
        self.leaving = self.waiting.leaving

    def sources(self, user: User) -> list[DataSource]:
        """The sources this user may query, by name."""
        return sorted(
            (source for source in self._catalog.all().values() if user.may_query(source)),
            key=lambda s: s.name,
        )

    async def judge(
        self, user: User, datasource: str, sql: str, parameters: Parameters, limits: QueryLimits
    ) -> PreparedQuery:
        """Judge a statement as `submit` does; see `Judge.judge` for what it raises."""
        return await self._judge.judge(user, datasource, sql, parameters, limits)

    async def submit(self, user: User, asked: Submission) -> Submitted:
        """Judge, accept and wait for a query; the job as it stands after at most `wait_s`.

        Raises:
            Forbidden: the user may not write SQL.
            NotFound: no such source for this user.
            TooLarge: the statement or its parameters are too long.
            Rejected: the SQL guard refuses it.
            Conflict: the idempotency key was used for another request.
            Unavailable: the database could not take it: it was not accepted.
        """
        prepared = await self.judge(user, asked.datasource, asked.sql, asked.parameters, asked.limits)
        new = _new_job(user, asked, prepared)
        async with self._wakeups.expect(new.id) as wakeup:
            submitted = await self._accepted(new)
            if not submitted.replayed:
                return replace(submitted, job=await self._waited(submitted.job, wakeup, asked))
        async with self._wakeups.expect(submitted.job.id) as wakeup:
            return replace(submitted, job=await self._waited(submitted.job, wakeup, asked))

    async def _accepted(self, new: NewJob) -> Submitted:
        submitted = await self._jobs.submit(new)
        job = submitted.job
        log = get_logger("queries").bind(query_id=str(job.id), datasource=job.datasource)
        if submitted.replayed:
            if job.request_digest != new.request_digest:
                raise Conflict(
                    "idempotency_key_reused",
                    "The Idempotency-Key was used for another request: use a new one for each request.",
                )
            log.info("Recognised a repeated request")
            QUERIES_SHARED.labels("request").inc()
        elif job.cached:
            log.info("Answered a query from an earlier result", result_id=str(job.result_id))
            QUERIES_SHARED.labels("result").inc()
        elif job.leader_id is not None:
            log.info("Joined a query to an equal one in flight", leader_id=str(job.leader_id))
            QUERIES_SHARED.labels("in_flight").inc()
        else:
            log.info("Accepted a query")
            self._ringer.ring(job.id, job.correlation_id)
        return submitted

    async def _waited(self, job: Job, wakeup: Wakeup, asked: Submission) -> Job:
        try:
            job = await self._wait(job, wakeup, asked.wait_s)
        except asyncio.CancelledError:
            if asked.on_wait_timeout == "cancel":  # the client is gone
                self._background.start(self._canceller.cancel(job))
            raise
        if job.state.is_final or asked.on_wait_timeout != "cancel" or self.leaving.is_set():
            return job
        return await self._canceller.cancel(job)

    async def forget_rung(self) -> None:
        """Clear the outbox of what was rung; called now and then, as losing it only rings twice."""
        await self._ringer.forget_rung()

    async def _wait(self, job: Job, wakeup: Wakeup, wait_s: float) -> Job:
        deadline = time.monotonic() + wait_s
        pause = FIRST_POLL_S
        while not job.state.is_final and (left := deadline - time.monotonic()) > 0:
            await self.waiting.changed(wakeup, min(left, pause))
            if self.leaving.is_set():
                return job
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
            raise unknown_query()
        return job

    async def list(
        self,
        user: User,
        *,
        state: QueryState | None,
        datasource: str | None,
        everyone: bool,
        before: UUID | None,
        limit: int,
    ) -> Sequence[Job]:
        """The user's queries, newest first, or everyone's for an admin; `before` is the last id of a page.

        Raises:
            Forbidden: everyone's are asked for by somebody who is no admin.
        """
        if everyone and not user.is_at_least(Role.ADMIN):
            raise Forbidden("role_too_low", "Seeing everyone's queries needs the role admin.")
        return await self._jobs.find(
            user_id=None if everyone else user.id,
            state=state,
            datasource=datasource,
            before=before,
            limit=limit,
        )

    async def cancel(self, user: User, query_id: UUID) -> Job:
        """End a query of this user, or of anybody for an admin; returns once its database has let go.

        That is waited for 10 s; a query that has ended stays as it is.

        Raises:
            NotFound: there is none that is this user's to end.
        """
        return await self._canceller.cancel(await self.get(user, query_id))

    async def changes(self, user: User, query_id: UUID) -> AsyncIterator[Job]:
        """The job as it is, and again whenever it changed, until it has ended or this process stops.

        Raises:
            NotFound: there is none that is this user's to see.
        """
        seen: Job | None = None
        async with self._wakeups.expect(query_id) as wakeup:
            while True:
                job = await self.get(user, query_id)
                if job != seen:
                    seen = job
                    yield job
                if job.state.is_final or self.leaving.is_set():
                    return
                await self.waiting.changed(wakeup, LAST_POLL_S)

    async def result_of(self, user: User, query_id: UUID) -> Job:
        """A job of this user whose result can be read.

        Raises:
            NotFound: it is not this user's query.
            NotReady: it has not succeeded.
            Gone: the result expired or was lost.
        """
        job = await self._own(user, query_id)
        require_result(job)
        return job

    async def working(self, user: User, query_id: UUID) -> Job:
        """A job of this user; while it waits for an equal one in flight, that one.

        Raises:
            NotFound: it is not this user's query.
        """
        job = await self._own(user, query_id)
        if job.leader_id is None or job.state.is_final:
            return job
        leader = await self._jobs.get(job.leader_id)
        if leader is None or leader.state.is_final:  # it ended in between, and this one with it
            return await self._own(user, query_id)
        return leader

    async def _own(self, user: User, query_id: UUID) -> Job:
        job = await self._jobs.get(query_id)
        if job is None or job.user_id != user.id:
            raise unknown_query()
        return job

    async def lost(self, job: Job, gone: Gone) -> None:
        """Note that a result proved lost: nobody shall be given it any more."""
        await self._jobs.expire(job.id, gone.code, gone.message)


def _new_job(user: User, asked: Submission, prepared: PreparedQuery) -> NewJob:
    facts = (asked.datasource, asked.sql, canonical(asked.parameters), asked.limits, asked.max_age_s)
    return NewJob(
        id=uuid7(),
        user_id=user.id,
        datasource=asked.datasource,
        sql=asked.sql,
        limits=asked.limits,
        policy_digest=prepared.policy_digest,
        correlation_id=asked.correlation_id,
        parameters=asked.parameters,
        idempotency_key=asked.idempotency_key,
        request_digest=sha256(repr(facts).encode(errors="surrogatepass")).hexdigest(),
        fingerprint=fingerprint(user, prepared, asked.parameters),
        max_age_s=asked.max_age_s,
    )
