"""Running one claimed query: judge, stream, finish. The worker's side of a query's life.

Whatever happens here the job row decides: every write that matters is guarded by the attempt's fence.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import UUID

from insight_engine.domain.errors import EngineError, Unavailable
from insight_engine.domain.jobs import Attempt, Ended, Failure, Hold, Job, Outcome
from insight_engine.domain.plans import Plan
from insight_engine.domain.query import QueryState
from insight_engine.domain.source_errors import QueryTimedOut, SourceError
from insight_engine.domain.sources import Caller, DataSource
from insight_engine.domain.users import User
from insight_engine.metrics import QUERIES_ACTIVE, QUEUE_SECONDS
from insight_engine.ports import Chunks, Doorbell, Jobs, Source, SourceCatalog, Wakeups
from insight_engine.services.catalogs import CatalogService
from insight_engine.services.directory import UserDirectory
from insight_engine.services.judging import judged
from insight_engine.services.open_sources import OpenSources
from insight_engine.services.outcomes import CANCELLED, count, source_failure, too_costly
from insight_engine.services.own_queries import Own, OwnQueries
from insight_engine.services.permitted import NotKnownHereError, permitted
from insight_engine.services.streaming import Stopwatch, Stream
from insight_engine.sqlguard import PreparedQuery, Rejected
from insight_engine.telemetry import get_logger

LEASE_S: Final = 12.0
HEARTBEAT_S: Final = 3.0
SHOW_AFTER_S: Final = 0.25
"""A query that runs this long is announced as running; a quicker one ends before anybody could look."""
RETRY_S: Final = 0.5
LOOK_AGAIN_S: Final = 2.0
"""Seconds that a query whose source is not known here is kept before it is handed back."""
DEADLINE_SLACK_S: Final = 2.0
"""Seconds after its own time limit that a source may take before it is stopped from outside."""
EXPLAIN_S: Final = 10.0
MAX_THREADS: Final = 32


class Progress:
    """How much of a result is stored.

    Attributes:
        begun: set when its first rows can be read while more are to come.
    """

    def __init__(self) -> None:
        self.rows, self.size = 0, 0
        self.begun = asyncio.Event()

    def add(self, rows: int, size: int) -> None:
        """Count a chunk."""
        self.rows += rows
        self.size += size


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt while it runs here."""

    attempt: Attempt
    own: Own
    progress: Progress = field(default_factory=Progress)
    watch: Stopwatch = field(default_factory=Stopwatch)


def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="source")


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs claimed queries, one call each."""

    worker: str
    jobs: Jobs
    chunks: Chunks
    catalog: SourceCatalog
    directory: UserDirectory
    sources: OpenSources
    wakeups: Wakeups
    doorbell: Doorbell
    own: OwnQueries = field(default_factory=OwnQueries)
    catalogs: CatalogService | None = None
    threads: ThreadPoolExecutor = field(default_factory=_threads)

    async def claim(self, query_id: UUID) -> Attempt | None:
        """Take that job, if it still waits."""
        return await self.jobs.claim(query_id, worker=self.worker, lease_s=LEASE_S)

    async def claim_waiting(self, older_than_s: float) -> Attempt | None:
        """Take the oldest job that has waited that long, if any."""
        return await self.jobs.claim_waiting(older_than_s=older_than_s, worker=self.worker, lease_s=LEASE_S)

    async def run(self, attempt: Attempt, leaving: asyncio.Event) -> None:
        """Run to the end, or hand the job back when `leaving` is set first."""
        job = attempt.job
        _log(attempt).info("Claimed a query", datasource=job.datasource)
        if attempt.number == 1 and job.queue_ms is not None:
            QUEUE_SECONDS.observe(job.queue_ms / 1000)
        with self.own.running(job.id) as own, QUERIES_ACTIVE.track_inprogress():
            run = Run(attempt, own)
            work = asyncio.create_task(self._outcome(run))
            lease = asyncio.create_task(self._keep_lease(run))
            asked = asyncio.create_task(own.cancelled.wait())
            left = asyncio.create_task(leaving.wait())
            try:
                await asyncio.wait((work, lease, asked, left), return_when=asyncio.FIRST_COMPLETED)
                if work.done():
                    await self._end(run, work.result(), lease)
                    return
                # The source is stopped before the job is offered to anybody else.
                await _cancelled(work)
                await self._stopped(run, lease)
            except Unavailable as error:
                _log(attempt).warning("Lost sight of the database", code=error.code)
                await self._handed_back(run, lease)
            except NotKnownHereError:
                _log(attempt).warning(
                    "Left a query to workers that know its source", datasource=job.datasource
                )
                await self._handed_back(run, lease)
            finally:
                await _cancelled(work, lease, asked, left)

    async def _stopped(self, run: Run, lease: "asyncio.Task[Hold]") -> None:
        """What becomes of a query whose source was stopped before it ended by itself."""
        if _lost(lease):
            _log(run.attempt).warning("Lost the lease of a query")
        elif run.own.cancelled.is_set() or lease.done():
            await self._end(run, replace(CANCELLED, timings=run.watch.timings), lease)
        else:
            await self._handed_back(run, lease)

    async def _handed_back(self, run: Run, lease: "asyncio.Task[Hold]") -> None:
        """Offer it to another worker; as long as it is ours, so that it does not count as lost."""
        while not _lost(lease):
            try:
                if await self.jobs.hand_back(run.attempt):
                    _log(run.attempt).info("Handed a query back")
                    await self.wakeups.announce(run.attempt.job.id)
                else:
                    await self._end(run, CANCELLED, lease)
            except Unavailable:
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def _end(self, run: Run, outcome: Outcome | Failure, lease: "asyncio.Task[Hold]") -> None:
        log = _log(run.attempt)
        ended = await self._finished(run.attempt, outcome, lease)
        if ended is None:
            log.warning("Dropped a late result: another attempt owns the query")
            return
        for query_id in (run.attempt.job.id, *ended.followers):
            await self.wakeups.announce(query_id)
        if ended.heir is not None:
            await self.doorbell.ring(*ended.heir)
        seconds = time.monotonic() - run.watch.started
        state = outcome.state if isinstance(outcome, Failure) else QueryState.SUCCEEDED
        count(outcome, state, seconds)
        code = outcome.code if isinstance(outcome, Failure) else None
        log.info("Finished a query", state=state.value, code=code, seconds=round(seconds, 4))

    async def _finished(
        self, attempt: Attempt, outcome: Outcome | Failure, lease: "asyncio.Task[Hold]"
    ) -> Ended | None:
        """Finish, over and over while the database is away and the lease may hold: the work is done."""
        while True:
            try:
                return await self.jobs.finish(attempt, outcome)
            except Unavailable:
                if _lost(lease):
                    raise
            await asyncio.sleep(RETRY_S)

    async def _keep_lease(self, run: Run) -> Hold:
        """Return once the attempt is no longer ours, or somebody wants it cancelled."""
        sure_until = time.monotonic() + LEASE_S
        begun = run.progress.begun
        await _set_within(begun, SHOW_AFTER_S)
        if not begun.is_set():
            await self.wakeups.announce(run.attempt.job.id)
        while True:
            await _set_within(begun, HEARTBEAT_S)
            asked, progress, first = time.monotonic(), run.progress, begun.is_set()
            begun.clear()
            try:
                async with asyncio.timeout(sure_until - asked):
                    held = await self.jobs.heartbeat(
                        run.attempt, lease_s=LEASE_S, rows=progress.rows, size=progress.size
                    )
                if held is not Hold.HELD:
                    return held
                sure_until = asked + LEASE_S
                if first:
                    await self.wakeups.announce(run.attempt.job.id)
            except (Unavailable, TimeoutError):
                if time.monotonic() >= sure_until:
                    return Hold.LOST

    async def _outcome(self, run: Run) -> Outcome | Failure:
        try:
            outcome = await self._asked(run)
        except SourceError as error:
            outcome = source_failure(error, run.attempt.job)
        except Rejected as error:
            outcome = Failure(QueryState.REJECTED, "sql_rejected", str(error))
        except (Unavailable, NotKnownHereError):
            raise
        except EngineError as error:
            outcome = Failure(QueryState.FAILED, error.code, error.message, personal=True)
        except Exception:  # noqa: BLE001 - a fault must end this query, not the worker
            _log(run.attempt).exception("Failed a query by a fault of the engine")
            message = "The engine failed; its log has the details."
            outcome = Failure(QueryState.FAILED, "internal_error", message)
        return replace(outcome, timings=run.watch.timings)

    async def _asked(self, run: Run) -> Outcome | Failure:
        """Judge again and run: user, source or policy may have changed while the job waited."""
        job = run.attempt.job
        user, source = await self._permitted(job)
        await self.chunks.prepare(run.attempt.bucket)
        async with self.sources.borrowed(source) as opened:
            known = None if self.catalogs is None else await self.catalogs.ensure(source, opened)
            prepared = judged(user, source, job.sql, job.parameters, job.limits, known)
            caller = Caller(user=user.username, role=user.role)
            max_cost = source.rule_of(user.role).max_cost
            if max_cost is not None:
                plan = await self._plan(opened, prepared, caller)
                if plan.cost is not None and plan.cost > max_cost:
                    return too_costly(plan.cost, max_cost)
            return await self._streamed(run, opened, prepared, caller)

    async def _permitted(self, job: Job) -> tuple[User, DataSource]:
        try:
            return await permitted(job, self.directory, self.catalog)
        except NotKnownHereError:
            await asyncio.sleep(LOOK_AGAIN_S)  # offered at once, it would soon be here again
            return await permitted(job, self.directory, self.catalog)

    async def _plan(self, source: Source, prepared: PreparedQuery, caller: Caller) -> Plan:
        timeout_s = min(EXPLAIN_S, prepared.limits.timeout_s)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self.threads, lambda: source.explain(prepared, timeout_s=timeout_s, caller=caller)
        )

    async def _streamed(self, run: Run, source: Source, prepared: PreparedQuery, caller: Caller) -> Outcome:
        query_id = run.attempt.session
        batches = source.stream(
            prepared, query_id=query_id, caller=caller, correlation_id=run.attempt.job.correlation_id
        )
        stream = Stream(self.threads, run.watch.timed(batches), prepared.limits)
        ended = False
        try:
            async with asyncio.timeout(prepared.limits.timeout_s + DEADLINE_SLACK_S):
                outcome = await stream.stored(run.attempt, self.chunks, run.progress)
            ended = True
        except SourceError:
            ended = True
            raise
        except TimeoutError:
            raise QueryTimedOut("timed out") from None
        finally:
            if not ended:
                await stream.stop(lambda: source.cancel(query_id))
        return outcome


def _log(attempt: Attempt) -> Any:
    return get_logger("worker").bind(query_id=str(attempt.job.id), attempt=attempt.number)


def _lost(lease: "asyncio.Task[Hold]") -> bool:
    return lease.done() and lease.result() is Hold.LOST


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def _cancelled(*tasks: "asyncio.Task[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
