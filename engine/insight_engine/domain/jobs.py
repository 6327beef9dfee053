"""A query as the store keeps it: who asked what, how far it is, who works on it. Pure."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from insight_engine.domain.query import QueryLimits, QueryState

MAX_ATTEMPTS: Final = 3
"""A query whose workers were lost this often is failed as `worker_lost`: it may be what kills them."""

RESULT_LIFETIME_S: Final = 24 * 3600
"""Seconds a result can be read after its query ended."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """A query that was judged and is about to be accepted."""

    id: UUID
    user_id: UUID
    datasource: str
    sql: str
    limits: QueryLimits
    policy_digest: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One worker's right to work on a job, valid while the stored fence is still `fence`.

    Attributes:
        bucket: the day its chunks are filed under.
    """

    job: "Job"
    number: int
    fence: int
    bucket: date


@dataclass(frozen=True, slots=True)
class Outcome:
    """A result that was stored completely but for its last chunk, which is stored with the finish.

    Attributes:
        size: bytes of all chunks.
    """

    rows: int
    size: int
    chunks: int
    truncated: bool
    last_chunk: bytes
    last_chunk_rows: int


@dataclass(frozen=True, slots=True)
class Failure:
    """An end without a result."""

    state: QueryState
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Job:
    """One row of the job table. Times are UTC."""

    id: UUID
    user_id: UUID
    datasource: str
    sql: str
    limits: QueryLimits
    policy_digest: str
    correlation_id: str
    state: QueryState
    fence: int
    attempt: int
    submitted_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None
    row_count: int | None
    chunk_count: int | None
    result_bucket: date | None
    truncated: bool
    error_code: str | None
    error_message: str | None
