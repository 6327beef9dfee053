"""Running one claimed query: source → Arrow chunks → finish. The worker's side of a query's life.

Whatever happens here the job row decides: every write that matters is guarded by the attempt's fence.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from insight_engine.domain.errors import EngineError, Unavailable
from insight_engine.domain.jobs import Attempt, Failure, Job, Outcome
from insight_engine.domain.query import QueryState
from insight_engine.domain.source_errors import QueryCancelled, QueryTimedOut, SourceError
from insight_engine.domain.sources import Caller, Role
from insight_engine.metrics import QUERIES, QUERY_SECONDS
from insight_engine.ports import Chunks, Jobs, SourceCatalog, Wakeups
from insight_engine.services.chunking import Chunk, chunks_of
from insight_engine.services.directory import UserDirectory
from insight_engine.services.open_sources import OpenSources
from insight_engine.services.queries import grants
from insight_engine.sqlguard import PreparedQuery, Rejected, prepare
from insight_engine.telemetry import get_logger, scrub

if TYPE_CHECKING:
    from collections.abc import Iterator

LEASE_S: Final = 12.0
HEARTBEAT_S: Final = 3.0
DEADLINE_SLACK_S: Final = 2.0
"""Seconds after its own time limit that a source may take before it is stopped from outside."""


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

    async def claim(self, query_id: UUID) -> Attempt | None:
        """Take that job, if it still waits."""
        return await self.jobs.claim(query_id, worker=self.worker, lease_s=LEASE_S)

    async def claim_waiting(self, older_than_s: float) -> Attempt | None:
        """Take the oldest job that has waited that long, if any."""
        return await self.jobs.claim_waiting(older_than_s=older_than_s, worker=self.worker, lease_s=LEASE_S)

    async def run(self, attempt: Attempt, leaving: asyncio.Event) -> None:
        """Run to the end, or hand the job back when `leaving` is set first."""
        log = get_logger("worker").bind(query_id=str(attempt.job.id), attempt=attempt.number)
        log.info("Claimed a query", datasource=attempt.job.datasource)
        started = time.monotonic()
        work = asyncio.create_task(self._outcome(attempt))
        lost = asyncio.create_task(self._keep_lease(attempt))
        left = asyncio.create_task(leaving.wait())
        await asyncio.wait((work, lost, left), return_when=asyncio.FIRST_COMPLETED)
        try:
            if work.done():
                await self._finish(attempt, work.result(), time.monotonic() - started)
                return
            # The source is stopped before the job is offered to anybody else.
            await _cancelled(work)
            if lost.done():
                log.warning("Lost the lease of a query")
            elif await self.jobs.hand_back(attempt):
                log.info("Handed a query back")
        finally:
            await _cancelled(work, lost, left)

    async def _finish(self, attempt: Attempt, outcome: Outcome | Failure, seconds: float) -> None:
        log = get_logger("worker").bind(query_id=str(attempt.job.id), attempt=attempt.number)
        if not await self._stored(attempt, outcome):
            log.warning("Dropped a late result: another attempt owns the query")
            return
        await self.wakeups.announce(attempt.job.id)
        state = outcome.state.value if isinstance(outcome, Failure) else QueryState.SUCCEEDED.value
        code = outcome.code if isinstance(outcome, Failure) else None
        QUERIES.labels(state).inc()
        QUERY_SECONDS.observe(seconds)
        log.info("Finished a query", state=state, code=code, seconds=round(seconds, 4))

    async def _stored(self, attempt: Attempt, outcome: Outcome | Failure) -> bool:
        try:
            return await self.jobs.finish(attempt, outcome)
        except Unavailable:
            # A commit whose answer was lost may have happened; the fence makes asking again harmless.
            await asyncio.sleep(1)
            return await self.jobs.finish(attempt, outcome)

    async def _keep_lease(self, attempt: Attempt) -> None:
        """Return once the attempt is no longer ours."""
        sure_until = time.monotonic() + LEASE_S
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            asked = time.monotonic()
            try:
                async with asyncio.timeout(sure_until - asked):
                    if not await self.jobs.heartbeat(attempt, lease_s=LEASE_S):
                        return
                sure_until = asked + LEASE_S
            except (Unavailable, TimeoutError):
                if time.monotonic() >= sure_until:
                    return

    async def _outcome(self, attempt: Attempt) -> Outcome | Failure:
        job = attempt.job
        try:
            prepared, caller = await self._judged(attempt)
            return await self._streamed(attempt, prepared, caller)
        except SourceError as error:
            return _source_failure(error, job)
        except Rejected as error:
            return Failure(QueryState.REJECTED, "sql_rejected", str(error))
        except Unavailable:
            raise
        except EngineError as error:
            return Failure(QueryState.FAILED, error.code, error.message)
        except Exception:  # noqa: BLE001 - a fault must end this query, not the worker
            get_logger("worker").exception("Failed a query by a fault of the engine", query_id=str(job.id))
            return Failure(QueryState.FAILED, "internal_error", "The engine failed; its log has the details.")

    async def _judged(self, attempt: Attempt) -> tuple[PreparedQuery, Caller]:
        """Judge again: the user, the source or the policy may have changed while the job waited."""
        job = attempt.job
        user = await self.directory.get(job.user_id)
        source = self.catalog.all().get(job.datasource)
        allowed = user is not None and not user.disabled and user.is_at_least(Role.ANALYST)
        if user is None or source is None or not allowed or not user.may_query(source):
            raise EngineError("no_longer_allowed", "You may no longer query this data source.")
        prepared = prepare(job.sql, source=source, grants=grants(source), limits=job.limits)
        return prepared, Caller(user=user.username, role=user.role)

    async def _streamed(self, attempt: Attempt, prepared: PreparedQuery, caller: Caller) -> Outcome:
        """Drive the blocking source from one thread of its own; stop it from outside when it must end."""
        await self.chunks.prepare(attempt.bucket)
        query_id = str(attempt.job.id)
        thread = ThreadPoolExecutor(1, thread_name_prefix="source")
        async with self.sources.borrowed(prepared.source) as source:
            batches = source.stream(
                prepared, query_id=query_id, caller=caller, correlation_id=attempt.job.correlation_id
            )
            chunks = chunks_of(batches, prepared.limits)
            ended = False
            try:
                async with asyncio.timeout(prepared.limits.timeout_s + DEADLINE_SLACK_S):
                    outcome = await self._store(attempt, _Pull(thread, chunks))
                ended = True
            except TimeoutError:
                raise QueryTimedOut("timed out") from None
            else:
                return outcome
            finally:
                if not ended:
                    await asyncio.to_thread(source.cancel, query_id)
                    thread.submit(chunks.close)
                thread.shutdown(wait=False)

    async def _store(self, attempt: Attempt, pull: "_Pull") -> Outcome:
        """Store every chunk but the last, which is stored with the finish."""
        seq, rows, size = 0, 0, 0
        held: Chunk | None = None
        while (chunk := await pull()) is not None:
            if held is not None:
                await self.chunks.put(attempt, seq, held.data, held.rows)
                seq += 1
            held = chunk
            rows += chunk.rows
            size += len(chunk.data)
        if held is None:
            raise EngineError("empty_stream", "The data source sent nothing, not even its columns.")
        return Outcome(
            rows=rows,
            size=size,
            chunks=seq + 1,
            truncated=held.truncated,
            last_chunk=held.data,
            last_chunk_rows=held.rows,
        )


async def _cancelled(*tasks: "asyncio.Task[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _source_failure(error: SourceError, job: Job) -> Failure:
    if isinstance(error, QueryTimedOut):
        late = f"The query took longer than {job.limits.timeout_s:g} s: make it smaller or raise timeout_s."
        return Failure(QueryState.TIMED_OUT, error.code, late)
    state = QueryState.CANCELLED if isinstance(error, QueryCancelled) else QueryState.FAILED
    return Failure(state, error.code, scrub(error.message))


class _Pull:
    """Takes chunk by chunk from a blocking stream, on its thread."""

    def __init__(self, thread: ThreadPoolExecutor, chunks: "Iterator[Chunk]") -> None:
        self._thread, self._chunks = thread, chunks

    async def __call__(self) -> Chunk | None:
        """The next chunk; None at the end."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, next, self._chunks, None)
