"""Reading results: a page, or the whole, in the form asked for."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response

from insight_engine.api.deps import CurrentUser, ResultsDep
from insight_engine.api.negotiation import form_of
from insight_engine.api.openapi import Responses, content, problems
from insight_engine.api.problems import problem
from insight_engine.api.schemas import MAX_WAIT_S, ResultDocument, ResultPage
from insight_engine.api.streams import BoundedStream
from insight_engine.domain.jobs import Job
from insight_engine.services.exports import WrittenPage
from insight_engine.services.formats import MEDIA_TYPES, Format
from insight_engine.services.results import MAX_PAGE_ROWS, Position

router = APIRouter(prefix="/api/v1/queries/{query_id}", tags=["results"])

PAGE_ROWS = 1000
NOT_MODIFIED: Responses = {304: {"description": "The caller has it already."}}
Cursor = Annotated[str | None, Query(max_length=64)]
Limit = Annotated[int | None, Query(ge=1, le=MAX_PAGE_ROWS)]
Known = Annotated[str | None, Header(alias="If-None-Match")]
Wait = Annotated[float, Query(ge=0, le=MAX_WAIT_S)]
Accept = Annotated[str | None, Header(include_in_schema=False)]


@router.get(
    "/results",
    response_class=Response,
    responses={
        200: content(*MEDIA_TYPES.values(), model=ResultPage),
        **NOT_MODIFIED,
        **problems(404, 406, 409, 410, 422, 429),
    },
)
async def results(
    query_id: UUID,
    request: Request,
    user: CurrentUser,
    service: ResultsDep,
    cursor: Cursor = None,
    limit: Limit = None,
    wait_s: Wait = 0,
    format: Format | None = None,  # noqa: A002 - the parameter's name
    known: Known = None,
    accept: Accept = None,
) -> Response:
    """Rows from the start or from `cursor`: a page of JSON; of another form all rows, or `limit` of them."""
    form = form_of(format, accept)
    if form is None:
        return _no_such_form()
    start = Position.decode(cursor) if cursor else Position()
    if form is Format.JSON:
        limit = limit or PAGE_ROWS
        found = await service.so_far(user, query_id, start, limit, wait_s=wait_s)
        if isinstance(found, WrittenPage):
            return _unfinished(found)
        job = found
    else:
        job = await service.job(user, query_id)
    headers = _headers(job, form, cursor, limit)
    if _is_known(headers, known):
        return Response(status_code=304, headers=headers)
    if limit is None:
        pieces = await service.whole(job, start, form)
        slots = request.app.state.download_slots
        return BoundedStream(pieces, slots, media_type=form.media_type, headers=headers)
    page = await service.page(job, start, limit, form)
    if page.next_cursor is not None:
        headers["Next-Cursor"] = page.next_cursor
    return Response(page.body, headers=headers, media_type=form.media_type)


@router.get(
    "/export",
    response_class=Response,
    responses={
        200: content(*MEDIA_TYPES.values(), model=ResultDocument),
        **NOT_MODIFIED,
        **problems(404, 409, 410, 422, 429),
    },
)
async def export(
    query_id: UUID,
    request: Request,
    user: CurrentUser,
    service: ResultsDep,
    format: Format = Format.CSV,  # noqa: A002 - the parameter's name
    known: Known = None,
) -> Response:
    """The whole result as a file to keep."""
    job = await service.job(user, query_id)
    headers = _headers(job, format, None, None)
    headers["Content-Disposition"] = f'attachment; filename="query-{job.id}.{format.value}"'
    if _is_known(headers, known):
        return Response(status_code=304, headers=headers)
    pieces = await service.whole(job, Position(), format)
    slots = request.app.state.download_slots
    return BoundedStream(pieces, slots, media_type=format.media_type, headers=headers)


def _no_such_form() -> Response:
    offered = ", ".join(kind.media_type.partition(";")[0] for kind in Format)
    return problem(406, "not_acceptable", f"Accept names no form that there is. There are {offered}.")


def _unfinished(page: WrittenPage) -> Response:
    """A page of a query that goes on: the next time it may hold more, so nobody shall keep it."""
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if not page.rows:
        headers["Retry-After"] = "1"
    if page.next_cursor is not None:
        headers["Next-Cursor"] = page.next_cursor
    return Response(page.body, headers=headers, media_type=Format.JSON.media_type)


def _is_known(headers: dict[str, str], known: str | None) -> bool:
    return known is not None and (known.strip() == "*" or headers["ETag"] in known)


def _headers(job: Job, form: Format, cursor: str | None, limit: int | None) -> dict[str, str]:
    attempt = job.attempt if job.result_attempt is None else job.result_attempt
    tag = f"{job.result_id or job.id}.{attempt}.{form.value}.{cursor or ''}.{limit or ''}"
    return {
        "ETag": f'"{tag}"',
        "Cache-Control": "private, no-cache",
        "Vary": "Accept, Authorization",
        "X-Content-Type-Options": "nosniff",
    }
