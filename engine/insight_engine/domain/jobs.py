"""A query as the store keeps it: who asked what, how far it is, who works on it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum, auto
from typing import Final
from uuid import UUID

from insight_engine.domain.query import QueryLimits, QueryState, Scalar

Parameters = tuple[Scalar, ...] | Mapping[str, Scalar] | None
"""Values for a statement's placeholders: by position, by name, or none."""

MAX_LOSSES: Final = 3
"""A query whose workers were lost this often is failed as `worker_lost`: it may be what kills them."""

RESULT_LIFETIME_S: Final = 24 * 3600
"""Seconds a result can be read after its query ended, where no other time is set."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """A query that was judged and is about to be accepted.

    Attributes:
        idempotency_key: the caller's key; the same key again means the same query.
        request_digest: SHA-256 (hex) of what was asked, to tell a repeated request from another one.
        fingerprint: SHA-256 (hex) of what decides the result: identity, grants, source, text, parameters,
            limits, policy. None keeps the query from sharing another's work.
        max_age_s: seconds that an existing result of the same fingerprint may be old to be shared.
    """

    id: UUID
    user_id: UUID
    datasource: str
    sql: str
    limits: QueryLimits
    policy_digest: str
    correlation_id: str
    parameters: Parameters = None
    idempotency_key: str | None = None
    request_digest: str | None = None
    fingerprint: str | None = None
    max_age_s: float = 0.0


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

    @property
    def session(self) -> str:
        """What its work is called at the data source: ending it can never end that of the next attempt."""
        return f"{self.job.id}.{self.number}"


class Hold(Enum):
    """What a worker learns about its attempt when it says that it lives."""

    HELD = auto()
    CANCEL = auto()
    """It is still ours, and somebody asked for its end."""
    LOST = auto()
    """It is no longer ours."""


@dataclass(frozen=True, slots=True)
class Timings:
    """Where the time of an attempt went, in whole milliseconds; None for what it never came to."""

    database_ms: int | None = None
    first_batch_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A result that was stored completely, or but for its last chunk, which is stored with the finish.

    Attributes:
        size: bytes of all chunks.
        last_chunk: None when the result store got it already.
        store: the result store, as `Chunks.name` spells it.
    """

    rows: int
    size: int
    chunks: int
    truncated: bool
    last_chunk: bytes | None
    last_chunk_rows: int
    store: str = "database"
    timings: Timings = Timings()


@dataclass(frozen=True, slots=True)
class Failure:
    """An end without a result.

    Attributes:
        personal: it says something about this query or its user only: who followed it is set free.
    """

    state: QueryState
    code: str
    message: str
    personal: bool = False
    timings: Timings = Timings()

    @property
    def frees_followers(self) -> bool:
        """Whether those who follow the query have to do without it, instead of failing with it."""
        return self.personal or self.state is QueryState.CANCELLED


@dataclass(frozen=True, slots=True)
class Ended:
    """What a finish did.

    Attributes:
        followers: queries that ended with it.
        heir: one that was set free and waits for a worker now, if any: (id, correlation id).
    """

    followers: tuple[UUID, ...] = ()
    heir: tuple[UUID, str] | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One row of the job table. Times are UTC, durations whole milliseconds.

    Attributes:
        leader_id: the query in flight whose end this one shares; None for one that runs itself.
        cached: it took over a result that existed when it was asked.
        losses: workers lost while running it.
        result_id: the query whose chunks are its result: itself, its leader, or an earlier one.
        result_attempt: the attempt that wrote them.
        result_store: the store they are in, as `Chunks.name` spells it.
        progress_rows: rows stored so far, while it runs.
        queue_ms: from acceptance to the first claim.
        database_ms: time spent waiting for the data source.
        first_batch_ms: from claim to the source's first rows.
        cancel_ms: from the request to cancel until the source had let go.
    """

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
    parameters: Parameters = None
    request_digest: str | None = None
    leader_id: UUID | None = None
    cached: bool = False
    cancel_requested_at: datetime | None = None
    losses: int = 0
    result_id: UUID | None = None
    result_attempt: int | None = None
    result_store: str | None = None
    byte_count: int | None = None
    progress_rows: int | None = None
    progress_bytes: int | None = None
    queue_ms: int | None = None
    database_ms: int | None = None
    first_batch_ms: int | None = None
    cancel_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Submitted:
    """A query as it was taken in.

    Attributes:
        replayed: the idempotency key was known: this is the query that it made before.
    """

    job: Job
    replayed: bool = False
