"""Giving results out: a page of one, or the whole of one as a stream, in any form."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

import orjson

from insight_engine.domain.errors import Gone
from insight_engine.domain.jobs import Job
from insight_engine.domain.query import QueryState
from insight_engine.domain.users import User
from insight_engine.ports import Chunks
from insight_engine.services.formats import Format, Writer, writer_of
from insight_engine.services.queries import QueryService
from insight_engine.services.readable import not_finished, require_result
from insight_engine.services.results import Cut, Position, in_pool, read_cut, read_so_far, write_whole

INLINE_ROWS: Final = 200
"""Pages up to this long are written on the event loop: quicker than handing them to a thread."""


@dataclass(frozen=True, slots=True)
class WrittenPage:
    """Some rows, in the form asked for."""

    body: bytes
    rows: int
    next_cursor: str | None


class ResultService:
    """Reads results for the users they belong to."""

    def __init__(self, queries: QueryService, chunks: Chunks) -> None:
        self._queries, self._chunks = queries, chunks

    async def job(self, user: User, query_id: UUID) -> Job:
        """The query, once it has a result of this user's.

        Raises:
            NotFound: it is not this user's query.
            NotReady: it has not succeeded.
            Gone: the result expired or was lost.
        """
        return await self._queries.result_of(user, query_id)

    async def so_far(
        self, user: User, query_id: UUID, start: Position, limit: int, *, wait_s: float
    ) -> Job | WrittenPage:
        """A page, as JSON, of what a query that goes on has stored; the query itself once it has a result.

        Waits up to `wait_s` for a row to be there; after that the page is empty.

        Raises:
            NotFound: it is not this user's query.
            NotReady: nothing is stored yet, or it ended without a result.
            Gone: the result expired or was lost, or the query was begun anew since `start` was given out.
        """
        async with aclosing(self._queries.waiting.moments(query_id, wait_s)) as moments:
            async for _ in moments:
                job = await self._queries.working(user, query_id)
                if job.state.is_final:
                    require_result(job)
                    return job
                cut = await self._stored(job, start.of(job), limit)
                if cut is not None and cut.rows:
                    break
        if cut is None:
            raise not_finished(job)
        return await _written(job, cut, Format.JSON)

    async def _stored(self, job: Job, start: Position, limit: int) -> Cut | None:
        if job.state is not QueryState.RUNNING:
            return None
        return await read_so_far(self._chunks, job, start, limit)

    async def page(self, job: Job, start: Position, limit: int, form: Format) -> WrittenPage:
        """The rows from `start`, at most `limit`, fewer when they are large.

        Raises:
            Gone: the result was lost with its store.
        """
        start = start.of(job)
        async with self._noticing(job):
            cut = await read_cut(self._chunks, job, start, limit)
        return await _written(job, cut, form)

    async def whole(self, job: Job, start: Position, form: Format) -> AsyncIterator[bytes]:
        """Everything from `start`, piece by piece. That all of it is there is known before the first piece.

        Raises:
            Gone: the result was lost with its store.
        """
        start = start.of(job)
        async with self._noticing(job):
            if await self._chunks.count(job) < (job.chunk_count or 0):
                raise Gone("result_lost", "The result was lost with its store. Submit the query again.")
        return write_whole(self._chunks, job, start, writer_of(form))

    @asynccontextmanager
    async def _noticing(self, job: Job) -> AsyncIterator[None]:
        """Have the query say from now on that its result is gone, when it is."""
        try:
            yield
        except Gone as gone:
            await self._queries.lost(job, gone)
            raise


async def _written(job: Job, cut: Cut, form: Format) -> WrittenPage:
    if cut.rows <= INLINE_ROWS:
        return _page(job, cut, form)
    return await in_pool(partial(_page, job, cut, form))


def _page(job: Job, cut: Cut, form: Format) -> WrittenPage:
    writer = writer_of(form)
    body = b"".join(_pieces(writer, cut))
    if form is Format.JSON:
        about = {
            "next_cursor": cut.next_cursor,
            "complete": job.state.is_final,
            "row_count": job.row_count,
            "truncated": job.truncated,
            "expires_at": job.expires_at,
        }
        body = body[:-1] + b"," + orjson.dumps(about)[1:]
    return WrittenPage(body, cut.rows, cut.next_cursor)


def _pieces(writer: Writer, cut: Cut) -> list[bytes]:
    begun = writer.begin(cut.tables[0].schema)
    return [begun, *(writer.write(table) for table in cut.tables), writer.end()]
