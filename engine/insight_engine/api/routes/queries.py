"""Submitting queries, following them, reading their results."""

import asyncio
import json
from typing import Annotated
from uuid import UUID

from asgi_correlation_id.context import correlation_id
from fastapi import APIRouter, Query, Response

from insight_engine.api.deps import CurrentUser, QueriesDep
from insight_engine.api.schemas import Datasource, Datasources, QueryAnswer, QueryRequest, page_body
from insight_engine.domain.query import QueryLimits
from insight_engine.services.queries import Submission
from insight_engine.services.results import MAX_PAGE_ROWS

router = APIRouter(prefix="/api/v1")
INLINE_ROWS = 200


@router.get("/datasources")
async def datasources(user: CurrentUser, queries: QueriesDep) -> Datasources:
    """The sources this user may query."""
    return Datasources(
        datasources=[
            Datasource(name=source.name, dialect=source.dialect.value, schemas=list(source.schemas))
            for source in queries.sources(user)
        ]
    )


@router.post("/queries")
async def submit(body: QueryRequest, user: CurrentUser, queries: QueriesDep) -> Response:
    """Run a query: 200 when it ended within `wait_s`, else 202 and where to look."""
    job = await queries.submit(
        user,
        Submission(
            datasource=body.datasource,
            sql=body.sql,
            limits=QueryLimits(rows=body.row_limit, timeout_s=body.timeout_s),
            wait_s=body.wait_s,
            correlation_id=correlation_id.get() or "",
        ),
    )
    headers = {"Location": f"/api/v1/queries/{job.id}"}
    return Response(
        QueryAnswer.of(job).model_dump_json(),
        200 if job.state.is_final else 202,
        headers,
        media_type="application/json",
    )


@router.get("/queries/{query_id}")
async def get(query_id: UUID, user: CurrentUser, queries: QueriesDep) -> QueryAnswer:
    """How far a query is."""
    return QueryAnswer.of(await queries.get(user, query_id))


@router.get("/queries/{query_id}/results")
async def results(
    query_id: UUID,
    user: CurrentUser,
    queries: QueriesDep,
    cursor: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE_ROWS)] = 1000,
) -> Response:
    """A page of a result, from the start or from where a page before said."""
    job, page = await queries.page(user, query_id, cursor, limit)
    body = page_body(job, page.columns, page.rows, page.next_cursor)
    # A large page takes milliseconds to write as text: not on the event loop.
    text = json.dumps(body) if len(page.rows) <= INLINE_ROWS else await asyncio.to_thread(json.dumps, body)
    return Response(text, media_type="application/json")
