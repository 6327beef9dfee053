"""Submitting queries, following and ending them."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from asgi_correlation_id.context import correlation_id
from fastapi import APIRouter, Header, Query, Request, Response

from insight_engine.api.bodies import StrictRoute
from insight_engine.api.deps import CurrentUser, QueriesDep
from insight_engine.api.openapi import BODY, content, problems
from insight_engine.api.schemas import Queries, QueryAnswer, QueryDetail, QueryListed, QueryRequest
from insight_engine.api.streams import BoundedStream, with_keep_alive
from insight_engine.domain.jobs import Job
from insight_engine.domain.query import QueryState
from insight_engine.services.queries import Submission

router = APIRouter(prefix="/api/v1/queries", tags=["queries"], route_class=StrictRoute)

EVENTS = "text/event-stream"
Key = Annotated[str | None, Header(alias="Idempotency-Key", pattern=r"^[\x21-\x7e]{1,128}$")]


@router.post(
    "",
    response_model=QueryAnswer,
    responses={
        202: {"model": QueryAnswer, "description": "It goes on; Location is where to look."},
        **problems(403, 404, 409, *BODY),
    },
)
async def submit(
    body: QueryRequest, user: CurrentUser, queries: QueriesDep, idempotency_key: Key = None
) -> Response:
    """Run a query: 200 when it ended within `wait_s`, else 202 and where to look."""
    submitted = await queries.submit(
        user,
        Submission(
            datasource=body.datasource,
            sql=body.sql,
            parameters=body.given(),
            limits=body.limits(),
            wait_s=body.wait_s,
            on_wait_timeout=body.on_wait_timeout,
            max_age_s=body.max_age_s,
            idempotency_key=idempotency_key,
            correlation_id=correlation_id.get() or "",
        ),
    )
    headers = {"Location": f"/api/v1/queries/{submitted.job.id}"}
    if submitted.replayed:
        headers["Idempotency-Replayed"] = "true"
    return _json(submitted.job, 200 if submitted.job.state.is_final else 202, headers)


@router.get("", responses=problems(403, 422))
async def listed(
    user: CurrentUser,
    queries: QueriesDep,
    state: QueryState | None = None,
    datasource: Annotated[str | None, Query(min_length=1, max_length=63, pattern=r"^[^\x00]+$")] = None,
    everyone: bool = False,
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Queries:
    """The user's queries, newest first; everyone's for an admin who asks for them."""
    found = await queries.list(
        user, state=state, datasource=datasource, everyone=everyone, before=cursor, limit=limit + 1
    )
    page = found[:limit]
    return Queries(
        queries=[QueryListed.of(job) for job in page],
        next_cursor=page[-1].id if len(found) > limit else None,
    )


@router.get("/{query_id}", responses=problems(404, 422))
async def get(query_id: UUID, user: CurrentUser, queries: QueriesDep) -> QueryDetail:
    """How far a query is."""
    return QueryDetail.of(await queries.get(user, query_id))


@router.post(
    "/{query_id}/cancel",
    response_model=QueryAnswer,
    responses={
        202: {"model": QueryAnswer, "description": "Its database has not let go of it yet."},
        **problems(404, *BODY),
    },
)
async def cancel(query_id: UUID, user: CurrentUser, queries: QueriesDep) -> Response:
    """End a query; answered once its database has let go of it, or after 10 s. One that has ended stays."""
    job = await queries.cancel(user, query_id)
    return _json(job, 200 if job.state.is_final else 202, {})


@router.get(
    "/{query_id}/events",
    response_class=Response,
    responses={200: content(EVENTS), **problems(404, 422, 429)},
)
async def events(query_id: UUID, request: Request, user: CurrentUser, queries: QueriesDep) -> Response:
    """The query as it is and again whenever it changes, as server-sent events, until it has ended."""
    await queries.get(user, query_id)  # what is not the user's is refused before the stream begins
    return BoundedStream(
        _events(queries.changes(user, query_id)),
        request.app.state.event_slots,
        media_type=EVENTS,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(jobs: AsyncIterator[Job]) -> AsyncIterator[bytes]:
    async for job in with_keep_alive(jobs):
        if job is None:
            yield b": still here\n\n"
        else:
            yield b"event: query\ndata: " + QueryAnswer.of(job).model_dump_json().encode() + b"\n\n"


def _json(job: Job, status: int, headers: dict[str, str]) -> Response:
    return Response(QueryAnswer.of(job).model_dump_json(), status, headers, media_type="application/json")
