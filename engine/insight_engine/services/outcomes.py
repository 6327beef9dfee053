"""How an attempt may end without a result, and what the metrics keep of any end."""

from typing import Final

from insight_engine.domain.jobs import Failure, Job, Outcome
from insight_engine.domain.query import QueryState
from insight_engine.domain.source_errors import QueryCancelled, QueryTimedOut, SourceError
from insight_engine.metrics import (
    DATABASE_SECONDS,
    FIRST_BATCH_SECONDS,
    QUERIES,
    QUERY_BYTES,
    QUERY_ROWS,
    QUERY_SECONDS,
)
from insight_engine.telemetry import scrub

CANCELLED: Final = Failure(QueryState.CANCELLED, "cancelled", "The query was cancelled.")


def source_failure(error: SourceError, job: Job) -> Failure:
    """How a query ends whose source gave no answer."""
    if isinstance(error, QueryTimedOut):
        late = f"The query took longer than {job.limits.timeout_s:g} s: make it smaller or raise timeout_s."
        return Failure(QueryState.TIMED_OUT, error.code, late)
    state = QueryState.CANCELLED if isinstance(error, QueryCancelled) else QueryState.FAILED
    return Failure(state, error.code, scrub(error.message))


def too_costly(cost: float, max_cost: float) -> Failure:
    """How a query ends that its role may not spend so much on."""
    message = (
        f"The database expects this query to cost {cost:g}, and your role may spend {max_cost:g}: "
        "read fewer rows, or ask for a higher limit."
    )
    return Failure(QueryState.REJECTED, "cost_too_high", message)


def count(outcome: Outcome | Failure, state: QueryState, seconds: float) -> None:
    """Count an end in the metrics."""
    QUERIES.labels(state.value).inc()
    QUERY_SECONDS.observe(seconds)
    if outcome.timings.database_ms is not None:
        DATABASE_SECONDS.observe(outcome.timings.database_ms / 1000)
    if outcome.timings.first_batch_ms is not None:
        FIRST_BATCH_SECONDS.observe(outcome.timings.first_batch_ms / 1000)
    if isinstance(outcome, Outcome):
        QUERY_ROWS.inc(outcome.rows)
        QUERY_BYTES.inc(outcome.size)
