"""Whether a query's result can be read, and what to say when it cannot. Pure."""

from datetime import UTC, datetime

from insight_engine.domain.errors import Gone, NotFound, NotReady
from insight_engine.domain.jobs import Job
from insight_engine.domain.query import QueryState


def unknown_query() -> NotFound:
    """What to say of a query that is not the caller's, whether it exists or not."""
    return NotFound("unknown_query", "There is no such query of yours.")


def not_finished(job: Job) -> NotReady:
    """What to say of a query that has no rows to read yet."""
    return NotReady("not_finished", f"The query is {job.state.value}: ask again when it has succeeded.")


def require_result(job: Job) -> None:
    """See to it that the whole result can be read.

    Raises:
        NotReady: the query has not succeeded.
        Gone: the result expired or was lost.
    """
    if job.state is QueryState.EXPIRED or (
        job.state is QueryState.SUCCEEDED
        and job.expires_at is not None
        and job.expires_at < datetime.now(UTC)
    ):
        raise Gone("result_expired", "The result is no longer kept. Submit the query again.")
    if not job.state.is_final:
        raise not_finished(job)
    if job.state is not QueryState.SUCCEEDED:
        raise NotReady("no_result", f"The query ended as {job.state.value} and has no result.")
