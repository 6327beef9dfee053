"""Jobs to rows and back, and the conditions that moves of a job's state are guarded by."""

import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Row, Update, bindparam, update

from insight_engine.adapters.store.tables import queries
from insight_engine.domain.jobs import Attempt, Job, NewJob, Parameters
from insight_engine.domain.query import QueryLimits, QueryState

QUEUED: Final = queries.c.state == QueryState.QUEUED.value
RUNNING: Final = queries.c.state == QueryState.RUNNING.value
IN_FLIGHT: Final = queries.c.state.in_((QueryState.QUEUED.value, QueryState.RUNNING.value))
LEADING: Final = (queries.c.leader_id.is_(None), queries.c.cancel_requested_at.is_(None), IN_FLIGHT)
"""It works for itself and is not about to end: another query of its fingerprint may follow it."""


def mine() -> Update:
    """A change of the job that only the attempt holding its fence can make; see `of`."""
    return update(queries).where(
        queries.c.id == bindparam("job"), queries.c.fence == bindparam("held"), RUNNING
    )


def of(attempt: Attempt) -> dict[str, Any]:
    """The parameters of `mine`."""
    return {"job": attempt.job.id, "held": attempt.fence}


def row_of(new: NewJob) -> dict[str, Any]:
    """The row of a job that waits; its times are the store's to set."""
    return {
        "id": new.id,
        "user_id": new.user_id,
        "datasource": new.datasource,
        "sql": new.sql,
        "parameters": _text_of(new.parameters),
        "row_limit": new.limits.rows,
        "byte_limit": new.limits.bytes,
        "timeout_s": new.limits.timeout_s,
        "policy_digest": new.policy_digest,
        "correlation_id": new.correlation_id,
        "idempotency_key": new.idempotency_key,
        "request_digest": new.request_digest,
        "fingerprint": new.fingerprint,
        "state": QueryState.QUEUED.value,
        "fence": 0,
        "attempt": 0,
    }


def job_of(row: Row[Any]) -> Job:
    """The job of a row."""
    return Job(
        id=row.id,
        user_id=row.user_id,
        datasource=row.datasource,
        sql=row.sql,
        limits=QueryLimits(rows=row.row_limit, bytes=row.byte_limit, timeout_s=row.timeout_s),
        policy_digest=row.policy_digest,
        correlation_id=row.correlation_id,
        state=QueryState(row.state),
        fence=row.fence,
        attempt=row.attempt,
        submitted_at=row.submitted_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        expires_at=row.expires_at,
        row_count=row.row_count,
        chunk_count=row.chunk_count,
        result_bucket=row.result_bucket,
        truncated=row.truncated,
        error_code=row.error_code,
        error_message=row.error_message,
        parameters=_parameters_of(row.parameters),
        request_digest=row.request_digest,
        leader_id=row.leader_id,
        cached=row.cached,
        cancel_requested_at=row.cancel_requested_at,
        losses=row.losses,
        result_id=row.result_id,
        result_attempt=row.result_attempt,
        result_store=row.result_store,
        byte_count=row.byte_count,
        progress_rows=row.progress_rows,
        progress_bytes=row.progress_bytes,
        queue_ms=row.queue_ms,
        database_ms=row.database_ms,
        first_batch_ms=row.first_batch_ms,
        cancel_ms=row.cancel_ms,
    )


def _text_of(parameters: Parameters) -> str | None:
    if parameters is None:
        return None
    return json.dumps(dict(parameters) if isinstance(parameters, Mapping) else list(parameters))


def _parameters_of(text: str | None) -> Parameters:
    if text is None:
        return None
    found = json.loads(text)
    return found if isinstance(found, dict) else tuple(found)
