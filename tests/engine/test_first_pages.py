"""Rows of a query that goes on: what its present attempt has stored is read, and no other attempt's."""

import asyncio
import json
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest

from insight_engine.adapters.queue.local import LocalDoorbell, LocalWakeups
from insight_engine.adapters.results.folder import FolderChunks
from insight_engine.adapters.results.routed import RoutedChunks
from insight_engine.adapters.store.chunks import StoredChunks
from insight_engine.adapters.store.database import Database
from insight_engine.adapters.store.jobs import StoredJobs
from insight_engine.adapters.store.outbox import StoredOutbox
from insight_engine.adapters.store.users import StoredUsers
from insight_engine.domain.errors import Gone, NotFound, NotReady
from insight_engine.domain.ids import uuid7
from insight_engine.domain.jobs import Attempt, Failure, Job, Outcome
from insight_engine.domain.query import QueryLimits, QueryState
from insight_engine.domain.users import User
from insight_engine.ports import SourceCatalog
from insight_engine.services.chunking import chunks_of
from insight_engine.services.exports import ResultService, WrittenPage
from insight_engine.services.formats import Format
from insight_engine.services.queries import QueryService
from insight_engine.services.results import Position
from support.jobs import ADMIN_ID, age, claimed, job_of, new_job

CANCELLED = Failure(QueryState.CANCELLED, "cancelled", "The query was cancelled.")
START = Position()


class Engine:
    """What reads results, and what a worker does, over one metadata store."""

    def __init__(self, database: Database, chunks: RoutedChunks) -> None:
        self.database, self.chunks, self.jobs = database, chunks, StoredJobs(database)
        self.wakeups = LocalWakeups()
        queries = QueryService(
            self.jobs, StoredOutbox(database), cast("SourceCatalog", None), LocalDoorbell(), self.wakeups
        )
        self.results = ResultService(queries, chunks)

    async def user(self) -> User:
        found = await StoredUsers(self.database).by_id(ADMIN_ID)
        assert found is not None
        return found

    async def begun(self, *names: str, **changes: Any) -> Attempt:
        """A claimed query that has stored these chunks of one row each."""
        attempt = await claimed(self.database, **changes)
        await self.store(attempt, *names)
        return attempt

    async def store(self, attempt: Attempt, *names: str, first: int = 0) -> None:
        await self.chunks.prepare(attempt.bucket)
        for seq, name in enumerate(names, first):
            await self.chunks.put(attempt, seq, chunk(name), 1)

    async def finish(self, attempt: Attempt, chunks: int) -> None:
        done = Outcome(chunks, 9, chunks, False, None, 1, store=self.chunks.name)  # noqa: FBT003 - not truncated
        assert await self.jobs.finish(attempt, done) is not None

    async def again(self, attempt: Attempt) -> Attempt:
        """The attempt after one whose worker was lost."""
        await age(self.database, attempt.job.id, 60, "lease_expires_at")
        await self.jobs.reap(max_losses=3, limit=9)
        return await self.reclaimed(attempt.job)

    async def reclaimed(self, job: Job) -> Attempt:
        attempt = await self.jobs.claim(job.id, worker="w:2", lease_s=30)
        assert attempt is not None
        return attempt

    async def page(
        self, job: Job, cursor: str | None = None, *, limit: int = 100, wait_s: float = 0
    ) -> dict[str, Any]:
        start = Position.decode(cursor) if cursor else START
        found = await self.results.so_far(await self.user(), job.id, start, limit, wait_s=wait_s)
        if not isinstance(found, WrittenPage):
            found = await self.results.page(found, start, limit, Format.JSON)
        return cast("dict[str, Any]", json.loads(found.body))


def chunk(name: str) -> bytes:
    [made] = chunks_of(iter([pa.record_batch({"who": [name]})]), QueryLimits())
    return made.data


def names(page: dict[str, Any]) -> list[str]:
    return [row[0] for row in page["rows"]]


@pytest.fixture(params=["database", "folder"])
def engine(database: Database, request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    stored, folder = StoredChunks(database), FolderChunks(tmp_path / "results")
    if request.param == "folder":
        return Engine(database, RoutedChunks(folder, stored))
    return Engine(database, RoutedChunks(stored, folder))


async def test_what_is_stored_is_read_while_the_query_goes_on_and_the_rest_when_it_is_there(
    engine: Engine,
) -> None:
    attempt = await engine.begun("a", "b")
    first = await engine.page(attempt.job, limit=1)
    assert (names(first), first["complete"], first["row_count"], first["expires_at"]) == (
        ["a"],
        False,
        None,
        None,
    )
    second = await engine.page(attempt.job, first["next_cursor"])
    nothing = await engine.page(attempt.job, second["next_cursor"])
    assert (names(second), names(nothing)) == (["b"], [])
    assert (nothing["schema"], nothing["next_cursor"]) == (first["schema"], second["next_cursor"])
    await engine.store(attempt, "c", first=2)
    await engine.finish(attempt, 3)
    last = await engine.page(attempt.job, nothing["next_cursor"])
    assert (names(last), last["complete"], last["row_count"], last["next_cursor"]) == (["c"], True, 3, None)
    whole = await engine.page(attempt.job)
    assert (names(whole), whole["complete"]) == (["a", "b", "c"], True)


async def test_a_cursor_that_has_all_rows_of_a_query_that_then_ends_gets_the_end(engine: Engine) -> None:
    attempt = await engine.begun("a")
    page = await engine.page(attempt.job)
    await engine.finish(attempt, 1)
    last = await engine.page(attempt.job, page["next_cursor"])
    assert (names(last), last["complete"], last["next_cursor"]) == ([], True, None)


async def test_a_query_that_has_stored_nothing_has_no_rows_to_read(engine: Engine) -> None:
    waiting, running = (await engine.jobs.submit(new_job())).job, (await engine.begun()).job
    for job in (waiting, running):
        with pytest.raises(NotReady) as refused:
            await engine.page(job)
        assert refused.value.code == "not_finished"


async def test_rows_that_come_are_waited_for(engine: Engine) -> None:
    attempt = await engine.begun()
    reading = asyncio.create_task(engine.page(attempt.job, wait_s=60))
    await asyncio.sleep(0)
    await engine.store(attempt, "a")
    await engine.wakeups.announce(attempt.job.id)
    async with asyncio.timeout(30):
        page = await reading
    assert (names(page), page["complete"]) == (["a"], False)


@pytest.mark.parametrize("lost", [True, False], ids=["reaped", "handed back"])
async def test_a_cursor_ends_with_its_attempt(engine: Engine, lost: bool) -> None:
    frozen = await engine.begun("frozen", "frozen")
    cursor = (await engine.page(frozen.job, limit=1))["next_cursor"]
    if lost:
        again = await engine.again(frozen)
    else:
        assert await engine.jobs.hand_back(frozen)
        with pytest.raises(Gone):  # not theirs any more before another has begun
            await engine.page(frozen.job, cursor)
        again = await engine.reclaimed(frozen.job)
    await engine.store(frozen, "frozen", first=2)  # it wakes up, and learns only then that it is late
    with pytest.raises(NotReady):
        await engine.page(again.job)
    await engine.store(again, "again")
    assert names(await engine.page(again.job)) == ["again"]
    for ended in (False, True):
        with pytest.raises(Gone) as replaced:
            await engine.page(again.job, cursor)
        assert replaced.value.code == "result_replaced"
        if not ended:
            await engine.finish(again, 1)
    assert (await job_of(engine.database, again.job.id)).state is QueryState.SUCCEEDED
    assert names(await engine.page(again.job)) == ["again"]


async def test_a_cursor_without_its_attempt_is_good_for_a_whole_result_only(engine: Engine) -> None:
    attempt = await engine.begun("a", "b")
    bare = Position(1).encode()
    with pytest.raises(Gone):
        await engine.page(attempt.job, bare)
    await engine.finish(attempt, 2)
    assert names(await engine.page(attempt.job, bare)) == ["b"]


async def test_a_follower_reads_what_its_leader_has_stored(engine: Engine) -> None:
    leader = await engine.begun("a", fingerprint="f")
    follower = (await engine.jobs.submit(new_job(fingerprint="f"))).job
    first = await engine.page(follower)
    assert (names(first), first["complete"]) == (["a"], False)
    await engine.store(leader, "b", first=1)
    await engine.finish(leader, 2)
    last = await engine.page(follower, first["next_cursor"])
    assert (names(last), last["complete"]) == (["b"], True)


async def test_a_follower_that_has_to_work_itself_begins_anew(engine: Engine) -> None:
    leader = await engine.begun("a", fingerprint="f")
    follower = (await engine.jobs.submit(new_job(fingerprint="f"))).job
    cursor = (await engine.page(follower))["next_cursor"]
    assert await engine.jobs.finish(leader, CANCELLED) is not None
    await engine.store(await engine.reclaimed(follower), "mine")
    with pytest.raises(Gone):
        await engine.page(follower, cursor)
    assert names(await engine.page(follower)) == ["mine"]


async def test_a_query_that_ends_without_a_result_has_no_rows_any_more(engine: Engine) -> None:
    attempt = await engine.begun("a")
    cursor = (await engine.page(attempt.job))["next_cursor"]
    assert await engine.jobs.finish(attempt, CANCELLED) is not None
    for place in (None, cursor):
        with pytest.raises(NotReady) as refused:
            await engine.page(attempt.job, place)
        assert refused.value.code == "no_result"


async def test_rows_of_another_are_not_shown(engine: Engine) -> None:
    attempt = await engine.begun("a")
    other = await engine.user()
    stranger = User(uuid7(), "other", other.role, other.disabled, other.tokens_valid_from, "x")
    with pytest.raises(NotFound):
        await engine.results.so_far(stranger, attempt.job.id, START, 9, wait_s=0)


async def test_rows_that_were_there_and_are_lost_are_said_to_be(engine: Engine) -> None:
    """The store lost what it had, as a database does that crashed: the rest must not be taken for all."""
    attempt = await engine.begun()
    await engine.store(attempt, "c", first=2)
    with pytest.raises(NotReady):
        await engine.page(attempt.job)
    page = await engine.begun("a")
    marked = Position.decode((await engine.page(page.job))["next_cursor"])
    lost = Position(5, 0, marked.mark).encode()
    with pytest.raises(Gone) as gone:
        await engine.page(page.job, lost)
    assert gone.value.code == "result_lost"
